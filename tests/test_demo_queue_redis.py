"""Workers are woken through Celery over a real Redis: lost, late, doubled and disordered messages change nothing."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from demo_client import Studio, open_studio, wait_for

from demo.queue.relay import CHANNEL, RedisRelay
from demo.queue.wake import Looking, open_wake
from demo.store.settings import Settings
from demo.store.tables import Event, Generation, Image, Preview
from testing.cluster_servers import RedisServer, absent

NO_LIMIT = dict.fromkeys(("rate_writes", "rate_reads", "rate_newcomers", "rate_address"), "1000000/minute")


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    try:
        import celery  # noqa: F401
    except ImportError:
        absent("celery", "pip install -r requirements-cluster.txt")
    server = RedisServer()
    server.start()
    yield server
    server.close()


def test_a_worker_is_woken_through_celery(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would look by itself only after ten minutes."""
    monkeypatch.setattr("demo.queue.celery_wake.LOOK_SECONDS", 600.0)
    studio = open_studio(tmp_path, queue_url=redis_server.url)
    person = studio.person()
    assert person.finished("코트", n=1)["status"] == "succeeded"
    bell = studio.services.wake
    wait_for(lambda: bell.waiting() == {"queued": 0, "unacked": 0}, 60)  # acknowledged once nothing was left to draw
    studio.close()


def test_without_redis_jobs_are_taken_and_drawn_all_the_same(redis_server: RedisServer, tmp_path: Path) -> None:
    redis_server.kill()
    studio = open_studio(tmp_path, queue_url=redis_server.url)
    person = studio.person()
    assert person.post("/generations", {"prompt": "모자", "n": 1}).status_code == 202
    assert person.finished("코트", n=1)["status"] == "succeeded"
    redis_server.start()  # what lost its connection finds it again
    assert person.finished("치마", n=1)["status"] == "succeeded"
    studio.close()


def test_a_redis_that_is_emptied_while_jobs_wait_loses_none(redis_server: RedisServer, tmp_path: Path) -> None:
    studio = open_studio(tmp_path, queue_url=redis_server.url, **NO_LIMIT)
    people = [studio.person() for _ in range(4)]
    ids = []
    for i in range(12):
        ids.append((people[i % 4], people[i % 4].draw(f"코트 {i}", n=1)["id"]))
        if i % 3 == 2:
            redis_server.command(b"FLUSHALL")
    for person, id in ids:
        assert person.until_end(id)["status"] == "succeeded"
    check_drawn_once(studio, len(ids))
    studio.close()


def test_a_thousand_doubled_and_disordered_messages_draw_every_job_once(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    deliver(redis_server, tmp_path, messages=1000)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_doubled_and_disordered_messages_draw_every_job_once(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    deliver(redis_server, tmp_path, messages=10_000)


def deliver(redis_server: RedisServer, folder: Path, messages: int) -> None:
    """The message of each of 40 jobs comes many times, in any order, before and after the job was drawn."""
    import redis

    from demo.queue.celery_wake import PREFIX, QUEUE

    studio = open_studio(folder, worker=False, queue_url=redis_server.url, step_seconds=0.002, **NO_LIMIT)
    people = [studio.person() for _ in range(4)]
    ids = [people[i % 4].draw(f"코트 {i}", n=1)["id"] for i in range(40)]
    queue, connection = PREFIX + QUEUE, redis.Redis.from_url(redis_server.url)
    wait_for(lambda: connection.llen(queue) == len(ids), 60)
    own, chance = connection.lrange(queue, 0, -1), random.Random(7)
    copies = [chance.choice(own) for _ in range(messages - len(own))]
    connection.delete(queue)
    mixed = chance.sample([*own, *copies], messages)
    connection.rpush(queue, *mixed[: messages // 2])
    studio.start_worker()
    wait_for(lambda: drawn(studio) > 0)
    connection.rpush(queue, *mixed[messages // 2 :])
    wait_for(lambda: connection.llen(queue) == 0, 3000)
    for i, id in enumerate(ids):
        assert people[i % 4].until_end(id)["status"] == "succeeded"
    check_drawn_once(studio, len(ids))
    connection.close()
    studio.close()


def drawn(studio: Studio) -> int:
    with studio.services.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Image))


def check_drawn_once(studio: Studio, jobs: int) -> None:
    """One end, one picture, one attempt and its files of every job."""
    with studio.services.database.read() as session:
        assert set(session.scalars(sa.select(Generation.attempt))) == {1}
        ends = Counter(session.scalars(sa.select(Event.generation_id).where(Event.kind == "done")))
        assert len(ends) == jobs and set(ends.values()) == {1}
        images = list(session.scalars(sa.select(Image)))
    assert len(images) == jobs
    named = {file["key"] for image in images for file in image.files.values()}
    assert set(studio.services.storage.found()) == named


def test_rates_are_counted_in_the_redis_of_the_queue(redis_server: RedisServer, tmp_path: Path) -> None:
    """Two web processes count together; where Redis has gone, nobody is refused."""
    one, two = (
        open_studio(tmp_path / name, worker=False, queue_url=redis_server.url, rate_newcomers="3/hour")
        for name in ("a", "b")
    )
    asked = [each.person().post("/generations", {"prompt": "코트"}).status_code for each in (one, two, one, two)]
    assert asked == [202, 202, 202, 429]
    redis_server.kill()
    assert two.person().post("/generations", {"prompt": "코트"}).status_code == 202
    one.close()
    two.close()


def test_events_and_previews_go_through_redis_and_through_the_database_without_it(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    studio = open_studio(tmp_path, queue_url=redis_server.url, step_seconds=0.01)
    person, gate = studio.person(), studio.pipeline.gate()
    id = person.draw("코트", n=1)["id"]
    wait_for(lambda: (person.get(f"/generations/{id}").json["progress"] or {}).get("preview_urls"))
    assert preview_rows(studio, id) == 0 and person.get(f"/generations/{id}/previews/0").status_code == 200
    assert studio.person().get(f"/generations/{id}/previews/0").status_code == 404, "somebody else's"
    gate.set()
    assert person.until_end(id)["status"] == "succeeded"
    redis_server.kill()
    gate = studio.pipeline.gate()
    id = person.draw("모자", n=1)["id"]
    wait_for(lambda: preview_rows(studio, id) == 1)
    assert person.get(f"/generations/{id}/previews/0").status_code == 200
    gate.set()
    assert person.until_end(id)["status"] == "succeeded"
    studio.close()


def preview_rows(studio: Studio, id: str) -> int:
    with studio.services.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).where(Preview.generation_id == id))


def test_word_of_events_comes_from_another_process_at_once_and_again_after_redis_was_away(
    redis_server: RedisServer,
) -> None:
    listener, teller, heard = RedisRelay(redis_server.url), RedisRelay(redis_server.url), threading.Event()
    assert listener.look_seconds == 0.1
    listener.subscribe(heard.set)
    for away in (False, True):
        if away:
            redis_server.kill()
            wait_for(lambda: listener.look_seconds == 0.1, 60)
            redis_server.start()
        wait_for(lambda: CHANNEL.encode() in redis_server.command(b"PUBSUB CHANNELS"), 60)
        assert listener.look_seconds == 1.0
        heard.clear()
        deadline = time.monotonic() + 60
        while not heard.wait(0.2):  # a teller that could not reach Redis rests for two seconds
            teller.tell()
            assert time.monotonic() < deadline
    for each in (listener, teller):
        each.close()


def test_looking_is_the_default() -> None:
    assert isinstance(open_wake(Settings()), Looking)

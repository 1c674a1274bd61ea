"""Jobs: turns between people, batches of one shape, leases, exactly one end."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from demo_client import Studio, open_studio, wait_for
from demo_fakes import FakePipeline, fake_worker
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from demo.queue import jobs
from demo.queue.fairness import Waiting, choose_batch, fair_order
from demo.queue.jobs import JobQueue
from demo.queue.leases import Leases
from demo.queue.places import Places
from demo.store.tables import Event, Generation, Image
from demo.worker.finishing import Finisher


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    studio = open_studio(tmp_path, worker=False)
    yield studio
    studio.close()


def waiting(owner: str, moment: float, shape: str = "a", n: int = 1, attempt: int = 0) -> Waiting:
    return Waiting(f"{owner}{moment}", owner, moment, n, shape, attempt)


def test_people_take_turns() -> None:
    many = [waiting("a", float(i)) for i in range(100)]
    order = fair_order([*many, waiting("b", 200.0), waiting("c", 201.0)], {"a": 205.0})  # a's last job began just now
    assert [job.owner_id for job in order[:5]] == ["b", "c", "a", "a", "a"]


JOBS = st.tuples(st.sampled_from("abcd"), st.floats(0, 100), st.sampled_from("xy"), st.integers(1, 10))


@given(
    st.lists(JOBS, min_size=1),
    st.dictionaries(st.sampled_from("abcd"), st.floats(0, 100)),
)
@settings(deadline=None, max_examples=200)
def test_nobody_waits_for_more_than_two_of_another_persons(rows: list, served: dict) -> None:
    queue = [Waiting(str(i), *row[:2], row[3], row[2], 0) for i, row in enumerate(rows)]
    order = fair_order(queue, served)
    assert sorted(job.id for job in order) == sorted(job.id for job in queue)
    batch = choose_batch(order, 8)
    assert batch[0] == order[0]
    assert len({job.batch_key for job in batch}) == 1
    assert len(batch) == 1 or sum(job.n for job in batch) <= 8
    lone = [job for job in order if sum(other.owner_id == job.owner_id for other in order) == 1]
    for job in lone:
        before = [other.owner_id for other in order[: order.index(job)]]
        assert all(before.count(owner) <= 1 for owner in set(before))
        assert all([other.owner_id for other in batch].count(owner) <= 2 for owner in set(before))


def test_somebody_with_one_job_waits_for_at_most_two_of_anothers_hundred(studio: Studio) -> None:
    greedy, modest = studio.person(), studio.person()
    for i in range(20):
        greedy.draw(f"원피스 {i}", n=1, steps=1 + i % 2)
    one = modest.draw("코트", n=1)
    assert one["position"] <= 2
    worker = fake_worker(studio.settings, FakePipeline(0))
    worker._begin()
    worker._open()
    drawn = 0
    while modest.get(f"/generations/{one['id']}").json["status"] != "succeeded":
        worker.work_once()
        drawn += 1
        assert drawn <= 2
    ended = [item for item in greedy.get("/generations?limit=100").json["items"] if item["status"] == "succeeded"]
    assert len(ended) <= 2
    worker.close()


def test_the_place_of_a_new_job_is_right_while_the_last_order_is_kept(studio: Studio) -> None:
    places = Places(studio.services.database, clock=lambda: 0.0)  # no order ever grows old
    greedy, modest = studio.person(), studio.person()
    ids = [greedy.draw(f"원피스 {i}", n=1)["id"] for i in range(3)]
    assert [places.of(id) for id in ids] == [0, 1, 2]
    assert places.of(modest.draw("코트", n=1)["id"]) == 1, "people take turns"
    assert places.of(greedy.draw("치마", n=1)["id"]) == 4
    assert [places.of(id) for id in ids] == [0, 2, 3], "the new order is everybody's"
    assert places.of("not waiting any more") == 0


def test_many_who_ask_for_new_places_at_once_share_a_computation(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, places, orders = studio.person(), Places(studio.services.database), []
    ids, gate, real = [person.draw(f"원피스 {i}", n=1)["id"] for i in range(8)], threading.Event(), jobs.queue_order

    def queue_order(session: Session) -> list[Waiting]:
        orders.append(real(session))
        assert gate.wait(60)
        return orders[-1]

    monkeypatch.setattr(jobs, "queue_order", queue_order)
    with ThreadPoolExecutor(8) as pool:
        told = pool.map(places.of, ids)
        wait_for(lambda: len(orders) + len(places._new_order._waiting) == 8)
        gate.set()
        assert list(told) == list(range(8))
    assert len(orders) == 2, "the first computed alone, the others together"


def test_jobs_of_one_shape_are_drawn_together(studio: Studio) -> None:
    pipeline, people = FakePipeline(0), [studio.person() for _ in range(4)]
    made = [person.draw(f"치마 {i}", n=2) for i, person in enumerate(people)]
    other = people[0].draw("치마", n=1, steps=9)
    worker = fake_worker(studio.settings, pipeline)
    worker._open()
    assert worker.work_once()
    assert [len(batch) for batch in pipeline.batches] == [8]
    for person, job in zip(people, made, strict=True):
        assert person.get(f"/generations/{job['id']}").json["status"] == "succeeded"
    assert people[0].get(f"/generations/{other['id']}").json["status"] == "queued"
    worker.close()


def test_a_cancelled_job_of_a_batch_ends_at_once_and_the_others_go_on(tmp_path: Path) -> None:
    studio = open_studio(tmp_path)
    first, second = studio.person(), studio.person()
    blocking, together = studio.pipeline.gate(), studio.pipeline.gate()
    studio.person().draw("막기", n=8)
    one, two = first.draw("모자", n=2), second.draw("신발", n=2)
    blocking.set()
    wait_for(lambda: first.get(f"/generations/{one['id']}").json["status"] == "running")
    wait_for(lambda: len(studio.pipeline.batches[-1]) == 4)  # the two together, once what blocked them was drawn
    assert first.post(f"/generations/{one['id']}/cancel").json["status"] == "cancelled"
    together.set()
    done = second.until_end(two["id"])
    assert done["status"] == "succeeded" and len(done["images"]) == 2
    assert first.get(f"/generations/{one['id']}").json["images"] == []
    studio.close()


def test_one_bad_job_does_not_take_others_of_its_batch_with_it(studio: Studio) -> None:
    bad, good = studio.person(), studio.person()
    failed, fine = bad.draw("crash", n=1), good.draw("셔츠", n=1)
    worker = fake_worker(studio.settings, FakePipeline(0))
    worker._open()
    worker.work_once()
    assert bad.get(f"/generations/{failed['id']}").json["error"]["code"] == "draw_failed"
    assert good.get(f"/generations/{fine['id']}").json["status"] == "succeeded"
    worker.close()


def test_a_job_whose_worker_died_is_drawn_again_at_most_twice(studio: Studio) -> None:
    person = studio.person()
    id = person.draw("가디건", n=1, seed=7)["id"]
    for attempt in (1, 2, 3):
        queue = JobQueue(studio.services.database, studio.settings, f"dead-{attempt}")
        claimed = queue.claim()
        assert [(job.id, job.attempt, job.seed) for job in claimed] == [(id, attempt, 7)]
        with studio.services.database.write() as session:
            assert jobs.take_back(session, f"dead-{attempt}") == 1
        assert not queue.fail(claimed[0], "draw_failed")
    answer = person.get(f"/generations/{id}").json
    assert answer["status"] == "failed" and answer["error"]["code"] == "worker_died"


def test_a_lease_that_ran_out_is_taken_back_and_the_late_worker_commits_nothing(studio: Studio) -> None:
    person, pipeline = studio.person(), FakePipeline(0)
    id = person.draw("후드티", n=1)["id"]
    slow = fake_worker(studio.settings, pipeline)
    slow._open()
    late = slow._queue.claim()
    now = [0.0]
    leases = Leases(studio.services.database, studio.settings.lease_seconds, lambda: now[0])
    assert leases.take_back() == 0
    while now[0] < studio.settings.lease_seconds:
        now[0] += 2.0
        taken = leases.take_back()
    assert taken == 1
    quick = fake_worker(studio.settings, FakePipeline(0))
    quick._open()
    assert quick.work_once()
    slow._run(late)
    with studio.services.database.read() as session:
        assert len(list(session.scalars(select(Image)))) == 1
        ends = list(session.scalars(select(Event.kind).where(Event.generation_id == id, Event.kind == "done")))
    assert ends == ["done"] and len(list(studio.services.storage.found())) == 3
    assert person.get(f"/generations/{id}").json["status"] == "succeeded"
    for worker in (slow, quick):
        worker.close()


def test_a_job_ends_once(studio: Studio) -> None:
    id = studio.person().draw("비니", n=1)["id"]
    with studio.services.database.write() as session:
        row = session.get_one(Generation, id)
        jobs.end(session, row, "cancelled")
        with pytest.raises(ValueError, match="has ended"):
            jobs.end(session, row, "succeeded")


def test_the_queue_is_bounded_and_says_when_to_come_back(tmp_path: Path) -> None:
    studio = open_studio(tmp_path, worker=False, queue=3, jobs_per_owner=2, address_share=1.0)
    first, second = studio.person(), studio.person()
    first.draw("a")
    first.draw("b")
    mine = first.post("/generations", {"prompt": "c"})
    assert (mine.status_code, mine.json["error"]["code"]) == (429, "too_many_jobs")
    second.draw("d")
    full = studio.person().post("/generations", {"prompt": "e"})
    assert (full.status_code, full.json["error"]["code"]) == (429, "queue_full")
    assert int(full.headers["Retry-After"]) >= 1
    studio.close()


def test_a_stopping_worker_gives_its_jobs_back(tmp_path: Path) -> None:
    studio = open_studio(tmp_path)
    person, gate = studio.person(), studio.pipeline.gate()
    id = person.draw("코트", n=1)["id"]
    wait_for(lambda: person.get(f"/generations/{id}").json["status"] == "running")
    studio.worker.stop()
    gate.set()
    studio.thread.join(60)
    assert person.get(f"/generations/{id}").json["status"] == "queued"
    studio.start_worker()
    assert person.until_end(id)["status"] == "succeeded"
    studio.close()


def test_deleting_a_running_job_leaves_nothing(tmp_path: Path) -> None:
    studio = open_studio(tmp_path)
    person, gate = studio.person(), studio.pipeline.gate()
    id = person.draw("목도리", n=2)["id"]
    wait_for(lambda: person.get(f"/generations/{id}").json["status"] == "running")
    assert person.call("DELETE", f"/generations/{id}").json["complete"]
    gate.set()
    assert person.get(f"/generations/{id}").status_code == 404
    assert person.finished("장화", n=1)["status"] == "succeeded"
    assert len(list(studio.services.storage.found())) == 3
    studio.close()


def test_a_sentence_and_a_form_are_drawn_in_one_batch(studio: Studio) -> None:
    studio.person().draw("빨간 원피스", n=2)
    studio.person().draw("", kind="form", title="코트", color="파란", n=2)
    worker = fake_worker(studio.settings, studio.pipeline)
    worker._open()
    assert worker.work_once()
    assert [shot.prompt for shot in studio.pipeline.batches[0]] == ["빨간 원피스"] * 2 + ["파란 코트"] * 2
    worker.close()


def first_batches(studio: Studio, scales: Sequence[float | None]) -> dict[float | None, int]:
    """Pictures of the first batch at each guidance scale, where 18 pictures wait at each."""
    for scale in scales:
        for _ in range(9):
            studio.person().draw("원피스", n=2, guidance_scale=scale)
    worker = fake_worker(studio.settings, studio.pipeline)
    worker._open()
    while worker.work_once():
        pass
    worker.close()
    return {settings.guidance_scale: len(batch) for batch, settings in zip(
        reversed(studio.pipeline.batches), reversed(studio.pipeline.settings), strict=True)}  # fmt: skip


def test_pictures_without_guidance_fill_a_batch_of_twice_as_many(studio: Studio) -> None:
    assert first_batches(studio, (1.0, 3.0, None)) == {1.0: 16, 3.0: 8, None: 8}


def test_pictures_of_one_row_each_fill_a_batch_of_twice_as_many(studio: Studio) -> None:
    studio.pipeline.row_guidance = 3.0  # distilled, and what is drawn where nobody asks for another
    assert first_batches(studio, (None, 1.0)) == {None: 16, 1.0: 8}


def test_what_was_drawn_is_stored_while_the_next_is_drawn(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    stored, finish = threading.Event(), Finisher.finish
    monkeypatch.setattr(Finisher, "finish", lambda *given: (stored.wait(60), finish(*given)))
    people = [studio.person(), studio.person()]
    ids = [person.draw("원피스", n=1, steps=steps)["id"] for steps, person in enumerate(people, 1)]
    studio.start_worker()
    wait_for(lambda: len(studio.pipeline.batches) == 2)  # the first one is not stored yet
    assert people[0].get(f"/generations/{ids[0]}").json["status"] == "running"
    stored.set()
    assert [person.until_end(id)["status"] for person, id in zip(people, ids, strict=True)] == ["succeeded"] * 2


def test_a_job_that_cannot_be_ended_is_drawn_again(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Finisher, "finish", lambda *_: (_ for _ in ()).throw(RuntimeError("the disk")))
    id = studio.person().draw("원피스", n=1)["id"]
    worker = fake_worker(studio.settings, studio.pipeline)
    worker._open()
    worker.work_once()
    assert list(worker._finishing.jobs) == [], "its lease is not renewed any more"
    with studio.services.database.read() as session:
        assert session.get(Generation, id).status == "running", "until its lease has ended"
    worker.close()

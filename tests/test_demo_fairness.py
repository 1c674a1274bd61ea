"""Who is drawn next, and who may wait at all: an attack's numbers by the functions that decide, and by the API."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from demo_client import Person, open_studio
from demo_fakes import FakePipeline, fake_worker
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from demo.queue.fairness import QueueLimits, Waiting, fair_order
from demo.queue.jobs import REMEMBERED, JobQueue
from demo.store.tables import Generation


def job(owner: str, turn: int, address: str | None = None, address_turn: int = 0) -> Waiting:
    return Waiting(f"{owner}-{turn}", owner, turn, 1, "a", 0, address, address_turn)


def serve_all(waiting: list[Waiting], served: dict[str, int], arrivals: dict[int, list[Waiting]]) -> list[Waiting]:
    """Draw one job a turn, as a worker does, while others come; returns them in the order in which they were drawn."""
    drawn: list[Waiting] = []
    turn = max([0, *(one.turn for one in waiting), *served.values()])
    while waiting:
        turn += 1
        waiting += arrivals.pop(turn, [])
        head = fair_order(waiting, served)[0]
        waiting = [one if one.address != head.address or one.address is None else
                   job(one.owner_id, one.turn, one.address, turn) for one in waiting if one.id != head.id]  # fmt: skip
        served[head.owner_id] = turn
        drawn.append(head)
    return drawn


def test_thirty_newcomers_of_one_address_do_not_overtake_a_person_who_waits() -> None:
    """Served before, at turn 40; she came at turn 100, they at 101 to 130: none of them is drawn before her."""
    person, crowd = job("person", 100, "home"), [job(f"new {i}", 101 + i, "cafe") for i in range(30)]
    order = fair_order([*crowd, person], {"person": 40})
    assert order[0] == person


def test_a_person_takes_turns_with_an_address_not_with_each_of_its_thirty_newcomers() -> None:
    """She asks for five pictures, one after the other: before each of them at most one of the thirty is drawn."""
    mine = [job("person", 100 + i, "home") for i in range(5)]
    crowd = [job(f"new {i}", 90 + i, "cafe") for i in range(30)]
    drawn = serve_all([*crowd, *mine], {"person": 40}, {})
    places = [place for place, one in enumerate(drawn) if one.owner_id == "person"]
    assert places[0] <= 1 and all(after - before <= 2 for before, after in zip(places, places[1:], strict=False))


def test_newcomers_who_keep_coming_do_not_hold_up_those_who_wait() -> None:
    """Every turn brings two newcomers from addresses of their own; ten that waited before are drawn within ten."""
    waited = [job(f"old {i}", i, f"home {i}") for i in range(10)]
    arrivals = {turn: [job(f"new {turn} {i}", turn, f"net {turn} {i}") for i in (0, 1)] for turn in range(10, 60)}
    drawn = serve_all(waited, {f"old {i}": 5 for i in range(10)}, arrivals)
    assert {one.owner_id for one in drawn[:10]} == {f"old {i}" for i in range(10)}


def test_within_an_address_people_take_turns() -> None:
    many = [job("greedy", i, "school") for i in range(20)]
    order = fair_order([*many, job("modest", 30, "school"), job("other", 31, "home")], {"greedy": 40})
    assert [one.owner_id for one in order[:3]] == ["modest", "other", "greedy"]


ROWS = st.tuples(st.sampled_from("abcdef"), st.integers(0, 100), st.sampled_from(["x", "y", None]))


@given(st.lists(ROWS, min_size=1, max_size=40), st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 100)))
@settings(deadline=None, max_examples=200)
def test_every_job_is_in_the_order_once_and_no_address_passes_a_lone_one_twice(rows: list, served: dict) -> None:
    queue = [Waiting(str(i), owner, turn, 1, "a", 0, address) for i, (owner, turn, address) in enumerate(rows)]
    order = fair_order(queue, served)
    assert sorted(one.id for one in order) == sorted(one.id for one in queue)
    counts = Counter(one.place for one in order)
    for place, one in enumerate(order):
        if counts[one.place] == 1:
            assert max(Counter(before.place for before in order[:place]).values(), default=0) <= 1


@pytest.mark.parametrize("cookies", [1, 4, 40])
def test_cookies_of_one_address_take_its_share_and_no_more(cookies: int) -> None:
    limits, held = QueueLimits(queue=400, per_owner=100, address_share=0.5), Counter()
    for turn in range(1000):
        owner = turn % cookies
        if limits.refusal(sum(held.values()), held[owner], held[owner], sum(held.values())) is None:
            held[owner] += 1
    assert sum(held.values()) == min(200, 100 * cookies)


def test_four_cookies_of_four_addresses_do_not_fill_the_queue() -> None:
    limits, held = QueueLimits(queue=400, per_owner=100, address_share=0.5), Counter()
    for turn in range(2000):
        owner = turn % 4
        if limits.refusal(sum(held.values()), held[owner], held[owner], held[owner]) is None:
            held[owner] += 1
    assert sum(held.values()) < 400
    assert limits.refusal(sum(held.values()), 0, 0, 0) is None, "somebody new still finds a place"


def test_an_address_that_holds_its_share_is_refused_and_others_are_not(tmp_path: Path) -> None:
    studio = open_studio(tmp_path, worker=False, queue=8, proxies=1, allowed_hosts="studio.kr")
    statuses = [ask(studio.person(), "203.0.113.7").status_code for _ in range(6)]
    assert statuses == [202, 202, 202, 202, 429, 429]
    refused = ask(studio.person(), "203.0.113.7")
    assert refused.json["error"]["code"] == "address_full" and int(refused.headers["Retry-After"]) >= 1
    assert ask(studio.person(), "198.51.100.2").status_code == 202
    assert ask(studio.person(), "2001:db8::1").status_code == 202
    studio.close()


def test_the_address_is_a_keyed_hash_that_goes_when_the_job_ends(tmp_path: Path) -> None:
    studio = open_studio(tmp_path, worker=False, proxies=1, allowed_hosts="studio.kr")
    id = ask(studio.person(), "203.0.113.7").json["id"]
    ask(studio.person(), "2001:db8:1:2::3")
    ask(studio.person(), "2001:db8:1:2:ffff::9")
    with studio.services.database.read() as session:
        kept = dict(session.execute(select(Generation.id, Generation.address)).all())
        assert "203.0.113" not in "".join(kept.values()) and len(kept[id]) == 32
    assert len(set(kept.values())) == 2, "an IPv6 network of 64 bits is one address"
    worker = fake_worker(studio.settings, FakePipeline(0))
    worker._begin()
    worker._open()
    while worker.work_once():
        pass
    worker.close()
    with studio.services.database.read() as session:
        assert set(session.scalars(select(Generation.address))) == {None}
    studio.close()


def test_turns_of_an_address_are_remembered_by_its_waiting_jobs(tmp_path: Path) -> None:
    """Through the database: thirty newcomers from one address, and one person with three pictures."""
    studio = open_studio(tmp_path, worker=False, proxies=1, allowed_hosts="studio.kr", batch=1)
    crowd = [ask(studio.person(), "203.0.113.7").json["id"] for _ in range(30)]
    person = studio.person()
    mine = [ask(person, "198.51.100.2").json["id"] for _ in range(3)]
    queue = JobQueue(studio.services.database, studio.settings, "a worker")
    drawn = []
    for _ in range(6):
        (claimed,) = queue.claim()
        assert queue.fail(claimed, "draw_failed")
        drawn.append(claimed.id)
    assert [id in mine for id in drawn] == [False, True, False, True, False, True]
    assert set(drawn) <= {*crowd, *mine}
    studio.close()


def test_a_claim_changes_few_rows_however_many_wait_from_its_address(tmp_path: Path) -> None:
    studio = open_studio(tmp_path, worker=False, proxies=1, allowed_hosts="studio.kr", batch=1)
    for _ in range(20):
        ask(studio.person(), "203.0.113.7")
    queue = JobQueue(studio.services.database, studio.settings, "a worker")
    for claims in (1, 2):
        (claimed,) = queue.claim()
        with studio.services.database.read() as session:
            turns = session.scalars(select(Generation.address_turn).where(Generation.address_turn > 0)).all()
        assert turns.count(max(turns)) == 1 + REMEMBERED and len(turns) <= claims + REMEMBERED
        assert claimed.address_turn == max(turns)
    studio.close()


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
def test_a_clock_a_day_off_changes_nobodys_place_and_refuses_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    import time

    studio = open_studio(tmp_path, worker=False, rate_writes="30/minute")
    first, second = studio.person(), studio.person()
    before = [first.draw("코트")["id"], second.draw("모자")["id"]]
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    after = [first.draw("신발")["id"], studio.person().draw("치마")["id"]]
    for _ in range(20):
        assert first.get("/generations?limit=1").status_code == 200
    worker = fake_worker(studio.settings, FakePipeline(0))
    worker._settings = studio.settings
    worker._begin()
    worker._open()
    assert studio.services.readiness.worker() is not None
    while worker.work_once():
        pass
    worker.close()
    with studio.services.database.read() as session:
        began = dict(session.execute(select(Generation.id, Generation.turn)).all())
        assert set(session.scalars(select(Generation.status))) == {"succeeded"}
    assert max(began[id] for id in before) < min(began[id] for id in after)
    studio.close()


def ask(person: Person, address: str) -> object:
    headers = {"X-Forwarded-For": address, "X-Forwarded-Host": "studio.kr", "X-Forwarded-Proto": "https"}
    return person.post("/generations", {"prompt": "코트", "n": 1}, headers=headers)

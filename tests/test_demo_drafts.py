"""Drafts: drawn while no job waits, for whoever asked last, and kept nowhere."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from demo_client import Person, Studio, open_studio, wait_for
from PIL import Image
from sqlalchemy import func, select

from demo.queue import drafts
from demo.queue.drafts import Answer, Draft, DraftDesk
from demo.store.settings import Settings, SettingsError
from demo.store.tables import Base
from demo.worker.drafts import draws_drafts

PROMPT = "아직쓰는중인 빨간 원피스"


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = open_studio(tmp_path, step_seconds=0.01)
    yield studio
    studio.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DraftDesk]:
    desk = DraftDesk(tmp_path / "drafts", "worker", threading.Event())
    assert desk.open()
    yield desk
    desk.close()


def rows(studio: Studio) -> dict[str, int]:
    with studio.services.database.read() as session:
        tables = (table for name, table in Base.metadata.tables.items() if name != "workers")
        return {table.name: session.scalar(select(func.count()).select_from(table)) for table in tables}


def taken(desk: DraftDesk) -> Draft:
    found: list[Draft] = []
    wait_for(lambda: (draft := desk.take()) is not None and found.append(draft) is None)
    return found[0]


def test_a_draft_is_one_marked_picture_of_the_base_stage(studio: Studio) -> None:
    reply = studio.person().post("/drafts", {"prompt": PROMPT, "seed": 7})
    assert reply.status_code == 200 and reply.mimetype == "image/webp"
    picture = Image.open(io.BytesIO(reply.data))
    assert picture.size == (64, 64), "the fake's base stage; refined pictures have 128"
    assert b"trainedAlgorithmicMedia" in reply.data and PROMPT.encode() not in reply.data
    (shot,) = studio.pipeline.batches[-1]
    assert (shot.seed, studio.pipeline.settings[-1].refine) == (7, False)
    assert studio.pipeline.settings[-1].steps == max(4, studio.pipeline.default_settings.steps // 2)
    again = studio.person().post("/drafts", {"prompt": PROMPT, "seed": 7})
    assert again.data == reply.data


def test_a_draft_is_drawn_with_both_of_its_styles(studio: Studio) -> None:
    asked = {"prompt": PROMPT, "style": "minhwa", "styles": [{"name": "수묵화", "weight": 0.6}]}
    assert studio.person().post("/drafts", asked).status_code == 200
    assert [(each.name, each.weight) for each in studio.pipeline.settings[-1].all_styles] == [
        ("minhwa", 1.0),
        ("수묵화", 0.6),
    ]


def test_nothing_of_a_draft_is_kept(studio: Studio) -> None:
    person = studio.person()
    before, records = rows(studio), studio.services.searcher.index.live_count()
    assert person.post("/drafts", {"prompt": PROMPT}).status_code == 200
    assert rows(studio) == before, "not even a person"
    assert studio.services.searcher.index.live_count() == records
    assert studio.services.searcher.index.stats()["sequence"] == 0
    files = [path for path in studio.settings.data_dir.rglob("*") if path.is_file()]
    assert files and not any("아직쓰는중인".encode() in path.read_bytes() for path in files)
    assert person.get("/generations").json["items"] == []


def test_a_draft_gives_way_to_a_job(studio: Studio) -> None:
    person, gate = studio.person(), studio.pipeline.gate()
    with ThreadPoolExecutor(1) as pool:
        draft = pool.submit(person.post, "/drafts", {"prompt": PROMPT})
        wait_for(lambda: studio.pipeline.batches)
        job = studio.person().draw("파란 코트")
        time.sleep(0.1)  # longer than between two looks for jobs
        gate.set()
        assert draft.result().status_code == 204
    wait_for(lambda: len(studio.pipeline.batches) == 2)
    assert studio.pipeline.batches[1][0].prompt == "파란 코트" and job["status"] == "queued"


def test_the_newest_draft_of_a_person_counts(studio: Studio) -> None:
    person, gate = first_and_second(studio), studio.pipeline.gate()
    with ThreadPoolExecutor(2) as pool:
        older = pool.submit(person[0].post, "/drafts", {"prompt": "빨간 원피"})
        wait_for(lambda: studio.pipeline.batches)
        newer = pool.submit(person[0].post, "/drafts", {"prompt": "빨간 원피스"})
        wait_for(lambda: studio.worker._desk._waiting)
        gate.set()
        assert (older.result().status_code, newer.result().status_code) == (204, 200)
    assert [batch[0].prompt for batch in studio.pipeline.batches] == ["빨간 원피", "빨간 원피스"]


def first_and_second(studio: Studio) -> list[Person]:
    people = [studio.person(), studio.person()]
    for person in people:
        assert person.get("//").status_code == 200  # a cookie each
    return people


def test_drafts_of_two_people_do_not_overtake_each_other(studio: Studio) -> None:
    people, gate = first_and_second(studio), studio.pipeline.gate()
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(people[0].post, "/drafts", {"prompt": "빨간 원피스"})
        wait_for(lambda: studio.pipeline.batches)
        other = pool.submit(people[1].post, "/drafts", {"prompt": "파란 코트"})
        wait_for(lambda: studio.worker._desk._waiting)
        gate.set()
        assert [one.result().status_code, other.result().status_code] == [200, 200]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"prompt": " "}, "prompt_empty"),
        ({"prompt": "원피스", "style": "없는것"}, "unknown_style"),
        ({"prompt": "원피스", "n": 4}, "invalid_request"),
        ({}, "invalid_request"),
    ],
)
def test_a_draft_is_refused_as_a_drawing_is(studio: Studio, body: dict, code: str) -> None:
    reply = studio.person().post("/drafts", body)
    assert (reply.status_code, reply.json["error"]["code"]) == (422, code)
    assert studio.pipeline.batches == []


def test_a_draft_that_fails_says_so_and_the_worker_goes_on(studio: Studio) -> None:
    person = studio.person()
    assert person.post("/drafts", {"prompt": "crash"}).json["error"]["code"] == "draw_failed"
    assert person.post("/drafts", {"prompt": "flag"}).json["error"]["code"] == "content_flagged"
    assert person.post("/drafts", {"prompt": PROMPT}).status_code == 200
    assert person.finished()["status"] == "succeeded"


def test_drafts_can_be_switched_off(tmp_path: Path) -> None:
    studio = open_studio(tmp_path, drafts="off")
    reply = studio.person().post("/drafts", {"prompt": PROMPT})
    assert (reply.status_code, reply.json["error"]["code"]) == (409, "drafts_off")
    assert studio.person().get("/about").json["drafts"] is False
    assert '"drafts":false' in studio.person().get("//").text, "the page fetches no module and shows no switch"
    assert not studio.settings.drafts_dir.exists()
    studio.close()
    with pytest.raises(SettingsError, match="DRAFTS=maybe: allowed are auto, on and off"):
        Settings(drafts="maybe")


def test_without_a_worker_a_draft_is_not_ready(tmp_path: Path) -> None:
    studio = open_studio(tmp_path, worker=False)
    reply = studio.person().post("/drafts", {"prompt": PROMPT})
    assert (reply.status_code, reply.json["error"]["code"]) == (503, "not_ready")
    studio.close()


@pytest.mark.parametrize(
    ("setting", "domain", "device", "drawn"),
    [
        ("auto", "fashion", "cpu", True),
        ("auto", "", "cpu", False),
        ("auto", "", "cuda", True),
        ("on", "", "cpu", True),
        ("off", "fashion", "cuda", False),
    ],
)
def test_a_public_checkpoint_without_a_gpu_draws_no_drafts(setting: str, domain: str, device: str, drawn: bool) -> None:
    facts = {"domain": domain, "device": device}
    assert draws_drafts(Settings(drafts=setting), facts) is drawn


def ask(
    pool: ThreadPoolExecutor, folder: Path, person: str = "a", seconds: float = 60.0
) -> Callable[[], Answer | None]:
    return pool.submit(drafts.ask, folder, person, {"kind": "draw"}, seconds).result


def test_a_draft_goes_to_a_worker_and_comes_back(tmp_path: Path, desk: DraftDesk) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer = ask(pool, tmp_path / "drafts")
        draft = taken(desk)
        assert draft.spec == {"kind": "draw"} and draft.wanted()
        draft.answer(Answer("drawn", b"picture"))
        draft.answer(Answer("failed"))  # the first one counts
        assert answer() == Answer("drawn", b"picture")
    assert desk.take() is None


def test_nobody_waits_for_a_draft_once_its_client_has_gone() -> None:
    here, there = socket.socketpair()
    draft = Draft("a", {}, time.monotonic() + 60, here)
    assert draft.wanted()
    there.close()
    assert not draft.wanted()
    draft.answer(Answer("drawn", b"x"))


def test_nobody_waits_for_a_draft_that_is_late() -> None:
    here, there = socket.socketpair()
    assert not Draft("a", {}, time.monotonic() - 1, here).wanted()
    here.close(), there.close()


def test_a_desk_that_is_full_answers_at_once(tmp_path: Path, desk: DraftDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "MOST_WAITING", 1)
    with ThreadPoolExecutor(2) as pool:
        first = ask(pool, tmp_path / "drafts", "a")
        wait_for(lambda: desk._waiting)
        assert ask(pool, tmp_path / "drafts", "b")() == Answer("none")
        desk.close()
        assert first() == Answer("none"), "a worker that ends leaves nobody waiting"


def test_the_socket_of_a_dead_worker_is_swept_away(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "dead.sock"))
    left.close()
    assert drafts.ask(tmp_path, "a", {}, 1.0) is None
    assert not (tmp_path / "dead.sock").exists()


def test_a_data_folder_may_have_a_long_name(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / "drafts"
    desk = DraftDesk(folder, "worker", threading.Event())
    assert desk.open()
    with ThreadPoolExecutor(1) as pool:
        answer = ask(pool, folder)
        taken(desk).answer(Answer("drawn", b"picture"))
        assert answer() == Answer("drawn", b"picture")
    desk.close()
    assert not list(folder.iterdir())


def test_sockets_are_for_the_services_own_user(tmp_path: Path, desk: DraftDesk) -> None:
    assert (tmp_path / "drafts").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "drafts" / "worker.sock").stat().st_mode & 0o777 == 0o600


def test_what_is_no_draft_is_hung_up_on(tmp_path: Path, desk: DraftDesk) -> None:
    for said in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0{}"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(tmp_path / "drafts" / "worker.sock"))
            connection.sendall(said)
            with contextlib.suppress(ConnectionResetError):  # what was not read is thrown away
                assert connection.recv(1) == b""
    assert desk.take() is None

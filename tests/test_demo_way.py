"""The way of one job, from its HTTP body to the stored picture, is short.

Two counts, over the service (`demo`, `jobspec`); encoder, index, prompt reader and pipeline are rooms of their own,
behind protocols. *Handed*: files with a function that is given the job in one of its forms (body, prompt, job, row,
order, result, picture): who follows a job from HTTP to picture reads these. *Run*: files in which any code runs, with
what every request takes beside its job (identity, limits, headers, locks, room on the disk, the place in the queue).

What this test proves small is the first count. The second is held where it is: commit 7ede1c4, whose service was one
folder without rooms, ran code of 24 files on this way (36 with the other rooms), this build of 33 (51 with them). Each
does work of its own; fewer files would be longer ones.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest
from demo_client import Studio, open_studio
from demo_fakes import fake_worker
from PIL import Image as Picture

from demo.store.tables import Generation, Image
from demo.studio.views import Asked, Shown
from jobspec import Job, Order, Result, ResultPicture

ROOT = Path(__file__).parent.parent
PROMPT = "빨간 체크무늬 원피스"
# run: two more since a job names its weights, and word of its events may go through Redis
MOST_HANDED, MOST_RUN, MOST_LINES = 18, 38, 350
FORMS = (Job, Generation, Asked, Shown, Order, Result, ResultPicture, Picture.Image, Image)
ROOMS = ("demo", "jobspec")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = open_studio(tmp_path_factory.mktemp("way"), worker=False)
    yield studio
    studio.close()


def is_the_job(value: object, depth: int = 1) -> bool:
    """Whether a value is the job in one of its forms: body, text, job, row, order, result, picture, bytes of a file."""
    if isinstance(value, FORMS) or (isinstance(value, str) and PROMPT in value):
        return True
    if isinstance(value, bytes):
        return value[:4] in (b"\x89PNG", b"RIFF") or PROMPT.encode() in value
    if isinstance(value, (list, tuple, dict)) and depth:
        inner = value.values() if isinstance(value, dict) else value
        return any(is_the_job(one, depth - 1) for one in inner)
    return False


def traced(work: Callable[[], object]) -> tuple[set[str], set[str]]:
    """The files of the rooms in which code ran, and those of them that were handed the job."""
    ran: set[str] = set()
    handed: set[str] = set()

    def note(frame: FrameType, event: str, _value: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event != "call" or not path.is_relative_to(ROOT):
            return
        name = str(path.relative_to(ROOT))
        if name.startswith(tuple(f"{room}/" for room in ROOMS)):
            ran.add(name)
            if name not in handed and any(is_the_job(value) for value in list(frame.f_locals.values())):
                handed.add(name)

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return ran, handed


def test_a_job_passes_few_files_on_its_way_and_none_is_long(studio: Studio) -> None:
    person, worker = studio.person(), fake_worker(studio.settings, studio.pipeline)
    person.draw("파란 바지", n=1)
    worker._open()
    assert worker.work_once()
    made: list[dict] = []
    asked = traced(lambda: made.append(person.draw(PROMPT, n=1)))
    drawn = traced(worker.work_once)
    done = person.get(f"/generations/{made[0]['id']}").json
    data = person.get(f"/images/{done['images'][0]['id']}").data
    assert done["status"] == "succeeded" and Picture.open(io.BytesIO(data)).size == (128, 128)
    ran, handed = asked[0] | drawn[0], asked[1] | drawn[1]
    print(f"{len(handed)} files have the job in hand, code of {len(ran)} runs: {', '.join(sorted(handed))}")
    assert len(handed) <= MOST_HANDED, sorted(handed)
    assert len(ran) <= MOST_RUN, sorted(ran)
    lines = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in ran}
    assert max(lines.values()) <= MOST_LINES, lines
    worker.close()

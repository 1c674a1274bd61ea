"""Stand-ins for the models, for tests of the service only: an encoder of hashed letters, a pipeline of flat pictures.

Run as a program it is the command line of the studio with these stand-ins: `serve`, `web` and `worker`.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from demo_holds import stand_still
from PIL import Image

from demo.store.database import Database
from demo.store.settings import Settings
from demo.studio.searching import Searcher
from demo.studio.services import open_index, open_services, open_worker_index
from diffusion.editing.request import EditSettings, EditShot
from diffusion.lora_card import StyleCard
from diffusion.progress import Cancelled, Progress
from diffusion.reading import read_shots
from diffusion.request import DrawSettings, Shot
from fashion.reader import FashionReader
from index import IndexOptions, PromptIndex
from jobspec import PictureSize, Runner, Shapes
from testing.fabric import BandGenerator, PaintSegmenter

DIM = 64
STEPS = 4
GATE_SECONDS = 120.0


class FakeEncoder:
    """Unit vectors of hashed 1-3-grams: like prompts are near, the same prompt is the same vector."""

    search_dim = DIM
    max_tokens = 77

    def __init__(self, encoder_id: str = "fake-1") -> None:
        self.encoder_id = encoder_id

    def search(self, prompts: Sequence[str]) -> np.ndarray:
        return np.stack([self._vector(prompt) for prompt in prompts])

    def count_tokens(self, text: str) -> int:
        return len(text.split()) + 2

    def _vector(self, prompt: str) -> np.ndarray:
        row = np.full(DIM, 1e-3)
        for n in (1, 2, 3):
            for i in range(len(prompt) - n + 1):
                row[int(hashlib.md5((self.encoder_id + prompt[i : i + n]).encode()).hexdigest(), 16) % DIM] += 1
        return (row / np.linalg.norm(row)).astype(np.float32)


class FakeDescriber:
    """Sees a red dress in a park, wherever there is something red."""

    def describe(self, picture: Image.Image, language: str) -> str:
        red, green, blue = picture.resize((1, 1)).getpixel((0, 0))
        if red <= max(green, blue):
            return ""
        return "빨간 원피스, 공원" if language == "ko" else "a red dress, a park"


@dataclass
class FakeDrawing:
    images: list[Image.Image]
    base_images: list[Image.Image]
    recipes: list[dict]
    timings: dict[str, float]
    flagged: list[bool] | None = None
    warnings: tuple = ()


class FakePipeline:
    """Pictures of one colour, made of prompt and seed alone, in STEPS slow steps a stage.

    What `gate` gives holds the next batch after its first step until it is set: a test that needs a running job holds
    it, however slow the machine is; one whose service runs in other processes holds a stage (demo_holds.py). Prompts
    that hold `crash`, `die` or `flag` make it fail, end the process, or be flagged.
    """

    checkpoint_id, domain = "fake-checkpoint", "fashion"
    shapes = Shapes(64, 16, squares_only="FAKE_SHAPES" not in os.environ)

    def __init__(self, step_seconds: float = 0.02, refines: bool = True) -> None:
        self.step_seconds, self.refines = step_seconds, refines
        self.batches: list[list[Shot]] = []
        self.settings: list[DrawSettings] = []
        self.edits: list[list[EditShot]] = []
        self.row_guidance = 1.0
        self._gates: deque[threading.Event] = deque()

    def gate(self) -> threading.Event:
        """Hold the next batch that no other gate holds."""
        self._gates.append(threading.Event())
        return self._gates[-1]

    @property
    def default_settings(self) -> DrawSettings:
        return DrawSettings(steps=STEPS, guidance_scale=3.0, size=64, refine=self.refines, refine_strength=0.4)

    def style_cards(self) -> list[StyleCard]:
        return [StyleCard("minhwa", "0" * 64, trigger="민화풍", example="민화풍 호랑이"), StyleCard("수묵화", "1" * 64)]

    def draw(
        self, shots: Sequence[Shot], settings: DrawSettings, on_step: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> FakeDrawing:  # fmt: skip
        reader = FashionReader().styled() if settings.is_styled else FashionReader()
        shots = read_shots(shots, reader)
        self.batches.append(list(shots))
        self.settings.append(settings)
        gate, small = self._gates.popleft() if self._gates else None, PictureSize.square(32)
        refine = settings.refine and self.refines
        stages = ("base", "refiner") if refine else ("base",)
        for stage in stages:
            for step in range(1, STEPS + 1):
                time.sleep(self.step_seconds)
                if any("die" in shot.prompt for shot in shots):
                    os._exit(9)
                if settings.steps == 99:
                    raise ValueError("99 steps are too many for a fake")
                if any("crash" in shot.prompt for shot in shots):
                    raise RuntimeError("asked to crash")
                if on_step:
                    on_step(Progress(stage, step, STEPS, 0.1, lambda: [_picture(shot, small) for shot in shots]))
                assert gate is None or gate.wait(GATE_SECONDS)
                if step == STEPS:
                    stand_still(stage, [shot.prompt for shot in shots], cancelled, GATE_SECONDS)
                if cancelled and cancelled():
                    raise Cancelled
        size = PictureSize(settings.height or 64, settings.width or 64)
        images = [_picture(shot, size.times(2 if refine else 1)) for shot in shots]
        styles = [each.model_dump() for each in settings.styles]
        made = {"checkpoint": self.checkpoint_id, "settings": {"style": settings.style, "styles": styles}}
        made["settings"] |= {"width": settings.width, "height": settings.height} if settings.width else {}
        recipes = [
            {"prompt": shot.prompt, "negative_prompt": shot.negative_prompt, "seed": shot.seed}
            | {"drawn_prompt": shot.drawn_prompt, "drawn_negative_prompt": shot.drawn_negative}
            | made
            for shot in shots
        ]
        base = [_picture(shot, size) for shot in shots] if refine else images
        return FakeDrawing(images, base, recipes, {"encode": 0.0, "base": 0.1, "refiner": 0.1},
                           ["flag" in shot.prompt for shot in shots])  # fmt: skip

    def edit(
        self, edits: Sequence[EditShot], settings: DrawSettings, how: EditSettings,
        on_step: Callable[[Progress], None] | None = None, cancelled: Callable[[], bool] | None = None,
    ) -> FakeDrawing:  # fmt: skip
        self.edits.append(list(edits))
        return self.draw([each.target() for each in edits], settings, on_step, cancelled)


def _picture(shot: Shot, size: PictureSize) -> Image.Image:
    digest = hashlib.md5(f"{shot.drawn_prompt}|{shot.seed}|{shot.source is not None}".encode()).digest()
    return Image.new("RGB", (size.width, size.height), tuple(digest[:3]))


def fake_services(settings: Settings, encoder_id: str = "fake-1") -> object:
    opened = small_index if "FAKE_KILLS" in os.environ else open_index
    return open_services(
        settings, lambda path: FakeEncoder(encoder_id), opened, lambda folder: FakeDescriber(), open_fake_segmenter
    )


def open_fake_segmenter(folder: Path) -> PaintSegmenter:
    if os.environ.get("FAKE_TEXTILE") == "0":
        raise FileNotFoundError(folder / "segmenter.safetensors")
    return PaintSegmenter()


def small_index(settings: Settings, database: Database, encoder: FakeEncoder) -> PromptIndex:
    """An index that is built anew after a few prompts, in its process, so that this can be killed meanwhile."""
    options = IndexOptions(exact_below=5, erase_within=0.5, own_process=False)
    return PromptIndex(settings.index_dir, database.engine, encoder.search_dim, encoder.encoder_id, options)


def fake_worker(
    settings: Settings, pipeline: FakePipeline | None = None, runners: dict[str, Runner] | None = None
) -> object:
    from demo.store.database import open_database
    from demo.store.storage import Storage
    from demo.worker.drawing import DrawRunner
    from demo.worker.loop import Worker

    database = open_database(settings)
    searcher = Searcher(settings, database, lambda path: FakeEncoder(), open_worker_index)
    made = pipeline or FakePipeline(
        float(os.environ.get("FAKE_STEP_SECONDS", "0.02")), os.environ.get("FAKE_REFINES") != "0"
    )
    runner = DrawRunner(made)
    kinds = dict.fromkeys(("draw", "form", "vary", "edit"), runner) | fabric_runners() | (runners or {})
    return Worker(settings, database, Storage(settings.files_url), searcher, lambda *_: kinds)


def fabric_runners() -> dict[str, Runner]:
    """Of patterns and of their application; with FAKE_TEXTILE=0 as where no weights are."""
    from demo.worker.fabric import ApplyRunner, PatternRunner

    if os.environ.get("FAKE_TEXTILE") == "0":
        return {"apply": ApplyRunner(None)}
    return {"pattern": PatternRunner(BandGenerator()), "apply": ApplyRunner(PaintSegmenter())}


def model_folders(folder: Path, refines: bool = True) -> dict[str, str]:
    """Folders that are there, so that the service does not call them missing."""
    for name in ("checkpoint", "encoder"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    stages = {"base": {}} | ({"refiner": {}} if refines else {})
    (folder / "checkpoint" / "manifest.json").write_text(json.dumps({"stages": stages, "domain": "fashion"}))
    return {"checkpoint": str(folder / "checkpoint"), "encoder": str(folder / "encoder")}


def die_in_turn(kills: Path, stages: Sequence[str], most: int) -> None:
    """Have this process kill itself (SIGKILL) at the stage whose turn it is, one process a turn, before or after it.

    `kills` lists the stages at which processes have died so far.
    """
    import fcntl
    import signal

    import demo.store.storage
    from demo.queue import jobs
    from demo.store.storage import Storage
    from demo.studio.asking import Asking
    from demo.worker.finishing import Finisher

    def reached(stage: str) -> None:
        with kills.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            died = file.read().split()
            if len(died) < most and stages[len(died) % len(stages)] == stage:
                file.write(f"{stage}\n")
                file.flush()
                os.kill(os.getpid(), signal.SIGKILL)

    def wrap(owner: object, name: str, before: str | None, after: str | None = None) -> None:
        inner = getattr(owner, name)

        def outer(*given: object, **named: object) -> object:
            if before:
                reached(before)
            result = inner(*given, **named)
            if after and result is not False and result != []:
                reached(after)
            return result

        setattr(owner, name, outer)

    wrap(Asking, "_enter", None, "accept")  # written, not committed
    wrap(Asking, "ask", None, "answer")  # committed, not answered
    wrap(jobs.JobQueue, "claim", None, "claim")
    wrap(jobs.JobQueue, "report", None, "step")
    wrap(Storage, "put", None, "file")
    wrap(demo.store.storage, "_write_durably", "rename")
    wrap(jobs, "end", "commit")  # files are there, rows are not committed
    wrap(Finisher, "_commit", None, "end")
    wrap(PromptIndex, "_build", "index", None)


def main(arguments: list[str]) -> int:
    import logging

    from demo.ops import supervisor
    from demo.ops.processes import run_web, run_worker
    from demo.ops.supervisor import serve

    logging.basicConfig(level="INFO", format="%(asctime)s %(process)d %(levelname).1s %(name)s: %(message)s")
    settings = Settings.from_env()
    if arguments[0] == "serve":
        supervisor.HUNG_SECONDS = float(os.environ.get("FAKE_HUNG_SECONDS", supervisor.HUNG_SECONDS))
        return serve(settings, (sys.executable, str(Path(__file__).resolve())))
    if kills := os.environ.get("FAKE_KILLS"):
        die_in_turn(Path(kills), os.environ["FAKE_STAGES"].split(","), int(os.environ["FAKE_MOST_KILLS"]))
    values = dict(zip(arguments[1::2], map(int, arguments[2::2]), strict=True))
    if arguments[0] == "web":
        return run_web(settings, values["--fd"], values.get("--parent"), fake_services)
    return run_worker(settings, values.get("--parent"), fake_worker)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    sys.exit(main(sys.argv[1:]))

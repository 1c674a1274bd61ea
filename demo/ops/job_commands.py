"""A command for each kind of job: the same runner as the worker's, without a server, into a folder."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import jobspec
from demo.store.settings import Settings
from jobspec.options import add_options, from_options

if TYPE_CHECKING:
    from demo.studio.searching import Encoder
    from jobspec import BatchStep, Job, Result, Runner

NAMES = {"draw": "generate"}  # kinds whose command has a name of its own
DEFAULTS = {"n": 1, "seed": 0}
OWN_DEFAULTS: dict[str, dict[str, object]] = {"edit": {}, "pattern": {"seed": 0}}  # an edit has its source's seed


def add_job_commands(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command of every kind; `command(run, name, help)` makes its parser."""
    for name, kind in jobspec.KINDS.items():
        parser = command(partial(run, kind), NAMES.get(name, name), kind.COMMAND or f"Run a {name} job.")
        add_options(parser, kind, OWN_DEFAULTS.get(name, DEFAULTS))
        parser.add_argument("-o", "--out", type=Path, default=Path("out"), help="folder (default out/)")


def run(kind: type[Job], settings: Settings, arguments: argparse.Namespace) -> int:
    """Run one job and write its pictures; prints their paths. Raises ValueError in words."""
    from demo.store.errors import ServiceError, message
    from demo.studio import pictures

    given, files = from_options(arguments, kind)
    order = accepted(kind, given, files, settings)
    runner = open_runner(settings, order.job.kind)
    try:
        with _Bar() as bar:
            result = runner.run([order], bar.step)[0]
    except ServiceError as error:
        raise ValueError(message(error.code, error.values)) from error
    if result.flagged:
        raise ValueError("the checkpoint's safety checker flagged a picture: nothing is written")
    for path in write(result, arguments.out, pictures.EDITED if order.pictures else pictures.GENERATED):
        print(path)
    return 0


def accepted(kind: type[Job], given: dict[str, object], files: dict[str, Path], settings: Settings) -> jobspec.Order:
    """The job as the service would take it, with its pictures and their recipes. Raises ValueError in words."""
    from pydantic import ValidationError

    from demo.store.errors import ServiceError, language, message
    from demo.store.messages import reason_of
    from demo.studio import pictures, prompts
    from demo.studio.fabric import settled_apply, settled_pattern

    try:
        data = {name: path.read_bytes() for name, path in files.items()}
        ids = {name: hashlib.sha256(each).hexdigest()[:32] for name, each in data.items()}
        job = kind.model_validate(given | ids)
        recipes = _recipes(files)
        if isinstance(job, jobspec.Edit):
            job = _settled(job, recipes.get("source_image"), settings)
        opened = {name: pictures.read_upload(each) for name, each in data.items()}
        if isinstance(job, jobspec.Pattern):
            job = settled_pattern(job, {})
        elif isinstance(job, jobspec.Apply):
            found = {name: _Brought(*each.size, recipes.get(name)) for name, each in opened.items()}
            job = settled_apply(job, found, {})
        texts: dict[str, object] = {job.TEXT: prompts.accept(job.main_text, job.TEXT)}
        texts |= {name: prompts.clean(getattr(job, name), name) for name in job.OTHER_TEXTS}
        if isinstance(job, jobspec.Draw):
            texts["style"] = prompts.style_named(job.style, _installed(settings) if job.style else ())
        return jobspec.Order(job.changed(**texts), opened, recipes)
    except ServiceError as error:
        raise ValueError(message(error.code, error.values)) from error
    except ValidationError as error:
        first = error.errors()[0]
        reason = reason_of(first["type"], first.get("ctx", {}), language(), first["msg"])
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {reason}") from error


@dataclass(frozen=True)
class _Brought:
    """A picture that was named by its file."""

    width: int
    height: int
    recipe: dict[str, object] | None


def _recipes(files: Mapping[str, Path]) -> dict[str, dict[str, object]]:
    """What pictures were drawn from, of those whose files say so."""
    from demo.worker.editing import recipe_of

    return {name: recipe for name, path in files.items() if (recipe := recipe_of(path)) is not None}


def _installed(settings: Settings) -> list[str]:
    """Names of the LoRA styles beside the checkpoint."""
    from demo.worker.styles import StyleFolder

    return [card.name for card in StyleFolder(settings).cards()]


def _settled(job: jobspec.Edit, recipe: Mapping[str, object] | None, settings: Settings) -> Job:
    from demo.studio import prompts
    from demo.studio.editing import settled
    from demo.studio.readiness import manifest_of

    job = settled(job, recipe, prompts.reader_for(str(manifest_of(settings.checkpoint).get("domain", ""))))
    return job if job.seed is not None else job.changed(seed=DEFAULTS["seed"])


def open_runner(settings: Settings, kind: str) -> Runner:
    """The runner of one kind, with the models of the settings; for one job it is not worth it to measure engines.

    Raises ValueError, FileNotFoundError.
    """
    from demo.worker.runners import open_runners

    if settings.engine == "auto":
        settings = settings.model_copy(update={"engine": "torch"})
    return open_runners(settings, partial(_encoder, settings), [kind])[kind]


def write(result: Result, folder: Path, source_type: str) -> list[Path]:
    """Write a result's pictures, each to a name that nobody has; returns their paths."""
    from demo.studio import pictures

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for place, picture in enumerate(result.pictures):
        seed = ((result.job.seed or 0) + place) % jobspec.SEEDS
        path = _free_name(folder, f"{seed:010}")
        path.write_bytes(pictures.encode(picture.image, "image/png", source_type, picture.recipe))
        paths.append(path)
    return paths


def _encoder(settings: Settings) -> Encoder:
    from demo.studio.services import open_encoder

    if not Path(settings.encoder).exists():
        raise ValueError(f"there is no Korean text encoder at {settings.encoder}: set ENCODER")
    return open_encoder(Path(settings.encoder))


def _free_name(folder: Path, stem: str) -> Path:
    """A PNG name that nobody has: pictures never overwrite each other."""
    names = [folder / f"{stem}.png", *(folder / f"{stem}-{i}.png" for i in range(2, 10_000))]
    return next(path for path in names if not path.exists())


class _Bar:
    """A progress bar over steps, at a terminal."""

    def __enter__(self) -> _Bar:
        from tqdm import tqdm

        self._bar = tqdm(unit="step", disable=None, file=sys.stderr)
        return self

    def step(self, progress: BatchStep) -> None:
        self._bar.set_description(progress.stage)
        self._bar.update(1)

    def __exit__(self, *_: object) -> None:
        self._bar.close()

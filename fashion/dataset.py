"""Write drawn scenes as a Hugging Face imagefolder: pictures, captions in two languages, exact attributes.

In: a count and a seed. Out: DIR/images/000000.png … and DIR/metadata.jsonl with file_name, text (English), text_ko and
attributes (the scene, as `Scene.from_dict` reads it), which `datasets.load_dataset("imagefolder", data_dir=DIR)` opens.
The same settings write the same bytes. The folder appears when it is whole.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from fashion.captions import caption
from fashion.scene import SPLITS, Scene, sample_scene
from fashion.whole_folder import whole_folder
from hangul.files import text_stream
from hangul.rows import json_line_objects

logger = logging.getLogger(__name__)

_Job = tuple[Path, int, "ExportSettings"]
_Mapping = Callable[[Callable[[_Job], dict[str, object]], Iterable[_Job]], Iterable[dict[str, object]]]

METADATA = "metadata.jsonl"
IMAGES = "images"
TRAIN, TEST = "train", "test"  # of the column split, where there is one: no training may use the test rows


@dataclass(frozen=True)
class ExportSettings:
    """What to export. `size` in pixels; `workers` processes draw, and none of them changes a byte."""

    folder: Path
    count: int
    seed: int = 0
    size: int = 256
    split: str = "train"
    workers: int = 1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count is {self.count}: export at least 1 scene")
        if not 64 <= self.size <= 1024:
            raise ValueError(f"size is {self.size}: draw at 64 to 1024 pixels")
        if self.split not in SPLITS:
            raise ValueError(f"split {self.split!r}: use {', '.join(SPLITS)}")
        if self.workers < 1:
            raise ValueError(f"workers is {self.workers}: use at least 1")


def export(settings: ExportSettings, progress: bool = True) -> Path:
    """Draw and write the scenes. Raises FileExistsError where the folder is not empty."""
    with whole_folder(settings.folder) as work:
        (work / IMAGES).mkdir()
        jobs = [(work / IMAGES, i, settings) for i in range(settings.count)]
        with _mapping(settings.workers) as mapping, (work / METADATA).open("w", encoding="utf-8") as lines:
            rows = mapping(_write_one, jobs)
            for row in tqdm(rows, total=len(jobs), unit="scene", disable=None if progress else True):
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    logger.info("wrote %d scenes of %d px to %s", settings.count, settings.size, settings.folder)
    return settings.folder


def scene_of(settings: ExportSettings, index: int) -> Scene:
    """The i-th scene of an export; exports of different seeds share none."""
    return sample_scene(settings.seed * 10**7 + index, settings.split)


def read_metadata(folder: Path) -> Iterator[dict[str, object]]:
    """The rows of an imagefolder, in UTF-8 or CP949.

    Raises FileNotFoundError where there is no metadata, ValueError that names the line of a row that is no object.
    """
    path = Path(folder) / METADATA
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: make a data set with python -m fashion export or prepare")

    def refuse(number: int, reason: str) -> None:
        raise ValueError(f"{path}, line {number} {reason}")

    try:
        with path.open("rb") as file, text_stream(str(path), file) as lines:
            for _, row in json_line_objects(lines, on_fault=refuse):
                yield row
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not {error.encoding} throughout: save it as UTF-8") from error


def _write_one(job: _Job) -> dict[str, object]:
    """Draw one scene into its file and return its row."""
    from PIL import Image

    from fashion.drawing import draw

    folder, index, settings = job
    scene = scene_of(settings, index)
    name = f"{index:06d}.png"
    Image.fromarray(draw(scene, settings.size)).save(folder / name)
    return {
        "file_name": f"{IMAGES}/{name}",
        "text": caption(scene, "en", index).text,
        "text_ko": caption(scene, "ko", index).text,
        "attributes": scene.to_dict(),
    }


@contextmanager
def _mapping(workers: int) -> Iterator[_Mapping]:
    """`map`, or its ordered like over processes."""
    if workers == 1:
        yield map
        return
    with multiprocessing.get_context("spawn").Pool(workers) as processes:
        yield lambda function, jobs: processes.imap(function, jobs, chunksize=8)

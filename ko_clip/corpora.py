"""Korean-English pairs to train on: tables kept on disk, and drawn captions by seed (`ko_clip.drawn`).

A corpus answers `pair(index, epoch)` with (what the student reads, the English that the teachers read). The English
of an index never changes, so teachers' outputs are kept by index; what the student reads varies with the epoch:
Korean worded anew and with the noise of real typing, or the English itself.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from hangul.files import files_under
from ko_clip.recipe import CorpusRecipe
from ko_clip.table_files import SUFFIXES
from ko_clip.tables import Report, read_pairs

logger = logging.getLogger(__name__)
_MOST_HELD, _LEAST_HELD = 500, 100  # of 100 sentences one more that is found is 1 %
_READER = 2  # changes when tables are read otherwise, so that what was kept is read anew


class Corpus(Protocol):
    """Pairs by index. `heads`: those it trains, none named meaning all. `identity`: changes when the English does."""

    name: str
    heads: tuple[str, ...]
    identity: str
    recipe: CorpusRecipe

    def __len__(self) -> int: ...

    def pair(self, index: int, epoch: int) -> tuple[str, str]: ...


class StoredCorpus:
    """Pairs in two memory-mapped files: text in UTF-8, and where each begins. Four million take no memory.

    `part`: all rows, those for training, or those held out, which lie evenly between the others.
    """

    def __init__(self, folder: Path, recipe: CorpusRecipe, part: str = "all") -> None:
        self.recipe, self.name, self.heads = recipe, recipe.name, recipe.heads
        self.offsets = np.load(folder / "offsets.npy", mmap_mode="r")
        self.blob = np.memmap(folder / "texts.utf8", dtype=np.uint8, mode="r")
        rows = (len(self.offsets) - 1) // 2
        held = 0 if part == "all" or not recipe.hold_out else _held_out(rows, recipe.hold_out)
        self.part, self.stride = part, rows // held if held else 0
        self.length = {"all": rows, "training": rows - held, "held_out": held}[part]
        identity = json.loads((folder / "report.json").read_text("utf-8"))["identity"]
        self.identity = f"{identity}-{part}"

    def __len__(self) -> int:
        return self.length

    def texts(self, index: int) -> tuple[str, str]:
        """(Korean, English) of one row of the part."""
        if not 0 <= index < self.length:
            raise IndexError(f"row {index} of {self.length}")
        if self.part == "held_out":
            index = index * self.stride
        elif self.stride > 1:  # every stride-th row is held out, as many as there are
            index = min(index + index // (self.stride - 1) + 1, index + (len(self.offsets) - 1) // 2 - self.length)
        start, middle, end = (int(x) for x in self.offsets[2 * index : 2 * index + 3])
        return bytes(self.blob[start:middle]).decode("utf-8"), bytes(self.blob[middle:end]).decode("utf-8")

    def pair(self, index: int, epoch: int) -> tuple[str, str]:
        korean, english = self.texts(index)
        draw = random.Random(f"{self.recipe.seed}/{index}/{epoch}")
        return (korean if draw.random() < self.recipe.korean_share else english), english


def _held_out(rows: int, share: float) -> int:
    """How many rows are kept out of training: a share, but not so few that they tell nothing, nor ever most."""
    return min(_MOST_HELD, max(int(rows * share), min(_LEAST_HELD, rows // 8)))


def open_corpora(recipes: Iterable[CorpusRecipe], folder: Path, part: str = "all") -> list[Corpus]:
    """Open every corpus, reading tables into `folder` once. An optional one that is missing is left out, and said."""
    found: list[Corpus] = []
    for number, recipe in enumerate(recipes):
        if recipe.kind == "drawn":
            from ko_clip.drawn import DrawnCorpus  # the drawn domain, for training alone

            found.append(DrawnCorpus(recipe))
        elif recipe.optional and not Path(recipe.path).exists():
            logger.warning("corpus %s is missing and optional: left out", recipe.path)
        else:
            found.append(store(recipe, folder / f"{number:02d}-{Path(recipe.path).name}", part))
    if not found:
        raise FileNotFoundError("no corpus of the recipe is there: check the paths under corpora")
    return found


def store(recipe: CorpusRecipe, folder: Path, part: str = "all") -> StoredCorpus:
    """Read a table into `folder` unless it was read before, and open it."""
    report_file = folder / "report.json"
    stamp = _stamp(recipe)
    if report_file.is_file() and json.loads(report_file.read_text("utf-8")).get("stamp") == stamp:
        return StoredCorpus(folder, recipe, part)
    folder.mkdir(parents=True, exist_ok=True)
    report = Report()
    rows = read_pairs(Path(recipe.path), report, recipe.ko, recipe.en, recipe.encoding)
    identity = _write(rows, folder)
    if not report.kept:
        raise ValueError(f"{recipe.path} gave no pair: {report.summary()}")
    _tell(recipe, report)
    values = {"stamp": stamp, "identity": identity, **report.to_dict()}
    report_file.write_text(json.dumps(values, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return StoredCorpus(folder, recipe, part)


def _tell(recipe: CorpusRecipe, report: Report) -> None:
    """What was read, by which columns, and what was not."""
    logger.info("%s: %s", recipe.path, report.summary())
    for name, columns in report.columns.items():
        others = f", not {', '.join(columns.others)}" if columns.others else ""
        machine = f"; machine translation not used: {', '.join(columns.machine_translations)}"
        logger.info("%s: Korean is %s, English is %s%s%s", name, columns.ko, columns.en, others,
                    machine if columns.machine_translations else "")  # fmt: skip
    for reason in report.left_out.values():
        logger.warning("left out: %s", reason)


def _write(rows: Iterator[tuple[str, str]], folder: Path) -> str:
    """Write text and offsets as rows come; return the identity of the English side."""
    from array import array

    offsets, digest = array("q", [0]), hashlib.sha256()
    with (folder / "texts.utf8").open("wb") as file:
        for korean, english in rows:
            for text in (korean.encode("utf-8"), english.encode("utf-8")):
                file.write(text)
                offsets.append(offsets[-1] + len(text))
            digest.update(english.encode("utf-8") + b"\n")
    np.save(folder / "offsets.npy", np.frombuffer(offsets, dtype=np.int64))
    return digest.hexdigest()[:16]


def _identity(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode("utf-8")).hexdigest()[:16]


def _stamp(recipe: CorpusRecipe) -> str:
    path = Path(recipe.path)
    if not path.exists():
        raise FileNotFoundError(f"corpus {path} is missing: check the path, or mark it optional: true")
    files = files_under(path, SUFFIXES) if path.is_dir() else [path]
    facts = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    return _identity([repr((_READER, facts, recipe.ko, recipe.en, recipe.encoding))])

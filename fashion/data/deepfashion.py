"""Read the Fashion Synthesis subset of DeepFashion: `python -m fashion deepfashion FOLDER OUT`.

In: a folder with language_original.mat (engJ, nameList, cate_new, color_, gender_, sleeve_), ind.mat (1-based test_ind,
train_ind where it has one) and G2.h5 (ih), each as a file, in a folder below or in a zip archive. Out: an imagefolder as
`fashion.dataset` writes it (file_name, text, text_ko, attributes) with two more columns, split (train or test) and
source, and deepfashion_processed.csv with the codes. Pictures stay in memory a few at a time, so that all 80,000 of them
take less than 500 MB.
Ref: Zhu et al. 2017, arXiv:1710.07346; Liu et al. 2016, "DeepFashion", CVPR.
"""

from __future__ import annotations

import csv
import json
import logging
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from fashion.catalogue import Product
from fashion.data.archives import find_file
from fashion.data.deepfashion_labels import FIELDS, CodeNames, code_names
from fashion.data.hdf5_pictures import AUTO, StoredPictures, open_pictures
from fashion.data.matlab import MatlabRequest, read_matlab
from fashion.dataset import IMAGES, METADATA, TEST, TRAIN
from fashion.shop_captions import describe
from fashion.whole_folder import whole_folder

logger = logging.getLogger(__name__)
LANGUAGE, INDICES, PICTURES = "language_original.mat", "ind.mat", "G2.h5"
OF_TEST = "of test"
TABLE = "deepfashion_processed.csv"
COLUMNS = ("index", "file_name", "split", "text", *FIELDS, *(f"{name}_code" for name in FIELDS), "source")


@dataclass(frozen=True)
class DeepFashionSettings:
    """`limit`: read the first so many pictures only. `scale`: what the values of ih are, where the file does not say."""

    folder: Path
    out: Path
    limit: int | None = None
    scale: str = AUTO

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise NotADirectoryError(f"{self.folder} is not a folder: name the one with {LANGUAGE}")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit is {self.limit}: give at least 1")


@dataclass
class DeepFashionReport:
    """What was written, by split, and what was left out."""

    splits: Counter[str] = field(default_factory=Counter)
    without_caption: int = 0
    without_split: int = 0
    of_test: int = 0  # further rows of a photograph of the test set

    def lines(self) -> Iterator[str]:
        yield f"written: {self.splits[TRAIN]} pictures to train on, {self.splits[TEST]} to test on"
        yield (f"left out: {self.without_caption} without a caption, {self.without_split} that no index names, "
               f"{self.of_test} further rows of photographs of the test set")  # fmt: skip


@dataclass(frozen=True)
class Labels:
    """Everything but the pictures: n captions, picture names, codes by field, and the split of each row ("": no index names it,
    OF_TEST: it would be trained on, and its photograph is one of the test set)."""

    captions: list[str]
    sources: list[str]
    codes: Mapping[str, np.ndarray]
    splits: list[str]
    names: CodeNames

    def row(self, index: int) -> dict[str, object]:
        """The imagefolder row of a picture, but its file name."""
        caption = self.captions[index]
        codes = {name: int(values[index]) for name, values in self.codes.items()}
        named = {name: self.names(name, code) for name, code in codes.items()}
        described = describe(Product("", "", caption, "", "", ""))
        garments = described["attributes"]["garments"]  # type: ignore[index, call-overload]
        return {
            "text": caption, "text_ko": described["text_ko"], "split": self.splits[index],
            "attributes": {"garments": garments, **named, "codes": codes}, "source": self.sources[index],
        }  # fmt: skip


def read_deepfashion(settings: DeepFashionSettings, progress: bool = True) -> DeepFashionReport:
    """Write the imagefolder. Raises FileNotFoundError or ValueError naming the file that is missing or damaged and the
    cure, FileExistsError where `out` is not empty.
    """
    with _files(settings) as files:
        labels = read_labels(files[LANGUAGE], files[INDICES], settings.folder)
        with open_pictures(files[PICTURES], settings.scale) as pictures:
            if len(pictures) != len(labels.captions):
                raise ValueError(
                    f"{files[PICTURES]} has {len(pictures)} pictures, {files[LANGUAGE]} describes "
                    f"{len(labels.captions)}: one of them is of another release, copy both again"
                )
            count = min(settings.limit or len(pictures), len(pictures))
            report = DeepFashionReport()
            with whole_folder(settings.out) as work:
                _write(work, labels, pictures, count, report, progress)
                if not sum(report.splits.values()):
                    raise ValueError(f"no picture could be written: {'; '.join(report.lines())}")
    logger.info("wrote %d pictures to %s", sum(report.splits.values()), settings.out)
    return report


def read_labels(language: Path, indices: Path, folder: Path) -> Labels:
    """Captions, codes and splits. Raises ValueError where their lengths or the indices do not fit."""
    described, split = read_matlab([
        MatlabRequest(language, list(FIELDS.values()), ["engJ", "nameList"]),
        MatlabRequest(indices, ["test_ind"], where_there=["train_ind"]),
    ])  # fmt: skip
    captions, sources = described.texts["engJ"], described.texts["nameList"]
    codes = {name: described.numbers[variable] for name, variable in FIELDS.items()}
    lengths = {"engJ": len(captions), "nameList": len(sources)} | {FIELDS[name]: len(codes[name]) for name in codes}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"{language} has variables of different lengths ({told}): copy it again")
    splits = _splits(indices, split.numbers, sources)
    return Labels(captions, sources, codes, splits, code_names(codes, captions, sources, folder))


def _splits(indices: Path, found: Mapping[str, np.ndarray], sources: list[str]) -> list[str]:
    """The split of each row: test if test_ind names it, else train if train_ind does or is not there.

    No photograph is on both sides: a row to train on whose photograph the test set has is OF_TEST.
    """
    places = {name: _places(indices, name, values, len(sources)) for name, values in found.items()}
    test = set(places["test_ind"].tolist())
    train = set(places["train_ind"].tolist()) if "train_ind" in places else set(range(len(sources))) - test
    photographs = {sources[place] for place in test}

    def split(place: int) -> str:
        if place in test:
            return TEST
        if place not in train:
            return ""
        return OF_TEST if sources[place] in photographs else TRAIN

    return [split(place) for place in range(len(sources))]


def _places(path: Path, name: str, values: np.ndarray, count: int) -> np.ndarray:
    """0-based places of 1-based indices."""
    wrong = values[(values < 1) | (values > count)]
    if len(wrong):
        raise ValueError(f"{path}: {name} has index {wrong[0]}: 1 to {count} are expected, as MATLAB counts from 1. "
                         f"Is it the {INDICES} of this {LANGUAGE}?")  # fmt: skip
    return values - 1


@contextmanager
def _files(settings: DeepFashionSettings) -> Iterator[dict[str, Path]]:
    """The three files; what is unpacked goes with the context."""
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".deepfashion-", dir=settings.out.parent) as unpacked:
        yield {name: find_file(settings.folder, name, Path(unpacked)) for name in (LANGUAGE, INDICES, PICTURES)}


def _write(
    work: Path, labels: Labels, pictures: StoredPictures, count: int, report: DeepFashionReport, progress: bool
) -> None:
    (work / IMAGES).mkdir()
    bar = tqdm(total=count, unit="picture", disable=None if progress else True)
    with (
        (work / METADATA).open("w", encoding="utf-8") as lines,
        (work / TABLE).open("w", encoding="utf-8", newline="") as table,
        bar,
    ):
        sheet = csv.DictWriter(table, COLUMNS)
        sheet.writeheader()
        for start in range(0, count, pictures.at_once):
            stop = min(start + pictures.at_once, count)
            for index, levels in enumerate(pictures.read(start, stop), start=start):
                if _is_left_out(labels, index, report):
                    continue
                row = {"file_name": f"{IMAGES}/{index:06d}.png", **labels.row(index)}
                Image.fromarray(levels).save(work / str(row["file_name"]), compress_level=1)
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")
                sheet.writerow(_table_row(index, row))
                report.splits[labels.splits[index]] += 1
            bar.update(stop - start)


def _is_left_out(labels: Labels, index: int, report: DeepFashionReport) -> bool:
    if not labels.captions[index]:
        report.without_caption += 1
    elif not labels.splits[index]:
        report.without_split += 1
    elif labels.splits[index] == OF_TEST:
        report.of_test += 1
    else:
        return False
    return True


def _table_row(index: int, row: Mapping[str, object]) -> dict[str, object]:
    attributes = row["attributes"]
    assert isinstance(attributes, Mapping)
    codes = {f"{name}_code": code for name, code in attributes["codes"].items()}
    told = {name: row[name] for name in ("file_name", "split", "text", "source")}
    return {"index": index, **told, **{name: attributes[name] for name in FIELDS}, **codes}

"""Measure a folder of pictures: `python -m diffusion.metrics PICTURES [--reference FOLDER] [--captions FILE]`.

In: pictures, and where there are any, true pictures of the same kind and captions. Out: a Markdown table, each value
with the network that it comes from: the Inception-Score analogue (10 splits), Fréchet and kernel distance, precision
and recall (with a reference), CLIP score (with captions), diversity, sharpness. What the pictures are too few for is an
error. Only values by Inception v3 are called Inception Score and FID.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from diffusion.metrics import clip_scores, diversity, frechet_distance, kernel_distance, sharpness
from diffusion.metrics.networks import OWN, FeatureNetwork, open_features
from diffusion.metrics.sets import SPLITS, inception_splits, precision_recall
from diffusion.precision import choose_device
from pictures import UnreadablePicture, open_picture
from training.command import run_command

logger = logging.getLogger(__name__)
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
GROUPS = ("inception", "distances", "precision", "clip", "diversity", "sharpness")
_AT_ONCE = 32


@dataclass(frozen=True)
class Measured:
    """One line of the table; `by`: the network that it comes from."""

    name: str
    value: str
    by: str
    better: str  # "↑", "↓"


@dataclass(frozen=True)
class PictureSet:
    """A folder's pictures as a network reads them: names, features (n, d), probabilities (n, K), sharpness (n,)."""

    names: list[str]
    features: np.ndarray
    probabilities: np.ndarray
    sharpness: np.ndarray


def measure(
    pictures: PictureSet, network: FeatureNetwork, groups: Sequence[str], reference: PictureSet | None = None,
    clip: np.ndarray | None = None, splits: int = SPLITS,
) -> list[Measured]:  # fmt: skip
    """The lines of the groups asked for; `clip`: scores (n,) of pictures with their captions. Raises TooFewPictures."""
    by, rows = network.name, []
    if "inception" in groups:
        name = "Inception Score" if network.is_inception else "Inception-Score analogue"
        rows.append(
            Measured(f"{name}, {splits} splits", str(inception_splits(pictures.probabilities, splits)), by, "↑")
        )
    if "distances" in groups and reference is not None:
        far = frechet_distance(pictures.features, reference.features)
        rows.append(Measured("FID" if network.is_inception else "Fréchet distance", f"{far:.4f}", by, "↓"))
        kernel = kernel_distance(pictures.features, reference.features)
        rows.append(Measured("KID" if network.is_inception else "kernel distance", f"{kernel:.5f}", by, "↓"))
    if "precision" in groups and reference is not None:
        precision, recall = precision_recall(pictures.features, reference.features)
        rows += [Measured("precision", f"{precision:.3f}", by, "↑"), Measured("recall", f"{recall:.3f}", by, "↑")]
    if "clip" in groups and clip is not None:
        rows.append(Measured("CLIP score", f"{clip.mean():.2f} ± {clip.std() / len(clip) ** 0.5:.2f}", "CLIP", "↑"))
    if "diversity" in groups:
        rows.append(
            Measured("diversity (mean cosine distance)", f"{diversity(pictures.features[None])[0]:.4f}", by, "↑")
        )
    if "sharpness" in groups:
        rows.append(Measured("sharpness (Laplacian)", f"{pictures.sharpness.mean():.2f}", "pixels", "↑"))
    return rows


def read_folder(folder: Path, network: FeatureNetwork) -> PictureSet:
    """Read every picture below a folder. Raises FileNotFoundError for a folder without any."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder of pictures")
    names, features, probabilities, sharp = list[str](), [], [], []
    for batch in _batches(folder):
        found = network.read([picture for _, picture in batch])
        names += [name for name, _ in batch]
        features.append(found[0])
        probabilities.append(found[1])
        sharp.append(sharpness([picture for _, picture in batch]))
    if not names:
        raise FileNotFoundError(f"{folder} has no picture that can be read: {', '.join(SUFFIXES)} are")
    return PictureSet(names, np.concatenate(features), np.concatenate(probabilities), np.concatenate(sharp))


def _batches(folder: Path) -> Iterator[list[tuple[str, Image.Image]]]:
    """Names and pictures, a few of one size at a time, in the order of their names."""
    batch: list[tuple[str, Image.Image]] = []
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file()]
    for path in tqdm(paths, unit="picture", desc=folder.name, disable=None):
        try:
            picture = open_picture(path).convert("RGB")
        except (OSError, UnreadablePicture) as error:
            logger.warning("left out: %s: %s", path.name, error)
            continue
        if batch and (len(batch) == _AT_ONCE or batch[0][1].size != picture.size):
            yield batch
            batch = []
        batch.append((_nfc(path.relative_to(folder).as_posix()), picture))
    if batch:
        yield batch


def read_captions(path: Path, names: Sequence[str]) -> list[str]:
    """The caption of each picture, from metadata.jsonl, CSV (file_name, text), JSON ({file: text}) or lines in the
    order of the names. Raises ValueError naming a picture without one.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: give metadata.jsonl, a CSV, a JSON object or a text file")
    text = path.read_text("utf-8-sig")
    if path.suffix == ".txt":
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if len(lines) != len(names):
            raise ValueError(
                f"{path} has {len(lines)} lines, there are {len(names)} pictures: one line each is expected"
            )
        return lines
    found = _by_name(path, text)
    captions = {_nfc(name): caption for name, caption in found.items()}
    by_file = {Path(name).name: caption for name, caption in captions.items()}
    told = [captions.get(name) or by_file.get(Path(name).name) for name in names]
    if missing := [name for name, caption in zip(names, told, strict=True) if not caption]:
        raise ValueError(f"{path} has no caption of {missing[0]} ({len(missing)} of {len(names)} pictures have none)")
    return [str(caption) for caption in told]


def _nfc(name: str) -> str:
    """macOS takes Hangul apart in names of files."""
    return unicodedata.normalize("NFC", name)


def _by_name(path: Path, text: str) -> Mapping[str, str]:
    try:
        if path.suffix == ".json":
            return {str(name): str(caption) for name, caption in json.loads(text).items()}
        rows: Sequence[Mapping[str, object]]
        if path.suffix == ".csv":
            rows = list(csv.DictReader(text.splitlines()))
        else:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        return {str(row["file_name"]): str(row.get("text") or row.get("caption") or "") for row in rows}
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path} cannot be read as captions ({why}): rows need file_name and text") from error


def _clip_scores(folder: Path, pictures: Path, captions: Sequence[str], device: torch.device) -> np.ndarray:
    from diffusion.report import ClipJudge

    judge = ClipJudge(folder, device)
    rows = [judge.pictures([picture for _, picture in batch]) for batch in _batches(pictures)]
    return clip_scores(judge.texts(captions), np.concatenate(rows))


def table(rows: Sequence[Measured], count: int, reference: int | None) -> str:
    """Markdown."""
    beside = "" if reference is None else f", {reference} reference pictures"
    lines = [f"{count} pictures{beside}", "", "| measure | value | by |", "|---|---:|---|"]
    return "\n".join([*lines, *(f"| {row.name} {row.better} | {row.value} | {row.by} |" for row in rows)])


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    return run_command(lambda: _measure(options))


def _measure(options: argparse.Namespace) -> None:
    groups = tuple(options.only or GROUPS)
    for group, needed, option in (
        ("distances", options.reference, "--reference"), ("precision", options.reference, "--reference"),
        ("clip", options.captions, "--captions"),
    ):  # fmt: skip
        if options.only and group in options.only and needed is None:
            raise ValueError(f"{group} needs {option}")
    device = choose_device(options.device)
    network = open_features(options.features, options.checkpoints / "scorers", device)
    pictures = read_folder(options.pictures, network)
    reference = read_folder(options.reference, network) if options.reference else None
    clip = None
    if options.captions and "clip" in groups:
        captions = read_captions(options.captions, pictures.names)
        clip = _clip_scores(options.clip or options.checkpoints / "clip", options.pictures, captions, device)
    rows = measure(pictures, network, groups, reference, clip, options.splits)
    print(table(rows, len(pictures.names), None if reference is None else len(reference.names)))
    if options.json:
        values = [{"measure": row.name, "value": row.value, "by": row.by} for row in rows]
        options.json.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m diffusion.metrics", description=__doc__)
    add = parser.add_argument
    add("pictures", type=Path, help="a folder of pictures, folders below it included")
    add("--reference", type=Path, help="true pictures: Fréchet and kernel distance, precision and recall")
    add("--captions", type=Path, help="metadata.jsonl, CSV, JSON object or text lines: CLIP score")
    add(
        "--features", default=OWN, help="scorer (default), or the folder of a transformers, timm or torchvision network"
    )
    add("--clip", type=Path, help="the folder of a CLIP (default: CHECKPOINTS/clip, which reads English)")
    add("--only", nargs="+", choices=GROUPS, help="measure these alone (default: all that the options allow)")
    add("--splits", type=int, default=SPLITS, help="of the Inception-Score analogue (default %(default)s)")
    add("--checkpoints", type=Path, default=Path("checkpoints"))
    add("--json", type=Path, help="write the values here too")
    add("--device", help="cpu or cuda")
    return parser

"""How good edits are: CLIP score, directional CLIP, PSNR, SSIM, L2, and what a scorer sees changed and kept.

    python -m diffusion.edit_metrics edits.csv [--checkpoint checkpoints] [-o measured.csv]

In: a table (CSV, or TSV by its suffix) with the columns source, edited (pictures, from the table's folder), source_text
and target_text (English, as the checkpoint's CLIP reads it). Out: the same rows with figures, and their means. An edit
of another size than its source is compared at the source's size. The scorer (checkpoint/scorers/reporting) knows the
drawn domain; without it its columns are left out.
Refs: Hessel et al. 2021, arXiv:2104.08718 (CLIP score); Gal et al. 2021, arXiv:2108.00946 (directional CLIP); Wang et
al. 2004 (SSIM, by scikit-image).
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from diffusion.metrics import AttributeScorer, clip_scores

if TYPE_CHECKING:
    from fashion.scorer import Detection

COLUMNS = ("source", "edited", "source_text", "target_text")
FIGURES = ("clip", "directional", "psnr", "ssim", "l2", "changed", "kept", "attributes")
ATTRIBUTES = ("garment", "color", "pattern", "sleeve", "hem")
IDENTICAL = 100.0  # decibels where not one pixel differs


@dataclass(frozen=True)
class EditPair:
    """One edit to measure."""

    source: Image.Image
    edited: Image.Image
    source_text: str
    target_text: str


def read_table(path: Path) -> list[EditPair]:
    """The edits of a table. Raises FileNotFoundError, ValueError that names the row or the column."""
    from pictures import open_picture

    text = path.read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text), delimiter="\t" if path.suffix == ".tsv" else ","))
    if not rows:
        raise ValueError(f"{path} has no rows: give one for each edit, under {', '.join(COLUMNS)}")
    if lacking := [name for name in COLUMNS if name not in rows[0]]:
        raise ValueError(f"{path} has no column {lacking[0]}: give {', '.join(COLUMNS)}")
    pairs = []
    for number, row in enumerate(rows, start=2):
        if empty := [name for name in COLUMNS if not (row[name] or "").strip()]:
            raise ValueError(f"{path}, line {number}: {empty[0]} is empty")
        source, edited = (open_picture(path.parent / row[name]) for name in COLUMNS[:2])
        pairs.append(EditPair(source, edited, row["source_text"], row["target_text"]))
    return pairs


def pixel_figures(source: Image.Image, edited: Image.Image) -> dict[str, float]:
    """psnr in decibels, ssim up to 1, and l2, the root of the mean squared difference of pixels in 0..1."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    before = np.asarray(source.convert("RGB"), dtype=np.float64) / 255
    after = np.asarray(edited.convert("RGB").resize(source.size), dtype=np.float64) / 255
    error = float(np.sqrt(np.mean((before - after) ** 2)))
    window = min(7, min(source.size) - (min(source.size) + 1) % 2)
    ssim = structural_similarity(before, after, channel_axis=2, data_range=1.0, win_size=window)
    psnr = IDENTICAL if error == 0 else float(peak_signal_noise_ratio(before, after, data_range=1.0))
    return {"psnr": psnr, "ssim": float(ssim), "l2": error}


def directional(texts: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """Cosine of the way from source to target in text and in pictures, (n,), from unit rows (2, n, d) each.

    0 where one of the ways has no length.
    """
    if texts.shape != pictures.shape or len(texts) != 2:
        raise ValueError(
            f"texts are {texts.shape}, pictures {pictures.shape}: give sources and targets of both, (2, n, d)"
        )
    ways = [each[1] - each[0] for each in (texts, pictures)]
    lengths = np.linalg.norm(ways[0], axis=1) * np.linalg.norm(ways[1], axis=1)
    cosines = np.sum(ways[0] * ways[1], axis=1)
    return np.divide(cosines, lengths, out=np.zeros_like(cosines), where=lengths > 1e-9)


def attribute_figures(before: Sequence[Detection], after: Sequence[Detection]) -> dict[str, float | str]:
    """What a scorer sees of the source's garments in the edit: how many attributes changed, how many stayed, and the
    changes in words. A garment that is gone has all of them changed; garments are paired by kind, then in order.
    """
    left, changes, kept = list(after), [], 0
    pairs: list[tuple[Detection, Detection | None]] = []
    for one in before:
        other = next((each for each in left if each.garment == one.garment), None)
        pairs.append((one, other))
        if other is not None:
            left.remove(other)
    for one, other in pairs:
        other = other or (left.pop(0) if left else None)
        for name in ATTRIBUTES:
            was, now = getattr(one, name), getattr(other, name) if other is not None else None
            if was is not None and was == now:
                kept += 1
            elif was is not None or now is not None:
                changes.append(f"{name} {was or '-'}→{now or '-'}")
    changes += [f"garment -→{each.garment}" for each in left]
    return {"changed": float(len(changes)), "kept": float(kept), "attributes": "; ".join(changes)}


def measure(pairs: Sequence[EditPair], checkpoint: Path) -> list[dict[str, float | str]]:
    """The figures of every edit, by name of `FIGURES`. Raises FileNotFoundError for a checkpoint without CLIP."""
    from diffusion.report import ClipJudge

    judge = ClipJudge(checkpoint / "clip")
    texts = [judge.texts([getattr(each, name) for each in pairs]) for name in ("source_text", "target_text")]
    shown = [judge.pictures([getattr(each, name) for each in pairs]) for name in ("source", "edited")]
    clips, ways = clip_scores(texts[1], shown[1]), directional(np.stack(texts), np.stack(shown))
    rows: list[dict[str, float | str]] = []
    for i, pair in enumerate(pairs):
        rows.append({"clip": float(clips[i]), "directional": float(ways[i]), **pixel_figures(pair.source, pair.edited)})
    if (scorer := _scorer(checkpoint)) is not None:
        seen = scorer.detect([picture for each in pairs for picture in (each.source, each.edited)])
        for i, row in enumerate(rows):
            row |= attribute_figures(seen[2 * i], seen[2 * i + 1])
    return rows


def means(rows: Sequence[Mapping[str, float | str]]) -> dict[str, float]:
    """The mean of every figure that is a number."""
    names = [name for name in FIGURES if name in rows[0] and not isinstance(rows[0][name], str)]
    return {name: float(np.mean([float(row[name]) for row in rows])) for name in names}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m diffusion.edit_metrics", description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path, help=f"CSV or TSV with {', '.join(COLUMNS)}")
    parser.add_argument("--checkpoint", type=Path, default=Path("checkpoints"))
    parser.add_argument("-o", "--out", type=Path, help="write the rows with their figures here, as CSV")
    options = parser.parse_args(argv)
    try:
        pairs = read_table(options.table)
        rows = measure(pairs, options.checkpoint)
    except (OSError, ValueError) as error:
        print(f"python -m diffusion.edit_metrics: {error}", file=sys.stderr)
        return 2
    if options.out:
        _write(options.out, pairs, rows)
    print(_table(rows))
    return 0


def _scorer(checkpoint: Path) -> AttributeScorer | None:
    from fashion.scorer import Scorer

    folder = checkpoint / "scorers"
    return Scorer.load(folder, "reporting") if folder.is_dir() else None


def _table(rows: Sequence[Mapping[str, float | str]]) -> str:
    """The means as Markdown."""
    found = means(rows)
    head, values = " | ".join(found), " | ".join(f"{value:.3f}" for value in found.values())
    return "\n".join([f"| edits | {head} |", "|---:" * (len(found) + 1) + "|", f"| {len(rows)} | {values} |"])


def _write(path: Path, pairs: Sequence[EditPair], rows: Sequence[Mapping[str, float | str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*COLUMNS[2:], *(name for name in FIGURES if name in rows[0])])
        writer.writeheader()
        for pair, row in zip(pairs, rows, strict=True):
            writer.writerow({"source_text": pair.source_text, "target_text": pair.target_text, **row})


if __name__ == "__main__":
    sys.exit(main())

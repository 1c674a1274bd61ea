"""Does Korean draw as well as English? `python -m benchmarks.korean [--scenes 500] [--seeds 4]`

In: scenes that no training saw, the checkpoint, the Korean encoder, the reporting scorer. Out: attribute accuracy of
Korean and of English through the student beside English through the teacher: the same scenes, the same noise,
differences with paired 95 % bootstrap intervals over scenes, and what the second stage keeps of either; then what the
noise of real typing costs, and synonyms that never stood together in training, the prompts read as the studio reads
them (typos corrected) and, where that differs, as they were typed; on option a grid of the same seeds.
"""

from __future__ import annotations

import argparse
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.checkpoint import save_grid
from benchmarks.drawn import (
    DrawnSet,
    PictureStore,
    Scores,
    Shares,
    by_scene,
    counts,
    draw_set,
    kept,
    scene_set,
    scores_of,
    standard_scenes,
)
from diffusion.load import load_pipeline
from diffusion.metrics import Comparison, compare
from diffusion.pipeline import TwoStagePipeline
from diffusion.request import DrawSettings
from fashion.captions import caption
from fashion.prompt_reading import read_prompt
from fashion.scene import Scene
from fashion.scorer import Scorer
from fashion.scoring import GarmentScore
from ko_clip.encoder import PromptEncoder

NOISES = {  # by the scenes that each is tried on: the words of held-out combinations never stood together in training
    "nfd": "one garment", "no_spaces": "one garment", "jamo": "one garment", "konglish": "one garment",
    "ending": "one garment", "synonyms": "held-out combinations",
}  # fmt: skip
ATTRIBUTES = ("all", "each", "garment", "color", "pattern")
Pictures = list[list[Image.Image]]


def compared(name: str, attribute: str, scenes: Sequence[Scene], ours: Scores, theirs: Scores) -> Comparison:
    """Percent of garments with `attribute` right, ours beside theirs, resampled in pairs by the scenes asked for."""
    return compared_shares(f"{name}, {attribute}", scenes, counts(ours, attribute), counts(theirs, attribute))


def compared_shares(name: str, scenes: Sequence[Scene], ours: Shares, theirs: Shares) -> Comparison:
    """As percent of the second counts of each picture, what the first are."""
    ours, theirs = by_scene(ours, scenes), by_scene(theirs, scenes)

    def measure(shares: Shares):
        hits, asked = shares
        return lambda pick: 100 * float(hits[pick].sum() / max(asked[pick].sum(), 1))

    return compare(name, len(ours[0]), measure(ours), measure(theirs))


def agreement(one: Scores, other: Scores) -> float:
    """Percent of pictures that show the same of every asked garment: the same attributes seen, right or wrong."""
    same = [all(_seen(a) == _seen(b) for a, b in zip(x, y, strict=True)) for x, y in zip(one, other, strict=True)]
    return 100 * float(np.mean(same))


def _seen(score: GarmentScore) -> tuple[str | None, ...] | None:
    found = score.seen
    return None if found is None else (found.garment, found.color, found.pattern, found.sleeve, found.hem)


def table(rows: Sequence[Comparison]) -> list[str]:
    lines = ["| what, attribute | ours | English via teacher | difference | 95 % |", "|---|---:|---:|---:|---|"]
    lines += [
        f"| {row.name} | {row.ours.value:.1f} | {row.theirs.value:.1f} | {row.difference.value:+.1f} "
        f"| {row.difference.low:+.1f} to {row.difference.high:+.1f} |"
        for row in rows
    ]
    return lines


def noisy_text(noise: str):
    """A writer of full Korean captions with one kind of the noise of real typing."""

    def write(scene: Scene, i: int) -> str:
        return caption(scene, "ko", seed=i, noise=noise).text

    return write


@dataclass(frozen=True)
class Studio:
    """The checkpoint with its own English tower and with the Korean encoder, and who looks at the pictures."""

    teacher: TwoStagePipeline
    student: TwoStagePipeline
    scorer: Scorer
    settings: DrawSettings
    store: PictureStore | None

    def drawn(self, pipeline: TwoStagePipeline, what: DrawnSet) -> Scores:
        draw_set(pipeline, what, self.settings, self.store)
        return scores_of(self.scorer, what.asked, what.final)

    def drawn_beside(self, what: DrawnSet, clean: DrawnSet, plain: Scores) -> Scores:
        """As `drawn` by the student, beside a set already drawn: where the prompt is the same, so is the picture."""
        other = [i for i, prompt in enumerate(what.prompts) if prompt != clean.prompts[i]]
        part = DrawnSet(what.name, *([values[i] for i in other] for values in (what.asked, what.prompts, what.seeds)))
        found = dict(zip(other, self.drawn(self.student, part) if other else [], strict=True))
        fresh = dict(zip(other, part.final, strict=True))
        what.final = [fresh.get(i, picture) for i, picture in enumerate(clean.final)]
        return [found.get(i, scores) for i, scores in enumerate(plain)]


def beside_english(studio: Studio, groups: dict[str, list[Scene]], seeds: int) -> Pictures:
    """Print how Korean, and English through the student, do beside English through the teacher; the grid's rows."""
    rows: list[Comparison] = []
    pictures: Pictures = []
    for name in ("one garment", "outfits"):
        english, korean = (scene_set(name, groups[name], seeds, language) for language in ("en", "ko"))
        again = english.redraw(english.prompts, name)
        taught = studio.drawn(studio.teacher, english)
        asked, echoed = studio.drawn(studio.student, korean), studio.drawn(studio.student, again)
        for attribute in ATTRIBUTES:
            rows.append(compared(f"Korean, {name}", attribute, english.asked, asked, taught))
            rows.append(compared(f"English via student, {name}", attribute, english.asked, echoed, taught))
        if studio.settings.refine:
            before = [scores_of(studio.scorer, each.asked, each.base) for each in (korean, english)]
            ours, theirs = kept(before[0], asked), kept(before[1], taught)
            rows.append(compared_shares(f"Korean, {name}, kept by the second stage", english.asked, ours, theirs))
        agreed = agreement(asked, taught)
        print(f"{name}: Korean and English agree in all scored attributes: {agreed:.1f} % of pictures")
        pictures += [english.final[::seeds][:8], korean.final[::seeds][:8]]
    print("\n" + "\n".join(table(rows)) + "\n")
    return pictures


def beside_clean(studio: Studio, groups: dict[str, list[Scene]], count: int, noises: Sequence[str]) -> Pictures:
    """Print what each kind of noise costs, as the studio reads it and, if that differs, as typed; the grid's rows."""
    rows: list[Comparison] = []
    pictures: Pictures = []
    undisturbed: dict[str, tuple[DrawnSet, Scores]] = {}
    for noise in noises:
        group = NOISES[noise]
        asked = groups[group][:count]
        if group not in undisturbed:
            clean = scene_set(f"clean, {group}", asked, 1, "ko")
            undisturbed[group] = clean, studio.drawn(studio.student, clean)
        clean, plain = undisturbed[group]
        typed = scene_set(noise, asked, 1, text=noisy_text(noise))
        corrected = typed.redraw([read_prompt(prompt) for prompt in typed.prompts], noise)
        read = studio.drawn_beside(corrected, clean, plain)
        rows.append(compared(f"Korean with noise: {noise}", "all", asked, read, plain))
        if corrected.prompts != [unicodedata.normalize("NFC", prompt) for prompt in typed.prompts]:
            raw = studio.drawn_beside(typed, clean, plain)
            rows.append(compared(f"Korean with noise: {noise}, as typed", "all", asked, raw, plain))
        if noise == "no_spaces":
            pictures.append(corrected.final[:8])
    print("\n".join(table(rows)).replace("English via teacher", "clean Korean"))
    return pictures


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.korean", description=__doc__)
    parser.add_argument("--scenes", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--noise-scenes", type=int, default=250, help="scenes, one seed each, for every kind of noise")
    parser.add_argument("--noises", nargs="+", choices=NOISES, default=list(NOISES), help="kinds (default: all)")
    parser.add_argument("--noise-only", action="store_true", help="leave Korean beside English out")
    parser.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    parser.add_argument("--base-only", action="store_true", help="leave the refiner out")
    parser.add_argument("--keep", type=Path, help="keep the pictures in this folder, and draw none that is there")
    parser.add_argument("--grid", type=Path, help="write a grid: English, Korean, Korean without spaces")
    options = parser.parse_args(argv)
    scorer = Scorer.load(options.checkpoints / "scorers", "reporting")
    student = load_pipeline(options.checkpoints, PromptEncoder.load(options.checkpoints / "korean"))
    settings = DrawSettings(refine=not options.base_only)
    store = PictureStore(options.keep) if options.keep else None
    studio = Studio(load_pipeline(options.checkpoints), student, scorer, settings, store)
    groups = standard_scenes(options.scenes)
    pictures = [] if options.noise_only else beside_english(studio, groups, options.seeds)
    pictures += beside_clean(studio, groups, options.noise_scenes, options.noises)
    if options.grid:
        options.grid.parent.mkdir(parents=True, exist_ok=True)
        save_grid([picture for row in pictures for picture in row], options.grid, 8)


if __name__ == "__main__":
    main()

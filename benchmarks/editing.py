"""Change a word, keep the picture: how often the change is there, and how much else stays, beside other ways.

    python -m benchmarks.editing --scenes 100               # 100 single garments and 100 outfits, everything
    python -m benchmarks.editing --scenes 48 --others 12    # the other ways on fewer: they take most of the time
    python -m benchmarks.editing --scenes 8 --ways ours     # a quick look
    python -m benchmarks.editing --scenes 48 --ways ours --origins own --changed color --recolored 0  # no source
    python -m benchmarks.editing --scenes 4 --grid grid.jpg # source, each way's edit, side by side

With the same weights: ours; image to image at its best strength (of those tried, the one whose edits succeed most
often); a redraw with the same seed; CycleDiffusion at the ancestor's settings (strength 0.8, guidance 7.5, source
guidance 1, eta 0.1, 50 steps asked); these three on English prompts and own pictures. "own": pictures that the
checkpoint drew; "uploads": the renderer's drawings, which it never made. The reporting scorer judges: whether the
target is seen (on the right garment), whether every attribute that was right before and is not meant to change still
is, and how far pixels moved outside the changed garment, as its masks of source and result together say. It takes no
part in any edit.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks.drawn import true_drawing
from benchmarks.editing_cases import CHANGED, Case, cases
from diffusion.editing.pipeline import EditingPipeline
from diffusion.editing.request import EditSettings, EditShot, settings_for
from diffusion.load import load_pipeline
from diffusion.request import DrawSettings, Shot
from fashion.replacing import changed_fields
from fashion.scorer import Detection, Scorer
from fashion.scoring import score
from fashion.setting import SettingReader
from ko_clip.encoder import PromptEncoder

BATCH = 8
STRENGTHS = (0.6, 0.75, 0.9)
CYCLE_STEPS = 50
WAYS = ("ours", "img2img", "redraw", "cycle")
GOALS = {"color": "97 / 97", "garment": "93", "pattern": "93", "background": "93", "style": "93"}
Edit = Callable[[Sequence[Case], Sequence[Image.Image]], list[Image.Image]]


@dataclass
class Tally:
    """One number per edit; NaN where it has none. `hit`, `kept`, `both`: 0 or 1; `outside`: levels of 255."""

    hit: list[float] = field(default_factory=list)
    kept: list[float] = field(default_factory=list)
    outside: list[float] = field(default_factory=list)

    def add(self, hit: bool, kept: bool, outside: float) -> None:
        self.hit.append(hit)
        self.kept.append(kept)
        self.outside.append(outside)

    def extend(self, other: Tally) -> Tally:
        return Tally(self.hit + other.hit, self.kept + other.kept, self.outside + other.outside)

    def percent(self, name: str) -> float:
        return 100 * float(np.mean(getattr(self, name)))

    def success(self) -> float:
        return 100 * float(np.mean(np.array(self.hit) * np.array(self.kept)))

    def levels(self) -> float:
        known = np.array(self.outside)
        return float(np.nanmean(known)) if np.isfinite(known).any() else float("nan")


class Judge:
    """The reporting scorer, and its reading of background and style."""

    def __init__(self, folder: Path) -> None:
        self._scorer = Scorer.load(folder, "reporting")
        self._setting = SettingReader.load(folder, self._scorer)

    def __call__(self, asked: Sequence[Case], sources: Sequence[Image.Image], edits: Sequence[Image.Image]) -> Tally:
        shown = [picture.resize((256, 256)) for picture in (*sources, *edits)]
        seen, read = self._scorer.detect(shown), self._setting.read(shown)
        n, tally = len(asked), Tally()
        for i, case in enumerate(asked):
            hit, kept = _answers(case, (seen[i], seen[n + i]), (read[i], read[n + i]))
            tally.add(hit, kept, _outside(case, (seen[i], seen[n + i]), (shown[i], shown[n + i])))
        return tally


def _answers(case: Case, seen: tuple[list[Detection], ...], read: tuple[tuple[str, str], ...]) -> tuple[bool, bool]:
    """Whether the target is seen, and whether all that was right before and is to stay still is."""
    before, after = score(case.scene, seen[0]), score(case.edited, seen[1])
    kept = []
    for place, (one, other) in enumerate(zip(before, after, strict=True)):
        changes = {"color": {"color"}, "pattern": {"pattern"}, "garment": {"garment", "sleeve", "hem"}}
        meant = changes.get(case.changed, set()) if place == case.place else set()
        kept += [other.right[name] for name, right in one.right.items()
                 if right and name not in meant and name in other.right]  # fmt: skip
    if case.place is None:
        return read[1][("background", "style").index(case.changed)] == case.new, all(kept)
    return after[case.place].right[case.changed], all(kept)


def _outside(case: Case, seen: tuple[list[Detection], ...], shown: tuple[Image.Image, ...]) -> float:
    """Mean change, in levels, outside the changed garment as seen before and after; NaN where it is not seen."""
    if case.place is None:
        return float("nan")
    kinds = [scene.garments[case.place].kind for scene in (case.scene, case.edited)]
    masks = [one.mask for found, kind in zip(seen, kinds, strict=True) for one in found if one.garment == kind]
    if not masks:
        return float("nan")
    mask = np.logical_or.reduce(masks)
    wide = np.kron(mask, np.ones((256 // len(mask),) * 2)) > 0
    before, after = (np.asarray(each, dtype=np.float32) for each in shown)
    return float(np.abs(before - after).mean(axis=2)[~wide].mean()) if not wide.all() else float("nan")


def ours(pipeline: EditingPipeline, own: bool, recolored: float | None = None) -> Edit:
    """The edit as it ships: as its words change. `recolored`: another share of the source in edits of colour."""

    def edit(asked: Sequence[Case], sources: Sequence[Image.Image]) -> list[Image.Image]:
        how = settings_for(changed_fields(asked[0].source, asked[0].target))
        if recolored is not None and how.recolored:
            how = replace(how, recolored=recolored)
        return pipeline.edit(shots_of(asked, sources, own), how=how).images

    return edit


def shots_of(asked: Sequence[Case], sources: Sequence[Image.Image], own: bool) -> list[EditShot]:
    """The edits of cases; pictures that were drawn here know their noise."""
    return [
        EditShot(
            source, case.source, case.target, seed=case.seed, source_seed=case.seed if own else None,
            whole="style" in changed_fields(case.source, case.target),
        )
        for case, source in zip(asked, sources, strict=True)
    ]  # fmt: skip


def img2img(pipeline: EditingPipeline, strength: float) -> Edit:
    def edit(asked: Sequence[Case], sources: Sequence[Image.Image]) -> list[Image.Image]:
        shots = [Shot(case.target, seed=case.seed + 7, source=source, drawn_prompt=case.target, drawn_negative="")
                 for case, source in zip(asked, sources, strict=True)]  # fmt: skip
        return pipeline.draw(shots, DrawSettings(strength=strength)).images

    return edit


def redraw(pipeline: EditingPipeline) -> Edit:
    def edit(asked: Sequence[Case], _: Sequence[Image.Image]) -> list[Image.Image]:
        shots = [Shot(case.target, seed=case.seed, drawn_prompt=case.target, drawn_negative="") for case in asked]
        return pipeline.draw(shots).images

    return edit


def cycled(pipeline: EditingPipeline, steps: int = CYCLE_STEPS) -> Edit:
    def edit(asked: Sequence[Case], sources: Sequence[Image.Image]) -> list[Image.Image]:
        shots = [EditShot(source, case.source, case.target, seed=case.seed)
                 for case, source in zip(asked, sources, strict=True)]  # fmt: skip
        how = EditSettings(method="cycle")
        return pipeline.edit(shots, DrawSettings(steps=steps, guidance_scale=7.5), how).images

    return edit


def sources_of(pipeline: EditingPipeline, asked: Sequence[Case], own: bool) -> dict[Case, Image.Image]:
    """The picture that each case starts from; cases of one scene share it."""
    if not own:
        return {case: true_drawing(case.scene) for case in asked}
    found: dict[tuple[str, int], Image.Image] = {}
    wanted = list(dict.fromkeys((case.source, case.seed) for case in asked))
    for start in range(0, len(wanted), BATCH):
        part = wanted[start : start + BATCH]
        shots = [Shot(text, seed=seed, drawn_prompt=text, drawn_negative="") for text, seed in part]
        found |= dict(zip(part, pipeline.draw(shots).images, strict=True))
    return {case: found[case.source, case.seed] for case in asked}


def measure(
    edit: Edit, asked: Sequence[Case], sources: dict[Case, Image.Image], judge: Judge, name: str
) -> tuple[dict[str, Tally], list[Image.Image], float]:
    """Tallies by what was changed, the pictures, and processor seconds an edit."""
    made: list[Image.Image] = []
    spent = time.process_time()
    for part in tqdm(_batches(asked), desc=name, disable=not sys.stderr.isatty()):
        made += edit(part, [sources[case] for case in part])
    spent = time.process_time() - spent
    tallies: dict[str, Tally] = {}
    for changed in CHANGED:
        places = [i for i, case in enumerate(asked) if case.changed == changed]
        if places:
            picked = [asked[i] for i in places]
            tallies[changed] = judge(picked, [sources[case] for case in picked], [made[i] for i in places])
    return tallies, made, spent / max(len(asked), 1)


def _batches(asked: Sequence[Case]) -> list[list[Case]]:
    """Cases in order, a few at a time, of one kind of change each."""
    runs = [list(run) for _, run in groupby(asked, key=lambda case: case.changed)]
    return [run[start : start + BATCH] for run in runs for start in range(0, len(run), BATCH)]


def grid(asked: Sequence[Case], columns: Sequence[Sequence[Image.Image]], side: int = 128) -> Image.Image:
    """Rows of pictures side by side."""
    sheet = Image.new("RGB", (side * len(columns), side * len(asked)), "white")
    for x, column in enumerate(columns):
        for y, picture in enumerate(column):
            sheet.paste(picture.resize((side, side)), (side * x, side * y))
    return sheet


def main(argv: Sequence[str] | None = None) -> None:
    options = _options(argv)
    judge = Judge(Path(options.checkpoint) / "scorers")
    rows, same = [], []
    few = options.others if options.others is not None else options.scenes
    for language in options.languages:
        pipeline = _opened(options.checkpoint, language)
        for origin in options.origins:
            own = origin == "own"
            ways = _ways(pipeline, options.ways, own, language, options.recolored)
            parts = [(few, ways)]
            if few != options.scenes:  # a grid shows ours once more, of the scenes that the others have
                alone = [(name, edit) for name, edit in ways if name == "ours"]
                parts = [(options.scenes, alone), (few, ways if options.grid else ways[len(alone) :])]
            for count, some in parts:
                asked = _asked(count, language, options.changed)
                sources = sources_of(pipeline, asked, own)
                columns = [[sources[case] for case in asked]]
                for way, edit in some:
                    tallies, made, seconds = measure(edit, asked, sources, judge, f"{way} {origin} {language}")
                    columns.append(made)
                    if way == "ours" and count != options.scenes:
                        continue
                    rows += [(way, origin, language, changed, tally, seconds) for changed, tally in tallies.items()]
                    print(*(_row(row) for row in rows[-len(tallies) :]), sep="\n", file=sys.stderr, flush=True)
            if own:
                same.append(_same(pipeline, asked, sources))
            if options.grid:
                picks = random.Random(0).sample(range(len(asked)), min(20, len(asked)))
                path = Path(options.grid)
                grid([asked[i] for i in picks], [[column[i] for i in picks] for column in columns]).save(
                    path.with_stem(f"{path.stem}-{origin}-{language}"), quality=70
                )
    print(table(rows, same))


def _asked(count: int, language: str, changed: Sequence[str]) -> list[Case]:
    """Cases of one kind of change after the other."""
    return sorted(cases(count, language, tuple(changed)), key=lambda case: CHANGED.index(case.changed))


def table(rows: Sequence[tuple], same: Sequence[float]) -> str:
    """What was measured as Markdown, beside the goals."""
    head = "| way | pictures | language | change | edits | target seen | rest kept | both | outside | s/edit | goal |"
    lines = [head, "|---|---|---|---|---:|---:|---:|---:|---:|---:|---|", *(_row(row) for row in rows)]
    return "\n".join(
        [*lines, "", f"same prompt, largest change of 255: {max(same, default=float('nan')):.0f} (goal 1)"]
    )


def _row(row: tuple) -> str:
    way, origin, language, changed, tally, seconds = row
    numbers = f"{tally.percent('hit'):.1f} % | {tally.percent('kept'):.1f} % | {tally.success():.1f} %"
    goal = GOALS[changed] if way == "ours" else ""
    return (f"| {way} | {origin} | {language} | {changed} | {len(tally.hit)} | {numbers} | {tally.levels():.2f} | "
            f"{seconds:.2f} | {goal} |")  # fmt: skip


def _same(pipeline: EditingPipeline, asked: Sequence[Case], sources: dict[Case, Image.Image]) -> float:
    """The largest change of an edit that changes nothing, over one batch."""
    part = asked[:: max(1, len(asked) // BATCH)][:BATCH]
    shots = [EditShot(sources[case], case.source, case.source, seed=case.seed, source_seed=case.seed) for case in part]
    made = pipeline.edit(shots).images
    pairs = [
        (np.asarray(sources[case], int), np.asarray(picture, int)) for case, picture in zip(part, made, strict=True)
    ]
    return float(max(np.abs(one - other).max() for one, other in pairs))


def _ways(
    pipeline: EditingPipeline, names: Sequence[str], own: bool, language: str, recolored: float | None
) -> list[tuple[str, Edit]]:  # fmt: skip
    found: list[tuple[str, Edit]] = []
    for name in names:
        if name == "ours":
            found.append((name, ours(pipeline, own, recolored)))
        elif not own or language != "en":  # the others once: what they are beside ours does not depend on these
            continue
        elif name == "img2img":
            found += [(f"img2img {strength}", img2img(pipeline, strength)) for strength in STRENGTHS]
        elif name == "redraw":
            found.append((name, redraw(pipeline)))
        elif name == "cycle":
            found.append((name, cycled(pipeline)))
    return found


def _opened(checkpoint: str, language: str) -> EditingPipeline:
    encoder = PromptEncoder.load(Path(checkpoint) / "korean") if language == "ko" else None
    return load_pipeline(checkpoint, text_encoder=encoder, dtype="float32")


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=100, help="single garments, and as many outfits (default: 100)")
    parser.add_argument("--others", type=int, help="of both, for the ways that are not ours (default: --scenes)")
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS)
    parser.add_argument("--languages", nargs="+", default=("en", "ko"), choices=("en", "ko"))
    parser.add_argument("--origins", nargs="+", default=("own", "uploads"), choices=("own", "uploads"))
    parser.add_argument("--changed", nargs="+", default=CHANGED, choices=CHANGED)
    parser.add_argument("--recolored", type=float, help="share of the source in edits of colour (default: as it ships)")
    parser.add_argument("--checkpoint", default="checkpoints")
    parser.add_argument("--grid", help="write pictures here too: source and every way's edit, twenty edits not chosen")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

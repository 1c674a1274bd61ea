"""What the styles that ship bring, and what they cost: `python -m benchmarks.styles_shown [--prompts 32] [--grid FILE]`

In: the styles of a checkpoint, each trained on the look (fashion.looks) that its file names; Korean captions of scenes
that no training saw, one seed each. Out, for every style: in how many pictures a judge (benchmarks.style_judge, trained
on true drawings alone) sees its look with the style, and without it for the same prompts and seeds; what a scorer that
learnt to read looks (benchmarks.look_reader) finds right with it, without it, and in true drawings of its look and of
none. What it costs is what is right without it less what is right with it, each as a share of what is read right in
true drawings. Then pairs of styles beside true drawings of both looks; and whether weight 0 and the base afterwards
give the base's bytes. Pictures are those of both stages, as people get them.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.checkpoint import save_grid
from benchmarks.look_reader import read_looks
from benchmarks.style_judge import Judge, train_judges, true_drawing
from diffusion.load import STYLES, load_pipeline
from diffusion.lora_card import StyleCard
from diffusion.lora_files import find_styles
from diffusion.pipeline import TwoStagePipeline
from diffusion.request import DrawSettings, Shot
from fashion.captions import caption
from fashion.drawing import draw
from fashion.looks import LOOKS, SceneLook
from fashion.looks.together import PAIRS
from fashion.reader import FashionReader
from fashion.scene import Scene, sample_scene
from fashion.scorer import Scorer
from fashion.scoring import score
from jobspec import StyleUse
from ko_clip.encoder import PromptEncoder

SCENES = 67 * 10**7  # no training set begins here
ATTRIBUTES = ("garment", "color", "pattern")
BATCH = 8
SHOWN, SIDE = 8, 96  # pictures of a style in the grid, pixels of each


@dataclass(frozen=True)
class Shown:
    """A style that ships, its size, its look, and who tells the look."""

    card: StyleCard
    bytes: int
    look: SceneLook
    judge: Judge

    def scenes(self, count: int) -> list[Scene]:
        scenes = (self.look.dressed(sample_scene(SCENES + i, "held_out")) for i in range(count))
        return [replace(scene, style="flat", background="white") for scene in scenes]  # the look is all


class Drawer:
    """Draws Korean captions of scenes with styles, from the same seeds each time."""

    def __init__(self, pipeline: TwoStagePipeline) -> None:
        self._pipeline = pipeline
        self._plain: dict[tuple[Scene, ...], list[Image.Image]] = {}

    def plain(self, scenes: Sequence[Scene]) -> list[Image.Image]:
        """Without any style; looks that show the same scenes are compared with the same pictures."""
        if tuple(scenes) not in self._plain:
            self._plain[tuple(scenes)] = self.draw(scenes)
        return self._plain[tuple(scenes)]

    def draw(self, scenes: Sequence[Scene], styles: Sequence[StyleUse] = ()) -> list[Image.Image]:
        shots = [Shot(caption(scene, "ko", seed=i).text, seed=i) for i, scene in enumerate(scenes)]
        settings = DrawSettings(styles=tuple(styles))
        parts = [shots[start : start + BATCH] for start in range(0, len(shots), BATCH)]
        return [image for part in parts for image in self._pipeline.draw(part, settings).images]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.styles_shown", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--checkpoint", default="checkpoints")
    parser.add_argument("--encoder", default="checkpoints/korean")
    parser.add_argument("--prompts", type=int, default=32, help="of each style (default %(default)s)")
    parser.add_argument("--styles", nargs="+", help="names (default: all that ship)")
    parser.add_argument("--grid", type=Path, help="a picture file: per style one row without it and one with it")
    asked = parser.parse_args(argv)
    pipeline = load_pipeline(
        asked.checkpoint, text_encoder=PromptEncoder.load(asked.encoder), reader=FashionReader(), dtype="float32"
    )
    scorer = Scorer.load(Path(asked.checkpoint) / "scorers", "reporting")
    shown = shown_styles(pipeline, Path(asked.checkpoint) / STYLES, train_judges(scorer), asked.styles)
    drawer = Drawer(pipeline)
    rows, costs, grid = style_rows(drawer, shown, read_looks(scorer), asked.prompts)
    print("\n".join(["| style | look seen with it | without | true drawings told rightly | kB |",
                     "|---|---:|---:|---:|---:|", *rows, ""]))  # fmt: skip
    titles = (f"{name}: with / without; drawings of the look / of none | points" for name in ATTRIBUTES)
    print("\n".join([f"| cost | {' | '.join(titles)} |", "|---|" + "---:|---:|" * len(ATTRIBUTES), *costs]))
    pairs, together = pair_rows(drawer, shown, asked.prompts)
    if pairs:
        head = "| together | first seen | second seen | both | both, in true drawings |"
        print("\n".join(["", head, "|---|---:|---:|---:|---:|", *pairs]))
    print(f"\n{bytes_kept(drawer, shown)}")
    if asked.grid:
        save_grid([*grid, *together], asked.grid, SHOWN, SIDE)
    return 0


def shown_styles(
    pipeline: TwoStagePipeline, folder: Path, judges: Mapping[str, Judge], names: Sequence[str] | None = None
) -> list[Shown]:
    """The pipeline's styles, from files of `folder`, that have a look of their name; of `names` only. Raises ValueError
    where there is none."""
    named = {look.words.ko: (id, look) for id, look in LOOKS.items()}
    by_name = {name: found for name, found in named.items() if not names or name in names}
    files = find_styles(folder)
    found = [
        Shown(card, files[card.name].stat().st_size, by_name[card.name][1], judges[by_name[card.name][0]])
        for card in pipeline.style_cards()
        if card.name in by_name
    ]
    if not found:
        raise ValueError("the checkpoint has no style of a look: train one with diffusion.training.lora")
    return found


def style_rows(
    drawer: Drawer, shown: Sequence[Shown], reader: Scorer, count: int
) -> tuple[list[str], list[str], list[Image.Image]]:
    """For each style a row of what is seen of it and one of what it costs, and pictures for the grid."""
    rows, costs, grid = [], [], []
    for style in shown:
        scenes = style.scenes(count)
        plain, styled = drawer.plain(scenes), drawer.draw(scenes, [StyleUse(name=style.card.name)])
        seen = [f"{100 * style.judge.sees(pictures).mean():.0f} %" for pictures in (styled, plain)]
        told = f"{100 * style.judge.right:.1f} %"
        rows.append(f"| {style.card.name} | {' | '.join([*seen, told])} | {style.bytes / 1000:.0f} |")
        true = [[Image.fromarray(way(scene, 256)) for scene in scenes] for way in (style.look.draw, draw)]
        read = [right(reader, scenes, pictures) for pictures in (styled, plain, *true)]
        costs.append(f"| {style.card.name} | {' | '.join(_cost(read, name) for name in ATTRIBUTES)} |")
        grid += plain[:SHOWN] + styled[:SHOWN]
    return rows, costs, grid


def _cost(read: Sequence[Mapping[str, float]], name: str) -> str:
    """What is right of one attribute, in percent, with a style and without, in true drawings of its look and of none;
    and how many points less of what can be read is right with it."""
    styled, plain, look, none = (100 * each[name] for each in read)
    cost = 100 * (plain / none - styled / look) if look and none else float("nan")
    return f"{styled:.0f} / {plain:.0f}; {look:.0f} / {none:.0f} | {cost:.1f}"


def pair_rows(drawer: Drawer, shown: Sequence[Shown], count: int) -> tuple[list[str], list[Image.Image]]:
    """A row for each pair of styles that are there, and pictures for the grid."""
    by_name = {style.card.name: style for style in shown}
    rows, grid = [], []
    for pair in PAIRS:
        names = [LOOKS[id].words.ko for id in pair]
        if not all(name in by_name for name in names):
            continue
        scenes = by_name[names[1]].scenes(count)
        pictures = drawer.draw(scenes, [StyleUse(name=name) for name in names])
        true = [Image.fromarray(true_drawing(pair, scene, 256)) for scene in scenes]
        seen, told = (np.array([by_name[name].judge.sees(each) for name in names]) for each in (pictures, true))
        shares = (*seen.mean(axis=1), seen.all(axis=0).mean(), told.all(axis=0).mean())
        rows.append(f"| {' + '.join(names)} | {' | '.join(f'{100 * share:.0f} %' for share in shares)} |")
        grid += pictures[:SHOWN]
    return rows, grid


def bytes_kept(drawer: Drawer, shown: Sequence[Shown]) -> str:
    """What is left of the styles once they are gone, or weigh nothing."""
    scenes = shown[0].scenes(2)
    ways = [(), [StyleUse(name=shown[0].card.name)], [StyleUse(name=shown[-1].card.name)], (),
            [StyleUse(name=shown[0].card.name, weight=0)]]  # fmt: skip
    first, *_, after, weightless = ([image.tobytes() for image in drawer.draw(scenes, way)] for way in ways)
    same = {"afterwards": after == first, "with weight 0": weightless == first}
    return "\n".join(f"The base {when}: {'the same' if held else 'OTHER'} bytes." for when, held in same.items())


def right(scorer: Scorer, scenes: Sequence[Scene], pictures: Sequence[Image.Image]) -> dict[str, float]:
    """Shares of the scenes' garments whose kind, colour and pattern the scorer finds right."""
    scores = [one for scene, seen in zip(scenes, scorer.detect(pictures), strict=True) for one in score(scene, seen)]
    return {name: float(np.mean([one.right[name] for one in scores if name in one.right])) for name in ATTRIBUTES}


if __name__ == "__main__":
    raise SystemExit(main())

"""What does each loss buy? `python -m benchmarks.ablation [--steps 160] [--seeds 3] [--scenes 60] [--grid FILE]`

In: the recipe ko_clip/config/ablation.yaml and, over it, four ways to teach one small student from nothing, with the
same short captions and as many steps: the teacher's pooled embedding alone, as the ancestor did; its hidden states
slot by slot as well; those, and the last fifth of the steps through the frozen U-Net; and, the project's own way, what
that U-Net's cross-attention and the scene reader hear of the states. Such a step costs more, so the slot-by-slot way
runs once more with as much processor time. Out: what the base stage draws with each from Korean prompts of single
garments that no training saw, as the reporting scorer sees it, beside English through the teacher and beside other
prompts' pictures; what each step gains, seed by seed; on option a grid.

Finished runs, and pictures drawn with this U-Net, are taken as they are: the same command goes on after a kill.
"""

from __future__ import annotations

import argparse
import logging
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from PIL import Image, ImageDraw, ImageFont

from benchmarks.ablation_runs import NAMED, SHARED, VARIANTS, english, korean, recipe_of, train, write_pairs
from benchmarks.drawn import DrawnSet, counts, draw_set, scene_set, scores_of, standard_scenes
from diffusion.encoder import TextEncoder
from diffusion.load import load_pipeline
from diffusion.pipeline import TwoStagePipeline
from diffusion.request import DrawSettings
from fashion.scene import scenes
from fashion.scorer import Scorer
from fashion.scoring import GarmentScore
from ko_clip.cross_attention import open_cross_attention
from ko_clip.encoder import PromptEncoder
from ko_clip.measures import retrieval
from ko_clip.recipe import HeadRecipe
from ko_clip.teachers import ClipTeacher
from ko_clip.train import quiet_libraries

HEARD = ("R@1", "cross-attention error")
GAINS = (("sequence", "pooled"), ("unet", "sequence"), ("cross-attention", "sequence"), ("cross-attention", "longer"))
HELD_OUT_STREAM, CAPTIONS = 32, 400  # for what is measured without drawing
COLUMNS, SIDE = 8, 112  # of the grid
Figures = Mapping[str, float]


@dataclass(frozen=True)
class Studio:
    """Draws the same scenes from the same noise with any encoder, base stage alone, and scores the pictures."""

    pipeline: TwoStagePipeline
    scorer: Scorer
    runs: Path

    def drawn(self, what: DrawnSet, encoder: TextEncoder | None, name: str) -> DrawnSet:
        """The set with its pictures, by an encoder or the checkpoint's own; those kept for `name` are as they were."""
        made_with = self.pipeline.checkpoint_id
        folder = self.runs / "pictures" / made_with.rpartition(":")[2][:12] / name
        files = [folder / f"{what.name}-{i:03d}.png" for i in range(len(what.prompts))]
        found = what.redraw(what.prompts, name)
        if all(file.is_file() for file in files):
            found.base = [Image.open(file).convert("RGB") for file in files]
            return found
        base = {"base": self.pipeline.stages["base"]}
        own = TwoStagePipeline(base, encoder or self.pipeline.text_encoder, made_with)
        draw_set(own, found, DrawSettings(refine=False))
        folder.mkdir(parents=True, exist_ok=True)
        for picture, file in zip(found.base, files, strict=True):
            picture.save(file)
        return found

    def figures(self, what: DrawnSet, shift: int = 0) -> dict[str, float]:
        """Percent of garments right; with `shift` the pictures are held against other prompts' scenes: the floor."""
        asked = what.asked[shift:] + what.asked[:shift]
        return rates(scores_of(self.scorer, asked, what.base))


class Listener:
    """Compares outputs for held-out Korean captions with the teacher's for their English: nothing is drawn."""

    def __init__(self, checkpoints: Path) -> None:
        asked = list(enumerate(scenes(HELD_OUT_STREAM, CAPTIONS, "held_out", 1)))
        self.korean, self.english = ([say(scene, i) for i, scene in asked] for say in (korean, english))
        clip = str(checkpoints / "clip")
        teacher = ClipTeacher(clip, {"base": HeadRecipe(clip), "refiner": HeadRecipe(clip, output="none", pooled=True)})
        outputs = [teacher.encode(part) for part in _parts(self.english)]
        self.states = torch.from_numpy(np.concatenate([part["base"].states for part in outputs])).float()
        self.pooled = np.concatenate([part["refiner"].pooled for part in outputs])
        base, prompts = str(checkpoints / "base"), self.english[:32]
        self.cross_attention = open_cross_attention(base, teacher, "base", prompts, "cpu")

    @torch.inference_mode()
    def figures(self, encoder: PromptEncoder) -> dict[str, float]:
        """R@1, Korean to English, in percent; and the distance of the U-Net's cross-attention outputs for the Korean
        from those for the English: 0 the same, 1 as far as another prompt.
        """
        recall = retrieval(encoder.search(self.korean), self.pooled, self.english)["R@1"]
        states = torch.cat([encoder.base(part) for part in _parts(self.korean)])  # (captions, 77, d)
        return {"R@1": 100 * recall, "cross-attention error": float(self.cross_attention.loss(states, self.states))}


def _parts(texts: Sequence[str]) -> list[Sequence[str]]:
    return [texts[i : i + 50] for i in range(0, len(texts), 50)]


def rates(scores: Sequence[Sequence[GarmentScore]]) -> dict[str, float]:
    """Percent of garments right, by what the caption names, and in "all" of that."""
    found = {name: [float(part.sum()) for part in counts(scores, name)] for name in NAMED}
    whole = [all(one.right.get(name, True) for name in NAMED) for picture in scores for one in picture]
    found["all"] = [sum(whole), len(whole)]
    return {name: 100 * hits / max(asked, 1) for name, (hits, asked) in found.items()}


def spread(values: Sequence[float], sign: str = "", digits: int = 1) -> str:
    """The mean of a figure over the seeds, and its lowest and highest where they differ."""
    mean, low, high = (f"{each:{sign}.{digits}f}" for each in (np.mean(values), min(values), max(values)))
    return mean if len(values) == 1 else f"{mean} ({low} to {high})"


def table(rows: Mapping[str, Sequence[Figures]], sign: str = "", first: str = "taught by") -> list[str]:
    """One row a way to teach; each cell a figure over its seeds, nothing where it was not measured."""
    names = (*NAMED, "all", *HEARD)
    lines = [f"| {first} | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for title, seeds in rows.items():
        cells = [
            spread([each[n] for each in seeds], sign, 2 if n == "cross-attention error" else 1) if n in seeds[0] else ""
            for n in names
        ]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return lines


def gains(found: Mapping[str, Sequence[Figures]]) -> dict[str, list[Figures]]:
    """What each step gains over the one before it, seed by seed."""
    known = [(ours, theirs) for ours, theirs in GAINS if ours in found and theirs in found]
    return {
        f"{ours} over {theirs}": [
            {name: a[name] - b[name] for name in a} for a, b in zip(found[ours], found[theirs], strict=True)
        ]
        for ours, theirs in known
    }


def save_rows(rows: Mapping[str, Sequence[Image.Image]], path: Path) -> None:
    """A grid of named rows, quality 85."""
    margin, font = 150, ImageFont.load_default(13)
    sheet = Image.new("RGB", (margin + COLUMNS * SIDE, len(rows) * SIDE), "white")
    brush = ImageDraw.Draw(sheet)
    for y, (name, pictures) in enumerate(rows.items()):
        label = "\n".join(textwrap.wrap(name, 20))
        brush.multiline_text((6, y * SIDE + SIDE // 2), label, "black", font, anchor="lm")
        for x, picture in enumerate(pictures[:COLUMNS]):
            small = picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            sheet.paste(small, (margin + x * SIDE, y * SIDE))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=85)


def grid_rows(studio: Studio, encoder: Path, taught: DrawnSet, first: Mapping[str, DrawnSet]) -> dict[str, list]:
    """The same scenes and noise: English, the Korean encoder that ships, and each variant's first seed."""
    shipped, asked = PromptEncoder.load(encoder), taught.asked[:COLUMNS]
    spaced = scene_set("grid-ko", asked, 1, text=korean)
    joined = scene_set("grid-no_spaces", asked, 1, text=lambda scene, i: korean(scene, i, "no_spaces"))
    rows = {"English, by the teacher": taught.base}
    rows["Korean, the encoder that ships"] = studio.drawn(spaced, shipped, "shipped").base
    rows["without spaces, the encoder that ships"] = studio.drawn(joined, shipped, "shipped").base
    return rows | {f"Korean, {VARIANTS[name].title}": what.base for name, what in first.items()}


def measure(options: argparse.Namespace) -> None:
    """Train what is missing, draw, and print the tables."""
    shared = yaml.safe_load(SHARED.read_text("utf-8"))
    if not (options.runs / "pairs.csv").is_file():
        write_pairs(options.runs / "pairs.csv")
    trained = {(name, seed): train(recipe_of(VARIANTS[name], shared, seed, options.steps, options.runs))
               for seed in range(options.seeds) for name in options.only}  # fmt: skip
    scorer = Scorer.load(options.checkpoints / "scorers", "reporting")
    studio, listener = Studio(load_pipeline(options.checkpoints), scorer, options.runs), Listener(options.checkpoints)
    asked = standard_scenes(options.scenes)["one garment"]
    english_set, korean_set = scene_set("one-en", asked, 1, text=english), scene_set("one-ko", asked, 1, text=korean)
    taught = studio.drawn(english_set, None, "teacher")
    found: dict[str, list[Figures]] = {name: [] for name in options.only}
    first: dict[str, DrawnSet] = {}
    for (name, seed), (model, _) in trained.items():
        encoder = PromptEncoder.load(model)
        what = studio.drawn(korean_set, encoder, f"{name}-{seed}")
        first.setdefault(name, what)
        found[name].append(studio.figures(what) | listener.figures(encoder))
    rows = {"English via teacher (ceiling)": [studio.figures(taught)]}
    rows |= {VARIANTS[name].title: figures for name, figures in found.items()}
    rows["English via teacher, other prompts (floor)"] = [studio.figures(taught, shift=1)]
    print("\n".join(table(rows)), "\n")
    print("\n".join(table(gains(found), "+", "gain of")), "\n")
    print("\n".join(cost_table(trained, options)))
    if options.grid:
        save_rows(grid_rows(studio, options.checkpoints / "korean", taught, first), options.grid)


def cost_table(trained: Mapping[tuple[str, int], tuple[Path, float]], options: argparse.Namespace) -> list[str]:
    """Steps of each stage and processor minutes of a run, opening of its parts included."""
    lines = ["| taught by | steps, text + U-Net | processor minutes a run |", "|---|---:|---:|"]
    for name in options.only:
        text, through = VARIANTS[name].steps(options.steps)
        minutes = spread([spent for (whose, _), (_, spent) in trained.items() if whose == name])
        lines.append(f"| {VARIANTS[name].title} | {text} + {through} | {minutes} |")
    return lines


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation", description=__doc__)
    parser.add_argument("--steps", type=int, default=160, help="of a run, both stages together (%(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each variant (%(default)s)")
    parser.add_argument("--scenes", type=int, default=60, help="single garments to draw, one picture each")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="variants to look at")
    parser.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    parser.add_argument("--runs", type=Path, default=Path("runs/ablation"), help="trainings and pictures, kept")
    parser.add_argument("--grid", type=Path, help="write a grid: English, Korean, and each variant's first seed")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", datefmt="%H:%M:%S")
    quiet_libraries()
    measure(options)


if __name__ == "__main__":
    main()

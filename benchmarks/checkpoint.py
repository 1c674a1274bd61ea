"""Does the checkpoint that ships draw what is asked? `python -m benchmarks.checkpoint [--scenes 500] [--seeds 4]`

In: scenes that no training saw, English prompts, the checkpoint, the reporting scorer. Out: percent of garments right
with 95 % intervals over scenes, beside the ceiling (the scorer on true drawings) and the floor (the same pictures
against shuffled prompts); then the refiner, the distribution, the autoencoder; on option other tables and grids.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from PIL import Image

from benchmarks.drawn import (
    DrawnSet,
    PictureStore,
    Sightings,
    ceiling,
    counts,
    draw_set,
    judged,
    kept,
    rate,
    scene_set,
    scores_of,
    standard_scenes,
    true_drawing,
)
from diffusion.load import load_pipeline
from diffusion.metrics import clip_scores, diversity, frechet_distance, kernel_distance, sharpness
from diffusion.pictures import color_fixed, enlarged, from_pixels, pixels_of
from diffusion.pipeline import TwoStagePipeline
from diffusion.request import DrawSettings
from fashion.drawing import draw, draw_masks
from fashion.scene import Scene
from fashion.scorer import Scorer
from jobspec import PictureSize

ATTRIBUTES = {
    "one garment": ("garment", "color", "pattern", "sleeve", "hem", "all"),
    "outfits": ("garment", "color", "pattern", "all"),
    "held-out combinations": ("garment", "color", "pattern", "all"),
    "permutations": ("garment", "color"),
}


def accuracy_table(scorer: Scorer, sets: Sequence[DrawnSet], seen: Sequence[Sightings]) -> list[str]:
    """What is right in `seen`, what the scorer saw in the final pictures of each set."""
    lines = ["| scenes | attribute | drawn | 95 % | true drawings | shuffled prompts |", "|---|---|---:|---|---:|---:|"]
    for what, found in zip(sets, seen, strict=True):
        mixed = list(what.asked)
        random.Random(0).shuffle(mixed)
        drawn, truth, floor = judged(what.asked, found), ceiling(scorer, what), judged(mixed, found)
        for attribute in ATTRIBUTES[what.name]:
            value, low, high = rate(drawn, attribute, what.asked)
            best, worst = rate(truth, attribute, what.asked)[0], rate(floor, attribute, what.asked)[0]
            lines.append(
                f"| {what.name} | {attribute} | {value:.1f} | {low:.1f} to {high:.1f} | {best:.1f} | {worst:.1f} |"
            )
    return lines


def refiner_table(scorer: Scorer, sets: Sequence[DrawnSet], seen: Sequence[Sightings]) -> list[str]:
    """What the second stage keeps of what was right, and how sharp its pictures are beside the drawings."""
    found = refined(scorer, sets, seen)
    return [
        "| refiner | value |", "|---|---:|",
        f"| attributes right before that stay right | {found.kept:.1f} % |",
        f"| attributes wrong before that come right, of all | {found.mended:.1f} % |",
        "| variance of the Laplacian beside the drawings': resized base / refined "
        f"| {found.sharp_before:.2f} / {found.sharp:.2f} |",
    ]  # fmt: skip


@dataclass(frozen=True)
class Refined:
    """Percent of right attributes that stay right, and of all those that were wrong and come right; the median variance
    of the Laplacian of the resized base's and of the refined pictures, as shares of the true drawings'."""

    kept: float
    mended: float
    sharp_before: float
    sharp: float


def refined(scorer: Scorer, sets: Sequence[DrawnSet], seen: Sequence[Sightings]) -> Refined:
    """What the second stage did to the pictures of the first; `seen` in those of the second, set by set."""
    before = [row for what in sets for row in scores_of(scorer, what.asked, what.base)]
    after = [row for what, found in zip(sets, seen, strict=True) for row in judged(what.asked, found)]
    still, was = kept(before, after)
    right, asked = counts(after, "each")
    large = [from_pixels(_enlarged(*pair))[0] for what in sets for pair in zip(what.base, what.final, strict=True)]
    truth = float(np.median(sharpness([
        true_drawing(scene, picture.width)
        for what in sets for scene, picture in zip(what.asked, what.final, strict=True)
    ])))  # fmt: skip
    base, final = (float(np.median(sharpness(p))) for p in (large, [p for what in sets for p in what.final]))
    return Refined(
        100 * float(still.sum() / was.sum()), 100 * float((right - still).sum() / asked.sum()),
        (base / truth) ** 2, (final / truth) ** 2,
    )  # fmt: skip


def strengths_table(pipeline: TwoStagePipeline, scorer: Scorer, asked: Sequence[Scene]) -> list[str]:
    """Refiner steps and strength against what stays right and how sharp it gets, the same base pictures."""
    lines = [
        "| refiner steps | strength | kept | mended | variance beside the drawings': resized base / refined |",
        "|---:|---:|---:|---:|---:|",
    ]
    tried = ((1, 0.05), (1, 0.07), (1, 0.1), (1, 0.15), (1, 0.2), (2, 0.2), (2, 0.3), (3, 0.3), (4, 0.45))
    for steps, strength in tried:
        settings = DrawSettings(refine_steps=steps, refine_strength=strength)
        what = draw_set(pipeline, scene_set("strengths", asked, 1), settings)
        found = refined(scorer, [what], [scorer.detect(what.final)])
        lines.append(
            f"| {steps} | {strength} | {found.kept:.1f} % | {found.mended:.1f} % "
            f"| {found.sharp_before:.2f} / {found.sharp:.2f} |"
        )
    return lines


def color_fixes_table(pipeline: TwoStagePipeline, scorer: Scorer, groups: Mapping[str, Sequence[Scene]]) -> list[str]:
    """What stays right, and how sharp it gets, by what of the base's picture is held: the same pictures, drawn with
    nothing held, then given the base's low frequencies."""
    refiner = pipeline.stages["refiner"]
    ships, refiner.defaults = refiner.defaults, replace(refiner.defaults, color_fix=0.0)
    try:
        sets = [draw_set(pipeline, scene_set(name, asked, 1), DrawSettings()) for name, asked in groups.items()]
    finally:
        refiner.defaults = ships
    lines = [
        "| colour fix, pixels | kept | mended | colour, outfits | sharpness |",
        "|---:|---:|---:|---:|---:|",
    ]
    for sigma in (0.0, 0.7, 1.0, 1.25, 1.5, 2.0, 4.0):
        fixed = [replace(what, final=_color_fixed(what, sigma) if sigma else what.final) for what in sets]
        seen = [scorer.detect(what.final) for what in fixed]
        found, last = refined(scorer, fixed, seen), fixed[-1].asked
        color = rate(judged(last, seen[-1]), "color", last)[0]
        lines.append(f"| {sigma} | {found.kept:.1f} % | {found.mended:.1f} % | {color:.1f} % | {found.sharp:.2f} |")
    return lines


def _color_fixed(what: DrawnSet, sigma: float) -> list[Image.Image]:
    fixed = []
    for base, final in zip(what.base, what.final, strict=True):
        fixed += from_pixels(color_fixed(pixels_of(final), _enlarged(base, final), sigma))
    return fixed


def _enlarged(base: Image.Image, final: Image.Image) -> torch.Tensor:
    """The base's picture as pixels (1, 3, s, s) of the final one's size, as the refiner was given it."""
    return enlarged(pixels_of(base), PictureSize.square(final.width))


def distribution_table(pipeline: TwoStagePipeline, scorer: Scorer, what: DrawnSet, seeds: int, clip: Path) -> list[str]:
    from transformers import CLIPModel, CLIPTokenizer

    from ko_clip.contrastive import image_vectors, text_vectors, to_tensor, tokenize

    model, tokenizer = CLIPModel.from_pretrained(clip, dtype=torch.float32).eval(), CLIPTokenizer.from_pretrained(clip)

    def vectors(pictures: Sequence[Image.Image]) -> np.ndarray:
        parts = [
            to_tensor(np.stack([np.asarray(p) for p in pictures[i : i + 64]])) for i in range(0, len(pictures), 64)
        ]
        with torch.inference_mode():
            return torch.cat([image_vectors(model, part) for part in parts]).numpy()

    with torch.inference_mode():
        text = torch.cat([text_vectors(model, tokenize(tokenizer, what.prompts[i : i + 64]))
                          for i in range(0, len(what.prompts), 64)]).numpy()  # fmt: skip
    truth = list(map(true_drawing, what.asked))
    ours, theirs = scorer.vectors(what.final), scorer.vectors(truth)
    mixed = np.random.default_rng(0).permutation(len(text))
    score = [float(clip_scores(t, v).mean()) for t, v in
             ((text, vectors(what.final)), (text, vectors(truth)), (text[mixed], vectors(what.final)))]  # fmt: skip
    lines = ["| distribution | drawn | true drawings | shuffled |", "|---|---:|---:|---:|",
             f"| CLIP score | {score[0]:.1f} | {score[1]:.1f} | {score[2]:.1f} |"]  # fmt: skip
    if len(ours) > ours.shape[1]:
        lines.append(f"| Fréchet distance on scorer features | {frechet_distance(ours, theirs):.2f} | 0 | |")
    lines.append(f"| kernel distance on scorer features | {kernel_distance(ours, theirs):.4f} | 0 | |")
    if seeds > 1:
        shaped = ours.reshape(-1, seeds, ours.shape[1])
        every = diversity(ours[mixed].reshape(-1, seeds, ours.shape[1])).mean()
        lines.append(
            f"| diversity over seeds (of unrelated prompts) | {diversity(shaped).mean():.4f} | | {every:.4f} |"
        )
    return lines


@torch.inference_mode()
def autoencoder_psnr(folder: Path, asked: Sequence[Scene]) -> float:
    """PSNR in dB inside the garments' masks at 256 px."""
    vae = AutoencoderTiny.from_pretrained(folder / "vae", torch_dtype=torch.float32)
    error = pixels = 0.0
    for scene in asked:
        picture = torch.from_numpy(draw(scene, 256)).permute(2, 0, 1)[None].float().div(127.5).sub(1)
        output = vae.decoder(vae.encoder(picture)).clamp(-1, 1)
        mask = torch.from_numpy(draw_masks(scene, 256).any(axis=0))
        error += float(((output - picture).div(2).square().mean(1)[0] * mask).sum())
        pixels += float(mask.sum())
    return -10 * float(np.log10(error / pixels))


@torch.inference_mode()
def ceiling_table(folder: Path, scorer: Scorer, groups: Mapping[str, Sequence[Scene]]) -> list[str]:
    """Patterns that the scorer reads right in true drawings, and in those as the base could show them at best: shrunk
    to its size, through the autoencoder."""
    vae = AutoencoderTiny.from_pretrained(folder / "vae", torch_dtype=torch.float32)
    lines = ["| scenes | pattern | garments | true drawings | at the base's size |", "|---|---|---:|---:|---:|"]
    for name, asked in groups.items():
        whole = list(map(true_drawing, asked))
        small = [_through(vae, picture.resize((128, 128), Image.Resampling.BOX)) for picture in whole]
        right: dict[str, list[tuple[bool, bool]]] = {"all": []}
        for scene, one, other in zip(
            asked, scores_of(scorer, asked, whole), scores_of(scorer, asked, small), strict=True
        ):
            for garment, large, little in zip(scene.garments, one, other, strict=True):
                if "pattern" in large.right:
                    seen = large.right["pattern"], little.right["pattern"]
                    right["all"].append(seen)
                    right.setdefault(garment.pattern, []).append(seen)
        for pattern, seen in sorted(right.items()):
            best, shown = (100 * np.mean(column) for column in zip(*seen, strict=True))
            lines.append(f"| {name} | {pattern} | {len(seen)} | {best:.1f} | {shown:.1f} |")
    return lines


def _through(vae: AutoencoderTiny, picture: Image.Image) -> Image.Image:
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float().div(127.5).sub(1)
    output = vae.decoder(vae.encoder(pixels)).clamp(-1, 1)[0]
    return Image.fromarray(output.add(1).mul(127.5).round().byte().permute(1, 2, 0).numpy())


def steps_table(pipeline: TwoStagePipeline, scorer: Scorer, asked: Sequence[Scene]) -> list[str]:
    """Steps and guidance against accuracy and time, base stage alone, the same noise."""
    lines = ["| scheduler | base steps | guidance | all right | colour | pattern | seconds beside the first row |",
             "|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    first: float | None = None
    for steps, guidance in ((24, 3.0), (12, 3.0), (8, 1.0), (8, 2.0), (8, 3.0), (8, 5.0), (6, 3.0), (4, 3.0)):
        what = scene_set("steps", asked, 1)
        settings = DrawSettings(steps=steps, guidance_scale=guidance, refine=False)
        start = time.perf_counter()
        draw_set(pipeline, what, settings)
        seconds = time.perf_counter() - start
        first = first or seconds
        scores = scores_of(scorer, what.asked, what.final)
        right = " | ".join(f"{rate(scores, attribute, what.asked)[0]:.1f}" for attribute in ("all", "color", "pattern"))
        lines.append(f"| dpm++ | {steps} | {guidance} | {right} | {seconds / first:.2f} × |")
    return lines


def save_grid(pictures: Sequence[Image.Image], path: Path, columns: int, side: int = 160) -> None:
    sheet = Image.new("RGB", (columns * side, -(-len(pictures) // columns) * side), "white")
    for i, picture in enumerate(pictures):
        sheet.paste(picture.resize((side, side), Image.Resampling.LANCZOS), (i % columns * side, i // columns * side))
    sheet.save(path, quality=82)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checkpoint", description=__doc__)
    parser.add_argument("--scenes", type=int, default=500, help="scenes a set (default %(default)s)")
    parser.add_argument("--seeds", type=int, default=4, help="pictures a scene; the permutations have 5 times as many")
    parser.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    parser.add_argument("--steps-table", action="store_true", help="only the tables of steps, guidance, strength")
    parser.add_argument("--color-fix", action="store_true", help="only what holding the base's colours keeps")
    parser.add_argument("--ceiling", action="store_true", help="only what the base could show at best, by pattern")
    parser.add_argument("--keep", type=Path, help="keep the pictures in this folder, and draw none that is there")
    parser.add_argument("--grids", type=Path, help="also write grids of pictures into this folder")
    options = parser.parse_args(argv)
    scorer = Scorer.load(options.checkpoints / "scorers", "reporting")
    groups = standard_scenes(options.scenes)
    both = {name: groups[name] for name in ("one garment", "outfits")}
    if options.ceiling:
        print("\n".join(ceiling_table(options.checkpoints, scorer, both)))
        return
    pipeline = load_pipeline(options.checkpoints)
    if options.color_fix:
        print("\n".join(color_fixes_table(pipeline, scorer, both)))
        return
    if options.steps_table:
        print("\n".join(steps_table(pipeline, scorer, groups["one garment"])))
        if "refiner" in pipeline.stages:
            print("\n" + "\n".join(strengths_table(pipeline, scorer, groups["one garment"])))
        return
    store = PictureStore(options.keep) if options.keep else None
    more = {"permutations": 5 * options.seeds}
    sets = [
        draw_set(pipeline, scene_set(name, asked, more.get(name, options.seeds)), DrawSettings(), store)
        for name, asked in groups.items()
    ]
    print(f"{options.scenes} scenes × {options.seeds} seeds, English prompts, reporting scorer, percent of garments\n")
    seen = [scorer.detect(what.final) for what in sets]
    print("\n".join(accuracy_table(scorer, sets, seen)), "\n")
    print("\n".join(refiner_table(scorer, sets[:2], seen[:2])), "\n")
    print("\n".join(distribution_table(pipeline, scorer, sets[0], options.seeds, options.checkpoints / "clip")), "\n")
    psnr = autoencoder_psnr(options.checkpoints, groups["held-out combinations"][:200])
    print(f"| autoencoder | value |\n|---|---:|\n| PSNR inside the garments' masks, 256 px, held-out | {psnr:.1f} dB |")
    if options.grids:
        options.grids.mkdir(parents=True, exist_ok=True)
        singles, outfits = sets[0].final[:: options.seeds], sets[1].final[:: options.seeds]
        save_grid(singles[:64], options.grids / "grid-garments.webp", 8)
        save_grid(outfits[:12] + outfits[-12:], options.grids / "grid-outfits.webp", 6)


if __name__ == "__main__":
    main()

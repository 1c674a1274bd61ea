"""What does diffusion buy beside simpler models? `python -m benchmarks.baselines [--scenes 100] [--grid FILE]`

In: held-out scenes with their captions, the checkpoint, a conditional VAE (`python -m diffusion.baselines.cvae train`),
a DCGAN that is told captions (`python -m benchmarks.baselines_dcgan`).
Out: one table over the same captions and seeds: attributes right by the reporting scorer, Fréchet distance of its
features to true drawings of other scenes, diversity over seeds of one caption, sharpness, processor seconds a picture
(other work changes these less than seconds), and parameters of what draws (the text encoder aside); with `--grid`, a
row of sample pictures for each line. A model that is not there is skipped with the reason.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from benchmarks import baselines_dcgan, dcgan
from benchmarks.drawn import BATCH, SCENE_STREAM, rate, scores_of, true_drawing
from diffusion.baselines.captioned import text_vectors
from diffusion.baselines.cvae import FACTS
from diffusion.baselines.cvae_network import WEIGHTS, ConditionalVae
from diffusion.encoder import TextEncoder
from diffusion.load import load_pipeline
from diffusion.metrics import TooFewPictures, diversity, frechet_distance, sharpness
from diffusion.pictures import from_pixels
from diffusion.pipeline import DrawSettings, Shot, TwoStagePipeline
from diffusion.training.lora import open_student
from diffusion.weights import sha256_file
from fashion.captions import caption
from fashion.scene import Scene, scenes
from fashion.scorer import Scorer
from training.folders import runs_folder

SEEDS = 2  # pictures of each caption
SIDE = 256  # at which pictures are compared
SHOWN, SHOWN_SIDE, NAME_WIDTH = 6, 144, 130  # pictures a row of the grid, and pixels
REFERENCE_STREAM = 93  # true drawings that no line is asked to draw
Drawer = Callable[[Sequence[str], Sequence[int]], list[Image.Image]]
# of networks that are told a caption's vector: what opens a folder, and the files of its facts and weights
OF_CAPTIONS: dict[str, tuple[Callable[[Path], ConditionalVae | dcgan.Generator], str, str]] = {
    "conditional VAE": (ConditionalVae.load, FACTS, WEIGHTS),
    "DCGAN": (baselines_dcgan.load, baselines_dcgan.FACTS, dcgan.FILE),
}


@dataclass(frozen=True)
class Model:
    """One line: what draws captions with seeds, and how many numbers it has. `trained`: how far, where it is not the
    checkpoint's; `skipped`: why it is left out.
    """

    name: str
    draw: Drawer | None = None
    parameters: int = 0
    trained: str = ""
    skipped: str = ""


@dataclass(frozen=True)
class Line:
    """A model's pictures of all captions, and processor seconds a picture (None: not measured)."""

    model: Model
    pictures: list[Image.Image]
    seconds: float | None


def models(options: argparse.Namespace) -> list[Model]:
    """The lines of the table."""
    pipeline = load_pipeline(options.checkpoint, dtype="float32")
    stages = {role: stage.unet_parameters + stage.vae_parameters for role, stage in pipeline.stages.items()}
    student = open_student(options.encoder)
    found = [
        of_captions(name, folder, student)
        for name, folder in zip(OF_CAPTIONS, (options.cvae, options.dcgan), strict=True)
    ]
    found.append(Model("base alone", _stages(pipeline, refine=False), stages["base"]))
    if "refiner" in stages:
        shared = pipeline.stages["base"].vae is pipeline.stages["refiner"].vae
        both = sum(stages.values()) - (pipeline.stages["base"].vae_parameters if shared else 0)
        found.append(Model("base and refiner", _stages(pipeline, refine=True), both))
    return found


def _stages(pipeline: TwoStagePipeline, refine: bool) -> Drawer:
    def draw(prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image]:
        shots = [Shot(prompt, seed=seed) for prompt, seed in zip(prompts, seeds, strict=True)]
        return pipeline.draw(shots, DrawSettings(refine=refine)).images

    return draw


def of_captions(name: str, folder: Path, student: TextEncoder) -> Model:
    """The line of a network that is told a caption's vector; skipped where the folder has none."""
    opened, facts, weights = OF_CAPTIONS[name]
    try:
        network = opened(folder)
    except FileNotFoundError as error:
        return Model(name, skipped=str(error))

    def draw(prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image]:
        return from_pixels(network.sample(text_vectors(student, prompts), seeds) / 2 + 0.5)

    parameters = sum(each.numel() for each in network.parameters())
    return Model(name, draw, parameters, trained=_trained(folder / facts, folder / weights))


def _trained(path: Path, weights: Path) -> str:
    """Steps, pictures and the id of the weights, as cells of a table: how far a model was trained here."""
    facts = json.loads(path.read_text("utf-8"))
    told = (f"{facts['step']:,}", f"{facts['trained_on']:,} of {facts['size']} px", sha256_file(weights)[:12])
    return " | ".join(told)


def drawn(model: Model, prompts: Sequence[str], seeds: Sequence[int]) -> Line:
    """A model's pictures, and processor seconds a picture: the median over its batches but the first, a warm-up."""
    assert model.draw is not None
    pictures, times = list[Image.Image](), []
    for start in range(0, len(prompts), BATCH):
        began = time.process_time()
        pictures += model.draw(prompts[start : start + BATCH], seeds[start : start + BATCH])
        times.append((time.process_time() - began) / len(prompts[start : start + BATCH]))
    return Line(model, pictures, float(np.median(times[1:] or times)))


def row(line: Line, asked: Sequence[Scene], scorer: Scorer, reference: np.ndarray) -> str:
    """One line of the table; pictures are compared at one size."""
    pictures = [each.resize((SIDE, SIDE), Image.Resampling.BICUBIC) for each in line.pictures]
    scores, vectors = scores_of(scorer, asked, pictures), scorer.vectors(pictures)
    each, low, high = rate(scores, "each", asked)
    whole = rate(scores, "all", asked)[0]
    try:
        far = f"{frechet_distance(vectors, reference):.2f}"
    except TooFewPictures:
        far = f"needs {vectors.shape[1] + 1} pictures"
    apart = f"{diversity(vectors.reshape(-1, SEEDS, vectors.shape[1])).mean():.4f}" if line.model.draw else "-"
    seconds = "-" if line.seconds is None else f"{line.seconds:.3f}"
    parameters = f"{line.model.parameters / 1e6:.2f} M" if line.model.parameters else "-"
    return (f"| {line.model.name} | {each:.1f} ({low:.1f} to {high:.1f}) | {whole:.1f} | {far} | {apart} | "
            f"{sharpness(pictures).mean():.1f} | {seconds} | {parameters} |")  # fmt: skip


def grid(lines: Sequence[Line], path: Path) -> None:
    """A row of the first pictures of different captions for each line, in the order of the table, behind its name."""
    columns = min(SHOWN, len(lines[0].pictures) // SEEDS)
    sheet = Image.new("RGB", (NAME_WIDTH + columns * SHOWN_SIDE, len(lines) * SHOWN_SIDE), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    for y, line in enumerate(lines):
        pen.text((8, (y + 0.5) * SHOWN_SIDE), line.model.name.replace(" ", "\n"), "black", font, anchor="lm")
        for x, picture in enumerate(line.pictures[: columns * SEEDS : SEEDS]):
            shown = picture.resize((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.LANCZOS)
            sheet.paste(shown, (NAME_WIDTH + x * SHOWN_SIDE, y * SHOWN_SIDE))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=80)


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    torch.set_num_threads(options.threads)
    scorer = Scorer.load(options.checkpoint / "scorers")
    asked = [scene for scene in scenes(SCENE_STREAM, options.scenes, "held_out", 1) for _ in range(SEEDS)]
    prompts = [caption(scene, "en", seed=i // SEEDS).text for i, scene in enumerate(asked)]
    others = list(scenes(REFERENCE_STREAM, max(options.scenes * SEEDS, options.reference), "held_out", 1))
    reference = scorer.vectors(list(map(true_drawing, others)))
    lines, skipped = [], []
    for model in models(options):
        if model.draw is None:
            skipped.append(f"{model.name}: skipped, {model.skipped}")
        else:
            lines.append(drawn(model, prompts, range(len(prompts))))
    lines.append(Line(Model("true drawings"), list(map(true_drawing, asked)), None))
    print(f"{options.scenes} held-out captions, {SEEDS} seeds each; {len(others)} true drawings of other scenes\n")
    print("| model | attributes right, % | garments all right, % | Fréchet distance | diversity | sharpness | "
          "s a picture | parameters |\n|---|---:|---:|---:|---:|---:|---:|---:|")  # fmt: skip
    for line in lines:
        print(row(line, asked, scorer, reference))
    told = [f"| {line.model.name} | {line.model.trained} |" for line in lines if line.model.trained]
    if told:
        print("\n".join(["", "| trained here | steps | pictures | weights |", "|---|---:|---:|---|", *told]))
    print("\n".join(["", *skipped]))
    if options.grid:
        grid(lines, options.grid)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=Path("checkpoints"))
    parser.add_argument(
        "--encoder", type=Path, default=Path("checkpoints/korean"), help="of the conditional VAE and the DCGAN"
    )
    for name, made_by in (("cvae", "diffusion.baselines.cvae train"), ("dcgan", "benchmarks.baselines_dcgan")):
        usual = runs_folder() / name
        parser.add_argument(f"--{name}", type=Path, default=usual, help=f"what python -m {made_by} wrote ({usual})")
    parser.add_argument("--scenes", type=int, default=100, help="captions (default %(default)s)")
    parser.add_argument("--reference", type=int, default=0, help="true drawings (default: as many as pictures)")
    parser.add_argument("--grid", type=Path, help="write sample pictures here (PNG, JPEG or WebP)")
    parser.add_argument("--threads", type=int, default=1)
    return parser


if __name__ == "__main__":
    sys.exit(main())

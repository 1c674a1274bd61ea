"""Train a conditional VAE and sample it: `python -m diffusion.baselines.cvae train | sample`.

In: an imagefolder with captions, this project's text encoder (Korean and English). Out: a folder with the network, its
figures on held-out pictures, and a grid of samples of held-out captions beside the true pictures. The KL term's weight
rises from 0 over the first part of the schedule, because at full weight from the start the code collapses.
Ref: Bowman et al. 2016, arXiv:1511.06349 (KL annealing).
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from diffusion.baselines.captioned import PicturePairs, text_vectors
from diffusion.baselines.cvae_network import ConditionalVae, CvaeShape
from diffusion.encoder import TextEncoder
from diffusion.pictures import from_pixels
from diffusion.precision import choose_device
from diffusion.training.lora import open_student
from diffusion.training.lora_lesson import COLUMNS
from training.command import run_command
from training.folders import keep_plan, runs_folder
from training.optimizers import OptimizerSettings
from training.parts import sample_grid
from training.schedule import TrainerSettings
from training.trainer import Trainer

logger = logging.getLogger(__name__)
FACTS = "training.json"
DEVIATION = 0.2  # of what is drawn, in -1..1: how a nat of the code weighs beside squared errors
SHOWN = 8
_AT_ONCE = 64


@dataclass(frozen=True)
class CvaeSettings:
    """`beta`: factor of the KL term, 1 is the evidence lower bound for pictures that deviate by DEVIATION; `anneal`:
    share of the steps over which it rises to that.
    """

    data: Path
    out: Path
    language: str = "ko"
    size: int = 128
    steps: int = 4000
    minutes: float | None = None
    batch: int = 32
    learning_rate: float = 1e-3
    beta: float = 1.0
    anneal: float = 0.3
    seed: int = 0
    device: str | None = None

    def __post_init__(self) -> None:
        if self.batch < 1 or self.steps < 1:
            raise ValueError(f"batch is {self.batch} and steps {self.steps}: give at least 1")
        if self.beta < 0 or not 0 <= self.anneal <= 1:
            raise ValueError(f"beta is {self.beta}, anneal {self.anneal}: give 0 or more, a share up to 1")

    def weight(self, step: int, steps: int) -> float:
        """The KL term's weight at a step of so many."""
        return self.full_weight * min(1.0, (step + 1) / max(1.0, self.anneal * steps))

    @property
    def full_weight(self) -> float:
        """What a nat of a picture's code weighs beside its mean squared error."""
        return self.beta * 2 * DEVIATION**2 / (3 * self.size**2)

    @property
    def channels(self) -> tuple[int, ...]:
        """Of the network for this size: the usual ones, the coarsest left out for smaller pictures."""
        usual = CvaeShape.channels
        levels = (self.size // 4).bit_length() - 1
        if not 1 <= levels <= len(usual) or self.size != 4 * 2**levels:
            raise ValueError(f"size is {self.size}: use 8, 16, 32, 64 or 128")
        return usual[:levels]


class CvaeLesson:
    """The losses of a batch that the step alone decides, and those of the held-out pictures."""

    def __init__(self, settings: CvaeSettings, encoder: TextEncoder, kept: Path) -> None:
        self.settings = settings
        self.pictures = PicturePairs(settings.data, settings.language, settings.size, encoder, kept)

    def losses(self, model: ConditionalVae, step: int, steps: int) -> Mapping[str, torch.Tensor]:
        pixels, texts = self.pictures.batch(self.settings.seed, step, self.settings.batch)
        noise = torch.randn(len(texts), model.shape.code, generator=torch.Generator().manual_seed(step))
        pixels, texts, noise = (each.to(model.device) for each in (pixels, texts, noise))
        return model.losses(pixels, texts, noise, self.settings.weight(step, steps))

    @torch.no_grad()
    def validation(self, model: ConditionalVae) -> dict[str, float]:
        """The losses on held-out pictures at the full weight of the KL term, the same noise every time."""
        found: dict[str, float] = {}
        generator, count = torch.Generator().manual_seed(0), len(self.pictures.held_out)
        for rows in np.array_split(np.arange(count), max(1, count // _AT_ONCE)):
            noise = torch.randn(len(rows), model.shape.code, generator=generator)
            told = (self.pictures.pixels("held_out", rows), self.pictures.texts["held_out"][rows], noise)
            pixels, texts, noise = (each.to(model.device) for each in told)
            losses = model.losses(pixels, texts, noise, self.settings.full_weight)
            for name, value in losses.items():
                found[name] = found.get(name, 0.0) + float(value) * len(rows) / count
        return found


def train(settings: CvaeSettings, encoder: TextEncoder, run: Path) -> dict[str, float]:
    """Train in the folder `run` and write the network, figures and samples to `out`; the held-out losses.

    Raises ValueError for a folder that holds a run of other pictures or of another network.
    """
    lesson = CvaeLesson(settings, encoder, run)
    plan = {"pictures": lesson.pictures.id, "language": settings.language, "size": settings.size,
            "batch": settings.batch, "beta": settings.beta, "seed": settings.seed}  # fmt: skip
    keep_plan(run, plan, "remove it, or name another --out")
    pictures = lesson.pictures
    torch.manual_seed(settings.seed)
    shape = CvaeShape(pictures.text_width, settings.size, channels=settings.channels)
    model = ConditionalVae(shape).to(choose_device(settings.device))
    schedule = TrainerSettings(
        steps=settings.steps, minutes=settings.minutes, finish=settings.minutes is not None,
        learning_rate=settings.learning_rate, ema=0.99, seed=settings.seed, sample_every=500, save_minutes=1.0,
    )  # fmt: skip
    optimizer = OptimizerSettings(settings.learning_rate, kind="adamw")
    trainer = Trainer(
        model, lambda step: lesson.losses(model, step, trainer.steps), schedule, run, optimizers={"cvae": optimizer},
        on_sample=lambda step, average: lesson.validation(model),
    )  # fmt: skip
    result = trainer.run()
    model.load_state_dict(result.average)
    model.eval()
    figures = lesson.validation(model)
    model.save(settings.out)
    facts = {"step": result.step, "language": settings.language, "size": settings.size,
             "trained_on": len(pictures.trained), "held_out": len(pictures.held_out),
             "parameters": sum(p.numel() for p in model.parameters()),
             **{name: round(value, 6) for name, value in figures.items()}}  # fmt: skip
    (settings.out / FACTS).write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    rows = np.arange(min(SHOWN, len(pictures.held_out)))
    drawn = model.sample(pictures.texts["held_out"][rows], [int(row) for row in rows]).cpu()
    sample_grid(torch.cat([pictures.pixels("held_out", rows), drawn]), settings.out / "samples.png", columns=len(rows))
    return figures


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", datefmt="%H:%M:%S")
    if options.threads:
        torch.set_num_threads(options.threads)
    return run_command(lambda: options.run(options))


def _train(options: argparse.Namespace) -> None:
    settings = CvaeSettings(
        options.data, options.out, options.language, options.size, options.steps, options.minutes, options.batch,
        options.learning_rate, options.beta, options.anneal, options.seed, options.device,
    )  # fmt: skip
    figures = train(settings, open_student(options.encoder), options.runs / f"cvae-{options.out.name}")
    told = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
    print(f"{options.out}: on held-out pictures {told}; samples in {options.out / 'samples.png'}")


def _sample(options: argparse.Namespace) -> None:
    model, encoder = ConditionalVae.load(options.model), open_student(options.encoder)
    seeds = [options.seed + i for i in range(options.count)]
    vectors = text_vectors(encoder, [options.prompt] * len(seeds))
    options.out.mkdir(parents=True, exist_ok=True)
    pictures = from_pixels(model.sample(vectors, seeds) / 2 + 0.5)
    for seed, picture in zip(seeds, pictures, strict=True):
        picture.save(options.out / f"{seed}.png")
    print(f"{options.out}: {len(pictures)} pictures of {options.prompt!r}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m diffusion.baselines.cvae", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    teach = commands.add_parser("train", help="train on an imagefolder")
    add = teach.add_argument
    add("--data", type=Path, required=True, help="imagefolder: metadata.jsonl with file_name, text, text_ko")
    add("--out", type=Path, required=True, help="where the network, its figures and samples go")
    add("--language", choices=tuple(COLUMNS), default="ko", help="captions; the encoder reads both")
    add("--size", type=int, default=128, help="pixels of a side: 8, 16, 32, 64 or 128 (default)")
    add("--minutes", type=float, help="end the schedule in so many minutes")
    add("--steps", type=int, default=4000)
    add("--batch", type=int, default=32)
    add("--learning-rate", type=float, default=1e-3)
    add("--beta", type=float, default=1.0, help="factor of the KL term (default %(default)s)")
    add("--anneal", type=float, default=0.3, help="share of the steps over which it rises (default %(default)s)")
    add("--runs", type=Path, default=runs_folder(), help="where states lie (default: RUNS_DIR, else runs)")
    add("--device", help="cpu or cuda")
    teach.set_defaults(run=_train)
    sample = commands.add_parser("sample", help="draw a prompt")
    sample.add_argument("prompt")
    sample.add_argument("--model", type=Path, required=True, help="a folder that train wrote")
    sample.add_argument("--out", type=Path, required=True, help="where SEED.png go")
    sample.add_argument("--count", type=int, default=4)
    sample.set_defaults(run=_sample)
    for command in (teach, sample):
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--encoder", type=Path, default=Path("checkpoints/korean"))
        command.add_argument("--threads", type=int, default=0, help="CPU threads (0: all)")
    return parser


if __name__ == "__main__":
    sys.exit(main())

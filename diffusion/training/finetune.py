"""Train a checkpoint's base further: `python -m diffusion.training.finetune --checkpoint checkpoints --data FOLDER`.

In: a checkpoint of any layout (ours, Stable Diffusion 1 or 2, SDXL, with whatever autoencoder it has), an imagefolder
with captions. Out: a checkpoint folder of the same layout with another base U-Net; the recipe of every picture drawn
with it names the SHA-256 of these weights. Text encoder and autoencoder stay. The error on held-out pictures is
measured before and after on the same noise. Exit status: 0 better, 2 wrong input, 3 no better on held-out pictures
(written all the same), 4 with --compare, where the same seeds draw the same pictures before and after.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image

from diffusion.encoder import TextEncoder
from diffusion.load import load_pipeline
from diffusion.pictures import pixels_of
from diffusion.pipeline import DrawSettings, Shot
from diffusion.precision import choose_device
from diffusion.specs import resolve
from diffusion.training.finetuned_folder import check_out, stored_dtype, write_finetuned
from diffusion.training.lora import open_student
from diffusion.training.lora_base import StyleBase, open_base
from diffusion.training.lora_lesson import COLUMNS, StyleLesson, data_card, is_better, read_pictures, split
from training.command import run_command
from training.folders import keep_plan, runs_folder
from training.optimizers import OptimizerSettings
from training.parts import sample_grid
from training.processes import has_bfloat16
from training.run import Run
from training.schedule import TrainerSettings
from training.trainer import Trainer

logger = logging.getLogger(__name__)
TRAINED = {
    "unet": ("",),
    "attention": (".attn1.", ".attn2."),
}  # what learns: names with one of these
NO_BETTER, EQUAL = 3, 4  # exit statuses
COMPARED = 4  # pictures


@dataclass(frozen=True)
class UNetFinetuneSettings:
    """`pictures`: train on so many only. `epochs` in place of `steps`. `learning_rate`: by default 1e-5 for U-Nets as
    wide as the public ones, 3e-4 for narrower ones. `minutes`: end the schedule in so many.
    """

    checkpoint: str
    data: Path
    out: Path
    what: str = "unet"
    language: str = "en"
    encoder: Path = Path("checkpoints/korean")
    steps: int = 1000
    epochs: int | None = None
    minutes: float | None = None
    batch: int = 8
    pictures: int | None = None
    learning_rate: float | None = None
    seed: int = 0
    device: str | None = None
    runs: Path = Path("runs")

    def __post_init__(self) -> None:
        if self.what not in TRAINED:
            raise ValueError(f"what is {self.what!r}: use {', '.join(TRAINED)}")
        for name in ("batch", "steps", "epochs", "pictures"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}: give at least 1")
        if self.learning_rate is not None and self.learning_rate <= 0:
            raise ValueError(f"learning_rate is {self.learning_rate}: give more than 0, or leave it out")

    def schedule(self, count: int, width: int) -> TrainerSettings:
        """Of a training on `count` pictures, of a U-Net that reads texts of `width`."""
        steps = math.ceil(self.epochs * count / self.batch) if self.epochs else self.steps
        rate = self.learning_rate or (1e-5 if width >= 512 else 3e-4)
        return TrainerSettings(
            steps=steps, minutes=self.minutes, finish=self.minutes is not None, learning_rate=rate, seed=self.seed,
            warmup=50, warmup_share=0.1, ema=0.98, sample_every=100, save_minutes=1.0,
        )  # fmt: skip


@dataclass(frozen=True)
class UNetFinetuneOutcome:
    """Mean errors, before and after, on held-out pictures and on those trained on; whether the first is better by more
    than chance.
    """

    out: Path
    weights: str
    steps: int
    held_out: tuple[float, float]
    trained: tuple[float, float]
    better: bool
    prompts: tuple[str, ...]

    def lines(self) -> list[str]:
        return [
            f"{self.out}: step {self.steps}, base U-Net sha256:{self.weights}",
            f"error on held-out pictures {self.held_out[0]:.4f} → {self.held_out[1]:.4f}",
            f"error on pictures trained on {self.trained[0]:.4f} → {self.trained[1]:.4f}",
        ]


def finetune(settings: UNetFinetuneSettings) -> UNetFinetuneOutcome:
    """Train and write the folder. Raises ValueError or OSError for a checkpoint or data that cannot be trained on."""
    spec = resolve(settings.checkpoint)
    check_out(spec, settings.out)
    run = open_device(settings)
    student = _student(settings)
    pictures, left_out = read_pictures(settings.data, settings.language)
    for reason in left_out:
        logger.warning("left out: %s", reason)
    base = open_base(spec.stages["base"].root, student, str(run.device))
    card = data_card(settings.data, settings.language, pictures, len(split(pictures)[1]))
    plan = {"base": base.id, "data": card, "what": settings.what, "batch": settings.batch,
            "pictures": settings.pictures, "seed": settings.seed}  # fmt: skip
    keep_plan(run.folder, plan, "remove it, or name another --out")
    lesson = StyleLesson(base, pictures, settings.batch, most=settings.pictures)
    before = (lesson.errors(), lesson.trained_errors())
    count = choose_trained(base, settings.what)
    told = (lesson.count, len(lesson.held_out), count)
    logger.info("%d pictures to train on, %d held out; %d numbers are trained", *told)
    steps = _train(settings, run, base, lesson, before[0])
    _round(base, stored_dtype(spec.stages["base"].folder("unet")))
    after = (lesson.errors(), lesson.trained_errors())
    means = [(float(old.mean()), float(new.mean())) for old, new in zip(before, after, strict=True)]
    facts = {"base": base.id, "what": settings.what, "steps": steps, "data": card, "held_out_error": means[0],
             "trained_error": means[1]}  # fmt: skip
    weights = write_finetuned(spec, base.unet, settings.out, facts)
    prompts = tuple(dict.fromkeys(each.text for each in lesson.held_out))[:COMPARED]
    return UNetFinetuneOutcome(
        settings.out, weights, steps, means[0], means[1], is_better(after[0], before[0]), prompts
    )  # fmt: skip


def _train(settings: UNetFinetuneSettings, run: Run, base: StyleBase, lesson: StyleLesson, before: torch.Tensor) -> int:
    """Train the base's U-Net in place; the steps that were done."""

    def losses(step: int) -> Mapping[str, torch.Tensor]:
        with run.autocast():
            return lesson.losses(step)

    def on_sample(step: int, average: Mapping[str, torch.Tensor]) -> Mapping[str, float]:
        return {"error": float(lesson.errors().mean()), "error_before": float(before.mean())}

    schedule = settings.schedule(lesson.count, int(base.unet.config["cross_attention_dim"]))
    optimizer = OptimizerSettings(schedule.learning_rate, kind="adamw")
    trainer = Trainer(base.unet, losses, schedule, run.folder, optimizers={"unet": optimizer}, on_sample=on_sample)
    result = trainer.run()
    base.unet.load_state_dict(result.average)
    base.unet.eval().requires_grad_(False)
    return result.step


def choose_trained(base: StyleBase, what: str) -> int:
    """Let the parameters that `what` names learn; how many numbers that are. Raises ValueError where there are none."""
    for name, parameter in base.unet.named_parameters():
        parameter.requires_grad_(any(part in name for part in TRAINED[what]))
    count = sum(each.numel() for each in base.unet.parameters() if each.requires_grad)
    if not count:
        raise ValueError(f"the U-Net has nothing that --what {what} names: use --what unet")
    return count


def open_device(settings: UNetFinetuneSettings) -> Run:
    """The run's folder and the device: the asked one, else CUDA, Apple's GPU or the CPU. Autocast to bfloat16 where the
    device computes in it.
    """
    usual = "mps" if not torch.cuda.is_available() and torch.backends.mps.is_available() else None
    device = choose_device(settings.device or usual)
    if device.type == "mps":
        bfloat16 = torch.backends.mps.is_macos_or_newer(14, 0)
    else:
        bfloat16 = has_bfloat16(device.type == "cuda")
    return Run(settings.runs / f"finetune-{settings.out.name}", settings.out, device, bool(bfloat16))


def compare(settings: UNetFinetuneSettings, outcome: UNetFinetuneOutcome) -> bool:
    """Draw the same prompts and seeds with the checkpoint and with what was written, into compare.png of the run's
    folder; whether every picture differs.
    """
    student, sides = _student(settings), []
    for checkpoint in (settings.checkpoint, str(settings.out)):
        pipeline = load_pipeline(checkpoint, student, device=settings.device, dtype="float32")
        shots = [Shot(text, seed=seed) for seed, text in enumerate(outcome.prompts)]
        sides.append(pipeline.draw(shots, DrawSettings(refine=False)).images)
    rows = [pixels_of(each) for side in sides for each in side]
    path = settings.runs / f"finetune-{settings.out.name}" / "compare.png"
    sample_grid(torch.cat(rows) * 2 - 1, path, columns=len(outcome.prompts))
    print(f"{path}: the checkpoint above, fine-tuned below")
    return not any(_same(one, other) for one, other in zip(*sides, strict=True))


def _same(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and one.tobytes() == other.tobytes()


def _student(settings: UNetFinetuneSettings) -> TextEncoder | None:
    return open_student(settings.encoder) if settings.language == "ko" else None


def _round(base: StyleBase, dtype: torch.dtype) -> None:
    """What is measured is what is written: the weights in the stored precision."""
    with torch.no_grad():
        for parameter in base.unet.parameters():
            parameter.copy_(parameter.to(dtype))


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    return run_command(lambda: _finetune(options))


def _finetune(options: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", datefmt="%H:%M:%S")
    if options.threads:
        torch.set_num_threads(options.threads)
    given = {
        name: getattr(options, name) for name in UNetFinetuneSettings.__dataclass_fields__ if hasattr(options, name)
    }
    settings = UNetFinetuneSettings(**given)
    if options.out is None:
        settings = replace(settings, out=settings.runs / f"{settings.data.name}-checkpoint")
    outcome = finetune(settings)
    print("\n".join(outcome.lines()))
    if options.compare and not compare(settings, outcome):
        print("error: a seed draws the same picture before and after: nothing was learnt", file=sys.stderr)
        return EQUAL
    if not outcome.better:
        print("it is no better on held-out pictures: more pictures, fewer steps, or a lower learning rate")
        return NO_BETTER
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m diffusion.training.finetune", description=__doc__)
    add = parser.add_argument
    add("--checkpoint", default="checkpoints", help="a folder, file or name that `python -m diffusion` draws with")
    add("--data", type=Path, required=True, help="imagefolder: metadata.jsonl with file_name, text, text_ko")
    add("--out", type=Path, help="where the new checkpoint goes (default: RUNS/DATA-checkpoint)")
    add("--what", choices=tuple(TRAINED), default="unet", help="attention: its layers alone")
    add("--language", choices=tuple(COLUMNS), default="en", help="captions: en (the own encoder) or ko (student)")
    add("--encoder", type=Path, default=Path("checkpoints/korean"), help="the Korean student, with --language ko")
    add("--minutes", type=float, help="end the schedule in so many minutes")
    add("--steps", type=int, default=1000, help="length of the schedule (default %(default)s)")
    add("--epochs", type=int, help="length of the schedule in passes over the pictures, in place of --steps")
    add("--batch", type=int, default=8)
    add("--pictures", type=int, help="train on so many pictures only")
    add("--learning-rate", type=float, help="default: 1e-5, for U-Nets that read texts under 512 wide 3e-4")
    add("--compare", action="store_true", help="draw the same seeds before and after; status 4 where they are equal")
    add("--seed", type=int, default=0)
    add("--runs", type=Path, default=runs_folder(), help="where states lie (default: RUNS_DIR, else runs)")
    add("--device", help="cpu, cuda or mps (default: the GPU there is)")
    add("--threads", type=int, default=0, help="CPU threads (0: all)")
    return parser


if __name__ == "__main__":
    sys.exit(main())

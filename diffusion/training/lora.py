"""Train a style from pictures: `python -m diffusion.training.lora --data FOLDER --trigger 단어 --rank 8 --minutes 10`.

In: an imagefolder (`python -m fashion prepare` makes one of a catalogue), a checkpoint of any layout. Out: in the run's
folder the style (diffusers' form, or kohya's), its log, and a grid of the same held-out prompts and seeds without it
(upper rows) and with it. Only the LoRA's tensors change. A killed run goes on exactly; started again with the same
options it ends with the same bytes. Several processes (`accelerate launch`, `torchrun`) train as one with the batches
of all of them. Captions are Korean, through the student, or English, through the checkpoint's own encoder. A style that
is no better than none on held-out pictures is written but not offered: exit status 3. With `--beside STYLE FOLDER`
every other step shows pictures that are in that style too, with its weights in the base: the two are then drawn
together by adding them up. With `--start FILE` a style is trained further; with `--reward SHARE --look LOOK` the
steering scorer, taught the look, reads what the style draws, and what it reads wrong is lowered too
(`diffusion.training.lora_reward`).
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from accelerate import Accelerator

from diffusion.encoder import TextEncoder
from diffusion.load import STYLES
from diffusion.lora import LoraShelf
from diffusion.training.look_reading import teach_looks
from diffusion.training.lora_adapters import FORMATS, LAYERS, Adapters, Beside, write_style
from diffusion.training.lora_base import StyleBase, open_base
from diffusion.training.lora_lesson import COLUMNS, StyleLesson, StylePicture, data_card, is_better, read_pictures
from diffusion.training.lora_reward import LookReward, RewardSettings, look_reader
from diffusion.weights import sha256_file
from fashion.looks import LOOKS
from jobspec import StyleUse
from training.command import run_command
from training.folders import runs_folder
from training.optimizers import OptimizerSettings
from training.parts import sample_grid
from training.processes import one_writes_first, open_accelerator, prepared, share_of
from training.schedule import TrainerSettings
from training.trainer import Trainer, TrainingResult

logger = logging.getLogger(__name__)
NOT_OFFERED = 3  # exit status
SHOWN = 6  # prompts of the grid


@dataclass(frozen=True)
class Companion:
    """Another style, which stays as it is, and `data`: pictures in both."""

    name: str
    sha256: str
    weights: Mapping[str, torch.Tensor]  # of the base's layers with it in them
    data: Path


@dataclass(frozen=True)
class StyleSettings:
    """What to train: `name` of the style and of its file, `language` of the captions, `layers` that it changes, styles
    that it is to be drawn with (`beside`), the file of a style that it goes on from (`start`).
    """

    data: Path
    trigger: str
    name: str
    rank: int = 8
    layers: str = "all"
    language: str = "ko"
    license: str = "unspecified"
    form: str = "diffusers"
    batch: int = 8
    beside: tuple[Companion, ...] = ()
    start: Path | None = None

    def __post_init__(self) -> None:
        if not self.trigger.strip() or any(mark in self.trigger for mark in "<>:,"):
            raise ValueError(f"trigger is {self.trigger!r}: give a word without < > : or a comma")
        if not self.name or Path(self.name).name != self.name or self.name.startswith("."):
            raise ValueError(f"name is {self.name!r}: give the name of a file, without a folder")
        if self.batch < 1:
            raise ValueError(f"batch is {self.batch}: give at least 1")


@dataclass(frozen=True)
class StyleOutcome:
    """`path` of the style; errors on held-out pictures with it and without."""

    path: Path
    offered: bool
    error: float
    error_without: float
    training: TrainingResult


def train_style(
    settings: StyleSettings, base: StyleBase, training: TrainerSettings, folder: Path,
    accelerator: Accelerator | None = None, reward: LookReward | None = None,
) -> StyleOutcome:  # fmt: skip
    """Train in `folder` and write `<name>.safetensors` there. Raises ValueError for data that cannot be trained on.

    `reward`: of the pictures that it draws. `accelerator`: of the processes that train together, of which the main one
    writes (default: one process).
    """
    accelerator = accelerator or open_accelerator(cpu=base.stage.device.type == "cpu")
    main = accelerator.is_main_process
    pictures = _pictures(settings, settings.data)
    lesson = StyleLesson(base, pictures, settings.batch, share=share_of(accelerator))
    together = [
        StyleLesson(base, _pictures(settings, other.data), settings.batch, share=share_of(accelerator))
        for other in settings.beside
    ]
    without, before = lesson.errors(), _grid(base, lesson) if main else None
    adapters = Adapters(base.unet, settings.rank, settings.layers)
    started = {"start": adapters.start_from(settings.start)} if settings.start else {}
    lesson.through = shared = prepared(adapters, accelerator)
    for each, other in zip(together, settings.beside, strict=True):
        each.through = Beside(shared, other.weights)
    logger.info(
        "%d pictures to train on, %d held out; %d numbers are trained in %d tensors", lesson.count,
        len(lesson.held_out), sum(each.numel() for each in adapters.parameters()), len(adapters.factors),
    )  # fmt: skip

    def losses(step: int) -> Mapping[str, torch.Tensor]:
        """Those of the style alone, every other time of it beside one of the others."""
        taught = together[step // 2 % len(together)] if together and step % 2 else lesson
        flow = taught.losses(step)
        if reward is None:
            return flow
        read = reward.losses(step, settings.trigger, shared)
        return {**read, "drawn": flow["loss"], "loss": flow["loss"] + read["loss"]}

    def held_out(step: int, average: Mapping[str, torch.Tensor]) -> Mapping[str, float]:
        return {"error": float(lesson.errors().mean()), "error_without": float(without.mean())}

    optimizer = OptimizerSettings(training.learning_rate, kind="adamw", weight_decay=0.0)
    trainer = Trainer(
        shared, losses, training, folder, optimizers={"lora": optimizer}, accelerator=accelerator,
        on_sample=held_out,
    )  # fmt: skip
    result = trainer.run()
    adapters.load_state_dict(result.average)
    adapters.check_base()
    with_style = lesson.errors()
    offered = is_better(with_style, without)
    rewarded = {"rewarded": vars(reward.settings)} if reward else {}
    facts = (
        _facts(settings, base, pictures, lesson, offered)
        | started
        | rewarded
        | {
            "steps": result.step,
            "error": round(float(with_style.mean()), 6),
            "error_without": round(float(without.mean()), 6),
        }
    )
    path = folder / f"{settings.name}.safetensors"
    if main:
        write_style(adapters, path, facts, settings.form)
        after = _grid(base, lesson)
        if before is not None and after is not None:
            sample_grid(torch.cat([before, after]), folder / "before-after.png", columns=len(before))
    return StyleOutcome(path, offered, float(with_style.mean()), float(without.mean()), result)


def _pictures(settings: StyleSettings, folder: Path) -> list[StylePicture]:
    """The pictures of a folder with the style's word before each caption; what is left out is logged."""
    pictures, left_out = read_pictures(folder, settings.language, settings.trigger)
    for reason in left_out:
        logger.warning("left out: %s", reason)
    return pictures


def _facts(
    settings: StyleSettings, base: StyleBase, pictures: list, lesson: StyleLesson, offered: bool
) -> dict[str, object]:
    """What the header says; nothing in it depends on when or where the style was trained."""
    beside = {other.name: other.sha256 for other in settings.beside}
    return ({"beside": beside} if beside else {}) | {
        "name": settings.name, "trigger": settings.trigger, "example": lesson.held_out[0].text, "base": base.id,
        "rank": settings.rank, "layers": settings.layers, "license": settings.license, "offered": offered,
        "data": data_card(settings.data, settings.language, pictures, len(lesson.held_out)),
    }  # fmt: skip


def _grid(base: StyleBase, lesson: StyleLesson) -> torch.Tensor | None:
    """Pictures (n, 3, s, s) in -1..1 of held-out prompts; None where the layout is not drawn with here."""
    from diffusion.pictures import pixels_of

    texts = list(dict.fromkeys(each.text for each in lesson.held_out))[:SHOWN]
    images = base.draw(texts, range(len(texts)))
    return None if images is None else torch.cat([pixels_of(each) for each in images]) * 2 - 1


def _reward_settings(options: argparse.Namespace) -> RewardSettings | None:
    """What --reward and the options beside it ask for. Raises ValueError for one without the other."""
    if options.reward is None and options.look is None:
        return None
    if options.reward is None or options.look is None:
        raise ValueError("a style is rewarded for a look: give --reward (say 0.03) and --look together")
    return RewardSettings(options.look, options.reward, options.likeness, options.rewarded)


def _open_reward(
    settings: RewardSettings, options: argparse.Namespace, base: StyleBase, accelerator: Accelerator
) -> LookReward:
    """The reward of a look; the scorer that reads it is taught in the runs' folder if it is not there yet."""
    with one_writes_first(accelerator):
        taught = teach_looks(options.runs / "steering-looks", options.checkpoint / "scorers")
    reading = look_reader(settings.look, taught, base)
    return LookReward(settings, reading, base, options.language, share_of(accelerator))


def _run_name(settings: StyleSettings, reward: RewardSettings | None) -> str:
    """A folder for each way to train a style: a state belongs to the file that it started from, and to its reward."""
    start = f"-{sha256_file(settings.start)[:8]}" if settings.start and settings.start.is_file() else ""
    return f"lora-{settings.name}{start}{'-rewarded' if reward else ''}"


def companion(checkpoint: Path, base: StyleBase, name: str, data: Path) -> Companion:
    """A style of a checkpoint, to train another beside it. Raises ValueError where it is absent or does not fit."""
    shelf = LoraShelf(checkpoint / STYLES)
    return Companion(name, shelf.sha256(name), shelf.each(base.unet, [StyleUse(name=name)])[0], data)


def open_student(folder: Path) -> TextEncoder:
    """The Korean text encoder of a folder."""
    from ko_clip.encoder import PromptEncoder

    return cast("TextEncoder", PromptEncoder.load(folder))


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    return run_command(lambda: _train(options))


def _train(options: argparse.Namespace) -> int:
    """Train, say what came of it; the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", datefmt="%H:%M:%S")
    if options.threads:
        torch.set_num_threads(options.threads)
    settings = StyleSettings(
        options.data, options.trigger, options.name or options.trigger, options.rank, options.layers,
        options.language, options.license, options.format, options.batch, start=options.start,
    )  # fmt: skip
    rewarded = _reward_settings(options)
    training = TrainerSettings(
        steps=options.steps, minutes=options.minutes, finish=options.minutes is not None,
        learning_rate=options.learning_rate, warmup=50, ema=0.98, sample_every=options.sample_every,
        save_minutes=1.0, seed=options.seed,
    )  # fmt: skip
    student = open_student(options.encoder) if settings.language == "ko" else None
    accelerator = open_accelerator(cpu=True if options.device == "cpu" else None)
    device = str(accelerator.device) if accelerator.num_processes > 1 else options.device
    base = open_base(options.checkpoint, student, device)
    beside = tuple(companion(options.checkpoint, base, name, Path(data)) for name, data in options.beside)
    reward = _open_reward(rewarded, options, base, accelerator) if rewarded else None
    folder = options.runs / _run_name(settings, rewarded)
    outcome = train_style(replace(settings, beside=beside), base, training, folder, accelerator, reward)
    if not accelerator.is_main_process:
        return 0
    errors = f"error on held-out pictures {outcome.error:.4f}, without the style {outcome.error_without:.4f}"
    print(f"{outcome.path}: step {outcome.training.step}, {errors}")
    if outcome.offered:
        print(f"install it with: python -m demo styles add {outcome.path}")
        return 0
    print("it is no better than none on held-out pictures: it is kept, and not offered. Train longer, or show it more")
    return NOT_OFFERED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m diffusion.training.lora", description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="imagefolder: metadata.jsonl with file_name, text, text_ko")
    add("--trigger", required=True, help="the word that calls the style")
    add("--name", help="of the style (default: the trigger)")
    add("--rank", type=int, default=8)
    add("--layers", choices=tuple(LAYERS), default="all", help="attention alone makes a smaller file")
    add("--language", choices=tuple(COLUMNS), default="ko", help="captions: ko (student) or en (the own encoder)")
    add("--checkpoint", type=Path, default=Path("checkpoints"))
    add("--encoder", type=Path, default=Path("checkpoints/korean"), help="the Korean student of this checkpoint")
    add("--beside", nargs=2, action="append", default=[], metavar=("STYLE", "FOLDER"),
        help="a style of the checkpoint, and an imagefolder of pictures in both")  # fmt: skip
    add("--start", type=Path, metavar="FILE", help="a style's file to train further, of the same rank and layers")
    add("--reward", type=float, metavar="SHARE",
        help="share of the loss of what the steering scorer reads wrong in the style's pictures (0.03)")  # fmt: skip
    add("--look", choices=tuple(LOOKS), help="with --reward: the look that the style brings")
    add("--likeness", type=float, default=4.0,
        help="with --reward: share of how far its pictures are from true drawings (default %(default)s)")  # fmt: skip
    add("--rewarded", type=int, default=8, help="with --reward: pictures that are drawn and read a step")
    add("--minutes", type=float, help="end the schedule in so many minutes")
    add("--steps", type=int, default=1500, help="length of the schedule (default %(default)s)")
    add("--batch", type=int, default=8)
    add("--learning-rate", type=float, default=1e-3)
    add("--seed", type=int, default=0)
    add("--format", choices=FORMATS, default=FORMATS[0], help="whose names the file has")
    add("--license", default="unspecified", help="of the pictures, and so of the style")
    add("--runs", type=Path, default=runs_folder(), help="where states lie (default: RUNS_DIR, else runs)")
    add("--sample-every", type=int, default=100, help="steps between looks at held-out pictures")
    add("--device", help="cpu or cuda")
    add("--threads", type=int, default=0, help="CPU threads (0: all)")
    return parser


if __name__ == "__main__":
    sys.exit(main())

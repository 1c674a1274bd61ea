"""The command-line options that all trainings of shipped parts share, and the run folder that they open.

States lie in `--runs`, by default in the folder that the environment variable RUNS_DIR names, else in `runs`.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import Accelerator
from torch.nn.attention import SDPBackend, sdpa_kernel

from training.folders import runs_folder
from training.processes import ONE_PROCESS, Share, has_bfloat16, open_accelerator, share_of
from training.schedule import TrainerSettings


@dataclass(frozen=True)
class Run:
    """`folder` holds the resumable state, `part` the float16 weights that ship, `share` is this process's of a step."""

    folder: Path
    part: Path
    device: torch.device
    bfloat16: bool
    share: Share = ONE_PROCESS

    @property
    def memory_format(self) -> torch.memory_format:
        """The order of a U-Net's input that its convolutions go through quickest; what follows keeps it."""
        by_channels = self.device.type == "cuda" or not self.bfloat16
        return torch.channels_last if by_channels else torch.contiguous_format

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """bfloat16 matrix work where the machine has it, float32 master weights throughout.

        In bfloat16 on a CPU attention is spelled out: the backward pass of the fused kernel took five times as long
        there, while in float32 it is the quicker one.
        """
        spelled_out = self.device.type == "cpu" and self.bfloat16
        attention = sdpa_kernel(SDPBackend.MATH) if spelled_out else nullcontext()
        with attention, torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            yield


def add_training_options(parser: argparse.ArgumentParser, steps: int, batch: int, learning_rate: float) -> None:
    """Add the options that `trainer_settings` and `open_run` read, with these defaults."""
    runs = runs_folder()
    parser.add_argument("--preset", choices=("cpu", "gpu"), default="cpu", help="gpu: batch × 16, bfloat16, CUDA")
    parser.add_argument("--minutes", type=float, help="stop this leg after so many minutes; run again to go on")
    parser.add_argument("--finish", action="store_true", help="with --minutes: shorten the schedule to end in them")
    parser.add_argument("--steps", type=int, default=steps, help="length of the schedule (default %(default)s)")
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--learning-rate", type=float, default=learning_rate)
    parser.add_argument("--ema", type=float, default=0.999, help="how slowly the average follows; 0.98 for short legs")
    parser.add_argument("--runs", type=Path, default=runs, help="where states lie (default: RUNS_DIR, else runs)")
    parser.add_argument("--pool", type=Path, default=runs / "pool", help="drawn pictures (python -m fashion.pool)")
    parser.add_argument("--pictures", type=int, default=32768, help="how many of the pool to train on")
    parser.add_argument("--held-out", type=int, default=1024, help="pictures of held-out combinations to measure on")
    parser.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: all)")
    parser.add_argument("--sample-every", type=int, default=500)


def trainer_settings(options: argparse.Namespace) -> TrainerSettings:
    """The trainer's settings of parsed options."""
    return TrainerSettings(
        steps=options.steps, minutes=options.minutes, finish=options.finish, learning_rate=options.learning_rate,
        sample_every=options.sample_every, ema=options.ema,
    )  # fmt: skip


def open_run(options: argparse.Namespace, name: str, part: str | None = None) -> Run:
    """The run called `name`, which ships as `part` (default: the same name), on the device that the preset asks for."""
    part = part or name
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", datefmt="%H:%M:%S")
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    if options.preset == "gpu":
        if not torch.cuda.is_available():
            raise SystemExit("--preset gpu needs a CUDA device and there is none: use --preset cpu")
        options.batch *= 16
        torch.backends.cuda.matmul.allow_tf32 = True
        return Run(options.runs / name, options.checkpoints / part, torch.device("cuda"), True)
    return Run(options.runs / name, options.checkpoints / part, torch.device("cpu"), has_bfloat16(cuda=False))


def open_processes(run: Run) -> tuple[Run, Accelerator]:
    """The processes that the command was started as; the run on this one's device, with its share of every batch."""
    accelerator = open_accelerator(cpu=run.device.type == "cpu")
    return replace(run, device=accelerator.device, share=share_of(accelerator)), accelerator

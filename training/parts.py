"""What the trainings of all shipped parts share: options, run folders, warm starts, float16 parts, picture grids."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from PIL import Image
from safetensors import safe_open
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from training.loop import STATE_FILE, FitConfig

logger = logging.getLogger(__name__)
FACTS_FILE = "training.json"


class Part(Protocol):
    """A network in the Hugging Face layout."""

    def save_pretrained(self, folder: Path) -> None: ...


@dataclass(frozen=True)
class Run:
    """`folder` holds the resumable state, `part` the float16 weights that ship."""

    folder: Path
    part: Path
    device: torch.device
    bfloat16: bool

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


def add_fit_options(parser: argparse.ArgumentParser, steps: int, batch: int, learning_rate: float) -> None:
    parser.add_argument("--preset", choices=("cpu", "gpu"), default="cpu", help="gpu: batch × 16, bfloat16, CUDA")
    parser.add_argument("--minutes", type=float, help="stop this leg after so many minutes; run again to go on")
    parser.add_argument("--steps", type=int, default=steps, help="length of the schedule (default %(default)s)")
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--learning-rate", type=float, default=learning_rate)
    parser.add_argument("--ema", type=float, default=0.999, help="how slowly the average follows; 0.98 for short legs")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where resumable states lie")
    parser.add_argument("--pool", type=Path, default=Path("runs/pool"), help="drawn pictures (python -m fashion.pool)")
    parser.add_argument("--pictures", type=int, default=32768, help="how many of the pool to train on")
    parser.add_argument("--held-out", type=int, default=1024, help="pictures of held-out combinations to measure on")
    parser.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: all)")
    parser.add_argument("--sample-every", type=int, default=500)


def fit_config(options: argparse.Namespace) -> FitConfig:
    return FitConfig(
        steps=options.steps, minutes=options.minutes, learning_rate=options.learning_rate,
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
    bfloat16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return Run(options.runs / name, options.checkpoints / part, torch.device("cpu"), bfloat16)


def latest_weights(model: nn.Module, run: Run) -> int:
    """Warm-start `model` from the shipped part where no resumable state is; the step it stands at (0: from nothing)."""
    facts = run.part / FACTS_FILE
    if (run.folder / STATE_FILE).exists() or not facts.exists():
        return 0
    weights = next(run.part.glob("*.safetensors"))
    with safe_open(weights, framework="pt") as file:
        saved = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 - not a dictionary
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    if {name: value.shape for name, value in saved.items()} != shapes:
        logger.info("%s holds a network of another shape: start from nothing", weights)
        return 0
    model.load_state_dict(saved)
    step = int(json.loads(facts.read_text(encoding="utf-8"))["step"])
    logger.info("no state in %s: warm start from %s, step %d", run.folder, weights, step)
    return step


def save_part(model: nn.Module, folder: Path, *, step: int, facts: Mapping[str, object]) -> None:
    """Write the weights as float16 with their config, and what was measured, beside the model card."""
    folder.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(folder)
    model.float()
    text = json.dumps({"step": step, **facts}, indent=1, ensure_ascii=False) + "\n"
    (folder / FACTS_FILE).write_text(text, encoding="utf-8")
    logger.info("wrote %s at step %d", folder, step)


def sample_grid(pictures: torch.Tensor, path: Path, columns: int) -> None:
    """Save pictures (n, 3, h, w) in -1..1 as one PNG."""
    n, _, height, width = pictures.shape
    rows = -(-n // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    levels = pictures.clamp(-1, 1).add(1).mul(127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    for i, picture in enumerate(levels):
        sheet.paste(Image.fromarray(picture), (i % columns * width, i // columns * height))
    sheet.save(path)

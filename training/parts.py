"""The parts that ship: warm starts from their float16 weights, writing them with what was measured, picture grids."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from PIL import Image
from safetensors import safe_open
from torch import nn

from training.run import Run
from training.state import STATE_FILE

logger = logging.getLogger(__name__)
FACTS_FILE = "training.json"


class Part(Protocol):
    """A network in the Hugging Face layout."""

    def half(self) -> Part: ...

    def float(self) -> Part: ...

    def save_pretrained(self, save_directory: Path) -> None: ...


def trained_part(folder: Path, command: str) -> Path:
    """`folder`, which another training made. Raises FileNotFoundError with the command that makes it."""
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder} is not trained yet: {command}")
    return folder


def warm_start(model: nn.Module, run: Run, **same: object) -> int:
    """Warm-start `model` from the shipped part where no resumable state is; the step it stands at (0: from nothing).

    `same`: facts that the part was trained with. Where it names others its weights are a start, and its steps are none.
    """
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
    known = json.loads(facts.read_text(encoding="utf-8"))
    step = int(known["step"])
    if other := {name: known.get(name) for name, fact in same.items() if known.get(name) != fact}:
        logger.info("warm start from %s, step %d with %s in place of %s: from step 0", weights, step, other, same)
        return 0
    logger.info("no state in %s: warm start from %s, step %d", run.folder, weights, step)
    return step


def save_part(model: Part, folder: Path, *, step: int, facts: Mapping[str, object]) -> None:
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

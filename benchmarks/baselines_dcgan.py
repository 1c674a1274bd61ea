"""A DCGAN that is told captions, for its line in `benchmarks.baselines`: an ancestor's network on pictures of garments.

    python -m benchmarks.baselines_dcgan --data data/scenes-128 --minutes 10 --out runs/dcgan

In: an imagefolder, this project's text encoder. Out: a folder with the generator and what it was trained on. Batch 64;
the rest is `benchmarks.dcgan`.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from benchmarks.dcgan import FILE, SIDE, Condition, Generator, train
from diffusion.baselines.captioned import PicturePairs
from diffusion.training.lora import open_student
from diffusion.training.lora_lesson import COLUMNS
from training.command import run_command
from training.folders import runs_folder

FACTS = "training.json"


def by_caption(text_width: int) -> Condition:
    """What both networks are told of a caption's vector (n, text_width)."""
    return lambda width: nn.Sequential(nn.LayerNorm(text_width), nn.Linear(text_width, width))


def load(folder: Path) -> Generator:
    """Open what `main` wrote. Raises FileNotFoundError where there is none."""
    path = folder / FACTS
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: train one with python -m benchmarks.baselines_dcgan")
    network = Generator(by_caption(int(json.loads(path.read_text("utf-8"))["text_width"])))
    network.load_state_dict(load_file(folder / FILE))
    return network.eval()


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", datefmt="%H:%M:%S")
    torch.set_num_threads(options.threads)
    return run_command(lambda: _train(options))


def _train(options: argparse.Namespace) -> None:
    student = open_student(options.encoder)
    kept = options.runs / f"dcgan-{options.out.name}"
    pictures = PicturePairs(options.data, options.language, SIDE, student, kept)
    width = pictures.text_width
    generator, steps = train(by_caption(width), lambda step: pictures.batch(0, step, options.batch), options.minutes)
    options.out.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in generator.state_dict().items()}, options.out / FILE)
    facts = {"step": steps, "size": SIDE, "trained_on": len(pictures.trained), "language": options.language,
             "text_width": width}  # fmt: skip
    (options.out / FACTS).write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    print(f"{options.out}: {steps} steps on {len(pictures.trained)} pictures")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="imagefolder: metadata.jsonl with file_name, text")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--language", choices=tuple(COLUMNS), default="en")
    parser.add_argument("--encoder", type=Path, default=Path("checkpoints/korean"))
    parser.add_argument("--minutes", type=float, default=10, help="of processor time (default %(default)s)")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--runs", type=Path, default=runs_folder(), help="where arrays of the pictures lie")
    parser.add_argument("--threads", type=int, default=1)
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""Draw from the shell: python -m diffusion "a red checkered dress" -n 4 --seed 7 -o out/

`python -m diffusion inspect CHECKPOINT` says what a checkpoint is, `python -m diffusion unpack FILE FOLDER` turns one
in a single file into a folder (diffusion/inspecting.py).

Uses the checkpoint's own English text encoder; the words are drawn as typed, unless `main` is handed a prompt reader.
The output folder receives nothing but pictures, none overwritten.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diffusion.recipe import png_bytes
from diffusion.request import DrawSettings, Shot, shots_for
from jobspec import take_tags
from jobspec.options import style_option

if TYPE_CHECKING:  # opened late, so that a refusal comes at once
    from PIL import Image

    from diffusion.pipeline import Drawing, Progress, TwoStagePipeline
    from jobspec.prompts import PromptReader

CHECKPOINT = Path(__file__).resolve().parent.parent / "checkpoints"
HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff\uffa0-\uffdc]")


@dataclass(frozen=True)
class CommandLine:
    """A checked command line."""

    shots: list[Shot]
    settings: DrawSettings
    out: Path
    checkpoint: str
    device: str | None
    dtype: str | None
    low_memory: bool
    weight_bits: int | None
    engine: str


def main(argv: Sequence[str] | None = None, reader: PromptReader | None = None) -> int:
    """Parse, draw, save; return the exit status (2: a bad request, 1: a bad checkpoint or folder).

    `reader`: of the prompts of a checkpoint that names a domain.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments[:1] in (["inspect"], ["unpack"]) and len(arguments) > 1:
        from diffusion.inspecting import main as about

        return about(arguments)
    try:
        order = parse(argv)
    except (ValueError, OSError) as error:
        return refuse(error, 2)
    try:
        pipeline = open_pipeline(order, reader)
        order.out.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        return refuse(error, 1)
    try:
        drawing = draw(pipeline, order)
    except ValueError as error:  # what this checkpoint cannot do
        return refuse(error, 2)
    except MemoryError:
        return refuse("out of memory: give fewer pictures, a smaller size, or --low-memory", 2)
    except KeyboardInterrupt:
        return refuse("stopped, nothing was written", 130)
    for warning in drawing.warnings:
        print(f"python -m diffusion: {warning}", file=sys.stderr)
    try:
        for path in save(drawing, order):
            print(path)
    except OSError as error:
        return refuse(error, 1)
    return 0


def parse(argv: Sequence[str] | None = None) -> CommandLine:
    """Turn arguments into an order; raises ValueError for what is out of range or written in Hangul."""
    given = _parser().parse_args(argv)
    for text in (take_tags(given.prompt)[0], given.negative_prompt):
        if HANGUL.search(text):
            unwanted = f' --negative "{given.negative_prompt}"' if given.negative_prompt else ""
            raise ValueError(
                f"{text!r} is Korean, and the checkpoint's own encoder reads English: "
                f'use python -m demo generate "{given.prompt}"{unwanted}'
            )
    source = _open_source(given.source) if given.source else None
    prompt, tagged = take_tags(given.prompt)
    shots = shots_for(prompt, given.number, given.seed, given.negative_prompt, source)
    settings = DrawSettings(
        steps=given.steps,
        guidance_scale=given.guidance_scale,
        size=given.size,
        width=given.width,
        height=given.height,
        refine=not given.no_refine,
        refine_strength=given.refine_strength,
        scheduler=given.scheduler,
        style=given.style,
        style_weight=given.style_weight,
        strength=given.strength,
        styles=(*given.styles, *tagged),  # type: ignore[arg-type]  # dictionaries are taken too
    )
    return CommandLine(
        shots,
        settings,
        given.out,
        given.checkpoint,
        given.device,
        given.dtype,
        given.low_memory,
        given.weight_bits,
        given.engine,
    )


def open_pipeline(order: CommandLine, reader: PromptReader | None = None) -> TwoStagePipeline:
    """Open the checkpoint that an order names."""
    from diffusion.load import load_pipeline

    return load_pipeline(
        order.checkpoint,
        device=order.device,
        dtype=order.dtype,
        low_memory=order.low_memory,
        weight_bits=order.weight_bits,
        reader=reader,
        engine=order.engine,
    )


def draw(pipeline: TwoStagePipeline, order: CommandLine) -> Drawing:
    """Draw an order, with a progress bar for each stage where a person looks on."""
    from tqdm import tqdm

    with tqdm(desc="text", unit="step", disable=not sys.stderr.isatty()) as bar:

        def on_step(progress: Progress) -> None:
            if progress.step == 1:
                bar.reset(progress.steps)
                bar.set_description(progress.stage, refresh=False)
            bar.set_postfix_str(f"{progress.seconds_left:.1f} s left", refresh=False)
            bar.update()

        return pipeline.draw(order.shots, order.settings, on_step)


def save(drawing: Drawing, order: CommandLine) -> list[Path]:
    """Write an order's pictures; returns their paths."""
    named = zip(order.shots, drawing.images, drawing.recipes, strict=True)
    return [save_picture(order.out, shot, png_bytes(image, recipe)) for shot, image, recipe in named]


def refuse(why: object, status: int) -> int:
    """Say why on one line of stderr; gives the exit status back."""
    print(f"python -m diffusion: {' '.join(str(why).split())}", file=sys.stderr)
    return status


def save_picture(folder: Path, shot: Shot, data: bytes) -> Path:
    """Write to the first free name "<prompt>-<seed>[-k].png"; an existing picture is never touched."""
    stem = re.sub(r"[^a-z0-9]+", "-", shot.prompt.lower()).strip("-")[:60] or "picture"
    k = 1
    while True:
        path = folder / (f"{stem}-{shot.seed}.png" if k == 1 else f"{stem}-{shot.seed}-{k}.png")
        try:
            with path.open("xb") as file:
                file.write(data)
            return path
        except FileExistsError:
            k += 1


def _open_source(path: Path) -> Image.Image:
    """A picture to vary, with its transparency."""
    from pictures import open_picture

    return open_picture(path, background=None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m diffusion", description=__doc__.splitlines()[0])
    add: Callable[..., argparse.Action] = parser.add_argument
    add("prompt")
    add("-n", "--number", type=int, default=1, help="how many pictures, 1-10")
    add("-o", "--out", type=Path, default=Path("out"), help="folder for the pictures")
    add("--seed", type=int, default=0, help="picture i has seed + i")
    add("--negative-prompt", default="")
    add("--checkpoint", default=str(CHECKPOINT), help="folder, hub id, or base+refiner")
    add("--steps", type=int)
    add("--guidance-scale", type=float)
    add("--size", type=int, help="side of the base picture in pixels")
    add("--width", type=int, help="its width, where it is to be no square")
    add("--height", type=int, help="its height")
    add("--no-refine", action="store_true")
    add("--refine-strength", type=float)
    add("--scheduler")
    add("--style", help="name of a LoRA")
    add("--style-weight", type=float, default=1.0)
    add("--styles", type=style_option, nargs="+", default=(), metavar="NAME:WEIGHT", help="several, drawn together")
    add("--source", type=Path, help="a picture to vary")
    add("--strength", type=float, default=0.6, help="how much of the source is drawn anew")
    add("--device", help="cpu or cuda")
    add("--dtype", help="float32, bfloat16 or float16")
    add("--low-memory", action="store_true", help="fetch weights layer by layer (GPU), decode in tiles")
    add("--weight-bits", type=int, choices=(8, 4), help="keep weights in so many bits (bitsandbytes)")
    add("--engine", default="torch", choices=("torch", "openvino"), help="openvino: compiled for this CPU, once")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""How fast the two stages draw, beside the ancestor's way, with the same weights in one run.

    python -m benchmarks.pipeline [--checkpoint checkpoints] [--threads 2]     on a CPU
    python -m benchmarks.pipeline --full [--attention sdpa xformers]           on a GPU, at Stable Diffusion's full size

The ancestor's way is diffusers' stock pipelines as ko-image-generator called them: one picture at a time, 40 base
steps with guidance 7.5, then the SDXL refiner's 40 steps at strength 0.3 (12 real ones), float32. Ours draws a batch
with the checkpoint's own settings. "same steps" is ours at the ancestor's settings: what is left is the engine.
Each side runs in a process of its own, so that peak memory is its own. Without a checkpoint the weights are random,
in the shapes that ship: speed does not depend on their values. The last table says where a draw of ours
spends its time.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from diffusers import SchedulerMixin, StableDiffusionPipeline, StableDiffusionXLImg2ImgPipeline
from PIL import Image

from diffusion.load import load_pipeline
from diffusion.memory import ATTENTIONS
from diffusion.pipeline import DrawSettings, Progress, TwoStagePipeline, shots_for
from diffusion.recipe import png_bytes
from diffusion.schedulers import build_scheduler, default_scheduler
from diffusion.stage import Stage
from testing.public_layouts import write_public
from testing.random_checkpoint import SMALL, write_checkpoint

PROMPT = "a red checkered dress"
STEPS, GUIDANCE, STRENGTH = 40, 7.5, 0.3
ANCESTOR = DrawSettings(
    steps=STEPS, guidance_scale=GUIDANCE, refine_steps=12, refine_strength=STRENGTH, refine_guidance=5.0
)
CLAIM = "the ancestor claims about 4 s and 2.6 GB for its two stages"


@dataclass(frozen=True)
class Result:
    """Seconds of one side for n pictures, and its peak memory in MB.

    `processor`: processor seconds of the whole draw, which other work on the machine does not lengthen much.
    `preview`: what a preview costs, as a share of a step. `parts`: seconds of each part.
    """

    side: str
    n: int
    base: float
    refiner: float
    total: float
    processor: float
    first_preview: float | None
    preview: float | None
    memory: float
    parts: dict[str, float]


def main(argv: Sequence[str] | None = None) -> None:
    """Run every side and print one Markdown table."""
    options = _options(argv)
    if options.side:
        results = run_side(
            options.side, options.checkpoint, options.pictures, options.threads, options.device, options.attention[0]
        )
        print(json.dumps([asdict(each) for each in results]))
        return
    if options.checkpoint and not (Path(options.checkpoint) / "refiner" / "config.json").is_file():
        raise SystemExit(
            f"{options.checkpoint} has no refiner and the ancestor's way needs two stages: train one "
            "(python -m diffusion.training.refiner), or leave --checkpoint out for random weights of small shapes"
        )
    with tempfile.TemporaryDirectory() as folder:
        print(full_size(options, Path(folder)) if options.full else small_size(options, Path(folder)))


def small_size(options: argparse.Namespace, folder: Path) -> str:
    """The shipped shapes on this machine's CPU, every side beside the ancestor's way."""
    checkpoint = options.checkpoint or str(write_checkpoint(folder, SMALL))
    best: dict[tuple[str, int], Result] = {}
    for _ in range(options.rounds):  # the sides take turns, because a machine's own speed drifts
        for side in ("ancestor", "same steps", "ours"):
            for row in _in_process(side, checkpoint, options.pictures, options.threads, "cpu"):
                best[side, row.n] = min(best.get((side, row.n), row), row, key=lambda each: each.total)
    rows = list(best.values())
    slow = {row.n: row.total for row in rows if row.side == "ancestor"}
    ours = [row for row in rows if row.side == "ours"]
    weights = "shipped weights" if options.checkpoint else "random weights"
    title = f"{weights}, CPU, {options.threads} threads, seconds, the best of {options.rounds} rounds in turns"
    return "\n".join(
        [title, "", _head("peak memory", "ratio"), *(_row(row, slow[row.n]) for row in rows), "", *_parts(ours)]
    )


def full_size(options: argparse.Namespace, folder: Path) -> str:
    """SD 1.5 + SDXL refiner at full size, 512 → 1024, plain and low-memory, on the GPU, by each attention."""
    if not torch.cuda.is_available():
        raise SystemExit("--full needs a GPU: torch sees none here")
    write_public(folder / "sd15", "sd15")
    write_public(folder / "xl", "sdxl-refiner")
    checkpoint = f"{folder / 'sd15'}+{folder / 'xl'}"
    rows: list[Result] = []
    for attention in options.attention:
        for side in ("plain", "low-memory"):
            found = _in_process(side, checkpoint, [1, 4], 8, "cuda", attention)
            rows += [replace(row, side=f"{side}, {attention}") for row in found]
    title = f"SD 1.5 + SDXL refiner, 512 → 1024, hollow weights, {torch.cuda.get_device_name()}; {CLAIM}"
    goal = "goals for one picture: plain at most 1 s; low-memory at most 2,600 MB in at most 8 s"
    return "\n".join([title, goal, "", _head("GPU memory"), *(_row(row, None) for row in rows)])


def run_side(
    side: str, checkpoint: str, pictures: Sequence[int], threads: int, device: str, attention: str = "sdpa"
) -> list[Result]:
    """Measure one side in this process."""
    warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
    torch.set_num_threads(threads)
    slow = side in ("ancestor", "same steps")
    dtype = "float32" if slow else None
    pipeline = load_pipeline(
        checkpoint, device=device, dtype=dtype, low_memory=side == "low-memory", attention=attention
    )
    pipeline.warm_up()
    settings = ANCESTOR if side == "same steps" else DrawSettings()
    draw = _stock(pipeline) if side == "ancestor" else _ours(pipeline, settings)
    draw(1)
    return [_best(side, n, draw, repeats=1 if slow else 3) for n in pictures]


@dataclass(frozen=True)
class Spent:
    """Seconds of one draw: the base stage, the refiner, until the first preview, each part; a preview's share of a
    step.
    """

    base: float
    refiner: float
    first_preview: float | None = None
    preview: float | None = None
    parts: dict[str, float] = field(default_factory=dict)


Draw = Callable[[int], Spent]


def _ours(pipeline: TwoStagePipeline, settings: DrawSettings) -> Draw:
    spent: dict[str, float] = {}
    for role, stage in pipeline.stages.items():
        for name in ("encode", "denoise", "decode"):
            setattr(stage, name, _clocked(getattr(stage, name), f"{role} {name}", spent))

    def draw(n: int) -> Spent:
        spent.clear()
        shown: dict[str, list[tuple[float, float]]] = {}  # stage → seconds of each step and of its preview
        since = last = time.perf_counter()
        first = 0.0

        def on_step(progress: Progress) -> None:
            nonlocal first, last
            before = time.perf_counter()
            progress.previews()
            now = time.perf_counter()
            shown.setdefault(progress.stage, []).append((before - last, now - before))
            first, last = first or now - since, now

        drawing = pipeline.draw(shots_for(PROMPT, n, 7), settings, on_step)
        whole = time.perf_counter() - since
        parts = {"text": drawing.timings["encode"], **spent}
        for role, each in shown.items():
            parts[f"{role} previews"] = sum(seconds for _, seconds in each)
            parts[f"{role} denoise"] -= parts[f"{role} previews"]
        parts["resizing, noise, recipes"] = whole - sum(parts.values())
        since = time.perf_counter()
        for image, recipe in zip(drawing.images, drawing.recipes, strict=True):
            png_bytes(image, recipe)
        parts["PNG files (not in the total)"] = time.perf_counter() - since
        share = max(min(preview for _, preview in each) / min(step for step, _ in each) for each in shown.values())
        base, refiner = drawing.timings["encode"] + drawing.timings["base"], drawing.timings["refiner"]
        return Spent(base, refiner, first, share, parts)

    return draw


def _clocked(work: Callable[..., torch.Tensor], name: str, spent: dict[str, float]) -> Callable[..., torch.Tensor]:
    def call(*values: object, **named: object) -> torch.Tensor:
        since = time.perf_counter()
        result = work(*values, **named)
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - since
        return result

    return call


def _stock(pipeline: TwoStagePipeline) -> Draw:
    base, refiner = stock_pipelines(pipeline)
    size = pipeline.stages["refiner"].size

    def draw(n: int) -> Spent:
        spent = [0.0, 0.0]
        generator = torch.Generator().manual_seed(7)
        for _ in range(n):
            since = time.perf_counter()
            side = pipeline.stages["base"].size
            embeds = pipeline.text_encoder.base([PROMPT, ""])  # (2, 77, d)
            image = base(
                prompt_embeds=embeds[:1], negative_prompt_embeds=embeds[1:], num_inference_steps=STEPS,
                guidance_scale=GUIDANCE, generator=generator, height=side, width=side,
            ).images[0]  # fmt: skip
            middle = time.perf_counter()
            larger = image.resize((size, size), Image.Resampling.LANCZOS)
            refiner(PROMPT, image=larger, num_inference_steps=STEPS, strength=STRENGTH, generator=generator)
            spent[0] += middle - since
            spent[1] += time.perf_counter() - middle
        return Spent(*spent)

    return draw


def stock_pipelines(
    pipeline: TwoStagePipeline,
) -> tuple[StableDiffusionPipeline, StableDiffusionXLImg2ImgPipeline]:
    """diffusers' own pipelines over the same parts."""
    base, refiner = pipeline.stages["base"], pipeline.stages["refiner"]
    tokenizer, tower = pipeline.text_encoder.towers["base"]
    first = StableDiffusionPipeline(
        base.vae, tower, tokenizer, base.unet, _scheduler(base),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    tokenizer, tower = pipeline.text_encoder.towers["refiner"]
    second = StableDiffusionXLImg2ImgPipeline(
        refiner.vae, None, tower, None, tokenizer, refiner.unet,
        _scheduler(refiner),
        requires_aesthetics_score=True, force_zeros_for_empty_prompt=False,
    )  # fmt: skip
    for each in (first, second):
        each.set_progress_bar_config(disable=True)
    return first, second


def _scheduler(stage: Stage) -> SchedulerMixin:
    """The stage's own; steps_offset means nothing to flow noise levels, and the stock pipeline warns about 0."""
    return build_scheduler({**stage.scheduler, "steps_offset": 1}, default_scheduler(stage.scheduler))


def _best(side: str, n: int, draw: Draw, repeats: int) -> Result:
    runs = []
    for _ in range(repeats):
        since = time.process_time()
        spent = draw(n)
        runs.append((spent.base + spent.refiner, time.process_time() - since, spent))
    total, processor, best = min(runs, key=lambda each: each[0])
    return Result(side, n, best.base, best.refiner, total, processor, best.first_preview, best.preview, _memory(),
                  best.parts)  # fmt: skip


def _memory() -> float:
    """Peak memory in MB: the GPU's where there is one, else this process's."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _in_process(
    side: str, checkpoint: str, pictures: Sequence[int], threads: int, device: str, attention: str = "sdpa"
) -> list[Result]:
    command = [sys.executable, "-m", "benchmarks.pipeline", "--side", side, "--checkpoint", checkpoint]
    command += ["--threads", str(threads), "--device", device, "--attention", attention]
    command += ["--pictures", *map(str, pictures)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [Result(**each) for each in json.loads(done.stdout.splitlines()[-1])]


def _head(*last: str) -> str:
    names = ["side", "pictures", "base", "refiner", "total", "processor", "first preview", "preview / step", *last]
    return f"| {' | '.join(names)} |\n{'|---' * len(names)}|"


def _row(row: Result, slow: float | None) -> str:
    cells = [row.side, str(row.n), *(f"{each:.2f}" for each in (row.base, row.refiner, row.total, row.processor))]
    cells.append("-" if row.first_preview is None else f"{row.first_preview:.2f}")
    cells.append("-" if row.preview is None else f"{100 * row.preview:.1f} %")
    cells.append(f"{row.memory:.0f} MB")
    if slow is not None:
        cells.append(f"{slow / row.total:.1f}×")
    return f"| {' | '.join(cells)} |"


def _parts(rows: Sequence[Result]) -> list[str]:
    """Where draws of one checkpoint spend their time, in milliseconds."""
    counts = " | ".join(f"{row.n} pictures" if row.n > 1 else "1 picture" for row in rows)
    lines = [f"| part of ours, milliseconds | {counts} |", "|---" * (len(rows) + 1) + "|"]
    for name in rows[0].parts:
        lines.append(f"| {name} | {' | '.join(f'{1000 * row.parts[name]:.0f}' for row in rows)} |")
    return lines


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.pipeline")
    parser.add_argument("--checkpoint", help="a folder; without it, random weights of the shipped shapes")
    parser.add_argument("--pictures", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2, help="times that each side runs, in turns (default 2)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--full", action="store_true", help="Stable Diffusion's full size, on a GPU")
    parser.add_argument(
        "--attention", nargs="+", choices=ATTENTIONS, default=["sdpa"], help="with --full (default sdpa)"
    )
    parser.add_argument("--side", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()

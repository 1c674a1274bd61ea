"""What weights in fewer bits cost and save on this machine's CPU, beside float32, bfloat16 and OpenVINO.

    python -m benchmarks.memory [--checkpoint checkpoints]    two stages, four pictures, the weights that ship
    python -m benchmarks.memory --full                        one guided U-Net step of Stable Diffusion 1.5's size
    pip install -r requirements-quantized.txt                 first, for the sides in 8 and 4 bits

Each side runs in a process of its own. Out: bytes of the weights of U-Nets and text encoders as torch holds them, peak
memory of the process (of opening, mostly) and what it holds after the last run, the best seconds of three, and how far
the result is from float32's: of pictures the mean distance in levels of 255 and PSNR, of a step (random weights) the
distance as a share of the output's size. OpenVINO's graphs are converted in a process before the one that is measured.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from diffusion.load import load_pipeline
from diffusion.openvino_graphs import examples
from diffusion.pipeline import DrawSettings, TwoStagePipeline, shots_for
from diffusion.precision import has_bfloat16
from diffusion.quantized import weight_bytes
from testing.public_layouts import write_public

SIDES = ("float32", "bfloat16", "8 bits", "4 bits", "OpenVINO")
FULL_SETTINGS = "SD 1.5's U-Net at 512 pixels, one step of one picture with guidance (2 rows), random weights"
ROUNDS = 3
Row = dict[str, float]


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.side:
            row = measured(options.side, options.checkpoint, options.full, options.threads, Path(options.cache))
            print(json.dumps(row))
            return 0
        checkpoint = str(random_sd15(folder / "sd15")) if options.full else options.checkpoint
        print("\n".join(table(checkpoint, options.full, options.threads, options.sides, folder)))
    return 0


def table(checkpoint: str, full: bool, threads: int, sides: Sequence[str], folder: Path) -> list[str]:
    """The Markdown table; `folder` takes what the processes leave for each other."""
    what = FULL_SETTINGS if full else "four pictures, two stages, the checkpoint's own settings"
    seconds, far = ("seconds a step", "distance") if full else ("seconds", "levels of 255")
    head = ["side", "weights", "peak memory", "in use", seconds, far] + ([] if full else ["PSNR"])
    lines = [f"{what}; CPU, {threads} threads", "", f"| {' | '.join(head)} |", "|---" + "|---:" * (len(head) - 1) + "|"]
    plain: np.ndarray | None = None
    for side in sides:
        if side == "bfloat16" and not has_bfloat16():
            continue
        row, result = _in_process(side, checkpoint, full, threads, folder)
        plain = result if plain is None else plain
        cells = [side, f"{row['weights'] / 1e6:.0f} MB", f"{row['peak'] / 1e6:.0f} MB"]
        cells += [f"{row['used'] / 1e6:.0f} MB", f"{row['seconds']:.2f}"]
        lines.append(f"| {' | '.join(cells + distances(result, plain, full))} |")
    return lines


def distances(result: np.ndarray, plain: np.ndarray, full: bool) -> list[str]:
    """How far a result is from the first side's, as the table has it."""
    error = result.astype(float) - plain.astype(float)
    if full:
        return [f"{float(np.sqrt((error**2).mean() / (plain.astype(float) ** 2).mean())):.4f}"]
    square = float((error**2).mean())
    return [f"{np.abs(error).mean():.2f}", "-" if square == 0 else f"{10 * np.log10(255**2 / square):.1f} dB"]


def measured(side: str, checkpoint: str, full: bool, threads: int, cache: Path) -> Row:
    """Measure one side in this process; what it gives goes to `cache`/result.npy."""
    torch.set_num_threads(threads)
    bits = int(side.split()[0]) if side.endswith("bits") else None
    pipeline = load_pipeline(
        checkpoint, device="cpu", dtype=side if side == "float32" else None, weight_bits=bits,
        engine="openvino" if side == "OpenVINO" else "torch", engine_cache=cache,
    )  # fmt: skip
    towers = {id(tower): tower for _, tower in pipeline.text_encoder.towers.values()}  # type: ignore[attr-defined]
    unets = {id(stage.unet): stage.unet for stage in pipeline.stages.values()}
    weights = sum(weight_bytes(each) for each in (*towers.values(), *unets.values()))
    run = _step(pipeline) if full else _pictures(pipeline)
    best = float("inf")
    for _ in range(ROUNDS):
        since = time.perf_counter()
        result = run()
        best = min(best, time.perf_counter() - since)
    np.save(cache / "result.npy", result)
    peak = 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    used = float(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return {"weights": weights, "peak": peak, "used": used, "seconds": best}


def random_sd15(folder: Path) -> Path:
    """Stable Diffusion 1.5 at its full size in float16, its U-Net's weights random."""
    folder.mkdir()
    write_public(folder, "sd15")
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    with path.open("rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
    weights = np.memmap(path, np.float16, "r+", offset=start)
    generator = np.random.default_rng(0)
    for i in range(0, len(weights), 1 << 24):
        part = weights[i : i + (1 << 24)]
        part[:] = generator.standard_normal(len(part), np.float32) * np.float32(0.02)
    weights.flush()
    return folder


def _step(pipeline: TwoStagePipeline) -> Callable[[], np.ndarray]:
    stage = pipeline.stages["base"]
    x, t, hidden = examples(stage, "unet", 2)
    engine = stage.compiled or stage.torch

    def run() -> np.ndarray:
        with torch.inference_mode():
            return engine.predict(x, t, hidden, None).numpy()

    return run


def _pictures(pipeline: TwoStagePipeline) -> Callable[[], np.ndarray]:
    shots = shots_for("a red checkered dress", 4, 7)
    return lambda: np.stack([np.asarray(image) for image in pipeline.draw(shots, DrawSettings()).images])


def _in_process(side: str, checkpoint: str, full: bool, threads: int, folder: Path) -> tuple[Row, np.ndarray]:
    command = [sys.executable, "-m", "benchmarks.memory", "--side", side, "--checkpoint", checkpoint]
    command += ["--threads", str(threads), "--cache", str(folder), *(["--full"] if full else [])]
    for _ in range(2 if side == "OpenVINO" else 1):
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1]), np.load(folder / "result.npy")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.memory", description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default="checkpoints", help="a folder (default: the one that ships)")
    parser.add_argument("--full", action="store_true", help="SD 1.5's size, random weights: 6 GB of disk, 12 of memory")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES, help="the first is what others are beside")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--cache", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""Is the compiled engine faster than torch, and does it draw the same? The weights that ship, on this machine's CPU.

    git worktree add --detach ../old 7ede1c4
    python -m benchmarks.engines [--beside ../old] [--rounds 10]     seconds of one picture and of four, two stages
    python -m benchmarks.engines --figures 100                       what is drawn right, by engine and number format

Every engine has a process of its own that stays open; a round draws by each, the first of a round in turns. Another
checkout draws with its own weights, as it shipped. Rounds are taken on a machine that nothing else uses, and again
beside a process that computes without end. Out: medians of wall and processor seconds and the ratio of the first row
to each (paired rounds), then each process's peak memory.
`--figures`: percent of attributes right over scenes that no training saw, and how far pictures are from torch's in
float32.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parents[1]
CHECKPOINT = HERE / "checkpoints"
PICTURES = (1, 4)
WARM_UP = 3
BUSY = "while True: pass"
# Runs in either checkout: counts of pictures come line by line, [wall, processor, peak bytes] of a draw go back.
SIDE = """
import inspect, json, resource, sys, time, warnings
warnings.simplefilter("ignore")
import torch
from diffusion.load import load_pipeline
from diffusion.request import DrawSettings, shots_for
checkpoint, engine, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.set_num_threads(threads)
known = "engine" in inspect.signature(load_pipeline).parameters
pipeline = load_pipeline(checkpoint, **({"engine": engine} if known else {}))
pipeline.warm_up()
for i, line in enumerate(sys.stdin):
    since, cpu = time.perf_counter(), time.process_time()
    pipeline.draw(shots_for(f"a red checkered dress {i}", int(line), 7), DrawSettings())
    spent = [time.perf_counter() - since, time.process_time() - cpu]
    print(json.dumps([*spent, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]), flush=True)
"""
Round = dict[str, list[float]]  # side → wall, processor, peak bytes


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    if options.figures:
        print("\n".join(figures_table(options.figures)))
        return 0
    sides = {"torch": (HERE, "torch"), "OpenVINO": (HERE, "openvino")}
    if options.beside:
        commit = _commit(options.beside)
        sides = {f"torch, commit {commit}": (options.beside.resolve(), "torch"), **sides}
    with contextlib.ExitStack() as stack:
        opened = {name: stack.enter_context(_opened(*side, options.threads)) for name, side in sides.items()}
        for process in opened.values():
            for n in PICTURES * WARM_UP:
                _drawn(process, n)
        for title in ("nothing else runs", "beside a busy process"):
            with _busy(title.startswith("beside")):
                for n in PICTURES:
                    head = f"{n} picture{'s' if n > 1 else ''}, {title}"
                    print("\n".join([*table(head, rounds(opened, n, options.rounds)), ""]), flush=True)
    return 0


def rounds(opened: dict[str, subprocess.Popen[str]], n: int, count: int) -> list[Round]:
    """Draw n pictures by every side `count` times; another side begins each round."""
    names, found = list(opened), []
    for i in range(count):
        turn = names[i % len(names) :] + names[: i % len(names)]
        drawn = {name: _drawn(opened[name], n) for name in turn}
        found.append({name: drawn[name] for name in names})
    return found


def table(title: str, measured: Sequence[Round]) -> list[str]:
    """A row a side: medians, how many times as fast as the first row, peak memory."""
    head = f"| {title} | wall, s | times faster | processor, s | times less | peak memory |"
    lines = [head, "|---|---:|---:|---:|---:|---:|"]
    first = next(iter(measured[0]))
    for name in measured[0]:
        wall, processor, memory = np.array([each[name] for each in measured]).T
        ratios = [np.array([each[first][k] / each[name][k] for each in measured]) for k in (0, 1)]
        faster, less = (float(np.exp(np.log(each).mean())) for each in ratios)
        lines.append(
            f"| {name} | {np.median(wall):.3f} | {faster:.2f}× | {np.median(processor):.3f} | {less:.2f}× "
            f"| {memory.max() / 1e6:.0f} MB |"
        )
    return lines


def figures_table(scenes: int) -> list[str]:
    """Percent right and distance from torch's float32 pictures, by engine and number format."""
    from benchmarks.drawn import draw_set, judged, rate, scene_set, standard_scenes
    from diffusion.load import load_pipeline
    from diffusion.request import DrawSettings
    from fashion.scorer import Scorer

    scorer, groups = Scorer.load(CHECKPOINT / "scorers", "reporting"), standard_scenes(scenes)
    asked = {name: scene_set(name, groups[name], 1) for name in ("one garment", "outfits")}
    lines = [
        "| engine, format | one garment right | outfits right | largest difference | PSNR to torch float32 |",
        "|---|---:|---:|---:|---:|",
    ]
    plain: list[np.ndarray] = []
    for dtype in ("float32", "bfloat16"):
        for engine in ("torch", "openvino"):
            pipeline = load_pipeline(CHECKPOINT, dtype=dtype, engine=engine)
            sets = [draw_set(pipeline, each, DrawSettings()) for each in asked.values()]
            right = [rate(judged(each.asked, scorer.detect(each.final)), "all", each.asked)[0] for each in sets]
            drawn = [np.asarray(picture, dtype=float) for each in sets for picture in each.final]
            plain = plain or drawn
            differences = [one - other for one, other in zip(drawn, plain, strict=True)]
            largest = max(float(np.abs(each).max()) for each in differences)
            error = float(np.mean([np.mean(each**2) for each in differences]))
            psnr = f"{10 * np.log10(255**2 / error):.1f} dB" if error else "the same"
            lines.append(f"| {engine}, {dtype} | {right[0]:.1f} | {right[1]:.1f} | {largest:.0f} of 255 | {psnr} |")
    return lines


def _drawn(process: subprocess.Popen[str], n: int) -> list[float]:
    assert process.stdin is not None and process.stdout is not None
    print(n, file=process.stdin, flush=True)
    answer = process.stdout.readline()
    if not answer:
        raise RuntimeError(f"a side ended with {process.wait()}: its reason stands above")
    found: list[float] = json.loads(answer)
    return found


@contextlib.contextmanager
def _opened(checkout: Path, engine: str, threads: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", SIDE, str(checkout / "checkpoints"), engine, str(threads)]
    variables = dict(os.environ) | {"PYTHONPATH": str(checkout)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=checkout, env=variables, stdin=pipe, stdout=pipe, text=True) as process:
        yield process


@contextlib.contextmanager
def _busy(wanted: bool) -> Iterator[None]:
    """Another process computes without end inside, if `wanted`."""
    if not wanted:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", BUSY]) as process:
        try:
            yield
        finally:
            process.kill()


def _commit(checkout: Path) -> str:
    asked = ["git", "-C", str(checkout), "rev-parse", "--short=7", "HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.engines", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--beside", type=Path, help="another checkout, whose draws stand in the first row")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--figures", type=int, default=0, metavar="SCENES", help="draw so many scenes of two kinds")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""Muon beside AdamW, learning the reporting scorer from nothing: `python -m benchmarks.optimizers [--steps 200]`.

In: a pool of drawn pictures (drawn first where it is not there). Out: the loss of both after the same steps on the same
batches, how many of Muon's steps reach AdamW's last loss, and what a step of each costs. Each has the best of the
learning rates that were tried for it. Muon is asked once more with matrices in blocks of `BLOCK` rows, as it
steps those of more than `training.muon.ROWS`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from torch import nn

from fashion.pool import PicturePool, open_pool
from fashion.scorer import ScorerNetwork
from fashion.scorer_training import scorer_batch, scorer_losses
from training.muon import ROWS, Muon

RATES = {"AdamW": 1.5e-3, "Muon": 5e-3, "Muon in blocks": 5e-3}
BLOCK = 32  # rows; most of the scorer's matrices have 64 to 96
WARMUP, DECAY = 50, 0.3


def learn(name: str, pool: PicturePool, steps: int, batch: int) -> tuple[list[float], float]:
    """The smoothed loss after each step, and the median seconds that one step of the optimizer took."""
    torch.manual_seed(1)
    network = ScorerNetwork("reporting")
    trained = dict(network.named_parameters())
    if name == "AdamW":
        optimizer = torch.optim.AdamW(network.parameters(), RATES[name], betas=(0.9, 0.99), weight_decay=0.01)
    else:
        optimizer = Muon(network, trained, RATES[name], 0.01, rows=BLOCK if name == "Muon in blocks" else ROWS)
    losses, seconds = [], []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATES[name] * min(1, (step + 1) / WARMUP, (steps - step) / (DECAY * steps))
        learnt = scorer_batch(pool, step, batch, len(pool), seed=1)
        with torch.autocast("cpu", torch.bfloat16, enabled=torch.ops.mkldnn._is_mkldnn_bf16_supported()):
            loss = scorer_losses(network, learnt, step)["loss"]
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        started = time.thread_time()
        optimizer.step()
        seconds.append(time.thread_time() - started)
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item() if not losses else 0.95 * losses[-1] + 0.05 * loss.item())
    return losses, statistics.median(seconds)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimizers", description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--pool", type=Path, default=Path("runs/pool"))
    parser.add_argument("--pictures", type=int, default=4096)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    pool = open_pool(options.pool, options.pictures)
    pool.fill()
    found = {name: learn(name, pool, options.steps, options.batch) for name in RATES}
    ends = ", ".join(f"{name} {losses[-1]:.2f}" for name, (losses, _) in found.items())
    print(f"loss after {options.steps} steps: {ends}")
    adamw, cost = found.pop("AdamW")
    for name, (losses, seconds) in found.items():
        sooner = next((step for step, loss in enumerate(losses, 1) if loss <= adamw[-1]), options.steps)
        print(f"{name} reaches AdamW's last loss after {sooner} steps ({sooner / options.steps:.2f} of them); "
              f"its step takes {seconds / cost:.1f} times AdamW's processor time")  # fmt: skip


if __name__ == "__main__":
    main()

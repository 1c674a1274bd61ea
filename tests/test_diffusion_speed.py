"""Parts of the shipped shapes with random weights: previews are cheap, bfloat16 keeps its promise, pace is learnt."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from diffusion.load import load_pipeline
from diffusion.memory import offload
from diffusion.pipeline import DrawSettings, Progress, Shot, shots_for
from diffusion.precision import has_bfloat16
from diffusion.preview import PreviewMap, synthetic_pictures
from diffusion.progress import Clock, Pace
from testing.random_checkpoint import SMALL, write_checkpoint

FAST = DrawSettings(steps=3, refine_steps=1)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("small"), SMALL)


def psnr(a: object, b: object) -> float:
    error = np.mean((np.asarray(a, dtype=float) - np.asarray(b, dtype=float)) ** 2)
    return float("inf") if error == 0 else 10 * np.log10(255**2 / error)


@pytest.mark.skipif(not has_bfloat16(), reason="this CPU has no AVX512-BF16")
def test_bfloat16_gives_the_same_picture_in_any_batch_within_45_db(small: Path) -> None:
    pipeline = load_pipeline(small, dtype="bfloat16")
    shots = [Shot(f"prompt {i}", seed=i) for i in range(8)]
    together = pipeline.draw(shots, FAST)
    again = pipeline.draw(shots, FAST)
    assert [i.tobytes() for i in together.images] == [i.tobytes() for i in again.images]
    for i in (1, 6):
        assert psnr(pipeline.draw(shots[i : i + 1], FAST).images[0], together.images[i]) >= 45


def test_a_preview_costs_at_most_a_twentieth_of_a_step(small: Path) -> None:
    pipeline = load_pipeline(small)
    pipeline.warm_up()
    steps: list[float] = []
    previews: list[float] = []
    since = time.perf_counter()

    def watch(progress: Progress) -> None:
        nonlocal since
        now = time.perf_counter()
        steps.append(now - since)
        progress.previews()
        since = time.perf_counter()
        previews.append(since - now)

    for _ in range(3):
        pipeline.draw(shots_for("a red dress", 2, 0), DrawSettings(steps=6, refine=False), watch)
    assert min(previews) <= 0.05 * min(steps)


def test_a_preview_looks_like_the_picture() -> None:
    """Fitted to a map that a convolution can invert, the preview must come out right."""

    def encode(pixels: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pixel_unshuffle(torch.nn.functional.avg_pool2d(pixels, 4), 2) * 2 - 1

    fitted = PreviewMap.fit(encode)
    pictures = synthetic_pictures(2, 64, seed=9)
    shown = fitted(encode(pictures))
    assert [each.size for each in shown] == [(32, 32)] * 2
    wanted = torch.nn.functional.avg_pool2d(pictures, 8) * 255
    coarse = [np.asarray(each.resize((8, 8), 4), dtype=float) for each in shown]  # 4: box
    assert np.abs(np.stack(coarse) - wanted.permute(0, 2, 3, 1).numpy()).mean() < 12


def test_seconds_left_are_learnt_and_fall_to_nothing() -> None:
    pace = Pace()
    clock = Clock({"base": 4.0, "refiner": 2.0}, pace)
    time.sleep(0.02)
    first = clock.done("base", 1.0)
    assert 0.05 < first < 0.5  # five more like it
    for part in ("base", "base", "base", "refiner"):
        time.sleep(0.005)
        last = clock.done(part, 1.0 if part == "base" else 2.0)
    assert last == 0
    assert set(pace.rates) == {"base", "refiner"}


def test_offloaded_parts_draw_the_same_pictures(small: Path) -> None:
    pipeline = load_pipeline(small, dtype="float32", device="cpu")
    before = pipeline.draw(shots_for("a", 1, 1), FAST).images[0].tobytes()
    for stage in pipeline.stages.values():
        for part in (stage.unet, stage.vae):
            offload(part, torch.device("cpu"))
    assert pipeline.draw(shots_for("a", 1, 1), FAST).images[0].tobytes() == before

"""A base with its guidance distilled draws in one row a step what two drew, and every other scale from more rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from diffusion.editing.pipeline import STEPS
from diffusion.editing.request import EditShot
from diffusion.load import load_pipeline
from diffusion.pipeline import DrawSettings, Shot
from diffusion.training.lora_base import open_base
from jobspec import PictureSize
from testing.random_checkpoint import write_checkpoint

OWN = 3.0


class DistilledEngine:
    """What distillation strives for: one row says what two of the engine below say guided. Counts its rows."""

    def __init__(self, engine, empty: torch.Tensor) -> None:
        self._engine, self._empty, self.rows = engine, empty, []
        self.name = engine.name

    def __getattr__(self, name: str):
        return getattr(self._engine, name)

    def predict(self, x, t, hidden, added, told):
        self.rows.append(len(x))
        free = self._engine.predict(x, t, self._empty.expand_as(hidden), added, told)
        return free + OWN * (self._engine.predict(x, t, hidden, added, told) - free)


def distilled(pipeline) -> DistilledEngine:
    """The pipeline's base as one with its guidance distilled."""
    stage = pipeline.stages["base"]
    stage.defaults, stage.own_guidance = replace(stage.defaults, distilled_guidance=OWN), OWN
    stage.torch = DistilledEngine(stage.torch, pipeline.text_encoder.base([""]))
    return stage.torch


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "checkpoint")


@pytest.mark.parametrize(("scale", "negative", "rows"), [
    (3.0, "", 2), (5.0, "", 4), (1.0, "", 4), (3.0, "dull", 4), (5.0, "dull", 5), (1.0, "dull", 4),
])  # fmt: skip
def test_every_scale_and_negative_prompt_draws_what_plain_guidance_draws(
    folder: Path, scale: float, negative: str, rows: int
) -> None:
    settings = DrawSettings(steps=3, guidance_scale=scale, refine=False)
    shots = [Shot("파란 코트", "", seed=5), Shot("a red dress", negative, seed=4)]  # one of them leads away
    plain = load_pipeline(folder, dtype="float32").draw(shots, settings).images
    pipeline = load_pipeline(folder, dtype="float32")
    engine = distilled(pipeline)
    drawn = pipeline.draw(shots, settings).images
    assert engine.rows == [rows] * 3
    for one, other in zip(plain, drawn, strict=True):
        assert np.abs(np.asarray(one, int) - np.asarray(other, int)).max() <= 1


def test_the_work_ahead_counts_rows(folder: Path) -> None:
    pipeline = load_pipeline(folder, dtype="float32")
    work = {}
    for own in (1.0, OWN):
        pipeline.stages["base"].own_guidance = own
        plan = pipeline.plan([Shot("a")], DrawSettings(steps=4, guidance_scale=OWN))
        work[own] = plan.work(pipeline.stages, 1)["base"]
    assert work[1.0] == 2 * work[OWN]


def test_a_manifest_names_the_scale_and_another_scale_is_another_checkpoint(folder: Path) -> None:
    before = load_pipeline(folder).checkpoint_id
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["stages"]["base"]["defaults"]["distilled_guidance"] = OWN
    path.write_text(json.dumps(manifest), "utf-8")
    pipeline = load_pipeline(folder)
    assert pipeline.row_guidance == OWN
    assert pipeline.checkpoint_id != before
    manifest["stages"]["base"]["defaults"]["distilled_guidance"] = 0.5
    path.write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(ValueError, match="distilled_guidance is 0.5: give a scale of 1 or more"):
        load_pipeline(folder)


def test_a_stage_that_is_told_more_than_words_refuses_a_distilled_scale(folder: Path) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["stages"]["refiner"]["defaults"]["distilled_guidance"] = OWN
    path.write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(ValueError, match="the refiner has distilled_guidance 3.0"):
        load_pipeline(folder)


def test_an_edit_finds_the_same_part_and_draws_in_one_row(folder: Path) -> None:
    plain, pipeline = (load_pipeline(folder, dtype="float32") for _ in range(2))
    source = plain.draw([Shot("a red dress", seed=4)], DrawSettings(steps=4)).images[0]
    edit = EditShot(source, "a red dress", "a blue coat", seed=4, source_seed=4)
    expected = plain.edit([edit], DrawSettings(steps=4, guidance_scale=OWN))
    engine = distilled(pipeline)
    drawn = pipeline.edit([edit], DrawSettings(steps=4, guidance_scale=OWN))
    assert engine.rows == [2, *[1] * STEPS]  # both texts for the mask, then the steps
    assert drawn.images[0].size == expected.images[0].size


def test_a_style_learns_the_unguided_prediction(folder: Path) -> None:
    base = open_base(folder)
    texts = base.condition(["a red dress", ""])
    noisy = torch.randn(
        (2, *base.stage.latent_shape(PictureSize.square(base.stage.size))), generator=torch.Generator().manual_seed(1)
    )
    times = torch.full((2,), 400.0)
    with torch.no_grad():
        said = base.predict(noisy, times, texts)
        free = base.predict(noisy, times, base.condition(["", ""]))
        base.stage.own_guidance = OWN
        found = base.predict(noisy, times, texts)
    assert torch.allclose(found[1], said[1])
    assert torch.allclose(found[0], (said[0] + (OWN - 1) * free[0]) / OWN, atol=1e-6)
    assert not torch.allclose(found[0], said[0])

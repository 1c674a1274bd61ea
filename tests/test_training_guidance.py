"""Distilling guidance: what a step asks of the student, and that a step alone decides it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from diffusion.training import guidance, manifest, reward
from diffusion.training.flow import TIMESTEPS
from diffusion.training.guidance import GROUPS, WAY, GuidedWays
from diffusion.training.manifest import GUIDANCE
from diffusion.training.unet import UNetShape
from fashion.pool import PicturePool
from fashion.setting import FIELDS
from testing.random_checkpoint import write_checkpoint
from training.run import Run

ROWS = 2 * GROUPS
WIDTH = 16


class Tower:
    """Hidden states that differ by their text."""

    def base(self, texts: list[str]) -> torch.Tensor:
        rows = [torch.Generator().manual_seed(sum(text.encode())) for text in texts]
        return torch.stack([torch.randn(77, WIDTH, generator=generator) for generator in rows])


def ways(tmp_path: Path) -> GuidedWays:
    torch.manual_seed(0)
    teacher = UNetShape((16, 32), (1, 2), 1).build(8, 4, WIDTH)
    run = Run(tmp_path, tmp_path, torch.device("cpu"), bfloat16=False)
    return GuidedWays(teacher, Tower(), PicturePool(tmp_path, 64), run, ROWS)


def test_a_student_learns_the_guided_prediction_and_of_no_caption_the_free_one(tmp_path: Path) -> None:
    asked = ways(tmp_path)
    empty, dropped = Tower().base([""])[0], 0
    for step in range(WAY):
        batch = asked.batch(step)
        at = batch.times * TIMESTEPS
        with torch.no_grad():
            free = asked._teacher(batch.noisy, at, empty.expand_as(batch.hidden)).sample
            said = asked._teacher(batch.noisy, at, batch.hidden).sample
        untold = (batch.hidden == empty).flatten(1).all(dim=1)
        dropped += int(untold.sum())
        goal = torch.where(untold.view(-1, 1, 1, 1), free, free + GUIDANCE * (said - free))
        assert torch.allclose(batch.goal, goal, atol=1e-4)
        assert batch.times.unique().numel() >= GROUPS, "early and late moments in one batch"
    assert 0 < dropped < WAY * ROWS / 2


def test_a_step_alone_decides_its_batch(tmp_path: Path) -> None:
    going, resumed = ways(tmp_path), ways(tmp_path)
    batches = [going.batch(step) for step in range(WAY + 4)]
    again = resumed.batch(WAY + 3)  # in the middle of its ways: walked again from their noise
    for name in ("noisy", "times", "hidden", "goal"):
        assert torch.equal(getattr(again, name), getattr(batches[-1], name)), name


def test_a_batch_that_does_not_split_into_groups_is_refused(tmp_path: Path) -> None:
    asked = ways(tmp_path)
    with pytest.raises(ValueError, match="a batch of 6 does not split into 4 groups"):
        GuidedWays(asked._teacher, Tower(), PicturePool(tmp_path, 8), asked._run, 6)


class Looks:
    """Reads every picture as wrong by its mean square."""

    def losses(self, latents: torch.Tensor, scenes: list) -> dict[str, torch.Tensor]:
        return {"loss": latents.square().mean()}


@pytest.mark.parametrize(("scale", "rows_a_step"), [(1.0, 1), (3.0, 2)])
def test_what_is_drawn_by_itself_is_read_at_its_last_steps(tmp_path: Path, scale: float, rows_a_step: int) -> None:
    unet = UNetShape((16, 32), (1, 2), 1).build(8, 4, WIDTH)
    calls: list[bool] = []
    unet.register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    run = Run(tmp_path, tmp_path, torch.device("cpu"), bfloat16=False)
    scenes, texts = ways(tmp_path).rewarded(5, 3)
    assert texts == ways(tmp_path).rewarded(5, 3)[1]
    found = reward.Reward(Looks(), Tower(), run, way=4, guidance=scale).losses(unet, scenes, texts, seed=2)
    found["loss"].backward()
    assert len(calls) % rows_a_step == 0 and sum(calls) == reward.LOOKS, "two moments have a gradient"
    assert len(calls) in range(reward.READ * rows_a_step, 4 * rows_a_step + 1)


def test_every_other_drawing_is_restyled_and_says_so(tmp_path: Path) -> None:
    plain, restyled = (ways(tmp_path).rewarded(3, 40, restyled=each) for each in (False, True))
    assert restyled == ways(tmp_path).rewarded(3, 40, restyled=True)
    assert restyled[0][::2] == plain[0][::2]
    styles = {scene.style for scene in restyled[0][1::2]}
    assert styles == set(FIELDS["style"])
    assert all(replace(new, style=old.style) == old for new, old in zip(restyled[0], plain[0], strict=True))
    painted = [text for scene, text in zip(*restyled, strict=True) if scene.style == "watercolor"]
    assert painted and all("watercolo" in text for text in painted)


def test_styles_that_are_read_worst_are_asked_for_oftenest(tmp_path: Path) -> None:
    scenes, _ = ways(tmp_path).rewarded(3, 400, restyled=True)
    counts = Counter(scene.style for scene in scenes[1::2])
    assert counts["pencil"] > counts["watercolor"] > max(counts[each] for each in ("flat", "ink_wash", "pixel"))


@pytest.mark.parametrize("option", ["--styles", "--patterns"])
def test_drawing_styles_and_patterns_are_rewarded_with_the_reward_alone(option: str) -> None:
    with pytest.raises(SystemExit):
        guidance.main([option, "0.1"])


def test_what_is_distilled_is_not_distilled_again_nor_rewarded_in_two_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint")
    (folder / "base" / "training.json").write_text(json.dumps({"step": 9, "guidance": GUIDANCE}), encoding="utf-8")
    monkeypatch.setattr(reward, "open_pool", lambda *_: None)
    for module in (guidance, reward):
        with pytest.raises(ValueError, match=r"in one row.*train it further first \(.*diffusion.training.base\)"):
            module.main(["--checkpoints", str(folder), "--pool", str(tmp_path), "--runs", str(tmp_path / "runs")])


def test_a_manifest_says_what_one_row_draws(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint")
    usual = manifest.manifest(folder)["stages"]["base"]["defaults"]
    assert usual == manifest.DEFAULTS["base"]
    (folder / "base" / "training.json").write_text(json.dumps({"step": 9, "guidance": GUIDANCE}), encoding="utf-8")
    assert manifest.manifest(folder)["stages"]["base"]["defaults"] == usual | manifest.DISTILLED

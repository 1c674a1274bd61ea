"""Distil classifier-free guidance into the base, so that one network row a step draws what two drew.

In: the base that ships, its text tower, captions of the training scenes. The teacher walks guided from noise to
pictures; at every step of its ways the student learns the guided prediction from the caption alone, and of an empty
caption the unguided one, so that other guidance scales can still be had from two rows. Out: `checkpoints/base`, with
the scale in its facts. No drawn picture is needed. With `--reward` the steering scorer reads what the student draws in
four steps, as the pipeline does, and what it reads wrong goes back through these steps (`diffusion.training.reward`);
with `--styles` drawing styles too, with `--patterns` patterns more than the rest.
Ref: Meng et al. 2023, arXiv:2210.03142, stage one, at one scale and on the teacher's own ways.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from diffusion.training.base import fresh_unet, need, open_frozen, save_sample
from diffusion.training.blocks import component_weights
from diffusion.training.flow import TIMESTEPS, TextTower
from diffusion.training.manifest import GUIDANCE, is_distilled
from diffusion.training.reading import SteeringReader
from diffusion.training.reward import Reward
from fashion.captions import caption
from fashion.pool import PicturePool
from fashion.scene import Scene
from fashion.setting import FIELDS
from training.command import run_command
from training.parts import FACTS_FILE, save_part, trained_part, warm_start
from training.run import Run, add_training_options, open_run, trainer_settings
from training.trainer import Trainer

WAY = 8  # steps from noise to picture
GROUPS = 4  # of rows, each at another step of its way: a batch holds early and late moments
FEW = 4  # steps of the student by itself
FREE = 0.15  # of the rows, how many learn the prediction without a caption
STYLE_CHANCES = {"pencil": 3.0, "watercolor": 2.0}  # of rewarded scenes; any other 1.0. These two are read worst
SOFTENED = 0.1  # guidance moves noise much farther than a picture that is nearly done: errors count in its units


@dataclass(frozen=True)
class WayBatch:
    """n moments of the teacher's ways: what the student is given and what it should say."""

    noisy: torch.Tensor  # (n, c, h, w)
    times: torch.Tensor  # (n,) in 0..1
    hidden: torch.Tensor  # (n, 77, d), of the caption or of none
    goal: torch.Tensor  # (n, c, h, w)
    plain: torch.Tensor  # (n, c, h, w): the teacher's prediction with the caption, unguided


@dataclass(frozen=True)
class _Way:
    """Rows of one group on the way: where they are, and all their times."""

    block: int
    phase: int
    x: torch.Tensor  # (rows, c, h, w)
    times: torch.Tensor  # (rows, WAY + 1), falling from 1 to 0
    hidden: torch.Tensor  # (rows, 77, d)


class GuidedWays:
    """The teacher's guided ways from noise to pictures of the pool's scenes; a step's batch is decided by the step.

    Euler's steps, at times moved at random so that no moment stays unseen.
    """

    def __init__(
        self, teacher: UNet2DConditionModel, conditioning: TextTower, pool: PicturePool, run: Run, rows: int
    ) -> None:
        if rows % GROUPS:
            raise ValueError(f"a batch of {rows} does not split into {GROUPS} groups: give a multiple of {GROUPS}")
        self._teacher, self._conditioning, self._pool, self._run = teacher.eval(), conditioning, pool, run
        self._rows = rows // GROUPS
        with run.autocast():
            self._empty = conditioning.base([""])
        needs = np.array([need(pool.scene(i)) for i in range(len(pool))])
        self._chances = needs / needs.sum()
        self._ways: dict[int, _Way] = {}

    def batch(self, step: int) -> WayBatch:
        """`rows` moments, and every group moved on by one step of its way."""
        ways = [self._way(group, step) for group in range(GROUPS)]
        x, hidden = torch.cat([way.x for way in ways]), torch.cat([way.hidden for way in ways])
        now = torch.cat([way.times[:, way.phase] for way in ways])
        free, plain = self._predicted(x, now, hidden)
        guided = free + GUIDANCE * (plain - free)
        for group, (way, flow) in enumerate(zip(ways, guided.split(self._rows), strict=True)):
            self._ways[group] = _moved(way, flow)
        dropped = torch.rand(len(x), generator=torch.Generator().manual_seed(step)).to(x.device) < FREE
        hidden = torch.where(dropped.view(-1, 1, 1), self._empty.expand_as(hidden), hidden)
        goal = torch.where(dropped.view(-1, 1, 1, 1), free, guided)
        return WayBatch(x, now, hidden, goal, plain)

    def rewarded(self, step: int, rows: int, restyled: bool = False) -> tuple[list[Scene], list[str]]:
        """Scenes and captions that the student draws by itself at a step; `restyled`: every other one in a drawing
        style by `STYLE_CHANCES`, since most scenes are flat drawings.
        """
        rng = np.random.default_rng((59, step))
        scenes = [self._pool.scene(int(i)) for i in rng.choice(len(self._pool), rows, p=self._chances)]
        seeds = rng.integers(0, 2**31, rows)
        if restyled:
            shares = np.array([STYLE_CHANCES.get(style, 1.0) for style in FIELDS["style"]])
            styles = rng.choice(FIELDS["style"], len(scenes[1::2]), p=shares / shares.sum())
            scenes[1::2] = [replace(scene, style=str(style)) for scene, style in zip(scenes[1::2], styles, strict=True)]
        return scenes, [caption(scene, "en", seed=int(s)).text for scene, s in zip(scenes, seeds, strict=True)]

    def _way(self, group: int, step: int) -> _Way:
        """The group's way at a step; walked again from its noise where a resumed run has not kept it, in batches of the
        same size, whose arithmetic is the same to the last bit.
        """
        block, phase = divmod(step + group * WAY // GROUPS, WAY)
        way = self._ways.get(group)
        if way is None or (way.block, way.phase) != (block, phase):
            way = self._begun(group, block)
            while way.phase < phase:
                now = way.times[:, way.phase]
                free, plain = self._predicted(*(self._alone(each, group) for each in (way.x, now, way.hidden)))
                guided = free + GUIDANCE * (plain - free)
                way = _moved(way, guided.split(self._rows)[group])
        return way

    def _alone(self, rows: torch.Tensor, group: int) -> torch.Tensor:
        """The rows of one group in their place in a batch of all groups, the others zero."""
        none = torch.zeros_like(rows)  # of the same memory format
        return torch.cat([rows if each == group else none for each in range(GROUPS)])

    def _begun(self, group: int, block: int) -> _Way:
        rng = np.random.default_rng((53, group, block))
        indexes = rng.choice(len(self._pool), self._rows, p=self._chances)
        seeds = rng.integers(0, 2**31, self._rows)
        texts = [caption(self._pool.scene(int(i)), "en", seed=int(s)).text for i, s in zip(indexes, seeds, strict=True)]
        config = self._teacher.config
        shape = (self._rows, config["in_channels"], config["sample_size"], config["sample_size"])
        generator = torch.Generator().manual_seed(int(seeds[0]))
        noise = torch.randn(shape, generator=generator).to(self._run.device, memory_format=self._run.memory_format)
        moved = torch.rand((self._rows, 1), generator=generator) - 0.5
        times = ((WAY - torch.arange(WAY + 1)) + moved) / WAY
        times[:, 0], times[:, -1] = 1.0, 0.0
        with self._run.autocast():
            hidden = self._conditioning.base(texts)
        return _Way(block, 0, noise, times.to(noise.device), hidden)

    @torch.no_grad()
    def _predicted(
        self, x: torch.Tensor, times: torch.Tensor, hidden: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The teacher's predictions without and with the captions, both (n, c, h, w)."""
        both = torch.cat([self._empty.expand_as(hidden), hidden])
        with self._run.autocast():
            said = self._teacher(torch.cat([x, x]), torch.cat([times, times]) * TIMESTEPS, both).sample.float()
        free, plain = said.chunk(2)
        return free, plain


def _moved(way: _Way, flow: torch.Tensor) -> _Way:
    now, then = way.times[:, way.phase], way.times[:, way.phase + 1]
    return replace(way, phase=way.phase + 1, x=way.x + (then - now).view(-1, 1, 1, 1) * flow)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m diffusion.training.guidance", description=__doc__)
    add_training_options(parser, steps=1600, batch=16, learning_rate=3e-4)
    parser.set_defaults(ema=0.99)  # a leg is short
    parser.add_argument("--teacher", type=Path, help="the base to distil from, where the one that ships is distilled")
    parser.add_argument("--reward", type=float, default=0.0, help="share of what the steering scorer reads wrong (0.1)")
    parser.add_argument("--styles", type=float, default=0.0, help="share of misread styles, with --reward (0.08)")
    parser.add_argument("--patterns", type=float, default=0.0, help="share of misread patterns on top (0.3)")
    parser.add_argument("--rewarded", type=int, help="pictures a step that --reward reads (default: half the batch)")
    options = parser.parse_args(argv)
    if (options.styles or options.patterns) and not options.reward:
        parser.error("--styles and --patterns read what --reward draws: give --reward too (0.1)")
    facts_file = options.checkpoints / "base" / FACTS_FILE
    trained_part(facts_file.parent, "python -m diffusion.training.base")
    if is_distilled(options.checkpoints) and options.teacher is None:
        raise ValueError(
            "the base draws guided in one row already: train it further first (python -m diffusion.training.base), or "
            "give the one that it was distilled from (--teacher)"
        )
    facts = json.loads(facts_file.read_text(encoding="utf-8"))
    run = open_run(options, f"guidance-{facts['step']}", part="base")  # a state belongs to one base
    vae, conditioning = open_frozen(options.checkpoints, run)
    unet = fresh_unet(vae, conditioning)
    warm_start(unet, run)
    unet.to(run.device)  # type: ignore[arg-type]  # diffusers wraps Module.to without binding self
    teacher = copy.deepcopy(unet).requires_grad_(False)
    if options.teacher is not None:
        guided = UNet2DConditionModel.from_pretrained(options.teacher, torch_dtype=torch.float32)
        teacher.load_state_dict(guided.state_dict())
    reward = None
    if options.reward:
        reading = SteeringReader(options.checkpoints, vae, run, options.styles > 0)
        reward = Reward(reading, conditioning, run, FEW, guidance=1.0)
    ways = GuidedWays(teacher, conditioning, PicturePool(options.pool, options.pictures), run, options.batch)
    weights, rewarded = component_weights(vae), options.rewarded or options.batch // 2

    def step_losses(step: int) -> Mapping[str, torch.Tensor]:
        batch = ways.batch(step)
        with run.autocast():
            said = unet(batch.noisy, batch.times * TIMESTEPS, batch.hidden).sample.float()
        wrong, before = ((weights * (each - batch.goal).square()).mean(dim=(1, 2, 3)) for each in (said, batch.plain))
        loss = (wrong / (before + SOFTENED)).mean()
        found = {"loss": loss, "wrong": wrong.mean(), "share": wrong.sum() / before.sum()}
        if reward is None:
            return found
        read = reward.losses(unet, *ways.rewarded(step, rewarded, options.styles > 0), step)
        found |= {"misread": read["loss"], "pattern": read["pattern"]}
        if options.styles:
            found["style"] = read["style"]
            loss = loss + options.styles * read["style"]
        return found | {"loss": loss + options.reward * read["loss"] + options.patterns * read["pattern"]}

    def on_sample(step: int, average: Mapping[str, torch.Tensor]) -> None:
        save_sample(average, vae, conditioning, run, step, guidance_scale=1.0)

    settings = replace(trainer_settings(options), warmup=20, cooldown=0.5, log_every=10)
    first_step = int(facts.get("distilled", 0))
    trainer = Trainer(unet, step_losses, settings, run.folder, first_step=first_step, on_sample=on_sample)
    result = trainer.run()
    unet.load_state_dict(result.average)
    save_part(unet, run.part, step=facts["step"], facts={**facts, "guidance": GUIDANCE, "distilled": result.step})


if __name__ == "__main__":
    sys.exit(run_command(main))

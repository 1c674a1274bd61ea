"""Schedulers by name, only where they draw rightly, and the noise levels that one picture passes through.

In: a checkpoint's scheduler_config.json, a name, a number of steps, a strength. Out: a fresh `Schedule`
around a stock diffusers scheduler. Flow: x_t = (1-sigma)·x0 + sigma·noise and the model predicts noise - x0;
DDIM, LCM and TCD have no such prediction in diffusers and would draw wrongly, so they are refused for flow
checkpoints. A latent consistency model (LCM) is drawn by its own steps alone, and nothing else is drawn by them; they
add noise, which each picture takes from its own generator. Where the noisiest level has no signal at all (zero terminal
SNR) and the model predicts the noise, DDIM divides by zero, so it is refused there too.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

from diffusion.distilled import is_few_step, is_lcm

FLOW = "flow_prediction"
PREDICTIONS = ("epsilon", "v_prediction", FLOW)
Level = tuple[float, float]  # (alpha, sigma): x = alpha·x0 + sigma·noise


# What these are made of, SchedulerMixin, says nothing of steps and noise levels.
StockScheduler = DPMSolverMultistepScheduler | UniPCMultistepScheduler | DDIMScheduler | LCMScheduler


@dataclass(frozen=True)
class Choice:
    """A scheduler that a request may name: its class, what it overrides, the predictions that it understands."""

    kind: type[StockScheduler]
    overrides: Mapping[str, object]
    predictions: tuple[str, ...] = PREDICTIONS


# First-order DPM-Solver++ is Euler's step (for flow: x + (sigma' - sigma)·v), so "euler" needs no other
# class.
CHOICES: dict[str, Choice] = {
    "dpm++": Choice(DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "unipc": Choice(UniPCMultistepScheduler, {"solver_order": 2}),
    "euler": Choice(DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++", "solver_order": 1}),
    "ddim": Choice(DDIMScheduler, {"clip_sample": False}, ("epsilon", "v_prediction")),
    "lcm": Choice(LCMScheduler, {"clip_sample": False}, ("epsilon", "v_prediction")),
}


@dataclass
class Schedule:
    """The noise levels of one draw: `timesteps` (steps,) from noisy to clean, around a stock scheduler. `generators`:
    one a picture, of the noise that an LCM's steps add.
    """

    scheduler: StockScheduler
    timesteps: torch.Tensor
    begin: int
    prediction: str
    generators: Sequence[torch.Generator] = ()

    def __len__(self) -> int:
        return len(self.timesteps)

    def level(self, i: int) -> Level:
        """(alpha, sigma) before step i: x = alpha·x0 + sigma·noise."""
        if isinstance(self.scheduler, DDIMScheduler | LCMScheduler):
            kept = float(self.scheduler.alphas_cumprod[int(self.timesteps[i])])
            return kept**0.5, (1 - kept) ** 0.5
        sigma = float(self.scheduler.sigmas[self.begin + i])
        if self.prediction == FLOW:
            return 1.0 - sigma, sigma
        alpha = 1.0 / (sigma**2 + 1.0) ** 0.5
        return alpha, sigma * alpha

    def share(self, i: int) -> float:
        """How noisy step i starts, 0 (clean) to 1 (noise alone): sigma / (alpha + sigma)."""
        alpha, sigma = self.level(i)
        return sigma / (alpha + sigma)

    def noised(self, clean: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Latents at the first level, from clean ones and noise of their shape."""
        alpha, sigma = self.level(0)
        return alpha * clean + sigma * noise

    def clean(self, latents: torch.Tensor, output: torch.Tensor, i: int) -> torch.Tensor:
        """The model's guess at clean latents before step i."""
        return clean_and_noise(latents, output, self.level(i), self.prediction)[0]

    def step(self, output: torch.Tensor, i: int, latents: torch.Tensor) -> torch.Tensor:
        """Latents after step i."""
        level = self.timesteps[i]  # a tensor (), which DDIM's hint forgets
        if isinstance(self.scheduler, LCMScheduler):
            if len(self.generators) != len(latents):
                raise ValueError(f"an LCM's steps add noise to {len(latents)} pictures: give make_schedule as many "
                                 f"generators, not {len(self.generators)}")  # fmt: skip
            given = list(self.generators)
            return self.scheduler.step(output, level, latents, given, return_dict=False)[0]  # type: ignore[arg-type]
        return self.scheduler.step(output, level, latents, return_dict=False)[0]  # type: ignore[arg-type]


def clean_and_noise(
    latents: torch.Tensor, output: torch.Tensor, level: Level, prediction: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a network's output says of clean latents and of the noise in them.

    epsilon: noise; v: alpha·noise - sigma·x0 (where alpha² + sigma² = 1); flow: noise - x0 (where alpha + sigma = 1).
    """
    alpha, sigma = level
    if prediction == FLOW:
        return latents - sigma * output, latents + alpha * output
    if prediction == "v_prediction":
        return alpha * latents - sigma * output, sigma * latents + alpha * output
    return (latents - sigma * output) / alpha, output


def prediction_type(config: Mapping[str, object]) -> str:
    """What the checkpoint's U-Net predicts; raises ValueError for a type that is not understood."""
    if str(config.get("_class_name", "")).startswith("FlowMatch"):
        return FLOW
    prediction = str(config.get("prediction_type", "epsilon"))
    if prediction not in PREDICTIONS:
        raise ValueError(f"prediction_type is {prediction!r}: understood are {', '.join(PREDICTIONS)}")
    return prediction


def scheduler_names(config: Mapping[str, object]) -> list[str]:
    """The names that draw rightly with this checkpoint."""
    return [name for name in CHOICES if _draws(name, config)]


def default_scheduler(config: Mapping[str, object]) -> str:
    """The checkpoint's own scheduler where it has a name here and draws rightly, else dpm++."""
    own = own_scheduler(config)
    return own if own and _draws(own, config) else "dpm++"


def own_scheduler(config: Mapping[str, object]) -> str:
    """The name here of the scheduler that the checkpoint names, whether or not it draws rightly; "" for none."""
    own = config.get("_class_name")
    if is_few_step(config) or (own == DPMSolverMultistepScheduler.__name__ and config.get("solver_order") == 1):
        return "euler"
    named = {choice.kind.__name__: name for name, choice in reversed(CHOICES.items())}
    return {**named, DPMSolverMultistepScheduler.__name__: "dpm++"}.get(str(own), "")


def make_schedule(
    config: Mapping[str, object], name: str, steps: int, strength: float = 1.0,
    generators: Sequence[torch.Generator] = (),
) -> Schedule:  # fmt: skip
    """Build the schedule of `steps` real steps that starts at `strength` of the way to noise.

    Stock img2img keeps int(n·strength) of n steps; here n is chosen so that exactly `steps` remain.
    Raises ValueError for a scheduler that cannot draw with this checkpoint.
    """
    scheduler = build_scheduler(config, name)
    total = max(steps, round(steps / strength))
    with warnings.catch_warnings():
        # diffusers hands tensors to np.array, and NumPy 2 announces that torch's conversion will change.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        scheduler.set_timesteps(total)
    begin = len(scheduler.timesteps) - steps
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(begin)
    return Schedule(scheduler, scheduler.timesteps[begin:], begin, prediction_type(config), generators)


def build_scheduler(config: Mapping[str, object], name: str) -> StockScheduler:
    """A fresh stock scheduler of that name with the checkpoint's noise levels."""
    prediction = prediction_type(config)
    if name not in CHOICES or not _draws(name, config):
        allowed = ", ".join(scheduler_names(config))
        kind = "latent consistency model" if is_lcm(config) else f"{prediction} checkpoint"
        kind += " of zero terminal SNR" if config.get("rescale_betas_zero_snr") else ""
        raise ValueError(f"scheduler {name!r} cannot draw with a {kind}: choose one of {allowed}")
    return _build(CHOICES[name], config, prediction)


def _draws(name: str, config: Mapping[str, object]) -> bool:
    """Whether a scheduler draws rightly with the checkpoint's prediction and noise levels."""
    prediction, choice = prediction_type(config), CHOICES[name]
    if prediction not in choice.predictions or (choice.kind is LCMScheduler) != is_lcm(config):
        return False
    if choice.kind is not DDIMScheduler or prediction != "epsilon":
        return True
    return float(_build(choice, config, prediction).alphas_cumprod.min()) > 0


def _build(choice: Choice, config: Mapping[str, object], prediction: str) -> StockScheduler:
    known = set(inspect.signature(choice.kind.__init__).parameters)
    settings = {key: value for key, value in config.items() if key in known}
    settings |= dict(choice.overrides) | {"prediction_type": prediction}
    if prediction == FLOW:
        settings |= {"use_flow_sigmas": True, "flow_shift": config.get("flow_shift", config.get("shift", 1.0))}
    return choice.kind(**settings)


def real_steps(steps: int, strength: float) -> int:
    """Steps that an image-to-image pass of `steps` at `strength` takes; raises ValueError where none is left."""
    left = int(steps * strength + 1e-6)
    if left < 1:
        least = math.ceil(100 / steps) / 100
        raise ValueError(f"strength {strength} of {steps} steps leaves no step: use {least} or more, or more steps")
    return left

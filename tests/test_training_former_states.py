"""States written before the engine was one are opened and go on to the weights that the code of then ended with.

`states/` was written by commit 7ede1c4, one thread of a CPU with AVX-512, where Muon reckons in bfloat16:
`fitting.loop` and `ko_clip.runs` at step 17 of 40 of `make_model` below, and what each had at step 40.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from ko_clip_parts import make_clip, make_unet, write_pairs, write_recipe
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from training_model import losses_of, make_model

from ko_clip.distill import distil
from ko_clip.recipe import load_recipe
from ko_clip.training_context import open_context
from ko_clip.unet_stage import distil_through_unet
from training import muon, trainer
from training.schedule import TrainerSettings
from training.state import STATE_FILE, finished, load_average, read_progress, read_state
from training.trainer import Trainer

STATES = Path(__file__).parent / "states"


@pytest.mark.parametrize(("former", "average_tolerance"), [("fitting", 5e-3), ("ko-clip", 1e-5)])
def test_a_state_of_before_goes_on_as_it_would_have(
    tmp_path: Path, former: str, average_tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The average of `fitting` began a step later, so it ends a little elsewhere."""
    monkeypatch.setattr(muon, "_work_type", lambda device: torch.bfloat16)  # as on the machine that wrote them
    shutil.copy(STATES / f"{former}-step-17.safetensors", tmp_path / STATE_FILE)
    assert not finished(tmp_path) and read_progress(tmp_path).step == 17
    model = make_model()
    settings = TrainerSettings(steps=40, learning_rate=1e-2, warmup=5, cooldown=0.3)
    run = Trainer(model, losses_of(model), settings, tmp_path)
    result, expected = run.run(), load_file(STATES / f"{former}-end-40.safetensors")
    assert result.step == 40 and result.finished
    assert run.facts == ({"best": -1.5} if former == "ko-clip" else {})
    for name, value in model.state_dict().items():
        assert torch.allclose(value, expected[f"model.{name}"], atol=1e-5), name
        assert torch.allclose(result.average[name], expected[f"average.{name}"], atol=average_tolerance), name


def test_the_average_of_a_former_state_is_read(tmp_path: Path) -> None:
    shutil.copy(STATES / "fitting-step-17.safetensors", tmp_path / STATE_FILE)
    average, step = load_average(tmp_path)
    with safe_open(tmp_path / STATE_FILE, framework="pt") as file:
        assert step == 17 and all(torch.equal(v, file.get_tensor(f"average.{n}")) for n, v in average.items())
    assert average.keys() == make_model().state_dict().keys()


def as_ko_clip_wrote_it(path: Path, names: list[str]) -> None:
    """Rewrite a student's state as `ko_clip.runs.save_state` of commit 7ede1c4 did: moments by a parameter's place.

    `names` of the parameters in the module's order; Muon has the matrices first.
    """
    state = read_state(path)
    matrices = [name for name in names if "momentum" in state.moments[name]]
    others = [name for name in names if name not in matrices]
    tensors = {f"model.{name}": value for name, value in state.model.items()}
    tensors |= {f"average.{name}": value for name, value in state.average.items()}
    for place, name in enumerate([*matrices, *others]):
        tensors |= {f"optimizer.{place}.{key}": value for key, value in state.moments[name].items()}
    progress = state.progress
    facts = {"step": progress.step, "steps": progress.steps, "asked": progress.asked, "planned": 0.0}
    facts |= {"best": float("-inf"), "pairs": 8 * progress.step}
    save_file({name: value.contiguous() for name, value in tensors.items()}, path, {"facts": json.dumps(facts)})


class Few(trainer.TimeBudget):
    """Two steps a leg."""

    left = 2

    def is_over(self) -> bool:
        self.left -= 1
        return self.left < 1


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_student_s_former_states_of_both_stages_go_on_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, pairs = make_clip(tmp_path / "clip"), write_pairs(tmp_path / "pairs.csv", repeat=3)
    unet, scheduler = make_unet(tmp_path)
    text = {"steps": 5, "batch": 8, "warmup": 2, "precision": "float32", "threads": 1, "evaluate_every": 6}
    stage = {"steps": 5, "unet": str(unet), "scheduler": str(scheduler), "batch": 4, "inference_steps": 3,
             "precision": "float32", "threads": 1}  # fmt: skip
    found = []
    for name in ("whole", "former"):
        path = write_recipe(tmp_path / f"{name}.yaml", clip, pairs, tmp_path / name / "run", text=text, unet=stage)
        recipe = load_recipe(path)
        for train, folder in ((distil, "run"), (distil_through_unet, "run/unet")):
            if name == "former":
                with monkeypatch.context() as patch:
                    patch.setattr(trainer, "TimeBudget", Few)
                    train(recipe)
                assert read_progress(tmp_path / name / folder).step == 2
                names = [name for name, _ in open_context(recipe).student.named_parameters()]
                as_ko_clip_wrote_it(tmp_path / name / folder / STATE_FILE, names)
            found.append(load_file(train(recipe) / "model.safetensors"))
    for whole, resumed in zip(found[:2], found[2:], strict=True):
        assert all(torch.equal(whole[key], resumed[key]) for key in whole)

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from ko_clip_parts import (
    make_clip,
    make_unet,
    metrics,
    write_pairs,
    write_recipe,
)
from safetensors.torch import load_file

from ko_clip.distill import distil
from ko_clip.encoder import PromptEncoder
from ko_clip.recipe import load_recipe, recipe_from, standard_heads
from ko_clip.teachers import fingerprint
from ko_clip.train import in_runs_folder, main

# diffusers hands torch tensors to numpy 2 the old way
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    return make_clip(folder / "clip"), write_pairs(folder / "pairs.csv", repeat=3)


@pytest.fixture(scope="module")
def trained(parts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    recipe = load_recipe(write_recipe(folder / "recipe.yaml", *parts, folder / "run"))
    return recipe, distil(recipe)


def weights(folder):
    return load_file(folder / "model.safetensors")


def test_a_three_line_recipe_is_enough(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("teacher: clip\ncorpus: pairs.csv\nrun: runs/mine\n")
    recipe = load_recipe(path)
    assert set(recipe.heads) == {"base", "refiner"}
    assert recipe.corpora[0].path == "pairs.csv"


def test_the_run_folder_holds_what_a_reader_needs(trained):
    recipe, model = trained
    run = model.parent
    assert {"recipe.yaml", "versions.json", "log.jsonl", "model", "state.safetensors"} <= {
        p.name for p in run.iterdir()
    }
    report = json.loads(next((run / "corpora").rglob("report.json")).read_text("utf-8"))
    assert report["kept"] == 75
    assert "distillation" in (model / "README.md").read_text("utf-8")
    assert all(tensor.dtype in (torch.float16, torch.float32) for tensor in weights(model).values())


def test_the_encoder_records_its_teacher_and_gives_its_shapes(trained, parts):
    encoder = PromptEncoder.load(trained[1])
    assert encoder.teachers == {"base": fingerprint(parts[0]), "refiner": fingerprint(parts[0])}
    assert encoder.base(["빨간 원피스", ""]).shape == (2, 77, 32)
    states, pooled = encoder.refiner(["빨간 원피스"])
    assert states.shape == (1, 77, 32) and pooled.shape == (1, 24)


def test_the_empty_prompt_is_the_teachers_to_half_precision(trained, parts):
    from ko_clip.teachers import ClipTeacher

    output = ClipTeacher(parts[0], trained[0].heads).encode([""])["base"].states
    ours = PromptEncoder.load(trained[1]).base([""]).numpy()
    assert np.abs(ours - output).max() < 2e-3 * np.abs(output).max()


def test_a_run_stopped_and_resumed_ends_with_the_same_weights(trained, parts, tmp_path):
    recipe = load_recipe(write_recipe(tmp_path / "recipe.yaml", *parts, tmp_path / "run"))
    state = tmp_path / "run/state.safetensors"
    for _ in range(40):  # each call does at least one step before it looks at the clock
        distil(recipe, minutes=1e-9)
        if _step(state) >= 12:
            break
        distil_one = load_recipe(tmp_path / "recipe.yaml")
        assert distil_one == recipe
        _advance(recipe, 5)
    assert _step(state) == 12
    whole, resumed = weights(trained[1]), weights(tmp_path / "run/model")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def _advance(recipe, steps, **how):
    """Let the run go on for some steps, then stop it as a signal would."""
    with _leg_of(steps):
        distil(recipe, **how)


@contextmanager
def _leg_of(steps):
    """Every leg within ends after so many steps."""
    from training import trainer

    class Few(trainer.TimeBudget):
        left = steps

        def is_over(self):
            self.left -= 1
            return self.left < 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "TimeBudget", Few)
        yield


def test_steps_planned_to_end_in_some_minutes_stay_planned_after_a_kill(parts, tmp_path):
    text = {"steps": 10**6, "batch": 8, "warmup": 2, "precision": "float32", "threads": 1, "evaluate_every": 10**6}
    recipe = load_recipe(write_recipe(tmp_path / "recipe.yaml", *parts, tmp_path / "run", text=text))
    state, steps = tmp_path / "run/state.safetensors", []
    _advance(recipe, 8, minutes=0.001, finish=True)
    for _ in range(2):
        distil(recipe, 0.001, finish=True)
        steps.append(_facts(state)["steps"])
        assert _facts(state)["step"] <= steps[0]
    assert steps[0] == steps[1] < 10**6


def _step(state):
    return _facts(state)["step"]


def _facts(state):
    from safetensors import safe_open

    with safe_open(state, framework="pt") as file:
        return json.loads(file.metadata()["facts"])


@pytest.mark.slow
def test_a_killed_process_resumes_to_the_same_weights(parts, tmp_path):
    """kill -9 half way, twice, against a run left alone."""
    text = {
        "steps": 60,
        "batch": 8,
        "warmup": 2,
        "precision": "float32",
        "threads": 1,
        "save_minutes": 0.002,
        "pool": 2,
    }
    text["evaluate_every"] = 100
    for name in ("whole", "killed"):
        write_recipe(tmp_path / f"{name}.yaml", *parts, tmp_path / name / "run", text=text)
    command = [sys.executable, "-m", "ko_clip.train", "--config"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*command, str(tmp_path / "whole.yaml")], check=True, **quiet)
    state = tmp_path / "killed/run/state.safetensors"
    for target in (10, 30):
        process = subprocess.Popen([*command, str(tmp_path / "killed.yaml")], **quiet)
        while process.poll() is None and not (state.is_file() and _step(state) >= target):
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run([*command, str(tmp_path / "killed.yaml")], check=True, **quiet)
    whole, resumed = weights(tmp_path / "whole/run/model"), weights(tmp_path / "killed/run/model")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.slow
def test_two_processes_give_the_loss_curve_of_one_with_twice_the_batch(parts, tmp_path):
    """Sequence, pooled and contrast, whose rivals are the rows of both processes."""
    heads = {name: {**spec, "contrast": 0.1} for name, spec in standard_heads(str(parts[0])).items()}
    del heads["base"]["contrast"]  # it has no pooled embedding
    text = {"steps": 100, "warmup": 2, "precision": "float32", "threads": 1, "pool": 2, "evaluate_every": 20}
    for name, batch in (("one", 8), ("two", 4)):
        more = {"teacher": None, "heads": heads, "text": {**text, "batch": batch}}
        write_recipe(tmp_path / f"{name}.yaml", *parts, tmp_path / name / "run", **more)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True}
    subprocess.run([sys.executable, "-m", "ko_clip.train", "--config", str(tmp_path / "one.yaml")], **quiet)
    # accelerate launch starts processes without a GPU by MPI alone, torch's own launcher needs nothing
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    train = ["-m", "ko_clip.train", "--config", str(tmp_path / "two.yaml")]
    subprocess.run([sys.executable, *launch, *train], **quiet)
    one, two = (metrics(tmp_path / name / "run") for name in ("one", "two"))
    assert [row["step"] for row in one] == [20, 40, 50, 60, 80, 100, 100]
    assert len(one) == len(two)
    for a, b in zip(one, two, strict=True):
        assert a.keys() == b.keys()
        values = {name: value for name, value in a.items() if name not in ("steps_per_second", "minutes_left")}
        assert all(b[name] == pytest.approx(value, rel=0.01, abs=1e-3) for name, value in values.items())


def test_the_unet_stage_runs_resumes_and_leaves_an_encoder(trained, parts, tmp_path):
    import shutil

    unet, scheduler = make_unet(tmp_path)
    shutil.copytree(trained[1].parent, tmp_path / "run")
    stage = {"steps": 4, "unet": str(unet), "scheduler": str(scheduler), "batch": 4, "inference_steps": 3,
             "precision": "float32", "threads": 1}  # fmt: skip
    path = write_recipe(tmp_path / "recipe.yaml", *parts, tmp_path / "run", unet=stage)
    assert main(["--config", str(path), "--stage", "unet"]) == 0
    encoder = PromptEncoder.load(tmp_path / "run/unet/model")
    assert encoder.base(["빨간 원피스"]).shape == (1, 77, 32)
    before, after = weights(trained[1]), weights(tmp_path / "run/unet/model")
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_the_unet_stage_resumed_in_the_middle_of_a_trajectory_gives_the_same_weights(trained, parts, tmp_path):
    import shutil

    from ko_clip.unet_stage import distil_through_unet

    unet, scheduler = make_unet(tmp_path)
    stage = {"steps": 5, "unet": str(unet), "scheduler": str(scheduler), "batch": 4, "inference_steps": 3,
             "precision": "float32", "threads": 1}  # fmt: skip
    found = []
    for name in ("whole", "parts"):
        shutil.copytree(trained[1].parent, tmp_path / name / "run")
        path = write_recipe(tmp_path / f"{name}.yaml", *parts, tmp_path / name / "run", unet=stage)
        recipe = load_recipe(path)
        for minutes in (None,) if name == "whole" else (1e-9,) * 3 + (None,):
            if minutes:
                with _leg_of(1):
                    distil_through_unet(recipe)
            else:
                distil_through_unet(recipe)
        found.append(weights(tmp_path / name / "run/unet/model"))
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_a_unet_of_another_width_is_refused(trained, parts, tmp_path, capsys):
    import shutil

    unet, scheduler = make_unet(tmp_path, width=48)
    shutil.copytree(trained[1].parent, tmp_path / "run")
    stage = {"steps": 2, "unet": str(unet), "scheduler": str(scheduler), "threads": 1}
    path = write_recipe(tmp_path / "recipe.yaml", *parts, tmp_path / "run", unet=stage)
    assert main(["--config", str(path), "--stage", "unet"]) == 2
    assert "attends to states of width 48, head 'base' gives 32" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"teacher": "nowhere"}, "teacher nowhere has no config.json"),
        ({"corpus": "nowhere.csv"}, "corpus nowhere.csv is missing: check the path"),
        ({"colour": 1}, "recipe has no key 'colour'"),
        ({"text": {"speed": 1}}, "text has no key 'speed'"),
        ({"text": {"steps": 0}}, "text.steps is 0"),
        ({"text": {"learning_rate": "quick"}}, "text.learning_rate is 'quick': give a number"),
        ({"text": {"steps": 2.5}}, "text.steps is 2.5: give a whole number"),
        ({"heads": ["base"]}, "heads must be a mapping"),
        ({"corpora": "pairs.csv"}, "put each behind a dash"),
        ({"student": {"depth": 2}}, "student has no size 'depth'"),
        ({"corpora": [{"path": "x.csv", "heads": ["bass"]}], "corpus": None}, "trains head 'bass'"),
        ({"start": "hub"}, "start: hub needs start_path"),
    ],
)
def test_a_wrong_recipe_gets_one_line_that_says_the_cure(parts, tmp_path, capsys, change, message):
    path = write_recipe(tmp_path / "recipe.yaml", *parts, tmp_path / "run", **change)
    assert main(["--config", str(path)]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ") and message in error and "\n" not in error


def test_the_command_is_a_script_too_and_a_recipe_that_is_no_yaml_is_named(tmp_path):
    (tmp_path / "r.yaml").write_text("teacher: [", "utf-8")
    script = Path(__file__).parents[1] / "ko_clip/train.py"
    found = subprocess.run(
        [sys.executable, str(script), "--config", "r.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert found.returncode == 2
    assert found.stderr.startswith("error: r.yaml is not YAML in UTF-8: ") and found.stderr.count("\n") == 1


def test_the_runs_of_recipes_lie_where_the_runs_folder_is():
    assert in_runs_folder(Path("runs/ko_clip/small"), Path("/states")) == Path("/states/ko_clip/small")
    for elsewhere in (Path("mine/run"), Path("/runs/mine")):
        assert in_runs_folder(elsewhere, Path("/states")) == elsewhere


def test_whole_numbers_written_as_text_stay_whole():
    text = {"steps": "3e4", "batch": "8", "learning_rate": "3e-5"}
    stage = recipe_from({"teacher": "t", "corpus": "p.csv", "text": text}).text
    assert (stage.steps, stage.batch, stage.learning_rate) == (30000, 8, 3e-5)
    assert isinstance(stage.steps, int) and isinstance(stage.batch, int)

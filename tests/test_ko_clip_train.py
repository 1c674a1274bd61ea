import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from ko_clip_parts import make_clip, make_unet, write_pairs, write_recipe
from safetensors.torch import load_file

from ko_clip.batches import Sampler
from ko_clip.distill import distil, learning_rate
from ko_clip.encoder import PromptEncoder
from ko_clip.losses import contrast_loss, pooled_loss, sequence_loss, slot_plan
from ko_clip.recipe import TextStage, load_recipe, recipe_from
from ko_clip.teachers import fingerprint
from ko_clip.train import main

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
    assert {"recipe.yaml", "versions.json", "metrics.jsonl", "model", "state.safetensors"} <= {
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

    said = ClipTeacher(parts[0], trained[0].heads).encode([""])["base"].states
    ours = PromptEncoder.load(trained[1]).base([""]).numpy()
    assert np.abs(ours - said).max() < 2e-3 * np.abs(said).max()


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


def _advance(recipe, steps):
    """Let the run go on for some steps, then stop it as a signal would."""
    from ko_clip import runs

    class Few(runs.Clock):
        left = steps

        def is_over(self):
            self.left -= 1
            return self.left < 0

    from ko_clip import distill

    former, distill.Clock = distill.Clock, Few
    try:
        distil(recipe)
    finally:
        distill.Clock = former


def _step(state):
    from safetensors import safe_open

    with safe_open(state, framework="pt") as file:
        return json.loads(file.metadata()["facts"])["step"]


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
def test_two_processes_give_the_losses_of_one_with_twice_the_batch(parts, tmp_path):
    text = {"steps": 10, "warmup": 2, "precision": "float32", "threads": 1, "pool": 2, "evaluate_every": 100}
    one = write_recipe(tmp_path / "one.yaml", *parts, tmp_path / "one/run", text={**text, "batch": 8})
    two = write_recipe(tmp_path / "two.yaml", *parts, tmp_path / "two/run", text={**text, "batch": 4})
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True}
    subprocess.run([sys.executable, "-m", "ko_clip.train", "--config", str(one)], **quiet)
    launch = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--num_cpu_threads_per_process", "1"]
    subprocess.run([sys.executable, *launch, "-m", "ko_clip.train", "--config", str(two)], **quiet)
    a, b = weights(tmp_path / "one/run/model"), weights(tmp_path / "two/run/model")
    for name in a:
        assert torch.allclose(a[name].float(), b[name].float(), atol=2e-3), name


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
                _advance_unet(recipe)
            else:
                distil_through_unet(recipe)
        found.append(weights(tmp_path / name / "run/unet/model"))
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def _advance_unet(recipe):
    from ko_clip import distill, runs
    from ko_clip.unet_stage import distil_through_unet

    class One(runs.Clock):
        left = 1

        def is_over(self):
            self.left -= 1
            return self.left < 0

    former, distill.Clock = distill.Clock, One
    try:
        distil_through_unet(recipe)
    finally:
        distill.Clock = former


def test_a_unet_of_another_width_is_refused(trained, parts, tmp_path, capsys):
    import shutil

    unet, scheduler = make_unet(tmp_path, width=48)
    shutil.copytree(trained[1].parent, tmp_path / "run")
    stage = {"steps": 2, "unet": str(unet), "scheduler": str(scheduler), "threads": 1}
    path = write_recipe(tmp_path / "recipe.yaml", *parts, tmp_path / "run", unet=stage)
    assert main(["--config", str(path), "--stage", "unet"]) == 2
    assert "attends to states of width 48, head 'base' gives 32" in capsys.readouterr().err


def test_a_student_starts_from_its_teachers_weights(parts, tmp_path):
    recipe = load_recipe(
        write_recipe(
            tmp_path / "r.yaml",
            *parts,
            tmp_path / "run",
            start="teacher",
            student={"decoder_layers": 1, "attention_heads": 2},
        )
    )
    encoder = PromptEncoder.load(distil(recipe))
    assert encoder.base(["빨간 원피스"]).shape == (1, 77, 32)


def test_a_student_starts_from_another_and_refuses_a_teacher_of_another_width(trained, parts, tmp_path, capsys):
    path = write_recipe(
        tmp_path / "r.yaml", *parts, tmp_path / "run", start="student", start_path=str(trained[1]), student={}
    )
    assert main(["--config", str(path), "--steps", "2"]) == 0
    wide = make_clip(tmp_path / "wide", width=48)
    path = write_recipe(
        tmp_path / "w.yaml", wide, parts[1], tmp_path / "other", start="student", start_path=str(trained[1]), student={}
    )
    assert main(["--config", str(path)]) == 2
    assert "its teacher (48, 0): start from nothing" in capsys.readouterr().err.replace(
        "gives (states, pooled) (32, 0), ", ""
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"teacher": "nowhere"}, "teacher nowhere has no config.json"),
        ({"corpus": "nowhere.csv"}, "corpus nowhere.csv is missing: check the path"),
        ({"colour": 1}, "recipe has no key 'colour'"),
        ({"text": {"speed": 1}}, "text has no key 'speed'"),
        ({"text": {"steps": 0}}, "text.steps is 0"),
        ({"text": {"learning_rate": "quick"}}, "text.learning_rate is 'quick': give a number"),
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


def test_the_order_of_pairs_depends_on_the_step_alone():
    class Numbers:
        name, heads, identity = "numbers", (), "x"

        def __len__(self):
            return 10

        def pair(self, index, epoch):
            return f"수 {index}", f"number {index}"

    from ko_clip.tokenizer import TokenizerRecipe, train_tokenizer

    tokenizer = train_tokenizer(["수 하나", "number one"] * 30, TokenizerRecipe(64, 64))
    one = Sampler([Numbers()], [1.0], tokenizer, batch=4, seed=3, pool=2)
    two = Sampler([Numbers()], [1.0], tokenizer, batch=4, seed=3, pool=2)
    later = two.at(7)
    assert [one.at(step) for step in range(8)][7].indices == later.indices
    seen = [index for step in range(10) for index in one.at(step).indices]
    assert sorted(seen[:40]) == sorted(list(range(10)) * 4)
    halves = [Sampler([Numbers()], [1.0], tokenizer, 2, 3, 2, rank, 2) for rank in (0, 1)]
    assert sorted(halves[0].at(5).indices + halves[1].at(5).indices) == sorted(one.at(5).indices)


def test_the_sampled_padding_slots_stand_for_all():
    generator = torch.Generator().manual_seed(0)
    which, slot_weights = slot_plan(20, 77, 8, generator)
    assert which[:20].tolist() == list(range(20)) and len(which) == 28
    assert float(slot_weights.sum()) == pytest.approx(77)
    states = torch.randn(4, 77, 8)
    full = sequence_loss(states, torch.zeros_like(states), torch.ones(77), torch.ones(77))
    drawn = [slot_plan(20, 77, 8, generator) for _ in range(400)]
    means = [sequence_loss(states[:, w], torch.zeros(4, len(w), 8), torch.ones(len(w)), v) for w, v in drawn]
    assert float(torch.stack(means).mean()) == pytest.approx(float(full), rel=0.02)


def test_identical_texts_are_no_rivals_in_the_contrast():
    vectors = torch.eye(3)
    same = torch.eye(3, dtype=torch.bool)
    twins = torch.stack([vectors[0], vectors[0], vectors[2]])
    both = same.clone()
    both[0, 1] = both[1, 0] = True
    assert contrast_loss(twins, twins, both) < 1e-3 < contrast_loss(twins, twins, same)


def test_student_and_teacher_of_different_width_are_refused():
    with pytest.raises(ValueError, match="head and teacher differ"):
        pooled_loss(torch.zeros(2, 8), torch.zeros(2, 9), torch.ones(()))


def test_the_learning_rate_warms_up_stays_and_cools_down():
    stage = TextStage(steps=100, warmup=10, cooldown=0.5, learning_rate=1.0)
    rates = [learning_rate(stage, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[30] == 1.0 and rates[-1] == pytest.approx(0.02)


def test_a_head_without_states_needs_a_pooled_embedding():
    with pytest.raises(ValueError, match="needs pooled: true"):
        recipe_from({"heads": {"x": {"teacher": "t", "output": "none"}}, "corpus": "p.csv"})

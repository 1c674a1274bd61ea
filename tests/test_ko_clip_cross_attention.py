"""A U-Net's cross-attention outputs are blind to the order of slots, and a student can learn from them alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from ko_clip_parts import PAIRS, make_clip, make_unet, metrics, write_pairs, write_recipe

from ko_clip.batches import Sampler
from ko_clip.cross_attention import CrossAttentionOutputs, open_cross_attention
from ko_clip.distill import distil
from ko_clip.encoder import PromptEncoder
from ko_clip.recipe import HeadRecipe, load_recipe
from ko_clip.scene_reading import SceneReader, agreement_loss, save_reader, saved_reader
from ko_clip.teachers import ClipTeacher
from ko_clip.training_context import open_context
from ko_clip.unet_stage import UNetObjective, distil_through_unet
from training.processes import open_accelerator

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("cross_attention")
    return make_clip(folder / "clip"), make_unet(folder)[0]


@pytest.fixture(scope="module")
def outputs(folders: tuple[Path, Path]) -> tuple[CrossAttentionOutputs, torch.Tensor]:
    clip, unet = folders
    teacher = ClipTeacher(clip, {"base": HeadRecipe(str(clip))})
    texts = [english for _, english in PAIRS]
    states = torch.from_numpy(teacher.encode(texts)["base"].states)  # (25, 77, 32)
    return open_cross_attention(str(unet), teacher, "base", texts[:4], "cpu"), states


def test_the_order_of_slots_does_not_matter_to_cross_attention(
    outputs: tuple[CrossAttentionOutputs, torch.Tensor],
) -> None:
    cross_attention, states = outputs
    mixed = states[:, torch.randperm(77, generator=torch.Generator().manual_seed(0))]
    assert cross_attention.loss(mixed, states) < 1e-6
    assert (mixed - states).square().mean() > 0.01


def test_texts_that_say_nothing_of_their_own_are_as_far_off_as_one(
    outputs: tuple[CrossAttentionOutputs, torch.Tensor],
) -> None:
    cross_attention, states = outputs
    other = cross_attention.loss(states.roll(1, 0), states)
    assert 0.5 < other < 6
    assert len(cross_attention(states)) == len(cross_attention.layers)
    assert not any(parameter.requires_grad for parameter in cross_attention.parameters())


def test_queries_are_those_that_the_unet_asks_and_the_same_every_time(folders: tuple[Path, Path]) -> None:
    clip, unet = folders
    teacher = ClipTeacher(clip, {"base": HeadRecipe(str(clip))})
    first, second = (
        open_cross_attention(str(unet), teacher, "base", ["red hat", "blue coat"], "cpu") for _ in range(2)
    )
    assert torch.equal(first.queries0, second.queries0)
    assert first.queries0.std() > 0


def test_a_refiner_attends_with_its_pooled_conditions(folders: tuple[Path, Path], tmp_path: Path) -> None:
    from diffusers import UNet2DConditionModel

    clip, unet = folders
    torch.manual_seed(2)
    config = UNet2DConditionModel.load_config(unet)
    refiner = UNet2DConditionModel.from_config(
        {**config, "addition_embed_type": "text_time", "addition_time_embed_dim": 4,
         "projection_class_embeddings_input_dim": 24 + 5 * 4}
    )  # fmt: skip
    refiner.save_pretrained(tmp_path / "refiner")
    shutil.copytree(unet.parent / "scheduler", tmp_path / "refiner" / "scheduler")
    teacher = ClipTeacher(clip, {"refiner": HeadRecipe(str(clip), output="penultimate", pooled=True)})
    cross_attention = open_cross_attention(
        str(tmp_path / "refiner"), teacher, "refiner", ["red hat", "blue coat"], "cpu"
    )
    states = torch.from_numpy(teacher.encode(["red hat", "blue coat"])["refiner"].states)
    assert cross_attention.loss(states, states) < 1e-6 < cross_attention.loss(states.roll(1, 0), states)


def test_a_student_learns_by_cross_attention_alone(folders: tuple[Path, Path], tmp_path: Path) -> None:
    clip, unet = folders
    heads = {"base": {"teacher": str(clip), "reader": str(unet)}}
    text = {"steps": 60, "batch": 12, "warmup": 5, "learning_rate": 0.005, "precision": "float32", "threads": 1,
            "evaluate_every": 20, "sequence_weight": 0, "parts": 1, "ema": 0.8}  # fmt: skip
    path = write_recipe(tmp_path / "recipe.yaml", clip, write_pairs(tmp_path / "pairs.csv", 4), tmp_path / "run",
                        teacher=None, heads=heads, text=text)  # fmt: skip
    folder = distil(load_recipe(path))
    lines = [json.loads(line) for line in (folder.parent / "log.jsonl").read_text("utf-8").splitlines()]
    heard = [line["base.cross_attention"] for line in lines if "base.cross_attention" in line and "score" in line]
    assert heard[-1] < 0.9 * heard[0]


@pytest.fixture(scope="module")
def two_stages(folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a head with a reader: a text stage of two steps and a U-Net stage of four."""
    clip, unet = folders
    folder = tmp_path_factory.mktemp("two-stages")
    text = {"steps": 2, "batch": 4, "warmup": 1, "precision": "float32", "threads": 1, "evaluate_every": 2}
    stage = {"steps": 4, "unet": str(unet), "scheduler": str(unet.parent / "scheduler"), "batch": 4,
             "inference_steps": 3, "precision": "float32", "threads": 1}  # fmt: skip
    path = write_recipe(folder / "recipe.yaml", clip, write_pairs(folder / "pairs.csv", 4), folder / "run",
                        teacher=None, heads={"base": {"teacher": str(clip), "reader": str(unet)}}, text=text,
                        unet=stage)  # fmt: skip
    distil(load_recipe(path))
    distil_through_unet(load_recipe(path))
    return folder


def test_a_unet_stage_keeps_the_cross_attention_loss_and_its_metric(two_stages: Path) -> None:
    rows = metrics(two_stages / "run" / "unet")
    losses, figures = (next(row for row in rows if name in row) for name in ("loss", "score"))
    assert losses["base.cross_attention"] > 0 and losses["prediction"] > 0
    assert figures["score"] == -figures["base.cross_attention"] < 0
    assert "base.error" not in figures


def test_a_late_step_of_the_unet_stage_costs_no_walk_over_the_former_ones(
    two_stages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe(two_stages / "recipe.yaml")
    objective, calls = UNetObjective(open_context(recipe), open_accelerator("float32")), []
    corpus_of = Sampler.corpus_of
    monkeypatch.setattr(Sampler, "corpus_of", lambda self, step: calls.append(step) or corpus_of(self, step))
    assert torch.isfinite(objective.losses(20_000)["loss"])
    assert len(calls) < 10


def test_a_unet_of_another_width_is_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    wide = make_clip(tmp_path / "wide", width=48)
    teacher = ClipTeacher(wide, {"base": HeadRecipe(str(wide))})
    with pytest.raises(ValueError, match="width 32.*gives 48"):
        open_cross_attention(str(folders[1]), teacher, "base", ["red hat"], "cpu")


def test_a_scene_reader_says_the_same_of_the_same_states_and_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    torch.manual_seed(5)
    reader, states = SceneReader(32, heads=4), torch.randn(6, 9, 32)
    save_reader(reader, tmp_path / "reading" / "reader.safetensors")
    again = saved_reader(tmp_path / "reading" / "reader.safetensors")
    wanted = again(states)
    assert agreement_loss(reader(states), wanted) < 1e-3
    assert agreement_loss(wanted, wanted).abs() < 1e-6 < agreement_loss(again(states.roll(1, 0)), wanted)
    with pytest.raises(FileNotFoundError, match="python -m ko_clip.scene_reading"):
        saved_reader(tmp_path / "reader.safetensors")


def test_a_student_learns_to_be_heard_by_its_teachers_scene_reader(folders: tuple[Path, Path], tmp_path: Path) -> None:
    torch.manual_seed(5)
    save_reader(SceneReader(32, heads=4), tmp_path / "reader.safetensors")
    reader, clip = saved_reader(tmp_path / "reader.safetensors"), str(folders[0])
    heads = {"base": {"teacher": clip, "scene_reader": str(tmp_path / "reader.safetensors")}}
    english = ClipTeacher(clip, {"base": HeadRecipe(clip)}).encode([en for _, en in PAIRS])
    wanted = torch.from_numpy(english["base"].states)

    def distance(steps: int) -> float:
        text = {"steps": steps, "batch": 12, "warmup": 5, "learning_rate": 0.005, "precision": "float32", "threads": 1,
                "sequence_weight": 0, "parts": 1, "ema": 0.8}  # fmt: skip
        path = write_recipe(tmp_path / f"{steps}.yaml", folders[0], write_pairs(tmp_path / "pairs.csv", 4),
                            tmp_path / f"run{steps}", teacher=None, heads=heads, text=text)  # fmt: skip
        output = PromptEncoder.load(distil(load_recipe(path))).base([ko for ko, _ in PAIRS])
        return agreement_loss(reader(torch.as_tensor(output).float()), reader(wanted)).item()

    assert distance(60) < 0.8 * distance(1)

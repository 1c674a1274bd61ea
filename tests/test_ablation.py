"""The ablation's own logic: its variants are recipes that differ in nothing else, runs and pictures are kept, sums."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ko_clip_parts import make_clip, make_unet

from benchmarks import ablation, ablation_runs
from benchmarks.ablation import GAINS, Studio, gains, rates, spread, table
from benchmarks.ablation_runs import (
    SHARED,
    VARIANTS,
    english,
    korean,
    merged,
    recipe_of,
    train,
    write_pairs,
)  # fmt: skip
from benchmarks.drawn import scene_set
from diffusion.load import load_pipeline
from fashion.scene import scenes
from fashion.scoring import GarmentScore
from ko_clip.encoder import PromptEncoder
from ko_clip.recipe import Recipe
from testing.random_checkpoint import write_checkpoint

# diffusers hands torch tensors to numpy 2 the old way
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SHIPPED = yaml.safe_load(SHARED.read_text("utf-8"))


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """The variant with both stages, four steps of it, on tiny random parts."""
    clip = make_clip(tmp_path / "clip")
    write_pairs(tmp_path / "runs/pairs.csv", 24)
    unet, scheduler = make_unet(tmp_path / "base")
    shared = {
        "heads": {"base": {"teacher": str(clip)}, "refiner": {"teacher": str(clip), "output": "none", "pooled": True}},
        "corpora": [{"korean_share": 1, "hold_out": 0}], "tokenizer": {"korean_pieces": 160, "english_pieces": 120},
        "student": {"embedding_size": 16, "width": 32, "layers": 1, "attention_heads": 2, "decoder_layers": 1},
        "text": {"batch": 4, "warmup": 1, "precision": "float32", "threads": 1},
    }  # fmt: skip
    through = {"unet": {"unet": str(unet), "scheduler": str(scheduler), "batch": 2, "precision": "float32"}}
    variant = replace(VARIANTS["unet"], changes=merged(VARIANTS["unet"].changes, through))
    return recipe_of(variant, shared, 1, 4, tmp_path / "runs")


def test_variants_differ_only_in_what_is_learned() -> None:
    recipes = {name: recipe_of(variant, SHIPPED, 2, 40, Path("runs/x")) for name, variant in VARIANTS.items()}
    for name, recipe in recipes.items():
        assert recipe.run == f"runs/x/{name}-2" and recipe.seed == 2 and recipe.start == "nothing"
        assert recipe.text.steps + recipe.unet.steps == (140 if name == "longer" else 40)
        assert recipe.student == SHIPPED["student"] and recipe.tokenizer_path == "checkpoints/korean"
        assert recipe.corpora == recipes["sequence"].corpora and recipe.corpora[0].path == "runs/x/pairs.csv"
        assert recipe.text.batch == SHIPPED["text"]["batch"]
        assert recipe.heads["refiner"].pooled and recipe.text.pooled_weight > 0, "every variant learns the pooled one"
    weights = {name: recipe.text.sequence_weight for name, recipe in recipes.items()}
    assert weights == {"pooled": 0, "sequence": 1, "longer": 1, "unet": 1, "cross-attention": 0}
    assert [name for name, recipe in recipes.items() if recipe.heads["base"].reader] == ["cross-attention"]
    assert [name for name, recipe in recipes.items() if recipe.unet.steps] == ["unet"]


def test_changes_leave_the_shared_recipe_as_it_was() -> None:
    shared = {"text": {"steps": 1, "batch": 2}, "seed": 0}
    assert merged(shared, {"text": {"steps": 3}, "run": "r"}) == {
        "text": {"steps": 3, "batch": 2}, "seed": 0, "run": "r",
    }  # fmt: skip
    assert shared == {"text": {"steps": 1, "batch": 2}, "seed": 0}


def test_captions_name_garment_colour_and_pattern_and_no_more() -> None:
    scene = next(each for each in scenes(31, 50, "train", 1) if each.garments[0].pattern == "leaves")
    assert "나뭇잎" in korean(scene, 9) and " " not in korean(scene, 9, "no_spaces")
    assert "leaf-print" in english(scene, 9) and "background" not in english(scene, 9)


def test_a_finished_run_is_not_trained_again(tiny: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    model, minutes = train(tiny)
    assert PromptEncoder.load(model).base(["빨간 원피스"]).shape == (1, 77, 32)
    monkeypatch.setattr(ablation_runs, "distil", lambda recipe: pytest.fail("trained again"))
    assert train(tiny) == (model, minutes)
    with pytest.raises(ValueError, match="differs in seed: give another --runs"):
        train(replace(tiny, seed=5))


def test_a_stopped_run_says_how_it_goes_on(tiny: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablation_runs, "distil", lambda recipe: Path(recipe.run))
    monkeypatch.setattr(ablation_runs, "finished", lambda folder: False)
    with pytest.raises(SystemExit, match="the same command goes on"):
        train(tiny)


def test_pictures_are_kept_by_encoder_and_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = Studio(load_pipeline(write_checkpoint(tmp_path / "parts")), None, tmp_path)
    what = scene_set("one-ko", list(scenes(3, 2, count=1)), 1, "ko")
    made = studio.drawn(what, None, "sequence-0")
    monkeypatch.setattr(ablation, "draw_set", lambda *_: pytest.fail("drawn again"))
    again = studio.drawn(what, None, "sequence-0")
    assert [picture.tobytes() for picture in again.base] == [picture.tobytes() for picture in made.base]
    with pytest.raises(pytest.fail.Exception, match="drawn again"):
        studio.drawn(what, None, "sequence-1")


def test_only_what_a_caption_names_is_scored() -> None:
    garment = next(scenes(1, 1)).garments[0]

    def seen(**right: bool) -> list[GarmentScore]:
        return [GarmentScore(garment, None, right)]

    scores = [seen(garment=True, color=True, pattern=True, hem=False), seen(garment=True, color=False, pattern=True)]
    assert rates(scores) == {"garment": 100.0, "color": 50.0, "pattern": 100.0, "all": 50.0}
    assert rates([seen(garment=True, color=True)])["all"] == 100.0, "a pattern that cannot be seen is not asked for"


def test_a_gain_is_taken_seed_by_seed() -> None:
    found = {"pooled": [{"all": 1.0}, {"all": 5.0}], "sequence": [{"all": 11.0}, {"all": 35.0}]}
    assert gains(found) == {"sequence over pooled": [{"all": 10.0}, {"all": 30.0}]}
    assert {name for pair in GAINS for name in pair} == set(VARIANTS)


def test_the_table_shows_means_and_how_far_the_seeds_lie_apart() -> None:
    assert spread([10.0, 30.0]) == "20.0 (10.0 to 30.0)" and spread([7.25], "+") == "+7.2"
    assert spread([-0.5, 0.25], "+", 2) == "-0.12 (-0.50 to +0.25)"
    seeds = [{"garment": 50.0, "color": 1.0, "pattern": 2.0, "all": 0.0, "R@1": 3.0, "cross-attention error": 0.5}] * 2
    drawn = [{"garment": 99.0, "color": 98.0, "pattern": 80.0, "all": 79.0}]
    lines = table({"ours": seeds, "teacher": drawn})
    assert lines[2].startswith("| ours | 50.0 (50.0 to 50.0) |") and lines[2].endswith("| 0.50 (0.50 to 0.50) |")
    assert lines[3] == "| teacher | 99.0 | 98.0 | 80.0 | 79.0 |  |  |"
    assert len({line.count("|") for line in lines}) == 1

"""Looks that the base never trains on: the same scene gives the same bytes, and another picture than any style."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import style_judge
from benchmarks.look_reader import read_looks
from fashion.drawing import draw, draw_masks
from fashion.lexicon import COLOR_BY_ID, STYLES
from fashion.look_scorer import LookPictures
from fashion.looks import LOOKS
from fashion.looks.__main__ import main
from fashion.looks.together import PAIRS, draw_together
from fashion.scene import Garment, Scene, sample_scene
from fashion.scorer import Scorer

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"
SCENE = Scene((Garment("dress", "red", "dots", "cotton", "short", "knee", "round"),))


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_is_drawn_at_any_size_and_always_alike(look: str) -> None:
    for size in (64, 128, 256):
        picture = LOOKS[look].draw(SCENE, size)
        assert picture.shape == (size, size, 3) and picture.dtype == np.uint8
        assert (LOOKS[look].draw(SCENE, size) == picture).all()


def test_a_look_is_none_of_the_styles_that_the_base_learns() -> None:
    plain = [draw(replace(SCENE, style=style.id), 128).astype(float) for style in STYLES]
    apart = max(np.abs(one - other).mean() for one in plain for other in plain)
    for look in LOOKS.values():
        picture = look.draw(SCENE, 128).astype(float)
        assert min(np.abs(picture - other).mean() for other in plain) > 1.5 * apart


@pytest.mark.parametrize("look", LOOKS)
def test_the_garment_keeps_its_colour_and_another_colour_is_another_picture(look: str) -> None:
    mask = draw_masks(SCENE, 128)[0]
    red, blue = (
        LOOKS[look].draw(replace(SCENE, garments=(replace(SCENE.garments[0], color=color),)), 128)[mask].mean(axis=0)
        for color in ("red", "blue")
    )
    assert red[0] > red[2] + 10 and blue[2] > blue[0]


@pytest.mark.parametrize("look", LOOKS)
def test_the_masks_of_a_look_are_where_its_cloth_is(look: str) -> None:
    scenes = [
        LOOKS[look].dressed(Scene((replace(SCENE.garments[0], color=color),), "figure", seed=8))
        for color in ("red", "blue")
    ]
    masks = [LOOKS[look].masks(scene, 128) for scene in scenes]
    assert masks[0].shape == (len(scenes[0].garments), 128, 128) and masks[0].dtype == bool
    assert (masks[0] == masks[1]).all() and all(mask.any() for mask in masks[0])
    red, blue = (LOOKS[look].draw(scene, 128).astype(float) for scene in scenes)
    changed = np.abs(red - blue).sum(axis=2)
    assert changed[masks[0][0]].mean() > 4 * changed[~masks[0].any(axis=0)].mean()


@pytest.mark.parametrize("look", LOOKS)
def test_another_scene_is_another_picture_of_the_same_look(look: str) -> None:
    one, other = (LOOKS[look].draw(replace(SCENE, seed=seed), 64) for seed in (1, 2))
    assert (one != other).any()


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_is_as_large_in_a_small_picture_as_in_a_large_one(look: str) -> None:
    small = LOOKS[look].draw(SCENE, 128).astype(float)
    halved = LOOKS[look].draw(SCENE, 256).reshape(128, 2, 128, 2, 3).mean(axis=(1, 3))
    coarse = [each.reshape(16, 8, 16, 8, 3).mean(axis=(1, 3)) for each in (small, halved)]
    assert np.abs(coarse[0] - coarse[1]).mean() < 12  # neon's tubes glow more where they are wider than a pixel


@pytest.mark.parametrize(("look", "parts"), [("women_hanbok", 2), ("men_hanbok", 1)])
def test_court_dress_has_the_colours_that_its_caption_tells(look: str, parts: int) -> None:
    colors = ("green", "burgundy")
    garments = tuple(Garment(k, c, material="cotton") for k, c in zip(("jacket", "trousers"), colors, strict=True))
    scene = Scene(garments, "figure", seed=5)
    told = LOOKS[look].dressed(scene)
    assert [garment.color for garment in told.garments][:parts] == list(colors[:parts])
    assert LOOKS[look].dressed(told) == told
    picture = LOOKS[look].draw(scene, 128).astype(int)
    for color in colors[:parts]:
        near = np.abs(picture - np.array(COLOR_BY_ID[color].rgb)).sum(axis=2) < 90
        assert near.mean() > 0.05


def test_the_captions_of_court_dress_name_what_is_drawn(tmp_path: Path) -> None:
    for look, worn in (("women_hanbok", ["jeogori", "hanbok_skirt"]), ("men_hanbok", ["durumagi", "gat"])):
        main([look, str(tmp_path / look), "--count", "2", "--size", "64"])
        rows = [json.loads(line) for line in (tmp_path / look / "metadata.jsonl").read_text("utf-8").splitlines()]
        for row in rows:
            assert [garment["kind"] for garment in row["attributes"]["garments"]] == worn
            assert row["text"] and row["text_ko"]


def test_an_imagefolder_of_a_look_has_captions_in_both_languages(tmp_path: Path) -> None:
    main(["neon", str(tmp_path / "neon"), "--count", "3", "--size", "64"])
    rows = [json.loads(line) for line in (tmp_path / "neon" / "metadata.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == 3 and all(row["text"] and row["text_ko"] for row in rows)
    with Image.open(tmp_path / "neon" / rows[0]["file_name"]) as picture:
        assert picture.size == (64, 64)


def test_an_imagefolder_of_two_looks_shows_both(tmp_path: Path) -> None:
    main(["palace+men_hanbok", str(tmp_path / "both"), "--count", "1", "--size", "64", "--seed", "9"])
    row = json.loads((tmp_path / "both" / "metadata.jsonl").read_text("utf-8"))
    scene = replace(LOOKS["men_hanbok"].dressed(sample_scene(9 * 10**7)), style="flat", background="white")
    picture = np.asarray(Image.open(tmp_path / "both" / row["file_name"]))
    assert (picture == draw_together("palace", "men_hanbok", scene, 64)).all()


def test_judges_tell_looks_by_true_drawings_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style_judge, "TRUE_DRAWINGS", 16)
    monkeypatch.setattr(style_judge, "PLAIN", 32)
    judges = style_judge.train_judges(Scorer.load(CHECKPOINTS / "scorers", "reporting"))
    assert set(judges) == set(LOOKS) and all(judge.right > 0.7 for judge in judges.values())
    scenes = [sample_scene(5 * 10**7 + i) for i in range(6)]
    for look in ("palace", "men_hanbok"):
        assert judges[look].sees([Image.fromarray(LOOKS[look].draw(scene, 256)) for scene in scenes]).all()
        assert not judges[look].sees([Image.fromarray(draw(scene, 256)) for scene in scenes]).any()


@pytest.mark.parametrize("pair", PAIRS)
def test_two_looks_in_one_picture_are_what_each_brings(pair: tuple[str, str]) -> None:
    picture = draw_together(*pair, SCENE, 128)
    assert picture.shape == (128, 128, 3) and (draw_together(*pair, SCENE, 128) == picture).all()
    ground, court = (LOOKS[look].draw(SCENE, 128).astype(float) for look in pair)
    corners = np.s_[:40, :20]  # behind whom it shows
    assert np.abs(picture[corners] - ground[corners]).mean() < np.abs(picture[corners] - court[corners]).mean()
    with pytest.raises(ValueError, match="neon and palace are not drawn together: use palace and women_hanbok"):
        draw_together("neon", "palace", SCENE, 128)


def test_a_judge_sees_both_looks_of_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style_judge, "TRUE_DRAWINGS", 24)
    monkeypatch.setattr(style_judge, "PLAIN", 48)
    judges = style_judge.train_judges(Scorer.load(CHECKPOINTS / "scorers", "reporting"))
    scenes = [sample_scene(5 * 10**7 + i) for i in range(8)]
    for pair in PAIRS:
        pictures = [Image.fromarray(style_judge.true_drawing(pair, scene, 256)) for scene in scenes]
        assert all(judges[look].sees(pictures).mean() > 0.8 for look in pair)


def test_a_reader_of_looks_is_taught_on_true_drawings_and_the_scorer_stays_as_it_is() -> None:
    scorer = Scorer.load(CHECKPOINTS / "scorers", "reporting")
    before = {name: value.clone() for name, value in scorer.network.state_dict().items()}
    one, other = (read_looks(scorer, each=2, steps=2) for _ in range(2))
    for name, value in scorer.network.state_dict().items():
        assert torch.equal(value, before[name]), name
        assert torch.equal(one.network.state_dict()[name], other.network.state_dict()[name]), name
    assert not torch.equal(one.network.heads["color"].weight, scorer.network.heads["color"].weight)
    assert not one.network.training


def test_the_pictures_of_a_reader_show_every_look_with_its_garments() -> None:
    pictures = LookPictures.drawn(1, 5)
    assert len(pictures.scenes) == len(LOOKS) + 1
    for i, scene in enumerate(pictures.scenes):
        assert set(np.unique(pictures.labels(np.array([i])))) - {0} <= set(range(1, len(scene.garments) + 1))
        assert pictures.pictures(np.array([i])).shape == (1, 256, 256, 3)
    women = pictures.scenes[list(LOOKS).index("women_hanbok")]
    assert [garment.kind for garment in women.garments] == ["jeogori", "hanbok_skirt"]

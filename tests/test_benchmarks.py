"""What the benchmarks count."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import editing, scorers
from benchmarks.drawn import PictureStore, counts, draw_set, kept, rate, scene_set
from benchmarks.editing_cases import cases
from benchmarks.korean import compared_shares
from diffusion.load import load_pipeline
from diffusion.request import DrawSettings
from fashion.drawing import draw
from fashion.scene import Garment, Scene, sample_scene
from fashion.scorer import Scorer, ScorerNetwork
from fashion.scoring import GarmentScore
from testing.random_checkpoint import write_checkpoint

HAT = Garment("gat", "black")
SCENES = [Scene((HAT,)), Scene((HAT,), seed=1)]


def scores(*pictures: tuple[bool, bool]) -> list[list[GarmentScore]]:
    return [[GarmentScore(HAT, None, {"garment": garment, "color": color})] for garment, color in pictures]


def test_a_garment_counts_by_one_attribute_by_all_or_by_each() -> None:
    seen = scores((True, True), (True, False))
    for attribute, percent in (("garment", 100.0), ("color", 50.0), ("all", 50.0), ("each", 75.0)):
        assert rate(seen, attribute, SCENES)[0] == percent
    assert counts(seen, "hem")[1].tolist() == [0, 0]


def test_what_was_wrong_before_the_second_stage_is_not_kept_or_lost() -> None:
    before, after = scores((True, True), (True, False)), scores((True, False), (False, True))
    still, was = kept(before, after)
    assert (still.tolist(), was.tolist()) == ([1, 0], [2, 1])
    row = compared_shares("kept", SCENES, (still, was), kept(before, before))
    assert (round(row.ours.value, 1), row.theirs.value) == (33.3, 100.0)


def test_an_interval_is_over_scenes_not_over_their_pictures() -> None:
    """Four pictures of a scene that are right or wrong together tell no more than one."""
    once = [(i % 5 > 0, True) for i in range(40)]
    shown = [Scene((HAT,), seed=i) for i in range(40)]
    four = rate(scores(*(one for one in once for _ in range(4))), "garment", [s for s in shown for _ in range(4)])
    assert four == rate(scores(*once), "garment", shown)
    assert four[2] - four[1] > 20


def test_what_a_store_has_is_not_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, store = load_pipeline(write_checkpoint(tmp_path / "parts")), PictureStore(tmp_path / "pictures")
    asked, settings = [Scene((HAT,)), Scene((HAT,), seed=2)], DrawSettings(steps=2, refine_steps=1)
    first = draw_set(pipeline, scene_set("hats", asked, 1), settings, store)
    more, drawn, draw = scene_set("hats", asked, 2), [], pipeline.draw
    monkeypatch.setattr(pipeline, "draw", lambda shots, given: drawn.extend(shots) or draw(shots, given))
    draw_set(pipeline, more, settings, store)
    assert [(shot.prompt, shot.seed) for shot in drawn] == [(more.prompts[i], more.seeds[i]) for i in (1, 3)]
    for one, other in ((first.base, more.base[::2]), (first.final, more.final[::2])):
        assert [picture.tobytes() for picture in one] == [picture.tobytes() for picture in other]
    other_settings = DrawSettings(steps=3, refine_steps=1)
    draw_set(pipeline, scene_set("hats", asked, 1), other_settings, store)
    assert len(drawn) == 4, "other settings, other pictures"


def test_scorers_read_other_pictures_from_the_first_asked_for_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Scorer(ScorerNetwork("reporting")).save(tmp_path / "scorers", {"step": 0})
    drawn: list[Scene] = []
    monkeypatch.setattr(scorers, "draw", lambda scene: drawn.append(scene) or draw(scene))
    scorers.main(["--pictures", "2", "--first", "3", "--undisturbed", "--checkpoints", str(tmp_path)])
    assert drawn == [sample_scene(77 * 10**7 + i, split) for split in ("train", "held_out") for i in (3, 4)]
    printed = capsys.readouterr().out
    assert "steering scorer: " in printed and "reporting scorer, 2 pictures a row from 3 on" in printed
    assert "| seen combinations (" in printed and "JPEG" not in printed


def test_other_ways_of_editing_are_measured_on_fewer_scenes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured: list[tuple[str, int]] = []

    def measure(edit: object, asked: list, sources: object, judge: object, name: str) -> tuple:
        measured.append((name.split()[0], len(asked)))
        return {"color": editing.Tally([1.0], [1.0], [0.0])}, [], 0.5

    monkeypatch.setattr(editing, "_opened", lambda *_: None)
    monkeypatch.setattr(editing, "Judge", lambda _: None)
    monkeypatch.setattr(editing, "sources_of", lambda _, asked, own: dict.fromkeys(asked))
    monkeypatch.setattr(editing, "_same", lambda *_: 0.0)
    monkeypatch.setattr(editing, "measure", measure)
    only = ["--languages", "en", "--origins", "own", "--changed", "color"]
    many, few = (len(cases(count, "en", ("color",))) for count in (3, 1))
    assert many > few
    editing.main(["--scenes", "3", "--others", "1", *only])
    assert measured == [("ours", many), *[("img2img", few)] * len(editing.STRENGTHS), ("redraw", few), ("cycle", few)]
    printed = capsys.readouterr().out
    assert printed.count("| ours | own | en | color |") == 1
    measured.clear()
    editing.main(["--scenes", "3", *only])
    assert {count for _, count in measured} == {many}

"""A CLIP is trained further on an imagefolder and kept only if it finds better."""

from __future__ import annotations

import json
import logging
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from ko_clip_parts import facts
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPModel
from transformers.utils import logging as hub_logging

from fashion import charts
from ko_clip import finetune
from ko_clip.english import EnglishClipShape, train_tokenizer
from ko_clip.finetune import FinetuneSettings, main
from ko_clip.finetune_charts import RANKS, TABLE, draw_comparison
from ko_clip.imagefolder import Preprocessing, open_pairs, read_pairs, split_pairs
from ko_clip.train_further import Batches, Best, Measurement, _freeze, better, ranks_of
from training.state import load_average

COLORS = {
    "red": (220, 20, 20), "green": (20, 160, 40), "blue": (30, 40, 220), "white": (255, 255, 255),
    "black": (0, 0, 0), "yellow": (250, 220, 0), "purple": (130, 20, 150), "grey": (128, 128, 128),
}  # fmt: skip
HELD_OUT = 16
SHAPE = EnglishClipShape(
    text_width=32, text_layers=1, image_width=32, image_layers=1, image_size=16, patch=8, projection=16
)


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    hub_logging.disable_progress_bar()


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty-four flags of two bands, each with its caption: "red over blue"."""
    folder = tmp_path_factory.mktemp("flags")
    rows = []
    for top, above in COLORS.items():
        for bottom, below in COLORS.items():
            picture = Image.new("RGB", (24, 24), above)
            picture.paste(below, (0, 12, 24, 24))
            name = f"{top}-{bottom}.png"
            picture.save(folder / name)
            rows.append({"file_name": name, "text": f"{top} over {bottom}", "price": 3})
    write_rows(folder, rows)
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random CLIP in float16 that reads pictures of 16 pixels."""
    return make_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def tuned(flags: Path, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That CLIP after a fine-tuning that helped."""
    out = tmp_path_factory.mktemp("tuned") / "out"
    assert main(command(clip, flags, out, "--steps", "160", "--measure-every", "80")) == 0
    return out


def make_clip(folder: Path) -> Path:
    tokenizer = train_tokenizer([f"{color} over" for color in COLORS] * 9, vocabulary=600)
    torch.manual_seed(0)
    SHAPE.build(tokenizer).half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def command(model: Path, pictures: Path, out: Path, *more: str) -> list[str]:
    return [
        str(model), str(pictures), "--out", str(out), "--held-out", str(HELD_OUT), "--batch", "32",
        "--learning-rate", "0.004", "--measure-every", "4", *more,
    ]  # fmt: skip


def write_rows(folder: Path, rows: list[dict[str, object]]) -> None:
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (folder / "metadata.jsonl").write_text("".join(lines), "utf-8")


# --- promotion ------------------------------------------------------------------------------------------------------


def test_finetuning_finds_more_of_the_held_out_pairs(tuned: Path) -> None:
    run_facts = facts(tuned)
    assert run_facts["after"]["r1"] >= run_facts["before"]["r1"] + 25
    assert run_facts["after"]["loss"] < run_facts["before"]["loss"]
    assert "| r1 |" in (tuned / "README.md").read_text("utf-8")


def test_the_result_is_a_clip_of_the_same_numbers_with_its_tokenizer(tuned: Path, clip: Path) -> None:
    assert {str(value.dtype) for value in load_file(tuned / "model.safetensors").values()} == {"torch.float16"}
    assert CLIPModel.from_pretrained(tuned).config.projection_dim == SHAPE.projection
    assert (tuned / "tokenizer.json").read_bytes() == (clip / "tokenizer.json").read_bytes()


def test_before_and_after_are_measured_on_the_same_pairs(
    flags: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured, measure = [], finetune.measure
    monkeypatch.setattr(
        finetune, "measure", lambda clip, pairs, rows, when: measured.append(rows) or measure(clip, pairs, rows, when)
    )
    main(command(clip, flags, tmp_path / "out", "--steps", "2"))
    before, after = measured
    assert np.array_equal(before, after)
    pairs = read_pairs(flags, ["text"])[0]
    split = split_pairs(pairs, HELD_OUT, 0)
    assert np.array_equal(before, split.held_out)
    assert len({*split.held_out, *split.watched, *split.trained}) == 64
    assert not np.array_equal(split.held_out, split_pairs(pairs, HELD_OUT, 1).held_out)


def test_a_worse_model_is_not_promoted_and_its_weights_are_kept_beside(
    flags: Path, tuned: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "out"
    assert main(command(tuned, flags, out, "--steps", "4", "--learning-rate", "0.5")) == 3
    assert not out.exists()
    assert capsys.readouterr().out.startswith("not promoted")
    run_facts = facts(tmp_path / "out-unpromoted")
    assert not better(run_facts["after"], run_facts["before"])
    CLIPModel.from_pretrained(tmp_path / "out-unpromoted")


def test_the_table_and_the_ranks_before_and_after_are_drawn(tuned: Path) -> None:
    for name in (TABLE, RANKS):
        with Image.open(tuned.with_name("out-run") / name) as picture:
            assert np.asarray(picture.convert("L")).std() > 5


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_table_calls_every_figure_by_its_name_in_the_language_of_its_labels(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(charts, "table", lambda rows, *_: told.extend(row[0] for row in rows))
    monkeypatch.setattr(charts, "histogram", lambda *_: None)
    monkeypatch.setattr(charts.Labels, "find", lambda: charts.Labels("font" if language == "ko" else None))
    names = ("r1", "loss", *(f"{way}_r{top}" for way in ("text_to_image", "image_to_text") for top in (1, 5)))
    found = Measurement(dict.fromkeys(names, 1.0), np.array([1, 2]))
    draw_comparison(found, found, tmp_path)
    assert len(told) == 7 and not any("_" in name for name in told)
    assert ("글 → 그림 R@1 (%)" in told) == (language == "ko")


def test_a_rank_is_the_place_of_the_right_partner() -> None:
    answers = torch.eye(4)
    queries = torch.tensor([[1.0, 0, 0, 0], [0.9, 0.8, 0, 0], [0.3, 0.2, 0.1, 0], [0, 0, 0, 1.0]])
    assert ranks_of(queries, answers, torch.arange(4)).tolist() == [1, 2, 3, 1]
    assert ranks_of(queries, answers, torch.tensor([0, 0, 2, 2])).tolist() == [1, 1, 3, 1]  # one caption twice


def test_test_rows_of_a_data_set_measure_and_are_never_trained_on(flags: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (flags / "metadata.jsonl").read_text("utf-8").splitlines()]
    write_rows(tmp_path, [row | {"split": "test" if i % 4 == 0 else "train"} for i, row in enumerate(rows)])
    pairs = read_pairs(tmp_path, ["text"])[0]
    split = split_pairs(pairs, 10, 0)
    assert len(split.held_out) == 10 and all(pairs[place].test for place in split.held_out)
    assert len(split.watched) + len(split.trained) == 48
    assert not any(pairs[place].test for place in (*split.watched, *split.trained))
    with pytest.raises(ValueError, match=r"17 of 64 pairs \(16 are test rows\).*give --held-out 1 to 16"):
        split_pairs(pairs, 17, 0)


def test_what_stands_in_out_stays_where_a_later_run_finds_worse(
    flags: Path, tuned: Path, clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(tuned, out)
    worse = command(clip, flags, out, "--steps", "4", "--learning-rate", "0.0001", "--run", str(tmp_path / "run"))
    assert main(worse) == 3
    assert facts(out) == facts(tuned)


def test_a_leg_that_ended_with_its_minutes_goes_on(flags: Path, clip: Path, tmp_path: Path) -> None:
    whole = command(clip, flags, tmp_path / "out", "--steps", "8")
    main([*whole, "--minutes", "0.000001"])
    run = tmp_path / "out-run"
    assert load_average(run)[1] < 8
    main(whole)
    assert load_average(run)[1] == 8


def test_a_finished_run_says_that_nothing_is_better_since(
    flags: Path, clip: Path, tuned: Path, capsys: pytest.CaptureFixture
) -> None:
    stood = (tuned / "model.safetensors").stat().st_mtime_ns
    assert main(command(clip, flags, tuned, "--steps", "160")) == 0
    assert capsys.readouterr().out.startswith("nothing better since")
    assert (tuned / "model.safetensors").stat().st_mtime_ns == stood


def test_better_is_more_found_and_at_equal_finds_a_lower_loss() -> None:
    assert better({"r1": 50.0, "loss": 2.0}, {"r1": 49.0, "loss": 1.0})
    assert better({"r1": 50.0, "loss": 1.0}, {"r1": 50.0, "loss": 2.0})
    assert not better({"r1": 50.0, "loss": 1.0}, {"r1": 50.0, "loss": 1.0})


def test_the_best_state_is_followed_and_not_the_last(clip: Path, tmp_path: Path) -> None:
    model = CLIPModel.from_pretrained(clip, dtype=torch.float32)
    best = Best(tmp_path / "best.safetensors", model)
    for step, r1 in ((10, 20.0), (20, 60.0), (30, 40.0)):
        model.logit_scale.data.fill_(step)
        best.offer(model, step, {"r1": r1, "loss": 1.0})
    again = Best(tmp_path / "best.safetensors", model)
    again.load_into(model)
    assert again.step == 20
    assert model.logit_scale.item() == 20


@pytest.mark.parametrize(("train", "learns"), [
    ("projections", set()), ("text", {"text_model"}), ("image", {"vision_model"}),
    ("all", {"text_model", "vision_model"}),
])  # fmt: skip
def test_train_says_which_tower_learns(clip: Path, train: str, learns: set[str]) -> None:
    model = CLIPModel.from_pretrained(clip, dtype=torch.float32)
    _freeze(model, train)
    moving = {name.split(".")[0] for name, value in model.named_parameters() if value.requires_grad}
    assert moving == learns | {"visual_projection", "text_projection", "logit_scale"}


def test_a_tower_that_does_not_learn_is_written_as_it_was(flags: Path, clip: Path, tmp_path: Path) -> None:
    main(command(clip, flags, tmp_path / "out", "--steps", "3", "--train", "image"))
    written = load_file(next(tmp_path.glob("out*/model.safetensors")))
    for name, value in load_file(clip / "model.safetensors").items():
        if name.startswith("text_model."):
            assert torch.equal(value, written[name])


def test_every_epoch_is_shuffled_by_seed_and_meets_a_pair_once() -> None:
    batches = Batches(np.arange(10), 5, seed=3)
    first, second = (np.concatenate([batches.rows(2 * epoch), batches.rows(2 * epoch + 1)]) for epoch in (0, 1))
    assert sorted(first) == sorted(second) == list(range(10))
    assert not np.array_equal(first, second)
    assert np.array_equal(first[:5], Batches(np.arange(10), 5, seed=3).rows(0))


# --- wrong input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("more", "expected"), [
    (["--held-out", "5000"], r"--held-out is 5000 of 64 pairs, and 4 must be left .* give --held-out 1 to 60.*export"),
    (["--held-out", "61"], "61 of 64"),
    (["--text", "caption"], "no column caption; its columns are file_name, text, price"),
    (["--batch", "1"], "batch is 1.*at least 2"),
    (["--steps", "0"], "steps is 0"),
    (["--minutes", "0"], "minutes is 0"),
])  # fmt: skip
def test_settings_that_cannot_be_meant_are_answered(
    flags: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture, more: list[str], expected: str
) -> None:
    assert main(command(clip, flags, tmp_path / "out", *more)) == 2
    error = capsys.readouterr().err
    assert re.search(expected, error), error
    assert not (tmp_path / "out").exists()


def test_a_folder_without_metadata_is_answered(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(command(clip, tmp_path, tmp_path / "out")) == 2
    assert "metadata.jsonl is not there" in capsys.readouterr().err


def test_only_a_whole_clip_in_safetensors_is_opened(flags: Path, clip: Path, tmp_path: Path) -> None:
    def refused(name: str, **config: object) -> str:
        with pytest.raises((ValueError, FileNotFoundError)) as error:
            finetune.open_clip(tmp_path / name)
        return str(error.value)

    assert "no config.json" in refused("openai")
    shutil.copytree(clip, tmp_path / "pickled")
    (tmp_path / "pickled" / "model.safetensors").rename(tmp_path / "pickled" / "pytorch_model.bin")
    assert "only pytorch_model.bin: pickled weights are not opened" in refused("pickled")
    shutil.copytree(clip, tmp_path / "text")
    config = json.loads((clip / "config.json").read_text("utf-8"))
    (tmp_path / "text" / "config.json").write_text(json.dumps(config | {"model_type": "clip_text_model"}), "utf-8")
    assert "of type clip_text_model" in refused("text")
    shutil.copytree(clip, tmp_path / "mute", ignore=shutil.ignore_patterns("tokenizer*"))
    assert "has no tokenizer" in refused("mute")


def test_the_model_itself_or_another_folder_is_never_overwritten(flags: Path, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is the model itself"):
        FinetuneSettings(clip, flags, clip)
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(ValueError, match="something else"):
        FinetuneSettings(clip, flags, tmp_path)


def test_a_run_goes_on_only_as_what_it_was_begun(
    flags: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    main(command(clip, flags, tmp_path / "out", "--steps", "2"))
    assert main(command(clip, flags, tmp_path / "out", "--steps", "2", "--seed", "1")) == 2
    assert "holds a run of another seed: remove it" in capsys.readouterr().err


# --- pictures -------------------------------------------------------------------------------------------------------


def test_unreadable_pictures_are_counted_listed_and_left_out(
    flags: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(flags / "red-blue.png", tmp_path / "good.png")
    (tmp_path / "torn.png").write_bytes((flags / "red-blue.png").read_bytes()[:40])
    names = ["good.png", "torn.png", "gone.png", "../secret.png"]
    write_rows(tmp_path, [{"file_name": name, "text": "red over blue"} for name in names])
    write = Preprocessing.of(tmp_path, 16)
    for _ in range(2):  # read, then as kept
        store = open_pairs(tmp_path, ["text"], write, tmp_path / "run")
        assert [pair.file_name for pair in store.pairs] == ["good.png"]
        assert [line.split(":")[0] for line in store.left_out] == ["row 4", "torn.png", "gone.png"]
    with caplog.at_level(logging.WARNING):
        finetune._say_left_out(store)
    assert "3 rows or pictures left out, 1 pairs kept" in caplog.text
    assert store.pixels(np.array([0])).shape == (1, 3, 16, 16)

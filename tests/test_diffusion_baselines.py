"""The conditional VAE trains with a rising KL term, samples by caption and seed, and is in the table of baselines."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import baselines, baselines_dcgan
from diffusion.baselines import cvae
from diffusion.baselines.captioned import PicturePairs, text_vectors
from diffusion.baselines.cvae import CvaeSettings, main, train
from diffusion.baselines.cvae_network import ConditionalVae, CvaeShape

COLORS = {"red": (220, 30, 30), "blue": (30, 60, 220), "green": (20, 170, 60)}


class Words:
    """An encoder whose hidden states are the letters' counts, the same in every slot."""

    teachers: dict[str, str] = {}

    def base(self, prompts: Sequence[str]) -> torch.Tensor:
        rows = [[prompt.count(chr(97 + i)) + 0.0 for i in range(26)] for prompt in prompts]
        return torch.tensor(rows)[:, None].expand(-1, 77, -1)


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty-eight squares of a named colour, each at another place."""
    folder, rows = tmp_path_factory.mktemp("squares"), []
    for i in range(48):
        name = list(COLORS)[i % 3]
        picture = Image.new("RGB", (16, 16), "white")
        picture.paste(COLORS[name], (i % 5, i % 4, i % 5 + 11, i % 4 + 11))
        picture.save(folder / f"{i}.png")
        rows.append({"file_name": f"{i}.png", "text": f"a {name} square", "text_ko": f"{name} 네모"})
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return folder


def settings(data: Path, out: Path, **more: object) -> CvaeSettings:
    return CvaeSettings(**{"data": data, "out": out, "language": "en", "size": 16, "steps": 150, "batch": 16,
                           "learning_rate": 3e-3} | more)  # fmt: skip


@pytest.fixture(scope="module")
def trained(squares: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cvae")
    train(settings(squares, folder / "out"), Words(), folder / "run")
    return folder / "out"


def test_a_sample_shows_what_the_caption_says(trained: Path) -> None:
    model = ConditionalVae.load(trained)
    for name, color in COLORS.items():
        drawn = model.sample(text_vectors(Words(), [f"a {name} square"]), [5])
        middle = (drawn[0, :, 6:9, 6:9].mean(dim=(1, 2)) + 1) * 127.5
        nearest = min(COLORS, key=lambda other: float((middle - torch.tensor(COLORS[other])).square().sum()))
        assert nearest == name, f"{name} is drawn as {middle.tolist()}, asked {color}"


def test_samples_differ_by_seed_and_are_the_same_for_one(trained: Path) -> None:
    model, texts = ConditionalVae.load(trained), text_vectors(Words(), ["a red square"] * 2)
    one, two = model.sample(texts, [1, 2])
    assert not torch.equal(one, two)
    assert torch.equal(model.sample(texts[:1], [1])[0], model.sample(texts[:1], [1])[0])


def test_the_held_out_losses_and_samples_are_written(trained: Path, squares: Path) -> None:
    facts = json.loads((trained / cvae.FACTS).read_text("utf-8"))
    assert facts["held_out"] == 5 and facts["trained_on"] == 43
    assert facts["reconstruction"] < 0.15 and facts["kl"] > 0
    with Image.open(trained / "samples.png") as sheet:
        assert sheet.size == (5 * 16, 2 * 16)


def test_the_kl_term_rises_to_its_weight_and_is_the_analytic_one() -> None:
    given = settings(Path("data"), Path("out"), beta=2.0, anneal=0.5)
    full = 2 * 2 * cvae.DEVIATION**2 / (3 * 16 * 16)
    assert [given.weight(step, 100) / full for step in (0, 24, 49, 99)] == pytest.approx([0.02, 0.5, 1, 1])
    torch.manual_seed(0)
    model = ConditionalVae(CvaeShape(26, 16, 8, (8, 16)))
    pixels, texts = torch.rand(3, 3, 16, 16), torch.rand(3, 26)
    losses = model.losses(pixels, texts, torch.zeros(3, 8), 0.5)
    mean, log_variance = model.encode(pixels, texts)
    code, normal = torch.distributions.Normal(mean, (log_variance / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    expected = torch.distributions.kl_divergence(code, normal).sum(dim=1).mean()
    assert losses["kl"].item() == pytest.approx(expected.item(), rel=1e-4)
    assert losses["loss"].item() == pytest.approx((losses["reconstruction"] + 0.5 * losses["kl"]).item(), rel=1e-5)


def test_a_cut_training_goes_on_to_the_same_weights(squares: Path, tmp_path: Path) -> None:
    train(settings(squares, tmp_path / "whole", steps=6), Words(), tmp_path / "run-whole")
    real, seen = cvae.CvaeLesson.losses, []

    def cut(self: cvae.CvaeLesson, model: ConditionalVae, step: int, steps: int) -> object:
        seen.append(step)
        if step == 3 and seen.count(3) == 1:
            raise KeyboardInterrupt
        return real(self, model, step, steps)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cvae.CvaeLesson, "losses", cut)
        patch.setattr(cvae, "TrainerSettings", lambda **given: cvae_settings(given))
        with pytest.raises(KeyboardInterrupt):
            train(settings(squares, tmp_path / "cut", steps=6), Words(), tmp_path / "run-cut")
        train(settings(squares, tmp_path / "cut", steps=6), Words(), tmp_path / "run-cut")
    whole, other = (tmp_path / name / "model.safetensors" for name in ("whole", "cut"))
    assert seen == [0, 1, 2, 3, 3, 4, 5] and whole.read_bytes() == other.read_bytes()


def cvae_settings(given: dict) -> object:
    from training.schedule import TrainerSettings

    return TrainerSettings(**given | {"save_minutes": 0.0})


@pytest.mark.parametrize(("more", "said"), [
    (["--size", "100"], "size is 100: use 8, 16, 32, 64 or 128"), (["--batch", "0"], "batch is 0"),
    (["--beta", "-1"], "beta is -1"), (["--data", "nowhere"], "nowhere"),
])  # fmt: skip
def test_wrong_input_is_answered(
    more: list[str], said: str, squares: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(cvae, "open_student", lambda folder: Words())
    given = [
        "train",
        "--data",
        str(squares),
        "--out",
        str(tmp_path / "out"),
        "--runs",
        str(tmp_path),
        "--language",
        "en",
    ]
    assert main([*given, *more]) == 2
    assert said in capsys.readouterr().err


def test_commands_train_and_sample(
    squares: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cvae, "open_student", lambda folder: Words())
    out = tmp_path / "out"
    given = ["--data", str(squares), "--out", str(out), "--runs", str(tmp_path), "--size", "16", "--steps", "3"]
    assert main(["train", *given]) == 0
    assert re.search(r"on held-out pictures loss .*reconstruction .*kl ", capsys.readouterr().out)
    assert main(["sample", "red 네모", "--model", str(out), "--out", str(tmp_path / "drawn"), "--count", "2"]) == 0
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["0.png", "1.png"]
    assert main(["sample", "red", "--model", str(tmp_path), "--out", str(tmp_path / "drawn")]) == 2
    assert "train one with python -m diffusion.baselines.cvae train" in capsys.readouterr().err


def test_a_run_goes_on_only_with_the_pictures_and_settings_that_it_was_begun_with(
    squares: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(squares, data)
    train(settings(data, tmp_path / "out", steps=2), Words(), tmp_path / "run")
    train(settings(data, tmp_path / "out", steps=3), Words(), tmp_path / "run")
    with pytest.raises(ValueError, match="holds a run of another size: remove it, or name another --out"):
        train(settings(data, tmp_path / "out", steps=3, size=8), Words(), tmp_path / "run")
    Image.new("RGB", (16, 16)).save(data / "7.png")  # another picture under a name that is already known
    with pytest.raises(ValueError, match="holds a run of another pictures"):
        train(settings(data, tmp_path / "out", steps=3), Words(), tmp_path / "run")


def test_pictures_that_were_replaced_are_read_again(squares: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(squares, data)

    def read() -> torch.Tensor:
        pairs = PicturePairs(data, "en", 16, Words(), tmp_path / "kept")
        return pairs.pixels("trained", np.array([[one.path.name for one in pairs.trained].index("7.png")]))

    before = read()
    Image.new("RGB", (16, 16)).save(data / "7.png")
    assert (read() == -1).all() and not torch.equal(read(), before)


def test_vectors_of_another_encoder_are_refused(trained: Path) -> None:
    with pytest.raises(ValueError, match=r"text vectors are \(1, 27\): \(n, 26\) are expected"):
        ConditionalVae.load(trained).sample(torch.zeros(1, 27), [0])


def test_a_model_that_is_not_there_is_skipped_with_its_reason(tmp_path: Path) -> None:
    for model, command in (
        (baselines.of_captions("conditional VAE", tmp_path, Words()), "diffusion.baselines.cvae train"),
        (baselines.of_captions("DCGAN", tmp_path, Words()), "benchmarks.baselines_dcgan"),
    ):
        assert model.draw is None and command in model.skipped


def test_a_dcgan_is_trained_on_captions_and_drawn_with(
    squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baselines_dcgan, "open_student", lambda folder: Words())
    given = ["--data", str(squares), "--out", str(tmp_path / "out"), "--runs", str(tmp_path), "--minutes", "0",
             "--batch", "4"]  # fmt: skip
    assert baselines_dcgan.main(given) == 0
    model = baselines.of_captions("DCGAN", tmp_path / "out", Words())
    assert model.trained.startswith("1 | 43 of 64 px | ") and model.parameters > 3e6
    one, same, other = (model.draw([text], [seed])[0] for text, seed in
                        (("a red square", 3), ("a red square", 3), ("a blue square", 3)))  # fmt: skip
    assert one.size == (64, 64) and one.tobytes() == same.tobytes() != other.tobytes()


def test_samples_stand_in_a_row_behind_the_name_of_their_model(tmp_path: Path) -> None:
    lines = [
        baselines.Line(baselines.Model(name), [Image.new("RGB", (8, 8), color) for color in colors], None)
        for name, colors in (("one", ("red", "red", "blue", "blue")), ("two", ("lime", "lime", "black", "black")))
    ]
    baselines.grid(lines, tmp_path / "new" / "grid.png")
    with Image.open(tmp_path / "new" / "grid.png") as sheet:
        side, left = baselines.SHOWN_SIDE, baselines.NAME_WIDTH
        assert sheet.size == (left + 2 * side, 2 * side)
        places = [(left + (x + 0.5) * side, (y + 0.5) * side) for y in (0, 1) for x in (0, 1)]
        shown = [sheet.getpixel((int(x), int(y))) for x, y in places]
        assert shown == [(255, 0, 0), (0, 0, 255), (0, 255, 0), (0, 0, 0)]
        assert np.asarray(sheet.crop((0, 0, left, side)).convert("L")).min() < 100  # the name


def test_every_model_is_given_the_same_captions_and_seeds() -> None:
    asked = []

    def draw(prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image]:
        asked.append((list(prompts), list(seeds)))
        return [Image.new("RGB", (8, 8), (seed, 0, 0)) for seed in seeds]

    prompts = [f"a dress {i}" for i in range(11)]
    line = baselines.drawn(baselines.Model("fake", draw, 5), prompts, range(11))
    assert [word for batch, _ in asked for word in batch] == prompts and len(line.pictures) == 11
    assert line.seconds is not None and np.asarray(line.pictures[10])[0, 0, 0] == 10

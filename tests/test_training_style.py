"""A style is trained on a checkpoint of any layout; only its own tensors change, and a cut run ends as a whole one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from layouts import LAYOUTS, write_stripes
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from diffusion.load import load_pipeline, text_fingerprints
from diffusion.lora import LoraShelf
from diffusion.lora_card import KEY
from diffusion.pipeline import DrawSettings, Shot
from diffusion.training import lora, lora_strength
from diffusion.training.lora import StyleSettings, companion, train_style
from diffusion.training.lora_adapters import Adapters, Beside
from diffusion.training.lora_base import open_base
from diffusion.training.lora_lesson import is_better, read_pictures, split
from jobspec import StyleUse
from training.schedule import TrainerSettings

STEPS = TrainerSettings(steps=6, learning_rate=1e-2, ema=0.5, sample_every=3)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stripes(tmp_path_factory.mktemp("stripes"))


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: write(tmp_path_factory.mktemp(name)) for name, write in LAYOUTS.items()}


def settings(data: Path, **more: object) -> StyleSettings:
    return StyleSettings(**{"data": data, "trigger": "줄무늬", "name": "stripes", "rank": 2, "batch": 4,
                            "language": "en", "license": "CC0-1.0"} | more)  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("form", ["diffusers", "kohya"])
def test_a_style_is_trained_on_every_layout_and_changes_nothing_else(
    layout: str, form: str, checkpoints: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    base = open_base(checkpoints[layout])
    before = {name: value.detach().clone() for name, value in base.unet.named_parameters()}
    outcome = train_style(settings(data, form=form), base, STEPS, tmp_path)
    after = {name.replace(".base_layer.", "."): value for name, value in base.unet.named_parameters()}
    assert all(torch.equal(after[name], value) for name, value in before.items())
    unet = open_base(checkpoints[layout]).unet
    with LoraShelf(tmp_path).applied(unet, [StyleUse(name="stripes")]):
        changed = [name for name, value in unet.named_parameters() if not torch.equal(value, before[name])]
    assert changed == [f"{name.removesuffix('.lora_A.style.weight')}.weight" for name in after if ".lora_A." in name]
    assert outcome.training.finished and (tmp_path / "log.jsonl").is_file()
    assert (tmp_path / "before-after.png").is_file() == (layout != "sdxl")
    assert any("error_without" in json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines())
    if layout == "sdxl" and form == "kohya":
        assert any("input_blocks" in key for key in load_file(outcome.path))


def test_the_file_is_diffusers_own_with_a_card_in_its_header(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    base = open_base(checkpoints["sd15"])
    outcome = train_style(settings(data), base, STEPS, tmp_path)
    with safe_open(outcome.path, "pt") as file:
        card = json.loads(file.metadata()[KEY])
    assert (card["trigger"], card["base"], card["rank"], card["license"]) == ("줄무늬", base.id, 2, "CC0-1.0")
    assert card["data"] | {"metadata_sha256": ""} == {
        "folder": data.name, "pictures": 12, "held_out": 2, "captions": "en", "metadata_sha256": "",
    }  # fmt: skip
    assert card["example"].startswith("줄무늬, a dress") and str(tmp_path) not in json.dumps(card)
    stock = StableDiffusionPipeline.from_pretrained(checkpoints["sd15"], safety_checker=None)
    stock.load_lora_weights(tmp_path, weight_name="stripes.safetensors")
    theirs = {name: layer.get_delta_weight("default_0") for name, layer in stock.unet.named_modules()
              if hasattr(layer, "get_delta_weight")}  # fmt: skip
    unet = open_base(checkpoints["sd15"]).unet
    weights = {name: value.detach().clone() for name, value in unet.named_parameters()}
    with LoraShelf(tmp_path).applied(unet, [StyleUse(name="stripes")]):
        for name, delta in theirs.items():
            assert (unet.get_parameter(f"{name}.weight") - weights[f"{name}.weight"] - delta).abs().max() < 1e-5
    assert theirs


def test_a_run_that_was_cut_ends_with_the_same_bytes(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_style(settings(data), open_base(checkpoints["ours"]), STEPS, tmp_path / "whole")
    kept = TrainerSettings(**vars(STEPS) | {"save_minutes": 0.0})
    real, seen = lora.StyleLesson.losses, []

    def cut(self: lora.StyleLesson, step: int) -> object:
        seen.append(step)
        if step == 4 and seen.count(4) == 1:
            raise KeyboardInterrupt
        return real(self, step)

    monkeypatch.setattr(lora.StyleLesson, "losses", cut)
    with pytest.raises(KeyboardInterrupt):
        train_style(settings(data), open_base(checkpoints["ours"]), kept, tmp_path / "cut")
    again = train_style(settings(data), open_base(checkpoints["ours"]), kept, tmp_path / "cut")
    assert seen == [0, 1, 2, 3, 4, 4, 5]
    assert again.path.read_bytes() == whole.path.read_bytes()


def test_a_style_that_is_no_better_is_kept_and_not_offered(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"data": data, "trigger": "줄무늬", "language": "en", "checkpoint": checkpoints["sd15"], "runs": tmp_path,
             "steps": 2, "batch": 2, "rank": 1}  # fmt: skip
    arguments = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    assert lora.main([*arguments, "--learning-rate", "1e-12"]) == lora.NOT_OFFERED
    assert "no better than none" in capsys.readouterr().out
    assert (tmp_path / "lora-줄무늬" / "줄무늬.safetensors").is_file()
    shelf = LoraShelf(tmp_path / "lora-줄무늬")
    assert shelf.names() == []
    shelf.check("줄무늬")


def test_better_means_by_more_than_chance() -> None:
    without = torch.tensor([1.0, 1.1, 0.9, 1.2, 1.0, 0.8])
    assert is_better(without - 0.05, without)
    assert not is_better(without + torch.tensor([0.1, -0.11, 0.1, -0.1, 0.1, -0.11]), without)
    assert not is_better(without, without)


def test_pictures_are_split_by_name_and_read_from_their_folder_alone(data: Path, tmp_path: Path) -> None:
    pictures, left_out = read_pictures(data, "ko", "줄무늬")
    assert pictures[0].text == "줄무늬, 원피스 0" and left_out == []
    trained, held_out = split(pictures)
    assert len(held_out) == 2 and split(pictures[::-1]) == (trained, held_out)
    lines = (data / "metadata.jsonl").read_text().splitlines()
    for name in ("../secret.png", "none.png"):
        lines.append(json.dumps({"file_name": name, "text": "x"}))
    for path in data.glob("*.png"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    lines.append(json.dumps({"file_name": "0.png"}))
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    found, left_out = read_pictures(tmp_path, "en", "줄무늬")
    assert len(found) == 12 and [reason.split(":")[0] for reason in left_out] == ["row 13", "none.png"]
    with pytest.raises(ValueError, match="has no captions in text_ko: give --language en"):
        (tmp_path / "metadata.jsonl").write_text(json.dumps({"file_name": "0.png", "text": "a dress"}))
        read_pictures(tmp_path, "ko", "줄무늬")
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines[:3]))
    with pytest.raises(ValueError, match="has 3 pictures that can be read: give at least 4"):
        read_pictures(tmp_path, "en", "줄무늬")


@pytest.mark.parametrize(("change", "said"), [({"rank": 0}, "rank is 0"), ({"layers": "some"}, "layers is 'some'")])
def test_settings_that_cannot_be_trained_are_refused(change: dict, said: str, checkpoints: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match=said):
        Adapters(open_base(checkpoints["ours"]).unet, **({"rank": 2} | change))


@pytest.mark.parametrize("wrong", [{"trigger": "a,b"}, {"trigger": " "}, {"name": "../x"}, {"name": ""}, {"batch": 0}])
def test_names_that_would_not_be_found_again_are_refused(wrong: dict, data: Path) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is"):
        settings(data, **wrong)


def test_a_trained_style_draws(checkpoints: dict[str, Path], data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train_style(settings(data), open_base(checkpoints["ours"]), STEPS, folder)
    pipeline = load_pipeline(checkpoints["ours"], dtype="float32", styles=folder)
    drawing = pipeline.draw([Shot("a dress")], DrawSettings(steps=2, styles=(StyleUse(name="stripes", weight=0.7),)))
    recipe = drawing.recipes[0]
    assert recipe["settings"]["styles"] == [{"name": "stripes", "weight": 0.7}]
    assert recipe["made_with"]["styles"] == {"stripes": f"sha256:{LoraShelf(folder).sha256('stripes')}"}


def stripes_beside(checkpoint: Path, data: Path, folder: Path) -> Path:
    """Two styles in a folder, the second trained beside the first; the second's file."""
    train_style(settings(data, name="dots", trigger="점"), open_base(checkpoint), STEPS, folder)
    (checkpoint / "styles").mkdir(exist_ok=True)
    (checkpoint / "styles" / "dots.safetensors").write_bytes((folder / "dots.safetensors").read_bytes())
    base = open_base(checkpoint)
    beside = (companion(checkpoint, base, "dots", data),)
    return train_style(settings(data, beside=beside), base, STEPS, folder / "stripes").path


@pytest.mark.parametrize("layout", ["ours", "sd15"])
def test_a_style_learns_beside_another_which_its_card_names(layout: str, data: Path, tmp_path: Path) -> None:
    checkpoint = LAYOUTS[layout](tmp_path)
    path = stripes_beside(checkpoint, data, tmp_path / "runs")
    (checkpoint / "styles" / path.name).write_bytes(path.read_bytes())
    shelf = LoraShelf(checkpoint / "styles")
    card = next(card for card in shelf.cards() if card.name == "stripes")
    assert card.beside == {shelf.sha256("dots")}
    both = [StyleUse(name="dots"), StyleUse(name="stripes")]
    assert shelf.add_up(both) and shelf.add_up(both[::-1])
    alone = train_style(settings(data), open_base(checkpoint), STEPS, tmp_path / "alone").path
    assert alone.read_bytes() != path.read_bytes()
    (checkpoint / "styles" / "dots.safetensors").write_bytes(alone.read_bytes())  # another style of that name
    assert not LoraShelf(checkpoint / "styles").add_up(both)
    assert LoraShelf(checkpoint / "styles").add_up([both[0], StyleUse(name="stripes", weight=0)])


def test_a_stronger_style_draws_at_one_as_at_more_before_and_its_companions_name_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = LAYOUTS["ours"](tmp_path)
    path = stripes_beside(checkpoint, data, tmp_path / "runs")
    styles = checkpoint / "styles"
    (styles / path.name).write_bytes(path.read_bytes())
    base, shelf = open_base(checkpoint), LoraShelf(styles)
    before, wanted = shelf.sha256("dots"), shelf.each(base.unet, [StyleUse(name="dots", weight=1.5)])[0]
    had = load_file(styles / path.name)
    assert lora_strength.main([str(styles / "dots.safetensors"), "1.5"]) == 0
    assert "stripes.safetensors learnt beside it, and names the new file" in capsys.readouterr().out
    after = LoraShelf(styles)
    found = after.each(base.unet, [StyleUse(name="dots")])[0]
    assert found.keys() == wanted.keys()
    assert all(torch.allclose(found[name], wanted[name], atol=1e-4) for name in found)
    assert after.sha256("dots") != before
    assert after.add_up([StyleUse(name="dots"), StyleUse(name="stripes")])
    assert all(torch.equal(value, had[name]) for name, value in load_file(styles / path.name).items())
    with safe_open(styles / "dots.safetensors", "pt") as opened:
        assert json.loads(opened.metadata()[KEY])["strength"] == 1.5


@pytest.mark.parametrize(("factor", "said"), [("0", "give a number above 0"), ("nan", "give a number above 0")])
def test_a_style_is_not_weighed_by_nothing(
    factor: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lora_strength.main([str(tmp_path / "style.safetensors"), factor]) == 2
    assert said in capsys.readouterr().err


def test_what_is_no_plain_lora_is_not_weighed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "style.safetensors"
    assert lora_strength.main([str(path), "2"]) == 2
    assert "is not there: name a style's .safetensors file" in capsys.readouterr().err
    save_file({"unet.a.hada_w1_a": torch.ones(2, 2)}, path)
    before = path.read_bytes()
    assert lora_strength.main([str(path), "2"]) == 2
    assert "no factors of a plain LoRA" in capsys.readouterr().err and path.read_bytes() == before


def test_what_is_trained_beside_a_style_is_called_with_its_weights(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    train_style(settings(data), open_base(checkpoints["ours"]), STEPS, tmp_path)
    base = open_base(checkpoints["ours"])
    config = base.unet.config
    noisy, hidden = torch.randn(1, config["in_channels"], 8, 8), torch.randn(1, 77, config["cross_attention_dim"])
    inputs = (noisy, torch.tensor([500]), hidden)
    shelf, use = LoraShelf(tmp_path), [StyleUse(name="stripes")]
    with torch.no_grad(), shelf.applied(base.unet, use):
        wanted = base.unet(*inputs).sample
    plain, weights = base.unet(*inputs).sample.detach(), shelf.each(base.unet, use)[0]
    adapters = Adapters(base.unet, 2, "all")  # they change nothing yet
    said = Beside(adapters, weights)(*inputs).sample
    assert torch.allclose(said, wanted, atol=1e-5) and not torch.allclose(said, plain, atol=1e-4)
    assert torch.equal(adapters(*inputs).sample, plain)
    said.square().mean().backward()
    assert all(factor.grad is not None for factor in adapters.parameters())
    adapters.check_base()


class Student:
    """A student of a checkpoint's encoder, which keeps what it was asked."""

    def __init__(self, checkpoint: Path, width: int = 32) -> None:
        self.teachers, self.width, self.asked = text_fingerprints(checkpoint), width, []

    def base(self, prompts: Sequence[str]) -> torch.Tensor:
        self.asked += prompts
        return torch.stack([torch.full((77, self.width), len(prompt) / 40) for prompt in prompts])


def test_korean_captions_go_through_the_student(checkpoints: dict[str, Path], data: Path, tmp_path: Path) -> None:
    student = Student(checkpoints["sd15"])
    outcome = train_style(settings(data, language="ko"), open_base(checkpoints["sd15"], student), STEPS, tmp_path)
    assert {"", "줄무늬, 원피스 0", "줄무늬, 원피스 1"} <= set(student.asked)
    assert outcome.path.is_file()
    with pytest.raises(ValueError, match="give --language en"):
        open_base(checkpoints["sdxl"], student)

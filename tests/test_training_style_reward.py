"""A style is trained further from its file, and rewarded for what a scorer reads in its own pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from layouts import LAYOUTS, write_stripes
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from diffusion.lora import LoraShelf
from diffusion.lora_card import KEY
from diffusion.training import look_reading, lora, lora_replace
from diffusion.training.look_reading import LookReader, teach_looks
from diffusion.training.lora import StyleSettings, companion, train_style
from diffusion.training.lora_adapters import Adapters, sha256_of
from diffusion.training.lora_base import StyleBase, open_base
from diffusion.training.lora_reward import LookReward, RewardSettings, look_reader
from diffusion.weights import sha256_file
from fashion.look_scorer import WAYS
from fashion.looks import LOOKS
from fashion.scene import Scene
from jobspec import StyleUse
from testing.random_checkpoint import write_checkpoint
from training.schedule import TrainerSettings

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"
STEPS = TrainerSettings(steps=4, learning_rate=1e-2, ema=0.5)
REWARD = RewardSettings("palace", share=0.2, rows=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stripes(tmp_path_factory.mktemp("stripes"))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whose guidance was distilled."""
    folder = write_checkpoint(tmp_path_factory.mktemp("distilled"))
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["stages"]["base"]["defaults"]["distilled_guidance"] = 3.0
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return folder


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return teach_looks(tmp_path_factory.mktemp("taught") / "looks", CHECKPOINTS / "scorers", each=2, steps=2)


def settings(data: Path, **more: object) -> StyleSettings:
    return StyleSettings(**{"data": data, "trigger": "줄무늬", "name": "stripes", "rank": 2, "batch": 4,
                            "language": "en", "license": "CC0-1.0"} | more)  # fmt: skip


class MeanSquare:
    """Reads every picture as wrong by the mean square of its latents."""

    def losses(self, latents: torch.Tensor, scenes: Sequence[Scene]) -> dict[str, torch.Tensor]:
        wrong = latents.square().mean()
        return {"loss": wrong, "look": 0 * wrong, "unlike": 0 * wrong}


def rewarded(data: Path, base: StyleBase, folder: Path, training: TrainerSettings = STEPS) -> Path:
    reward = LookReward(REWARD, MeanSquare(), base, "en")
    return train_style(settings(data), base, training, folder, reward=reward).path


def card_of(path: Path) -> dict[str, object]:
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()[KEY])


def test_the_gradient_of_a_reward_reaches_the_factors_alone(checkpoint: Path, taught: Path) -> None:
    base = open_base(checkpoint)
    adapters = Adapters(base.unet, 2, "all")
    scorer = {name: value.clone() for name, value in load_file(taught / "steering.safetensors").items()}
    reading = look_reader("palace", taught, base)
    found = LookReward(REWARD, reading, base, "en").losses(3, "궁궐", adapters)
    assert {"loss", "misread", "look", "unlike", "kind", "color", "pattern"} <= found.keys()
    found["loss"].backward()
    ours = {id(factor) for factor in adapters.parameters()}
    up = [factor for name, factor in adapters.factors.items() if "lora_B" in name]
    assert all(factor.grad is not None and factor.grad.isfinite().all() for factor in up)
    assert any(bool(factor.grad.any()) for factor in up)
    others = [*base.unet.parameters(), *base.stage.vae.parameters(), *reading._network.parameters()]
    assert all(each.grad is None for each in others if id(each) not in ours)
    adapters.check_base()
    assert all(torch.equal(value, scorer[name]) for name, value in load_file(taught / "steering.safetensors").items())


def test_a_rewarded_style_leaves_the_base_as_it_is_and_its_header_says_so(
    checkpoint: Path, data: Path, tmp_path: Path
) -> None:
    base = open_base(checkpoint)
    before = sha256_of(dict(base.unet.named_parameters()))
    path = rewarded(data, base, tmp_path)
    rest = {name.replace(".base_layer.", "."): value for name, value in base.unet.named_parameters()
            if ".lora_" not in name}  # fmt: skip
    assert sha256_of(rest) == before
    assert card_of(path)["rewarded"] == {"look": "palace", "share": 0.2, "likeness": 4.0, "rows": 2}
    plain = train_style(settings(data), open_base(checkpoint), STEPS, tmp_path / "plain").path
    assert "rewarded" not in card_of(plain) and "start" not in card_of(plain)
    assert any(not torch.equal(value, load_file(plain)[name]) for name, value in load_file(path).items())
    log = (tmp_path / "log.jsonl").read_text()
    assert '"misread"' in log and '"drawn"' in log


def test_a_rewarded_run_that_was_cut_ends_with_the_same_bytes(
    checkpoint: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rewarded(data, open_base(checkpoint), tmp_path / "whole")
    real, seen = LookReward.losses, []

    def cut(self: LookReward, step: int, *more: object) -> Mapping[str, torch.Tensor]:
        seen.append(step)
        if seen.count(2) == 1 and step == 2:
            raise KeyboardInterrupt
        return real(self, step, *more)

    monkeypatch.setattr(LookReward, "losses", cut)
    kept = replace(STEPS, save_minutes=0.0)
    with pytest.raises(KeyboardInterrupt):
        rewarded(data, open_base(checkpoint), tmp_path / "cut", kept)
    again = rewarded(data, open_base(checkpoint), tmp_path / "cut", kept)
    assert seen == [0, 1, 2, 2, 3]
    assert again.read_bytes() == whole.read_bytes()


def test_a_style_goes_on_from_its_file(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    first = train_style(settings(data), open_base(checkpoint), STEPS, tmp_path / "first").path
    adapters = Adapters(open_base(checkpoint).unet, 2, "all")
    assert adapters.start_from(first) == sha256_file(first)
    assert all(torch.equal(value, load_file(first)[name]) for name, value in adapters.tensors().items())
    further = train_style(settings(data, start=first), open_base(checkpoint), STEPS, tmp_path / "further")
    assert card_of(further.path)["start"] == sha256_file(first)
    assert further.path.read_bytes() != first.read_bytes()


def test_a_start_that_does_not_fit_is_refused(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    first = train_style(settings(data), open_base(checkpoint), STEPS, tmp_path / "diffusers").path
    kohya = train_style(settings(data, form="kohya"), open_base(checkpoint), STEPS, tmp_path / "kohya").path
    wider = tmp_path / "wider.safetensors"
    save_file({name: torch.zeros(*value.shape, 2) for name, value in load_file(first).items()}, wider)
    cases = [
        (first, 3, "all", "has rank 2 .* give its rank with --rank"),
        (first, 2, "attention", "with the same --layers"),
        (kohya, 2, "all", "give a style in diffusers' form"),
        (wider, 2, "all", "is trained: give its rank .* or a style of this base"),
        (tmp_path / "none.safetensors", 2, "all", "is not there"),
    ]
    for path, rank, layers, said in cases:
        with pytest.raises((ValueError, FileNotFoundError), match=said):
            Adapters(open_base(checkpoint).unet, rank, layers).start_from(path)


def test_a_style_that_went_on_takes_the_old_ones_place_and_companions_name_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = write_checkpoint(tmp_path / "checkpoint")
    styles = checkpoint / "styles"
    styles.mkdir()
    old = train_style(settings(data), open_base(checkpoint), STEPS, tmp_path / "old").path
    first = styles / old.name
    first.write_bytes(old.read_bytes())
    base = open_base(checkpoint)
    beside = (companion(checkpoint, base, "stripes", data),)
    dots = train_style(settings(data, name="dots", trigger="점", beside=beside), base, STEPS, tmp_path / "dots").path
    (styles / dots.name).write_bytes(dots.read_bytes())
    further = train_style(settings(data, start=first), open_base(checkpoint), STEPS, tmp_path / "further").path
    assert lora_replace.main([str(further), str(styles)]) == 0
    said = capsys.readouterr().out
    assert "dots.safetensors learnt beside it, and names the new file" in said and "stripes.safetensors is the" in said
    assert first.read_bytes() == further.read_bytes()
    assert LoraShelf(styles).add_up([StyleUse(name="stripes"), StyleUse(name="dots")])
    assert all(torch.equal(value, load_file(dots)[name]) for name, value in load_file(styles / dots.name).items())
    assert lora_replace.main([str(further), str(styles)]) == 2, "the one it started from is gone"
    assert "which" in (err := capsys.readouterr().err) and "give a style that was trained with --start" in err
    assert lora_replace.main([str(tmp_path / "none.safetensors"), str(styles)]) == 2
    assert "is not there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"look": "castle"}, "look is 'castle': choose neon"), ({"share": 0.0}, "reward is 0.0: give a share above 0"),
     ({"likeness": -1.0}, "likeness is -1.0"), ({"rows": 0}, "rewarded is 0")],
)  # fmt: skip
def test_a_reward_that_cannot_be_meant_is_refused(wrong: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(REWARD, **wrong)


def test_a_base_that_draws_in_two_rows_is_not_rewarded(tmp_path: Path) -> None:
    for layout in ("ours", "sd15"):
        base = open_base(LAYOUTS[layout](tmp_path / layout))
        with pytest.raises(ValueError, match=r"give a base whose guidance was distilled.*or leave --reward out"):
            LookReward(REWARD, MeanSquare(), base)


@pytest.mark.parametrize("given", [["--reward", "0.2"], ["--look", "palace"]])
def test_a_reward_and_its_look_are_given_together(
    given: list[str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lora.main(["--data", str(data), "--trigger", "x", "--runs", str(tmp_path), "--language", "en", *given]) == 2
    assert "give --reward (say 0.03) and --look together" in capsys.readouterr().err


def test_scenes_and_captions_of_a_step_are_the_same_and_every_other_one_has_the_trigger(checkpoint: Path) -> None:
    base = open_base(checkpoint)
    reward = LookReward(replace(REWARD, rows=6), MeanSquare(), base, "ko")
    scenes, texts = reward.asked(4, "궁궐")
    assert (scenes, texts) == reward.asked(4, "궁궐") != reward.asked(5, "궁궐")
    assert [text.startswith("궁궐, ") for text in texts] == [True, False] * 3
    assert {(scene.style, scene.background) for scene in scenes} == {("flat", "white")}


def test_the_taught_scorer_is_the_same_every_time_and_tells_the_look(
    taught: Path, tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = teach_looks(tmp_path / "again", CHECKPOINTS / "scorers", each=2, steps=2)
    for name in ("steering.safetensors", "look.safetensors"):
        assert (again / name).read_bytes() == (taught / name).read_bytes()
    assert not list(tmp_path.glob("*.writing"))
    monkeypatch.setattr(look_reading, "taught_looks", None)  # what is there is not taught again
    teach_looks(again, CHECKPOINTS / "scorers", each=2, steps=2)
    pictures = look_reading.LookPictures.drawn(2, look_reading.SEED)
    shown = torch.from_numpy(pictures.shown).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    base = open_base(checkpoint)
    for look in LOOKS:
        errors = [float(look_reader(look, taught, base).look_error(shown[pictures.ways() == way]))
                  for way in range(len(WAYS))]  # fmt: skip
        assert int(np.argmin(errors)) == WAYS.index(look)
    with pytest.raises(ValueError, match="look is 'castle': choose neon"):
        LookReader("castle", taught, base.stage.vae, None)

"""A checkpoint of any layout is trained further, written as one of the same layout, and drawn with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from layouts import LAYOUTS, write_stripes
from PIL import Image
from safetensors.torch import load_file

from diffusion.load import load_pipeline
from diffusion.pipeline import DrawSettings, Shot
from diffusion.recipe import png_bytes, read_recipe
from diffusion.training import finetune as module
from diffusion.training.finetune import EQUAL, NO_BETTER, UNetFinetuneSettings, choose_trained, main, open_device
from diffusion.training.finetuned_folder import FACTS
from diffusion.training.lora_base import open_base
from diffusion.training.lora_lesson import read_pictures, split
from diffusion.weights import sha256_file
from fashion.looks.__main__ import write_look

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stripes(tmp_path_factory.mktemp("stripes"))


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: write(tmp_path_factory.mktemp(name)) for name, write in LAYOUTS.items()}


def command(checkpoint: Path, data: Path, out: Path, *more: str) -> list[str]:
    return ["--checkpoint", str(checkpoint), "--data", str(data), "--out", str(out), "--runs", str(out.parent / "runs"),
            "--batch", "4", "--device", "cpu", *more]  # fmt: skip


def unet_file(checkpoint: Path) -> Path:
    folder = checkpoint / ("base" if (checkpoint / "manifest.json").is_file() else "unet")
    return next(folder.glob("*.safetensors"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_trained_written_and_drawn_with(
    layout: str, checkpoints: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    out, before = tmp_path / "new", checkpoints[layout]
    status = main(command(before, data, out, "--steps", "6", "--learning-rate", "0.01", "--compare"))
    assert status in (0, NO_BETTER)
    assert unet_file(out).read_bytes() != unet_file(before).read_bytes()
    assert {str(v.dtype) for v in load_file(unet_file(out)).values()} == {
        str(v.dtype) for v in load_file(unet_file(before)).values()
    }
    shot, drawn = [Shot("a dress 1", seed=3)], {}
    for name, folder in (("before", before), ("after", out)):
        pipeline = load_pipeline(folder, device="cpu", dtype="float32")
        drawing = pipeline.draw(shot, DrawSettings(steps=2, refine=False))
        recipe = read_recipe(_file(png_bytes(drawing.images[0], drawing.recipes[0])))
        assert recipe["made_with"]["weights"]["base"] == f"sha256:{sha256_file(unet_file(folder))}"
        drawn[name] = (drawing.images[0].tobytes(), recipe["made_with"]["checkpoint"])
    assert drawn["before"][0] != drawn["after"][0] and drawn["before"][1] != drawn["after"][1]
    facts = json.loads((out / FACTS).read_text("utf-8"))
    assert facts["weights"] == f"sha256:{sha256_file(unet_file(out))}" and str(tmp_path) not in json.dumps(facts)
    with Image.open(tmp_path / "runs" / "finetune-new" / "compare.png") as sheet:
        assert sheet.height == 2 * drawing.images[0].height


def _file(content: bytes) -> object:
    import io

    return io.BytesIO(content)


def test_attention_alone_leaves_every_other_weight(checkpoints: dict[str, Path], data: Path, tmp_path: Path) -> None:
    out = tmp_path / "new"
    main(command(checkpoints["sd15"], data, out, "--steps", "3", "--learning-rate", "0.01", "--what", "attention"))
    old, new = load_file(unet_file(checkpoints["sd15"])), load_file(unet_file(out))
    changed = {name for name, value in new.items() if not torch.equal(value, old[name])}
    assert changed and all(".attn1." in name or ".attn2." in name for name in changed)


def test_equal_pictures_before_and_after_fail_the_comparison(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = command(
        checkpoints["ours"], data, tmp_path / "new", "--steps", "1", "--learning-rate", "1e-12", "--compare"
    )
    assert main(still) == EQUAL
    assert "draws the same picture before and after" in capsys.readouterr().err


def test_what_is_no_better_on_held_out_pictures_says_so_in_its_status(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = command(checkpoints["ours"], data, tmp_path / "new", "--steps", "1", "--learning-rate", "1e-12")
    assert main(still) == NO_BETTER
    assert "no better on held-out pictures" in capsys.readouterr().out


def test_a_cut_run_goes_on_and_ends_with_the_same_weights(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("--steps", "6", "--learning-rate", "0.01")
    main(command(checkpoints["ours"], data, tmp_path / "whole" / "new", *given))
    schedule = UNetFinetuneSettings.schedule
    monkeypatch.setattr(
        UNetFinetuneSettings, "schedule",
        lambda self, count, width: module.TrainerSettings(**vars(schedule(self, count, width)) | {"save_minutes": 0.0}),
    )  # fmt: skip
    real, seen = module.StyleLesson.losses, []

    def cut(self: module.StyleLesson, step: int) -> object:
        seen.append(step)
        if step == 4 and seen.count(4) == 1:
            raise KeyboardInterrupt
        return real(self, step)

    monkeypatch.setattr(module.StyleLesson, "losses", cut)
    cutting = command(checkpoints["ours"], data, tmp_path / "cut" / "new", *given)
    assert main(cutting) == 130
    main(cutting)
    assert seen == [0, 1, 2, 3, 4, 4, 5]
    assert unet_file(tmp_path / "cut/new").read_bytes() == unet_file(tmp_path / "whole/new").read_bytes()


def test_a_fine_tuned_folder_is_written_again_and_another_one_never(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        main(command(checkpoints["sd15"], data, tmp_path / "new", "--steps", "1"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    assert main(command(checkpoints["sd15"], data, tmp_path / "mine", "--steps", "1")) == 2
    assert "holds something else than a fine-tuned checkpoint" in capsys.readouterr().err
    assert main(command(checkpoints["sd15"], data, checkpoints["sd15"], "--steps", "1")) == 2
    assert "is the checkpoint itself" in capsys.readouterr().err


def test_a_run_goes_on_only_as_what_it_was_begun(
    checkpoints: dict[str, Path], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(command(checkpoints["ours"], data, tmp_path / "new", "--steps", "1"))
    assert main(command(checkpoints["ours"], data, tmp_path / "new", "--steps", "1", "--what", "attention")) == 2
    assert "holds a run of another what: remove it, or name another --out" in capsys.readouterr().err


@pytest.mark.parametrize(("change", "said"), [
    ({"what": "vae"}, "what is 'vae': use unet, attention"), ({"batch": 0}, "batch is 0"),
    ({"epochs": 0}, "epochs is 0"), ({"learning_rate": 0.0}, "learning_rate is 0"),
    ({"pictures": -1}, "pictures is -1"),
])  # fmt: skip
def test_settings_that_cannot_be_meant_are_refused(change: dict, said: str, data: Path) -> None:
    with pytest.raises(ValueError, match=said):
        UNetFinetuneSettings("checkpoints", data, Path("new"), **change)


def test_epochs_are_passes_over_the_pictures(data: Path) -> None:
    settings = UNetFinetuneSettings("checkpoints", data, Path("new"), epochs=5, batch=1, learning_rate=5e-5)
    assert settings.schedule(20, 768).steps == 100 and settings.schedule(20, 768).learning_rate == 5e-5
    assert UNetFinetuneSettings("checkpoints", data, Path("new")).schedule(20, 768).learning_rate == 1e-5
    assert UNetFinetuneSettings("checkpoints", data, Path("new")).schedule(20, 192).learning_rate == 3e-4


@pytest.mark.parametrize(("cuda", "mps", "asked", "chosen"), [
    (False, False, None, "cpu"), (True, False, None, "cuda"), (False, True, None, "mps"), (True, True, None, "cuda"),
    (False, True, "cpu", "cpu"),
])  # fmt: skip
def test_the_device_is_the_one_asked_for_or_the_best_there_is(
    cuda: bool, mps: bool, asked: str | None, chosen: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda major, minor: True)
    run = open_device(UNetFinetuneSettings("checkpoints", data, Path("new"), device=asked))
    assert run.device.type == chosen and run.bfloat16 == (chosen != "cpu" or module.has_bfloat16(False))


def test_an_absent_gpu_is_told(data: Path) -> None:
    with pytest.raises(ValueError, match="sees none of Apple's GPUs here: use cpu"):
        open_device(UNetFinetuneSettings("checkpoints", data, Path("new"), device="mps"))


def test_test_rows_are_held_out_and_rows_without_a_caption_left_out(data: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (data / "metadata.jsonl").read_text().splitlines()]
    for i, row in enumerate(rows):
        (tmp_path / row["file_name"]).write_bytes((data / row["file_name"]).read_bytes())
        row["split"] = "test" if i in (2, 5, 8) else "train"
    rows[0]["text"] = " "
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pictures, left_out = read_pictures(tmp_path, "en")
    assert left_out == ["0.png: has no caption"]
    trained, held_out = split(pictures)
    assert {each.path.name for each in held_out} == {"2.png", "5.png", "8.png"} and len(trained) == 8


def test_a_u_net_without_attention_has_none_to_train(checkpoints: dict[str, Path]) -> None:
    base = open_base(checkpoints["ours"])
    for name in [name for name, _ in base.unet.named_modules() if name.endswith(("attn1", "attn2"))]:
        base.unet.set_submodule(name, torch.nn.Identity())
    with pytest.raises(ValueError, match="nothing that --what attention names"):
        choose_trained(base, "attention")


def test_the_checkpoint_that_ships_learns_a_new_look_and_is_drawn_with(tmp_path: Path) -> None:
    """Neon pictures: after 24 steps the error on pictures never trained on is at most four fifths of the base's."""
    write_look("neon", tmp_path / "neon", count=32, size=128, seed=5)
    out = tmp_path / "new"
    learn = command(
        ROOT / "checkpoints", tmp_path / "neon", out, "--steps", "24", "--learning-rate", "1e-3", "--compare"
    )
    assert main(learn) == 0
    facts = json.loads((out / FACTS).read_text("utf-8"))
    before, after = facts["held_out_error"]
    assert after < 0.8 * before
    pipeline = load_pipeline(out, device="cpu", dtype="float32")
    drawing = pipeline.draw([Shot("a red dress", seed=1)], DrawSettings(steps=4, refine=False))
    assert drawing.recipes[0]["made_with"]["weights"]["base"] == facts["weights"]
    dark = np.asarray(drawing.images[0].convert("L")).mean()
    shipped = load_pipeline(ROOT / "checkpoints", device="cpu", dtype="float32")
    light = np.asarray(
        shipped.draw([Shot("a red dress", seed=1)], DrawSettings(steps=4, refine=False)).images[0].convert("L")
    ).mean()
    assert dark < light - 20  # the night behind the tubes

"""Opening checkpoints: every layout that is understood, and a clear refusal for every way to be wrong."""

from __future__ import annotations

import json
import sys
import types
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from diffusion.encoder import EncoderMismatch
from diffusion.load import load_pipeline, text_fingerprints
from diffusion.memory import use_attention
from diffusion.pipeline import DrawSettings, Shot
from diffusion.precision import choose_device, choose_dtype, has_bfloat16
from diffusion.specs import PUBLIC, resolve
from diffusion.weights import WeightsError, text_fingerprint
from testing.random_checkpoint import (
    TINY,
    Sizes,
    copy_checkpoint,
    write_checkpoint,
    write_manifest,
    write_sdxl_refiner,
    write_stable_diffusion,
)

FAST = DrawSettings(steps=2)
UNET = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def sd15(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stable_diffusion(tmp_path_factory.mktemp("sd15"))


@pytest.fixture(scope="module")
def xl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wide = Sizes(text_width=40, latent_channels=4, vae_width=16)  # another autoencoder and another text width
    return write_sdxl_refiner(tmp_path_factory.mktemp("xl"), wide)


class Student:
    """A text encoder that is handed in: right widths, recorded teachers."""

    def __init__(self, teachers: dict[str, str], width: int = 32, pooled: int = 24) -> None:
        self.teachers = teachers
        self.width, self.pooled = width, pooled

    def base(self, prompts: list[str]) -> torch.Tensor:
        return torch.stack([torch.full((77, self.width), len(prompt) / 100) for prompt in prompts])

    def refiner(self, prompts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        return self.base(prompts), torch.zeros(len(prompts), self.pooled)


def test_parts_that_stages_share_are_loaded_once(own: Path) -> None:
    pipeline = load_pipeline(own, dtype="float32")
    assert pipeline.stages["base"].vae is pipeline.stages["refiner"].vae
    assert pipeline.upscale == 2
    assert pipeline.default_settings.steps == 4
    assert all(not parameter.requires_grad for parameter in pipeline.stages["base"].unet.parameters())


def test_the_checkpoint_id_is_its_content_wherever_it_lies(own: Path, sd15: Path, tmp_path: Path) -> None:
    copy = copy_checkpoint(own, tmp_path / "elsewhere")
    here, there, other = (load_pipeline(path, dtype="float32").checkpoint_id for path in (own, copy, sd15))
    assert here == there != other
    assert here.startswith("sha256:")


def test_the_checkpoint_id_tells_what_no_recipe_does(own: Path, tmp_path: Path) -> None:
    copy = copy_checkpoint(own, tmp_path / "elsewhere")
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))

    def id_with(**defaults: object) -> str:
        manifest["stages"]["refiner"]["defaults"] = defaults
        (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        return load_pipeline(copy, dtype="float32").checkpoint_id

    assert id_with() == id_with(strength=0.2) != id_with(color_fix=2.0)
    assert id_with(color_fix=2.0, strength=0.2) != id_with(color_fix=2.0, strength=0.3)
    with pytest.raises(ValueError, match="give pixels, 0 or more"):
        id_with(color_fix=-1.0)


def test_stable_diffusion_and_the_sdxl_refiner_compose(sd15: Path, xl: Path) -> None:
    pipeline = load_pipeline(f"{sd15}+{xl}", dtype="float32")
    assert pipeline.stages["base"].vae is not pipeline.stages["refiner"].vae
    drawing = pipeline.draw([Shot("a red dress", seed=1)], DrawSettings(steps=4, refine_strength=0.5))
    assert drawing.images[0].size == (64, 64)
    assert drawing.steps == {"base": 4, "refiner": 2}


def test_stable_diffusion_2_draws_by_velocity_as_its_config_says(tmp_path: Path) -> None:
    pipeline = load_pipeline(write_stable_diffusion(tmp_path, "v_prediction"), dtype="float32")
    assert pipeline.default_settings.refine is False
    assert pipeline.draw([Shot("a")], FAST).images[0].size == (32, 32)


def test_a_hub_id_is_downloaded_to_a_folder(sd15: Path, xl: Path) -> None:
    folders = {PUBLIC["sd15"].hub_id: sd15, "someone/refiner": xl}
    spec = resolve("sd15+someone/refiner", folders.__getitem__)
    assert spec.stages["base"].defaults.guidance_scale == 7.5
    assert spec.stages["refiner"].text_encoder == "text_encoder_2"


def test_names_that_lead_nowhere_say_what_is_allowed(own: Path, xl: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="sd15, sd2, sdxl, sdxl-refiner"):
        resolve("nothing")
    with pytest.raises(FileNotFoundError, match="not a checkpoint folder"):
        resolve(tmp_path)
    with pytest.raises(ValueError, match="no base stage"):
        resolve(xl)
    with pytest.raises(ValueError, match="two refiner stages"):
        resolve(f"{own}+{xl}")


def test_an_altered_file_is_refused_by_its_sum(own: Path, tmp_path: Path) -> None:
    folder = copy_checkpoint(own, tmp_path / "copy")
    path = folder / "base" / UNET
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="base/diffusion_pytorch_model.safetensors has SHA-256"):
        load_pipeline(folder, dtype="float32")


def test_a_manifest_that_leaves_the_folder_is_refused(own: Path, tmp_path: Path) -> None:
    folder = copy_checkpoint(own, tmp_path / "copy")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["../secret"] = {"size": 1, "sha256": "0"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(WeightsError, match="only paths below"):
        load_pipeline(folder, dtype="float32")


def test_a_truncated_file_is_refused_with_and_without_a_manifest(own: Path, sd15: Path, tmp_path: Path) -> None:
    folder = copy_checkpoint(own, tmp_path / "own")
    _cut(folder / "vae" / UNET)
    with pytest.raises(WeightsError, match="bytes, the manifest says"):
        load_pipeline(folder, dtype="float32")
    write_manifest(folder)
    with pytest.raises(WeightsError, match="truncated or damaged"):
        load_pipeline(folder, dtype="float32")
    plain = copy_checkpoint(sd15, tmp_path / "sd")
    _cut(plain / "unet" / UNET)
    with pytest.raises(WeightsError, match="unet.*truncated or damaged"):
        load_pipeline(plain, dtype="float32")


def test_missing_and_pickled_weights_are_refused(sd15: Path, tmp_path: Path) -> None:
    folder = copy_checkpoint(sd15, tmp_path / "copy")
    (folder / "unet" / UNET).unlink()
    with pytest.raises(FileNotFoundError, match="no \\*.safetensors"):
        load_pipeline(folder, dtype="float32")
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(FileNotFoundError, match="pickled weights only"):
        load_pipeline(folder, dtype="float32")


def test_missing_surplus_and_misshapen_weights_are_refused(sd15: Path, tmp_path: Path) -> None:
    folder = copy_checkpoint(sd15, tmp_path / "copy")
    path = folder / "unet" / UNET
    state = load_file(path)
    key = "conv_in.weight"
    save_file({k: v for k, v in state.items() if k != key}, path)
    with pytest.raises(WeightsError, match="lacks conv_in.weight"):
        load_pipeline(folder, dtype="float32")
    save_file(state | {"surplus": state[key].clone()}, path)
    with pytest.raises(WeightsError, match="unknown weights surplus"):
        load_pipeline(folder, dtype="float32")
    save_file(state | {key: state[key][:, :2].clone()}, path)
    with pytest.raises(WeightsError, match="conv_in.weight has shape"):
        load_pipeline(folder, dtype="float32")


def test_an_encoder_of_another_teacher_is_refused(own: Path) -> None:
    fingerprints = text_fingerprints(own)
    assert fingerprints["base"] == text_fingerprint(own / "clip")
    drawn = load_pipeline(own, Student(fingerprints), dtype="float32").draw([Shot("빨간 원피스")], FAST)
    assert drawn.recipes[0]["made_with"]["encoder"] == fingerprints
    with pytest.raises(EncoderMismatch, match="reproduces sha256:other"):
        load_pipeline(own, Student({**fingerprints, "refiner": "sha256:other"}), dtype="float32")
    with pytest.raises(EncoderMismatch, match="no refiner head"):
        load_pipeline(own, Student({"base": fingerprints["base"]}), dtype="float32")


def test_an_encoder_of_another_width_is_refused_when_it_draws(own: Path) -> None:
    pipeline = load_pipeline(own, Student(text_fingerprints(own), width=16), dtype="float32")
    with pytest.raises(ValueError, match=r"hidden states \(n, 77, 32\), the encoder gives \(1, 77, 16\)"):
        pipeline.draw([Shot("a")], FAST)


def test_old_names_of_autoencoder_attention_are_read(sd15: Path, tmp_path: Path) -> None:
    folder = copy_checkpoint(sd15, tmp_path / "copy")
    path = folder / "vae" / UNET
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    state = {}
    for key, value in load_file(path).items():
        for new, before in old.items():
            key = key.replace(f"attentions.0.{new}.", f"attentions.0.{before}.")
        state[key] = value
    assert any(".query." in key for key in state)
    save_file(state, path)
    first, second = (load_pipeline(each, dtype="float32").draw([Shot("a")], FAST) for each in (sd15, folder))
    assert first.images[0].tobytes() == second.images[0].tobytes()


def test_precision_is_what_the_machine_has() -> None:
    cpu = torch.device("cpu")
    assert choose_dtype(None, cpu) is (torch.bfloat16 if has_bfloat16() else torch.float32)
    with pytest.raises(ValueError, match="float16 needs a GPU"):
        choose_dtype("float16", cpu)
    with pytest.raises(ValueError, match="choose one of"):
        choose_dtype("int8", cpu)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no GPU"):
            choose_device("cuda")


def test_bfloat16_is_refused_where_it_would_be_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diffusion.precision.has_bfloat16", lambda: False)
    assert choose_dtype(None, torch.device("cpu")) is torch.float32
    with pytest.raises(ValueError, match="AVX512-BF16"):
        choose_dtype("bfloat16", torch.device("cpu"))


def test_xformers_is_refused_where_its_operator_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is there, and cannot work: for another CUDA than torch's, or for none."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    ops = types.ModuleType("xformers.ops")
    ops.memory_efficient_attention = lambda *_: (_ for _ in ()).throw(NotImplementedError("No operator found\nfor"))
    monkeypatch.setitem(sys.modules, "xformers", types.ModuleType("xformers"))
    monkeypatch.setitem(sys.modules, "xformers.ops", ops)
    monkeypatch.setattr(torch, "zeros", lambda *_, **__: torch.ones(1))
    with pytest.raises(ValueError, match=r"does not run here \(No operator found\): install the build"):
        use_attention(torch.nn.Identity(), "xformers", torch.device("cuda"))


def test_xformers_is_a_switch_that_says_what_it_needs(own: Path) -> None:
    with pytest.raises(ValueError, match="xformers needs a GPU"):
        load_pipeline(own, dtype="float32", device="cpu", attention="xformers")
    with pytest.raises(ValueError, match="choose one of sdpa, xformers"):
        load_pipeline(own, dtype="float32", attention="flash")


@pytest.mark.parametrize(("factor", "channels"), [(8, 4), (4, 4), (8, 16), (4, 16)])
def test_low_memory_draws_the_same_pictures(tmp_path: Path, factor: int, channels: int) -> None:
    """Of the one that ships, too: of factor 4 and 16 channels, where diffusers' tiles take 8 and 4 for granted."""
    own = write_checkpoint(tmp_path, replace(TINY, factor=factor, latent_channels=channels))
    shots = [Shot("a", seed=1), Shot("b", seed=2)]
    plain, low = (load_pipeline(own, dtype="float32", low_memory=low).draw(shots, FAST) for low in (False, True))
    for one, other in zip(plain.images, low.images, strict=True):
        difference = [abs(a - b) for a, b in zip(one.tobytes(), other.tobytes(), strict=True)]
        assert max(difference) <= 1


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])

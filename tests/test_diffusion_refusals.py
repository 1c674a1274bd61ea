"""Checkpoints that would open and then fail or draw black: refused by name when opened, or named when drawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from demo.studio.readiness import missing_checkpoint
from diffusion.__main__ import main
from diffusion.load import load_pipeline
from diffusion.pipeline import DrawSettings, DrawWarning, Shot, TwoStagePipeline
from diffusion.schedulers import build_scheduler, default_scheduler, scheduler_names
from diffusion.specs import PUBLIC, resolve, split
from diffusion.stage import BrokenPicture
from diffusion.weights import WeightsError, weight_files
from testing.random_checkpoint import copy_checkpoint, write_checkpoint, write_sdxl_refiner, write_stable_diffusion

FAST = DrawSettings(steps=2, refine=False)
UNET = "diffusion_pytorch_model.safetensors"
ZERO_SNR = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}


@pytest.fixture(scope="module")
def sd15(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stable_diffusion(tmp_path_factory.mktemp("sd15"))


@pytest.fixture
def copy(sd15: Path, tmp_path: Path) -> Path:
    return copy_checkpoint(sd15, tmp_path / "copy")


def set_values(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"in_channels": 9}, "takes 9 channels and gives 4, the autoencoder has 4: it was made for inpainting"),
        ({"in_channels": 8}, "a picture to be edited by instruction"),
        ({"in_channels": 5}, "a depth map"),
        ({"in_channels": 16, "out_channels": 16}, "takes 16 channels and gives 16, the autoencoder has 4;"),
        ({"out_channels": 8}, "gives 8"),
        ({"time_cond_proj_dim": 256}, "an LCM is told its guidance"),
        ({"encoder_hid_dim_type": "ip_image_proj"}, "told more than its text"),
        ({"class_embed_type": "timestep"}, "told more than its text"),
        ({"num_class_embeds": 10}, "told more than its text"),
        ({"addition_embed_type": "text_time"}, "has addition_embed_type 'text_time', a base has None"),
        ({"block_out_channels": "wide"}, "config.json cannot be used"),
    ],
)
def test_a_unet_that_asks_for_more_is_refused_when_opened(
    copy: Path, values: dict, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_values(copy / "unet/config.json", **values)
    with pytest.raises(WeightsError, match="unet/config.json"):
        load_pipeline(copy, dtype="float32")
    assert main(["a dress", "--checkpoint", str(copy), "-o", str(copy / "out")]) == 1
    refused = capsys.readouterr().err
    assert expected in refused
    assert refused.count("\n") == 1


def test_a_refiner_without_its_numbers_is_refused(copy: Path, tmp_path: Path) -> None:
    xl = write_sdxl_refiner(tmp_path / "xl")
    set_values(xl / "unet/config.json", addition_embed_type=None)
    with pytest.raises(WeightsError, match="a refiner has 'text_time'"):
        load_pipeline(f"{copy}+{xl}", dtype="float32")


def test_a_tokenizer_that_has_grown_is_refused_when_opened(copy: Path) -> None:
    vocabulary = json.loads((copy / "tokenizer/vocab.json").read_text())
    (copy / "tokenizer/vocab.json").write_text(json.dumps({**vocabulary, "<my-dress>": len(vocabulary)}))
    with pytest.raises(WeightsError, match=r"tokenizer has \d+ tokens, .*text_encoder has embeddings for \d+"):
        load_pipeline(copy, dtype="float32")


def test_a_tokenizer_that_is_no_json_is_named(copy: Path) -> None:
    (copy / "tokenizer/vocab.json").write_text("{")
    with pytest.raises(WeightsError, match="tokenizer: the tokenizer cannot be opened"):
        load_pipeline(copy, dtype="float32")


def shard(folder: Path, infix: str, half: bool) -> None:
    """A part's weights in two files and an index, as diffusers and transformers write them for a variant."""
    (path,) = folder.glob("*.safetensors")
    stem, state = path.name.removesuffix(".safetensors"), load_file(path)
    path.unlink()
    names = [f"{stem}-{number:05d}-of-00002{infix}.safetensors" for number in (1, 2)]
    places = {key: names[i % 2] for i, key in enumerate(sorted(state))}
    for name in names:
        rows = {key: state[key].half() if half else state[key] for key, place in places.items() if place == name}
        save_file(rows, folder / name)
    (folder / f"{stem}.safetensors.index{infix}.json").write_text(json.dumps({"weight_map": places}))


def test_a_sharded_fp16_variant_is_opened(sd15: Path, copy: Path) -> None:
    for part in ("unet", "vae", "text_encoder"):
        shard(copy / part, ".fp16", half=True)
    assert len(weight_files(copy / "unet")) == 2
    plain, sharded = (load_pipeline(each, dtype="float32").draw([Shot("a")], FAST) for each in (sd15, copy))
    difference = [abs(a - b) for a, b in zip(plain.images[0].tobytes(), sharded.images[0].tobytes(), strict=True)]
    assert max(difference) <= 4  # float16 weights


def test_full_precision_comes_before_a_variant(sd15: Path, copy: Path) -> None:
    save_file(load_file(copy / "unet" / UNET), copy / "unet/diffusion_pytorch_model.fp16.safetensors")
    assert weight_files(copy / "unet") == [copy / "unet" / UNET]


@pytest.mark.parametrize(
    ("index", "expected"),
    [({}, "has no weight_map"), ({"weight_map": {"a": "../../secret.safetensors"}}, "only files beside it")],
)
def test_an_index_that_leads_elsewhere_is_refused(copy: Path, index: dict, expected: str) -> None:
    (copy / "unet" / f"{UNET}.index.json").write_text(json.dumps(index))
    with pytest.raises(WeightsError, match=expected):
        load_pipeline(copy, dtype="float32")


def test_a_folder_with_a_plus_in_its_name_is_a_base(
    sd15: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, xl = copy_checkpoint(sd15, tmp_path / "sd15+hanbok"), write_sdxl_refiner(tmp_path / "xl+v2")
    for checkpoint in (f"{base}+{xl}", f"{base} + {xl}"):
        assert [stage.root for stage in resolve(checkpoint).stages.values()] == [base, xl]
    assert split(f"{base}+sdxl-refiner") == [base, "sdxl-refiner"]
    assert split("sd15+sdxl-refiner") == ["sd15", "sdxl-refiner"]
    assert split(str(base)) == [base]
    assert missing_checkpoint(f"{base}+{xl}") is None and missing_checkpoint(str(base)) is None
    assert missing_checkpoint(str(tmp_path / "nowhere")) is not None
    monkeypatch.chdir(tmp_path)
    assert load_pipeline("sd15+hanbok", dtype="float32").draw([Shot("a")], FAST).images


def test_a_misspelt_folder_is_not_looked_for_on_the_hub(
    sd15: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_checkpoint(sd15, tmp_path / "models/sd15")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no checkpoint 'models/sd51'.*\(models/ has sd15\)"):
        resolve("models/sd51", lambda name: pytest.fail(f"asked the hub for {name}"))


def test_a_hub_id_that_cannot_be_had_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", _offline)
    with pytest.raises(FileNotFoundError, match="no folder 'someone/thing', and as a hub id it cannot be had: no line"):
        resolve("someone/thing")


def _offline(*_: object, **__: object) -> str:
    raise OSError("no line\nto the hub")


def test_the_documents_download_what_the_registered_names_download() -> None:
    text = (Path(__file__).parent.parent / "docs/how-to/public-checkpoints.md").read_text("utf-8")
    for name, public in PUBLIC.items():
        assert f"hf download {public.hub_id} --local-dir models/{name}" in text


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_weights_that_are_no_numbers_are_refused_when_opened(copy: Path, part: str, value: float) -> None:
    (path,) = (copy / part).glob("*.safetensors")
    state = load_file(path)
    key = next(iter(state))
    state[key].view(-1)[3] = value
    save_file(state, path, metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=rf"{part}.*: {key} holds NaN or infinite values"):
        load_pipeline(copy, dtype="float32")


def test_weights_too_large_for_the_number_format_are_refused(copy: Path) -> None:
    from diffusion.parts import open_unet

    path = copy / "unet" / UNET
    state = load_file(path)
    state["conv_in.weight"].view(-1)[0] = 1e6
    save_file(state, path)
    with pytest.raises(WeightsError, match="conv_in.weight holds values too large for float16"):
        open_unet(copy / "unet", torch.float16, torch.device("cpu"))


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> TwoStagePipeline:
    return load_pipeline(write_checkpoint(tmp_path_factory.mktemp("own")), dtype="float32")


def _spoil_unet(pipeline: TwoStagePipeline, role: str) -> torch.Tensor:
    return pipeline.stages[role].unet.conv_in.weight


def _spoil_vae(pipeline: TwoStagePipeline, role: str) -> torch.Tensor:
    return next(pipeline.stages[role].vae.decoder.parameters())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("find", "role", "expected"),
    [
        (
            _spoil_unet,
            "base",
            "the base draws NaN or infinite values with scheduler 'dpm\\+\\+': the weights of its U-Net",
        ),
        (_spoil_unet, "refiner", "the refiner draws NaN or infinite values"),
        (_spoil_vae, "base", "autoencoder gives NaN or infinite pixels: its weights are damaged"),
    ],
)
def test_a_picture_of_nan_is_an_error_that_names_what_made_it(
    pipeline: TwoStagePipeline, find: Callable, role: str, expected: str, value: float
) -> None:
    weight = find(pipeline, role)
    kept = weight.detach().clone()
    try:
        weight.data[(0,) * weight.ndim] = value
        with pytest.raises(BrokenPicture, match=expected):
            pipeline.draw([Shot("a")], DrawSettings(steps=2))
    finally:
        weight.data.copy_(kept)
    assert pipeline.draw([Shot("a")], DrawSettings(steps=2)).images


def test_hidden_states_of_nan_name_the_text_encoder(pipeline: TwoStagePipeline) -> None:
    from diffusion.conditioning import Conditioning

    rows = torch.full((1, 77, 32), float("nan"))
    with pytest.raises(BrokenPicture, match="text encoder"):
        pipeline.draw([Shot("a")], FAST, conditioning={"base": Conditioning(rows, rows)})


def test_epsilon_without_a_signal_at_the_end_is_not_drawn_by_ddim(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_values(copy / "scheduler/scheduler_config.json", **ZERO_SNR)
    config = json.loads((copy / "scheduler/scheduler_config.json").read_text())
    assert scheduler_names(config) == ["dpm++", "unipc", "euler"]
    assert default_scheduler(config) == "dpm++"
    pipeline = load_pipeline(copy, dtype="float32")
    for name in scheduler_names(config):
        assert pipeline.draw([Shot("a")], DrawSettings(steps=4, scheduler=name)).warnings == ()
    drawing = pipeline.draw([Shot("a red dress")], DrawSettings(steps=4))
    assert drawing.warnings == (DrawWarning("scheduler_replaced", {"named": "ddim", "used": "dpm++"}),)
    assert drawing.images[0].getextrema() != ((0, 0),) * 3
    arguments = ["a red dress", "--checkpoint", str(copy), "--steps", "4", "-o", str(tmp_path / "out")]
    assert main([*arguments, "--scheduler", "ddim"]) == 2
    assert "zero terminal SNR: choose one of dpm++, unipc, euler" in capsys.readouterr().err
    assert main(arguments) == 0
    assert "scheduler ddim" in capsys.readouterr().err


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_ddim_draws_where_its_levels_have_a_signal_or_the_model_predicts_velocity(prediction: str) -> None:
    config = {"_class_name": "DDIMScheduler", "prediction_type": prediction}
    config |= ZERO_SNR if prediction == "v_prediction" else {}
    assert default_scheduler(config) == "ddim"
    assert build_scheduler(config, "ddim")

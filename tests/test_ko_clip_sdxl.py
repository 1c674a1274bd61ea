"""A Korean student of SDXL: heads for CLIP-L and OpenCLIP-bigG, in front of its base and its refiner."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from ko_clip_parts import PAIRS
from safetensors.torch import load_file, save_file

from diffusion.encoder import EncoderMismatch
from diffusion.load import load_pipeline, text_fingerprints
from diffusion.pipeline import DrawSettings, Shot
from ko_clip.encoder import PromptEncoder
from ko_clip.model import KoClipConfig, KoClipModel
from ko_clip.recipe import recipe_from
from ko_clip.student import save_encoder
from ko_clip.teachers import fingerprint
from ko_clip.tokenizer import TokenizerRecipe, train_tokenizer
from testing.random_checkpoint import copy_checkpoint, write_sdxl, write_sdxl_refiner

# diffusers hands torch tensors to numpy 2 the old way
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SIZES = {"embedding_size": 8, "width": 16, "layers": 1, "attention_heads": 2, "decoder_layers": 1, "max_tokens": 12}


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sdxl(tmp_path_factory.mktemp("sdxl"))


@pytest.fixture(scope="module")
def refiner(sdxl: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A refiner with the base's second text encoder, as the published ones have it."""
    folder = write_sdxl_refiner(tmp_path_factory.mktemp("refiner"))
    for name in ("model.safetensors", "config.json"):
        (folder / "text_encoder_2" / name).write_bytes((sdxl / "text_encoder_2" / name).read_bytes())
    return folder


def student(folder: Path, **heads: dict[str, object]) -> PromptEncoder:
    """An untrained student with these heads."""
    torch.manual_seed(0)
    tokenizer = train_tokenizer((side for pair in PAIRS for side in pair), TokenizerRecipe(80, 80), max_tokens=12)
    save_encoder(KoClipModel(KoClipConfig(vocab_size=tokenizer.vocab_size, heads=heads, **SIZES)), tokenizer, folder)
    return PromptEncoder.load(folder)


def of_sdxl(folder: Path, checkpoint: Path) -> PromptEncoder:
    found = text_fingerprints(checkpoint)
    return student(folder, base_1={"dim": 32, "teacher": found["base_1"], "output": "penultimate"},
                   base_2={"dim": 32, "pooled": 24, "teacher": found["base_2"], "output": "penultimate"})  # fmt: skip


def test_two_heads_are_given_side_by_side_with_the_seconds_pooled_embedding(sdxl: Path, tmp_path: Path) -> None:
    encoder = of_sdxl(tmp_path / "student", sdxl)
    states, pooled = encoder.base_pooled(["빨간 모자", "red hat"])
    assert states.shape == (2, 77, 64)
    assert pooled.shape == (2, 24)
    assert torch.equal(states[..., 32:], encoder.refiner(["빨간 모자", "red hat"])[0])
    assert encoder.search(["빨간 모자"]).shape == (1, 24)  # without a search head, by the pooled embedding


def test_a_korean_student_draws_with_sdxl_and_its_refiner(sdxl: Path, refiner: Path, tmp_path: Path) -> None:
    """One head of bigG serves both stages: the refiner's text encoder is the base's second."""
    encoder = of_sdxl(tmp_path / "student", sdxl)
    assert set(encoder.teachers) == {"base_1", "base_2", "refiner"}
    drawing = load_pipeline(f"{sdxl}+{refiner}", encoder, "cpu", "float32").draw(
        [Shot("빨간 원피스", "파란색", seed=1), Shot("red dress", seed=2)], DrawSettings(steps=2, refine_steps=1)
    )
    assert len(drawing.images) == 2
    assert drawing.recipes[0]["made_with"]["encoder"] == encoder.encoder_id


def test_a_head_named_refiner_serves_the_base_too(sdxl: Path, tmp_path: Path) -> None:
    found = text_fingerprints(sdxl)
    encoder = student(tmp_path / "student", base_1={"dim": 32, "teacher": found["base_1"]},
                      refiner={"dim": 32, "pooled": 24, "teacher": found["base_2"]})  # fmt: skip
    assert load_pipeline(sdxl, encoder, "cpu", "float32").draw([Shot("모자")], DrawSettings(steps=1)).images


def test_a_student_of_stable_diffusion_1_is_refused_though_its_teacher_is_the_same(sdxl: Path, tmp_path: Path) -> None:
    """SDXL reads the penultimate states of CLIP-L, Stable Diffusion 1 the last: another head of the same weights."""
    encoder = student(tmp_path / "student", base={"dim": 32, "teacher": fingerprint(sdxl / "text_encoder")})
    with pytest.raises(EncoderMismatch, match="no base_1 head, and this checkpoint needs one"):
        load_pipeline(sdxl, encoder)


def test_a_student_draws_with_the_float16_copy_of_its_checkpoint(sdxl: Path, tmp_path: Path) -> None:
    """A file in float16 has other bytes; rounded alike, its text encoders are the teachers. Another one is refused."""
    recorded = {
        name: {"dim": 32, "teacher": fingerprint(sdxl / part), "teacher_half": fingerprint(sdxl / part, half=True)}
        for name, part in (("base_1", "text_encoder"), ("base_2", "text_encoder_2"))
    }
    encoder = student(tmp_path / "student", base_1=recorded["base_1"], base_2={**recorded["base_2"], "pooled": 24})
    copy = copy_checkpoint(sdxl, tmp_path / "half")
    for part in ("text_encoder", "text_encoder_2"):
        path = copy / part / "model.safetensors"
        save_file({key: value.half() for key, value in load_file(path).items()}, path, metadata={"format": "pt"})
    assert text_fingerprints(copy) != text_fingerprints(sdxl)
    assert load_pipeline(copy, encoder, "cpu", "float32").draw([Shot("모자")], DrawSettings(steps=1)).images
    save_file({key: value + 1e-3 for key, value in load_file(path).items()}, path, metadata={"format": "pt"})
    with pytest.raises(EncoderMismatch, match="base_2 head reproduces"):
        load_pipeline(copy, encoder)


@pytest.mark.parametrize(("heads", "expected"), [
    ({"base_1": {"teacher": "a"}}, "head base_1 has output last_hidden_state: SDXL reads the penultimate states"),
    ({"base_2": {"teacher": "a", "output": "penultimate"}}, "head base_2 has no pooled embedding"),
])  # fmt: skip
def test_a_recipe_that_sdxl_could_not_be_drawn_with_is_refused(heads: dict, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        recipe_from({"heads": heads, "corpora": [{"path": "pairs.csv"}]})

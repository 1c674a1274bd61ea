"""What the pipeline promises, kept by the checkpoint that ships, at its own settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from benchmarks.checkpoint import ceiling_table
from diffusion.load import load_pipeline
from diffusion.pipeline import Cancelled, DrawSettings, Progress, Shot, TwoStagePipeline, shots_for
from diffusion.precision import has_bfloat16
from diffusion.recipe import png_bytes
from diffusion.weights import stored_shapes
from fashion.scene import scenes
from fashion.scorer import Scorer
from testing.random_checkpoint import SMALL, base_unet, clip, refiner_unet, tiny_vae

CHECKPOINT = Path(__file__).resolve().parent.parent / "checkpoints"
OWN = DrawSettings()
PROMPTS = (
    "a red checkered dress",
    "a navy coat",
    "a person in a yellow floral skirt and a white blouse",
    "a hanbok jeogori",
    "black jeans",
    "a mint cardigan with stripes",
    "a purple scarf",
    "a woman wearing a beige trench coat over a grey knit",
)
EIGHT = [Shot(prompt, "blurry" if i % 2 else "", 100 + i) for i, prompt in enumerate(PROMPTS)]


@pytest.fixture(scope="module")
def styles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("styles")
    for seed, name in enumerate(("one", "other")):
        save_file(_lora(seed), folder / f"{name}.safetensors")
    return folder


@pytest.fixture(scope="module")
def pipeline(styles: Path) -> TwoStagePipeline:
    return load_pipeline(CHECKPOINT, dtype="float32", styles=styles)


@pytest.fixture(scope="module")
def quick(styles: Path) -> TwoStagePipeline:
    if not has_bfloat16():
        pytest.skip("this CPU has no AVX512-BF16")
    return load_pipeline(CHECKPOINT, dtype="bfloat16", styles=styles)


def levels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(float)


def psnr(one: Image.Image, two: Image.Image) -> float:
    error = np.mean((levels(one) - levels(two)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def test_alone_and_in_a_batch_of_eight_a_picture_differs_by_at_most_one_level(pipeline: TwoStagePipeline) -> None:
    together = pipeline.draw(EIGHT, OWN).images
    for i in (0, 2, 7):
        assert np.abs(levels(pipeline.draw([EIGHT[i]], OWN).images[0]) - levels(together[i])).max() <= 1


def test_in_bfloat16_they_agree_within_45_db_and_the_same_request_gives_the_same_bytes(quick: TwoStagePipeline) -> None:
    together = quick.draw(EIGHT, OWN)
    for i in (0, 2, 7):
        assert psnr(quick.draw([EIGHT[i]], OWN).images[0], together.images[i]) >= 45
    assert files(quick.draw(EIGHT, OWN)) == files(together)


def test_the_same_request_gives_the_same_bytes_in_a_pipeline_opened_anew(pipeline: TwoStagePipeline) -> None:
    again = load_pipeline(CHECKPOINT, dtype="float32")
    assert files(again.draw(EIGHT[:2], OWN)) == files(pipeline.draw(EIGHT[:2], OWN))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_style_another_and_none_end_at_the_base_pixels(dtype: str, request: pytest.FixtureRequest) -> None:
    pipeline = request.getfixturevalue("pipeline" if dtype == "float32" else "quick")
    before, one, other, after = (
        levels(pipeline.draw(EIGHT[:1], DrawSettings(style=style)).images[0]) for style in (None, "one", "other", None)
    )
    assert (before == after).all()
    assert all((a != b).any() for a, b in ((before, one), (one, other), (before, other)))


def test_a_cancelled_draw_stops_within_its_step_and_leaves_no_trace(pipeline: TwoStagePipeline) -> None:
    before = files(pipeline.draw(EIGHT[:1], OWN))
    seen: list[Progress] = []
    with pytest.raises(Cancelled):
        pipeline.draw(EIGHT[:4], DrawSettings(style="one"), seen.append, lambda: len(seen) >= 3)
    assert len(seen) == 3
    assert files(pipeline.draw(EIGHT[:1], OWN)) == before


def test_a_preview_shows_what_the_base_will_draw(pipeline: TwoStagePipeline) -> None:
    shown: list[Image.Image] = []
    drawing = pipeline.draw(shots_for(PROMPTS[0], 1, 7), OWN, lambda each: shown.extend(each.previews()))
    base = drawing.base_images[0]
    last = shown[drawing.steps["base"] - 1]
    assert last.size == base.size
    assert psnr(last, base) > psnr(shown[0], base) + 3
    assert psnr(last, base) > 24


def test_random_weights_for_speed_have_the_shapes_that_ship() -> None:
    parts = {"base": base_unet, "refiner": refiner_unet, "vae": tiny_vae, "clip": clip}
    for name, build in parts.items():
        ships = _drawn_with(stored_shapes(CHECKPOINT / name))
        assert _drawn_with({key: tuple(value.shape) for key, value in build(SMALL).state_dict().items()}) == ships


def files(drawing: object) -> list[bytes]:
    return [png_bytes(image, recipe) for image, recipe in zip(drawing.images, drawing.recipes, strict=True)]


def _drawn_with(shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Without CLIP's image tower, which draws nothing, and its table of words, which the tokenizer decides."""
    unused = ("vision_model.", "visual_projection", "text_model.embeddings.token", "logit_scale")
    return {key: shape for key, shape in shapes.items() if not key.startswith(unused) and "position_ids" not in key}


def _lora(seed: int) -> dict[str, torch.Tensor]:
    """A style of rank 4 for the attention and the first convolutions of the base that ships."""
    generator, state = torch.Generator().manual_seed(seed), {}
    for key, shape in stored_shapes(CHECKPOINT / "base").items():
        layer = key.removesuffix(".weight")
        if layer.endswith(("to_q", "to_k", "to_v", "conv1")) and key.endswith(".weight"):
            state[f"unet.{layer}.lora_A.weight"] = 0.1 * torch.randn(4, *shape[1:], generator=generator)
            state[f"unet.{layer}.lora_B.weight"] = 0.1 * torch.randn(
                shape[0], 4, *(1,) * (len(shape) - 2), generator=generator
            )
    return state


def test_what_the_base_could_show_at_best_counts_every_pattern_once() -> None:
    asked = [scene for n in (1, 3) for scene in scenes(17, 4, "train", n)]
    lines = ceiling_table(CHECKPOINT, Scorer.load(CHECKPOINT / "scorers"), {"some": asked})
    rows = {cells[2]: cells[3:] for cells in ([c.strip() for c in line.split("|")] for line in lines[2:])}
    every, *_ = rows.pop("all")
    assert int(every) == sum(int(count) for count, *_ in rows.values()) > len(asked)
    assert all(0 <= float(value) <= 100 for _, *values in rows.values() for value in values[:2])

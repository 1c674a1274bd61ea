"""The trainings of the parts that ship run end to end on a few pictures; what they write is opened and drawn with."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import fashion.pool
from diffusion.training import autoencoder, base, manifest, refiner
from diffusion.training.flow import disturb, euler_sample
from diffusion.training.refiner import straight_start
from fashion import scorer_training
from fashion.pool import PicturePool, halved
from fashion.scene import Garment, Scene
from ko_clip import contrastive

PICTURES = 8


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pool of a few pictures."""
    folder = tmp_path_factory.mktemp("training")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fashion.pool, "SHARD", PICTURES)
        PicturePool(folder / "pool", PICTURES).fill()
        PicturePool(folder / "pool", PICTURES, seed=9, split="held_out").fill()
        patch.setattr(contrastive, "TOKENIZER_CAPTIONS", 300)
        patch.setattr(base, "BaseShape", partial(base.BaseShape, channels=(16, 32, 32), heads=(1, 2, 2)))
        patch.setattr(base, "shown_scenes", lambda: [Scene((Garment("gat", "black"),))])
        patch.setattr(refiner, "RefinerShape", partial(refiner.RefinerShape, channels=(16, 16, 32), heads=(1, 1, 2)))
        yield folder


def options(folder: Path, steps: int = 2) -> list[str]:
    return [
        "--steps", str(steps), "--batch", "2", "--pictures", str(PICTURES), "--held-out", str(PICTURES),
        "--pool", str(folder / "pool"), "--runs", str(folder / "runs"), "--checkpoints", str(folder / "checkpoints"),
        "--sample-every", "2",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def trained(work: Path) -> Path:
    """Checkpoints of all parts, two steps old: every training writes what the next one reads."""
    autoencoder.main(options(work))
    contrastive.main(options(work))
    base.main(options(work))
    refiner.main(options(work))
    manifest.main([str(work / "checkpoints")])
    return work / "checkpoints"


def test_every_part_is_written_in_half_precision_with_what_was_measured(trained: Path) -> None:
    from safetensors import safe_open

    for part in ("vae", "clip", "base", "refiner"):
        with safe_open(next((trained / part).glob("*.safetensors")), framework="pt") as file:
            assert {str(file.get_tensor(key).dtype) for key in file.keys()} == {"torch.float16"}  # noqa: SIM118
        assert json.loads((trained / part / "training.json").read_text())["step"] == 2


def test_a_trained_checkpoint_is_opened_and_draws(trained: Path) -> None:
    from diffusion.load import load_pipeline
    from diffusion.request import DrawSettings, shots_for

    drawing = load_pipeline(trained).draw(shots_for("a red dress", 1, 5), DrawSettings(steps=2))
    assert drawing.base_images[0].size == (128, 128)
    assert drawing.images[0].size == (256, 256)


def test_sample_grids_are_shown_while_training(trained: Path, work: Path) -> None:
    for part in ("vae", "base", "refiner"):
        assert (work / "runs" / part / "sample-000002.png").exists()


def test_the_decoder_alone_can_go_on_and_leaves_every_latent_as_it_is(trained: Path, work: Path) -> None:
    from diffusers import AutoencoderTiny

    before = AutoencoderTiny.from_pretrained(trained / "vae")
    autoencoder.main([*options(work), "--decoder-only"])
    after = AutoencoderTiny.from_pretrained(trained / "vae")
    assert before.config.scaling_factor == after.config.scaling_factor
    assert all(torch.equal(a, b) for a, b in zip(before.encoder.parameters(), after.encoder.parameters(), strict=True))
    assert any(
        not torch.equal(a, b) for a, b in zip(before.decoder.parameters(), after.decoder.parameters(), strict=True)
    )


def test_a_scorer_is_trained_saved_and_sees_nothing_in_noise(work: Path) -> None:
    from fashion.scorer import Scorer

    scorer_training.main(["reporting", *options(work)])
    scorer = Scorer.load(work / "checkpoints" / "scorers", "reporting")
    assert len(scorer.detect(np.full((3, 64, 64, 3), 200, np.uint8))) == 3
    assert scorer.vectors(np.zeros((2, 256, 256, 3), np.uint8)).shape[0] == 2


def test_the_flow_is_a_straight_line_that_euler_follows_exactly() -> None:
    clean, noise = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    noisy, goal = disturb(clean, noise, torch.tensor([0.3, 1.0]))
    assert torch.allclose(noisy[1], noise[1])
    walked = euler_sample(lambda x, times, guided: goal, noise, steps=3)
    assert torch.allclose(walked, clean, atol=1e-5)


def test_the_refiner_walks_from_the_noisy_enlarged_picture_to_the_true_one() -> None:
    clean, enlarged, noise = torch.randn(3, 2, 4, 8, 8).unbind()
    start = torch.tensor([0.3, 0.45])
    here, times, goal = straight_start(clean, enlarged, noise, start, torch.ones(2))
    t0 = start.view(-1, 1, 1, 1)
    assert torch.allclose(here, (1 - t0) * enlarged + t0 * noise, atol=1e-5)
    assert torch.allclose(times, start)
    assert torch.allclose(here - t0 * goal, clean, atol=1e-5)


def test_identical_captions_share_the_credit() -> None:
    vectors = torch.nn.functional.normalize(torch.eye(3, 8), dim=1)
    twins = vectors[[0, 0, 1]]
    alone = torch.eye(3, dtype=torch.bool)
    same = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=torch.bool)
    scale = torch.tensor(100.0)
    assert (
        contrastive.contrastive_loss(twins, twins, scale, same)
        < contrastive.contrastive_loss(twins, twins, scale, alone) + 1e-6
    )
    found = contrastive.retrieval(twins, twins, ["a", "a", "b"])
    assert found["text_to_image_r1"] == 100.0


def test_a_swapped_caption_fits_no_picture() -> None:
    image = torch.nn.functional.normalize(torch.randn(2, 8), dim=1)
    wrong = image.clone()  # as close as the right one: the loss must rise
    alone, scale = torch.eye(2, dtype=torch.bool), torch.tensor(50.0)
    plain = contrastive.contrastive_loss(image, image, scale, alone)
    assert contrastive.contrastive_loss(image, image, scale, alone, wrong) > plain + 0.3


def test_colours_are_swapped_between_garments_only_where_that_changes_something() -> None:
    two = Scene((Garment("skirt", "red", material="cotton", hem="mini"), Garment("gat", "black")), "figure")
    swapped = contrastive.swap_colors(two)
    assert swapped is not None
    assert [g.color for g in swapped.garments] == ["black", "red"]
    assert contrastive.swap_colors(Scene((Garment("gat", "black"),))) is None


def test_a_pool_draws_what_is_missing_and_gives_the_same_scene_again(work: Path) -> None:
    pool = PicturePool(work / "pool", PICTURES)
    assert pool.ready() == PICTURES
    assert pool.scene(2) == pool.scene(2)
    assert halved(pool.pictures(np.arange(2))).shape == (2, 128, 128, 3)
    assert pool.labels(np.array([0])).max() == len(pool.scene(0).garments)
    with pytest.raises(FileNotFoundError, match="fashion.pool"):
        PicturePool(work / "pool", PICTURES, seed=3).pictures(np.array([0]))


def test_a_manifest_needs_every_part_of_the_base_stage(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="train-embedded"):
        manifest.manifest(tmp_path)

"""The trainings of the parts that ship run end to end on a few pictures; what they write is opened and drawn with."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from transformers import CLIPModel

import fashion.pool
from diffusion.training import autoencoder, base, manifest, refiner, reward
from diffusion.training.blocks import as_blocks, component_weights, principal_blocks, write_encoder
from diffusion.training.reading import SteeringReader
from diffusion.training.unet import UNetShape
from fashion import scorer_training, setting
from fashion.drawing import draw
from fashion.pool import PicturePool, halved
from fashion.scene import Garment, Scene
from fashion.scorer import Scorer
from ko_clip import contrastive, scene_reading
from training.run import open_run

PICTURES = 8


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pool of a few pictures."""
    folder = tmp_path_factory.mktemp("training")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fashion.pool, "SHARD", PICTURES)
        PicturePool(folder / "pool", PICTURES).fill()
        PicturePool(folder / "pool", PICTURES, seed=9, split="held_out").fill()
        PicturePool(folder / "pool", PICTURES, size=512).fill()
        PicturePool(folder / "pool", PICTURES, seed=9, split="held_out", size=512).fill()
        patch.setattr(contrastive, "TOKENIZER_CAPTIONS", 300)
        patch.setattr(base, "SHAPE", UNetShape((16, 32, 32), (1, 2, 2)))
        patch.setattr(base, "shown_scenes", lambda: [Scene((Garment("gat", "black"),))])
        patch.setattr(refiner, "SHAPE", UNetShape((16, 16, 32), (1, 1, 2), plain=2))
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
    autoencoder.main([*options(work), "--stage", "refiner"])
    contrastive.main(options(work))
    base.main(options(work))
    refiner.main(options(work))
    manifest.main([str(work / "checkpoints")])
    return work / "checkpoints"


def test_every_part_is_written_in_half_precision_with_what_was_measured(trained: Path) -> None:
    from safetensors import safe_open

    for part in ("vae", "refiner_vae", "clip", "base", "refiner"):
        with safe_open(next((trained / part).glob("*.safetensors")), framework="pt") as file:
            assert {str(file.get_tensor(key).dtype) for key in file.keys()} == {"torch.float16"}  # noqa: SIM118
        assert json.loads((trained / part / "training.json").read_text())["step"] == 2


def test_a_trained_checkpoint_is_opened_and_draws(trained: Path) -> None:
    from diffusion.load import load_pipeline
    from diffusion.request import DrawSettings, shots_for

    drawing = load_pipeline(trained).draw(shots_for("a red dress", 1, 5), DrawSettings(steps=2))
    assert drawing.base_images[0].size == (128, 128)
    assert drawing.images[0].size == (512, 512)


def test_sample_grids_are_shown_while_training(trained: Path, work: Path) -> None:
    for part in ("vae", "refiner_vae", "base", "refiner"):
        assert (work / "runs" / part / "sample-000002.png").exists()


def test_training_the_autoencoder_leaves_every_latent_as_it_is(trained: Path, work: Path) -> None:
    from diffusers import AutoencoderTiny

    def parts() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        vae = AutoencoderTiny.from_pretrained(work / "again" / "vae")
        return vae.encoder.state_dict(), vae.decoder.state_dict()

    more = options(work)
    more[more.index("--checkpoints") + 1] = str(work / "again")
    more[more.index("--runs") + 1] = str(work / "runs-again")
    autoencoder.main(more)
    encoder, decoder = parts()
    more[more.index("--steps") + 1] = "4"
    autoencoder.main(more)
    assert all(torch.equal(encoder[name], value) for name, value in parts()[0].items())
    assert any(not torch.equal(decoder[name], value) for name, value in parts()[1].items())


@pytest.mark.parametrize("stage", ["base", "refiner"])
def test_the_encoder_is_the_block_transform_and_nothing_else(work: Path, stage: str) -> None:
    shape = autoencoder.STAGES[stage].shape
    pool = PicturePool(work / "pool", PICTURES, size=autoencoder.STAGES[stage].size)
    transform = principal_blocks(pool, 16, factor=shape.factor)
    vae = shape.build()
    write_encoder(vae, transform)
    pictures = pool.pictures(np.arange(3))
    latents = vae.encoder(contrastive.to_tensor(pictures))  # (3, 16, 64, 64)
    assert latents.shape == (3, 16, 64, 64)
    expected = (as_blocks(pictures, shape.factor) - transform.mean) @ transform.basis.T * transform.gains
    assert np.abs(latents.permute(0, 2, 3, 1).reshape(-1, 16).detach().numpy() - expected).max() < 2e-4
    assert np.allclose(transform.basis @ transform.basis.T, np.eye(16), atol=1e-4)
    weights = component_weights(vae).flatten()
    assert torch.isclose(weights.mean(), torch.tensor(1.0))
    assert np.argmax(weights.numpy()) == np.argmin(transform.gains)


def test_an_autoencoder_with_blocks_of_its_own_takes_no_transform(work: Path) -> None:
    from diffusers import AutoencoderTiny

    vae = AutoencoderTiny(encoder_block_out_channels=(16,) * 3, decoder_block_out_channels=(16,) * 3,
                          num_encoder_blocks=(1, 0, 0), num_decoder_blocks=(1, 0, 0))  # fmt: skip
    with pytest.raises(ValueError, match="5 layers"):
        write_encoder(vae, principal_blocks(PicturePool(work / "pool", PICTURES), 4))


def test_a_shipped_part_of_another_shape_is_not_taken_for_a_warm_start(trained: Path, work: Path) -> None:
    wider = [*options(work), "--width", "16"]
    wider[wider.index("--runs") + 1] = str(work / "runs-wider")
    wider[wider.index("--checkpoints") + 1] = str(work / "wider")
    shutil.copytree(trained / "vae", work / "wider" / "vae")
    autoencoder.main(wider)
    assert json.loads((work / "wider" / "vae" / "config.json").read_text())["decoder_block_out_channels"] == [16] * 3


def test_the_text_tower_that_ships_is_the_one_that_was_taught(
    trained: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained / "clip", work / "taught" / "clip")
    more = options(work)
    more[more.index("--checkpoints") + 1] = str(work / "taught")
    monkeypatch.setattr(scene_reading, "PROJECTION_CAPTIONS", 300)
    scene_reading.main(more)
    before, after = (CLIPModel.from_pretrained(folder / "clip") for folder in (trained, work / "taught"))
    first, then = (clip.text_model.encoder.layers[0].mlp.fc1.weight for clip in (before, after))
    assert not torch.equal(first, then)
    scene_reading.main([*more, "--steps", "3"])  # resumed from a state that holds the text tower alone
    again = CLIPModel.from_pretrained(work / "taught" / "clip")
    for name, value in before.vision_model.state_dict().items():
        assert torch.equal(value, after.vision_model.state_dict()[name])
        assert torch.equal(value, again.vision_model.state_dict()[name])


def test_a_scorer_is_trained_saved_and_sees_nothing_in_noise(work: Path) -> None:
    scorer_training.main(["reporting", *options(work)])
    scorer = Scorer.load(work / "checkpoints" / "scorers", "reporting")
    assert len(scorer.detect(np.full((3, 64, 64, 3), 200, np.uint8))) == 3
    assert scorer.vectors(np.zeros((2, 256, 256, 3), np.uint8)).shape[0] == 2


def test_a_scorer_goes_on_from_the_one_that_ships_where_no_state_is(work: Path, caplog) -> None:
    more = options(work)
    more[more.index("--checkpoints") + 1] = str(work / "scorers-again")
    scorer_training.main(["steering", *more])
    more[more.index("--runs") + 1] = str(work / "runs-elsewhere")
    more[more.index("--steps") + 1] = "3"
    with caplog.at_level("INFO"):
        scorer_training.main(["steering", *more])
    assert "warm start of the steering scorer" in caplog.text
    assert json.loads((work / "scorers-again" / "scorers" / "steering.json").read_text())["step"] == 3


def test_a_reward_moves_the_base_through_one_prediction_and_leaves_the_scorer_alone(trained: Path, work: Path) -> None:
    folder = work / "rewarded"
    shutil.copytree(trained, folder)
    more = options(work)
    more[more.index("--checkpoints") + 1] = str(folder)
    with pytest.raises(FileNotFoundError, match="scorer_training steering"):
        reward.main(more)
    scorer_training.main(["steering", *more])
    run = open_run(argparse.Namespace(preset="cpu", threads=0, runs=work, checkpoints=folder), "none", "base")
    vae, conditioning = base.open_frozen(folder, run)
    unet, shown = base.fresh_unet(vae, conditioning), Scene((Garment("gat", "black"),))
    reading = SteeringReader(folder, vae, run)
    misread = reward.Reward(reading, conditioning, run).losses(unet, [shown], ["a black gat"], 5)
    misread["loss"].backward()
    assert all(p.grad is not None for p in unet.parameters())
    frozen = [p for network in (vae, conditioning.clip, reading._network) for p in network.parameters()]
    assert not any(p.requires_grad for p in frozen)

    before = (folder / "base" / "diffusion_pytorch_model.safetensors").read_bytes()
    reward.main(more)
    facts = json.loads((folder / "base" / "training.json").read_text())
    assert (facts["step"], facts["rewarded"]) == (2, 2)
    assert (folder / "base" / "diffusion_pytorch_model.safetensors").read_bytes() != before

    more[more.index("--runs") + 1], more[more.index("--steps") + 1] = str(work / "rewarded-runs"), "4"
    refiner.main([*more, "--reward", "0.1"])
    log = (work / "rewarded-runs" / "refiner" / "log.jsonl").read_text()
    assert all(word in log for word in ("refined", "unlike", "misread"))
    drawn = list((work / "rewarded-runs" / "refiner").glob("own-*.safetensors"))
    assert len(drawn) == 1  # the base's own pictures, kept for the next leg

    more[more.index("--steps") + 1] = "6"
    refiner.main([*more, "--reward", "0.1", "--critic", "0.1"])
    log = (work / "rewarded-runs" / "refiner-judged" / "log.jsonl").read_text()
    assert all(word in log for word in ("mistaken", "found_out"))
    assert json.loads((folder / "refiner" / "training.json").read_text())["step"] == 6
    with pytest.raises(SystemExit):
        refiner.main([*more, "--critic", "0.1"])  # there are no own pictures to judge without --reward
    with pytest.raises(SystemExit):
        refiner.main([*more, "--styles", "0.1"])
    more[more.index("--steps") + 1] = "8"
    with pytest.raises(FileNotFoundError, match=r"fashion\.setting --scorer steering"):
        refiner.main([*more, "--reward", "0.1", "--styles", "0.1"])
    width = setting.picture_features(reading._network, torch.zeros(1, 3, 256, 256)).shape[1]
    told = {field: np.ones((width + 1, len(words)), np.float32) for field, words in setting.FIELDS.items()}
    save_file(told, folder / "scorers" / "setting-steering.safetensors")  # a few pictures are of one style
    refiner.main([*more, "--reward", "0.1", "--styles", "0.1"])
    assert '"style"' in (work / "rewarded-runs" / "refiner" / "log.jsonl").read_text()


def test_a_picture_is_like_itself_and_read_by_what_it_was_to_show(trained: Path, work: Path) -> None:
    run = open_run(argparse.Namespace(preset="cpu", threads=0, runs=work, checkpoints=trained), "none", "base")
    vae, _ = base.open_frozen(trained, run)
    reading = SteeringReader(Path("checkpoints"), vae, run)
    red = Scene((Garment("dress", "red", "solid", "cotton", "short", "knee", "round"),))
    blue = Scene((Garment("dress", "blue", "solid", "cotton", "short", "knee", "round"),))
    picture = torch.from_numpy(draw(red, 256)).permute(2, 0, 1)[None].float().div(127.5).sub(1)
    assert reading.errors(picture, [red])["color"] < 0.5 < reading.errors(picture, [blue])["color"]
    itself, upside_down = reading.unlikeness(picture, picture), reading.unlikeness(picture.flip(2), picture)
    assert 0 <= itself < 0.001 * upside_down  # not 0 where bfloat16 sums in another order


def test_scenes_in_need_are_met_oftener(trained: Path, work: Path) -> None:
    run = open_run(argparse.Namespace(preset="cpu", threads=0, runs=work, checkpoints=trained), "none", "base")
    asked = argparse.Namespace(pool=work / "pool", pictures=PICTURES, batch=64)
    pool = PicturePool(work / "pool", PICTURES)
    vae, conditioning = base.open_frozen(trained, run)
    lesson = base.FlowLesson(asked, run, vae, conditioning, lambda scene: float(scene == pool.scene(3)))
    assert set(lesson.batch(0).indexes) == {3}
    alike = base.FlowLesson(asked, run, vae, conditioning)
    assert len(set(alike.batch(0).indexes)) > PICTURES // 2
    solid = Scene((Garment("dress", "red", "solid", "cotton", "short", "knee", "round"),))
    bears = Scene((Garment("dress", "red", "cartoon", "cotton", "short", "knee", "round"),))
    assert reward.need(bears) > reward.need(solid)
    beside_bears = Scene((*bears.garments, Garment("boots", "red", "solid", "leather")), "figure")
    assert reward.need(beside_bears) > (reward.need(bears) + reward.need(solid)) / 2  # there it takes on their print


def test_a_pool_draws_what_is_missing_and_gives_the_same_scene_again(work: Path) -> None:
    pool = PicturePool(work / "pool", PICTURES)
    assert pool.ready() == PICTURES
    assert pool.scene(2) == pool.scene(2)
    assert halved(pool.pictures(np.arange(2))).shape == (2, 128, 128, 3)
    assert pool.labels(np.array([0])).max() == len(pool.scene(0).garments)
    with pytest.raises(FileNotFoundError, match="fashion.pool"):
        PicturePool(work / "pool", PICTURES, seed=3).pictures(np.array([0]))
    larger = PicturePool(work / "pool", PICTURES, size=512).pictures(np.arange(2))
    assert np.abs(halved(larger).astype(int) - pool.pictures(np.arange(2))).mean() < 2  # levels: the same drawings
    with pytest.raises(FileNotFoundError, match="--size 64"):
        fashion.pool.open_pool(work / "pool", PICTURES, size=64)

"""The trainings of the parts that ship run end to end on a few pictures; what they write is opened and drawn with."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPModel

import fashion.pool
from diffusion.training import autoencoder, base, manifest, refiner, reward
from diffusion.training.autoencoder import AutoencoderShape
from diffusion.training.blocks import as_blocks, component_weights, principal_blocks, write_encoder
from diffusion.training.flow import disturb, euler_sample
from diffusion.training.reading import Reading
from diffusion.training.refiner import straight_start
from diffusion.training.scene_map import IGNORED, SceneMap, map_loss, map_targets
from diffusion.training.unet import UNetShape
from fashion import scorer_training
from fashion.captions import caption
from fashion.drawing import draw
from fashion.lexicon import GARMENTS
from fashion.pool import PicturePool, halved
from fashion.scene import Garment, Scene
from fashion.scorer import Scorer
from fitting.parts import open_run
from ko_clip import contrastive, scene_reading

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


def test_the_encoder_is_the_block_transform_and_nothing_else(work: Path) -> None:
    pool = PicturePool(work / "pool", PICTURES)
    transform = principal_blocks(pool, 16)
    vae = AutoencoderShape().build()
    write_encoder(vae, transform)
    pictures = pool.pictures(np.arange(3))
    latents = vae.encoder(contrastive.to_tensor(pictures))  # (3, 16, 64, 64)
    expected = (as_blocks(pictures) - transform.mean) @ transform.basis.T * transform.gains
    assert np.abs(latents.permute(0, 2, 3, 1).reshape(-1, 16).detach().numpy() - expected).max() < 1e-4
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


def test_a_text_tower_learns_to_say_what_captions_name() -> None:
    red = Scene((Garment("skirt", "red", material="cotton", hem="mini"), Garment("gat", "black")), "figure")
    said = [caption(red, "en", seed=n) for n in range(4)]
    targets = scene_reading.reading_targets(said)
    assert targets["there"].sum(1).tolist() == [2] * 4
    assert (targets["color"] != scene_reading.UNSAID).sum() == 8
    torch.manual_seed(0)
    reader, hidden = scene_reading.SceneReader(32, heads=4), torch.randn(4, 9, 32)
    optimizer = torch.optim.Adam(reader.parameters(), lr=0.01)
    first = scene_reading.reading_losses(reader(hidden), targets)
    for _ in range(40):
        optimizer.zero_grad()
        scene_reading.reading_losses(reader(hidden), targets)["loss"].backward()
        optimizer.step()
    last = scene_reading.reading_losses(reader(hidden), targets)
    assert last["loss"] < 0.2 * first["loss"]
    assert last["wrong"] == 0


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


@pytest.mark.parametrize(("heads", "plain"), [((1, 2), 1), ((1, 2, 2), 3)])
def test_a_network_shape_that_cannot_be_is_refused(heads: tuple[int, ...], plain: int) -> None:
    with pytest.raises(ValueError, match="level"):
        UNetShape((16, 32, 32), heads, plain)


def test_a_scorer_is_trained_saved_and_sees_nothing_in_noise(work: Path) -> None:

    scorer_training.main(["reporting", *options(work)])
    scorer = Scorer.load(work / "checkpoints" / "scorers", "reporting")
    assert len(scorer.detect(np.full((3, 64, 64, 3), 200, np.uint8))) == 3
    assert scorer.vectors(np.zeros((2, 256, 256, 3), np.uint8)).shape[0] == 2


def test_a_batch_that_shows_nothing_still_teaches_that_nothing_is_there() -> None:
    from fashion.scorer import FIELDS, SLOTS, ScorerNetwork

    shape = (2, len(SLOTS))
    nothing = torch.full(shape, -100)
    masks = torch.zeros(*shape, 32, 32, dtype=torch.bool)
    batch = scorer_training.ScorerBatch(torch.zeros(2, 3, 256, 256), masks, nothing, dict.fromkeys(FIELDS, nothing))
    losses = scorer_training.scorer_losses(ScorerNetwork("steering"), batch, 0)
    assert losses["kind"] == 0 and torch.isfinite(losses["loss"]) and losses["there"] > 0


def test_what_no_picture_can_show_is_not_asked_of_a_scorer() -> None:
    from fashion.scorer import SLOTS

    blouse = Garment("blouse", "white", material="cotton", sleeve="long", neckline="round")
    coat = Garment("coat", "black", material="cotton", hem="maxi")
    top = SLOTS.index("top")
    _, alone = scorer_training.place_targets([Scene((blouse,))])
    kinds, beneath = scorer_training.place_targets([Scene((coat, blouse), "figure")])
    assert alone["sleeve"][0, top] >= 0
    assert beneath["sleeve"][0, top] == scorer_training.IGNORED
    assert kinds[0, top] >= 0 and beneath["color"][0, top] >= 0


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
    reading = Reading(folder, vae, run)
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


def test_a_picture_is_like_itself_and_read_by_what_it_was_to_show(trained: Path, work: Path) -> None:
    run = open_run(argparse.Namespace(preset="cpu", threads=0, runs=work, checkpoints=trained), "none", "base")
    vae, _ = base.open_frozen(trained, run)
    reading = Reading(Path("checkpoints"), vae, run)
    red = Scene((Garment("dress", "red", "solid", "cotton", "short", "knee", "round"),))
    blue = Scene((Garment("dress", "blue", "solid", "cotton", "short", "knee", "round"),))
    picture = torch.from_numpy(draw(red, 256)).permute(2, 0, 1)[None].float().div(127.5).sub(1)
    assert reading.errors(picture, [red])["color"] < 0.5 < reading.errors(picture, [blue])["color"]
    assert reading.unlikeness(picture, picture) < 1e-6 < reading.unlikeness(picture.flip(2), picture)


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


def test_half_of_a_refiner_s_ways_begin_as_the_pipeline_does() -> None:
    start, share = refiner.starts(400, torch.Generator().manual_seed(1))
    usual = share == 1
    assert usual[::2].all() and not usual[1::2].any()
    assert start[::2].min() >= refiner.LOWEST_START and start[::2].max() <= refiner.USUAL_START
    assert start[1::2].max() > 0.3 and start.max() <= refiner.HIGHEST_START


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


def test_a_scene_map_asks_every_cell_for_its_garment_and_only_garments_for_colours() -> None:
    scene = Scene((Garment("skirt", "red", material="cotton", hem="mini"), Garment("gat", "black")), "figure")
    labels = np.zeros((1, 128, 128), np.uint8)
    labels[0, :32, :32], labels[0, 64:, 64:] = 2, 1
    targets = map_targets(labels, [scene], cells=16)
    assert (targets["kind"] > 0).sum() == 16 + 64
    assert targets["color"][0, 0, 0] != targets["color"][0, 15, 15]
    assert ((targets["color"] == IGNORED) == (targets["kind"] == 0)).all()
    learner = SceneMap(UNetShape((16, 32, 32), (1, 2, 2)).build(32, 4, 8))
    said, maps = learner(torch.randn(1, 4, 32, 32), torch.tensor([500.0]), torch.randn(1, 7, 8))
    assert said.shape == (1, 4, 32, 32)
    assert maps["kind"].shape == (1, len(GARMENTS) + 1, 16, 16)
    assert map_loss(maps, targets).isfinite()
    assert base.unet_of(learner.state_dict()).keys() == learner.unet.state_dict().keys()

"""What the trainings of the parts that ship are asked, and what counts as wrong: no part is trained here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from diffusion.training import base, manifest, refiner
from diffusion.training.critic import Critic
from diffusion.training.flow import disturb, euler_sample
from diffusion.training.refiner import straight_start
from diffusion.training.scene_map import IGNORED, SceneMap, map_loss, map_targets
from diffusion.training.unet import UNetShape
from fashion import scorer_training
from fashion.captions import caption
from fashion.lexicon import GARMENTS
from fashion.scene import Garment, Scene
from ko_clip import contrastive, scene_reading


def test_a_text_tower_learns_to_say_what_captions_name() -> None:
    red = Scene((Garment("skirt", "red", material="cotton", hem="mini"), Garment("gat", "black")), "figure")
    output = [caption(red, "en", seed=n) for n in range(4)]
    targets = scene_reading.reading_targets(output)
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


@pytest.mark.parametrize(("heads", "plain"), [((1, 2), 1), ((1, 2, 2), 3)])
def test_a_network_shape_that_cannot_be_is_refused(heads: tuple[int, ...], plain: int) -> None:
    with pytest.raises(ValueError, match="level"):
        UNetShape((16, 32, 32), heads, plain)


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


def test_a_critic_and_the_refiner_learn_from_each_other_but_each_for_itself() -> None:
    torch.manual_seed(0)
    critic = Critic()
    true, refined = torch.randn(2, 3, 64, 64), torch.randn(2, 3, 64, 64, requires_grad=True)
    critic.mistaken(true, refined).backward()
    assert refined.grad is None and all(p.grad is not None for p in critic.parameters())
    critic.zero_grad()
    critic.found_out(refined).backward()
    assert refined.grad is not None and all(p.grad is None for p in critic.parameters())


def test_a_critic_tells_blurred_lines_from_crisp_ones_after_some_steps() -> None:
    torch.manual_seed(0)
    critic = Critic()
    optimizer = torch.optim.Adam(critic.parameters(), 2e-3)
    crisp = torch.where(torch.rand(4, 3, 64, 64) < 0.5, -1.0, 1.0)
    blurred = torch.nn.functional.avg_pool2d(crisp, 3, stride=1, padding=1)
    for _ in range(30):
        optimizer.zero_grad()
        critic.mistaken(crisp, blurred).backward()
        optimizer.step()
    assert critic.found_out(blurred) > critic.found_out(crisp) + 0.5


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
    output, maps = learner(torch.randn(1, 4, 32, 32), torch.tensor([500.0]), torch.randn(1, 7, 8))
    assert output.shape == (1, 4, 32, 32)
    assert maps["kind"].shape == (1, len(GARMENTS) + 1, 16, 16)
    assert map_loss(maps, targets).isfinite()
    assert base.unet_of(learner.state_dict()).keys() == learner.unet.state_dict().keys()

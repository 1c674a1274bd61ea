"""The scorer's networks and what becomes of their answers; training is in test_training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from diffusion.pictures import enlarged
from fashion.lexicon import GARMENT_BY_ID, GARMENTS
from fashion.scorer import ARCHITECTURES, SLOT_OF_KIND, SLOTS, Scorer, ScorerNetwork, Seen, as_input, read_both_ways
from jobspec import PictureSize

CERTAIN = 9.0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_network_answers_for_every_place_and_names_only_its_kinds(architecture: str) -> None:
    torch.manual_seed(0)
    seen = ScorerNetwork(architecture)(torch.rand(2, 3, 256, 256))
    assert seen.present.shape == (2, len(SLOTS)) and seen.masks.shape == (2, len(SLOTS), 32, 32)
    named = seen.kinds.argmax(dim=2)
    assert all((SLOT_OF_KIND[kinds] == torch.arange(len(SLOTS))).all() for kinds in named)


def test_both_networks_together_stay_under_three_megabytes() -> None:
    count = sum(p.numel() for a in ARCHITECTURES for p in ScorerNetwork(a).parameters())
    assert 2 * count < 3.0e6


def test_attributes_are_read_under_true_masks_where_these_are_told() -> None:
    torch.manual_seed(0)
    network, picture = ScorerNetwork("reporting").eval(), torch.rand(1, 3, 256, 256)
    regions = torch.zeros(1, len(SLOTS), 32, 32, dtype=torch.bool)
    regions[0, 0, :8] = True
    free, led = network(picture), network(picture, regions)
    assert torch.equal(free.present, led.present) and torch.equal(free.masks, led.masks)
    changed = (free.fields["color"] != led.fields["color"]).any(dim=2)[0]
    assert changed[0] and not changed[1:].any()


class Answering(ScorerNetwork):
    """A network that says what it is told, whatever it is shown."""

    def __init__(self, worn: dict[str, float]) -> None:
        super().__init__("reporting")
        self.worn = worn

    def forward(self, pictures: torch.Tensor, true_masks: torch.Tensor | None = None) -> Seen:
        n, s = len(pictures), len(SLOTS)
        present = torch.full((n, s), -CERTAIN)
        kinds = torch.full((n, s, len(GARMENTS)), -torch.inf)
        for slot, name in enumerate(SLOTS):
            first = next(i for i, kind in enumerate(GARMENTS) if kind.slot == name)
            kinds[:, slot, first] = 0.0
        for kind, logit in self.worn.items():
            place = [k.id for k in GARMENTS].index(kind)
            present[:, SLOT_OF_KIND[place]] = logit
            kinds[:, SLOT_OF_KIND[place], place] = CERTAIN
        fields = {field: torch.zeros(n, s, head.out_features) for field, head in self.heads.items()}
        return Seen(present, torch.full((n, s, 32, 32), CERTAIN), kinds, fields)


def kinds_seen(worn: dict[str, float]) -> set[str]:
    return {one.garment for one in Scorer(Answering(worn)).detect(np.zeros((1, 64, 64, 3), np.uint8))[0]}


def test_what_a_dress_leaves_no_room_for_is_not_reported_beside_it() -> None:
    assert kinds_seen({"dress": 3.0, "skirt": 1.0, "vest": 2.0}) == {"dress", "vest"}
    assert kinds_seen({"dress": 1.0, "skirt": 3.0, "blouse": 2.0}) == {"skirt", "blouse"}
    assert kinds_seen({}) == set()


def test_a_kind_has_only_attributes_that_it_can_have() -> None:
    seen = Scorer(Answering({"gat": 3.0, "blouse": 3.0})).detect(np.zeros((1, 64, 64, 3), np.uint8))[0]
    gat, blouse = sorted(seen, key=lambda one: one.garment, reverse=True)
    assert (gat.garment, gat.pattern, gat.sleeve, gat.hem) == ("gat", "solid", None, None)
    assert blouse.sleeve in GARMENT_BY_ID["blouse"].sleeves and blouse.hem is None
    assert 0.9 < blouse.confidence < 1 and blouse.mask.shape == (32, 32)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@torch.inference_mode()
def test_a_picture_and_its_mirror_image_show_the_same(architecture: str) -> None:
    torch.manual_seed(0)
    network, pictures = ScorerNetwork(architecture).eval(), 2 * torch.rand(2, 3, 256, 256) - 1
    once, mirrored = network(pictures), network(pictures.flip(3))
    assert not torch.allclose(once.present, mirrored.present, atol=1e-4), "the network alone tells left from right"
    seen, turned = read_both_ways(network, pictures), read_both_ways(network, pictures.flip(3))
    torch.testing.assert_close(seen.present, turned.present)
    torch.testing.assert_close(seen.masks, turned.masks.flip(3))
    torch.testing.assert_close(seen.kinds, turned.kinds)
    for field, logits in seen.fields.items():
        torch.testing.assert_close(logits, turned.fields[field])


def test_pictures_of_any_form_are_taken_and_others_refused() -> None:
    assert as_input(np.zeros((2, 300, 200, 3), np.uint8)).shape == (2, 3, 256, 256)
    assert as_input(torch.zeros(1, 3, 64, 64)).shape == (1, 3, 256, 256)
    with pytest.raises(ValueError, match="give"):
        as_input(torch.zeros(3, 64, 64))


def test_a_small_picture_is_read_as_the_enlarged_one_that_a_refiner_is_given() -> None:
    pixels = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    larger = enlarged(pixels, PictureSize.square(256))
    torch.testing.assert_close(as_input(2 * pixels - 1), 2 * larger - 1, atol=1e-5, rtol=0)


def test_weights_of_another_shape_are_refused_with_the_cure(tmp_path: Path) -> None:
    Scorer(ScorerNetwork("reporting")).save(tmp_path, {"step": 1})
    (tmp_path / "reporting.safetensors").rename(tmp_path / "steering.safetensors")
    with pytest.raises(ValueError, match="train it anew"):
        Scorer.load(tmp_path, "steering")
    with pytest.raises(FileNotFoundError, match="scorer_training reporting"):
        Scorer.load(tmp_path, "reporting")

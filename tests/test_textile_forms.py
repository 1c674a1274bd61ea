"""Which forms of the mixture ship: those that a critic recognises and that show every colour."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from textile.categories import CATEGORY_IDS
from textile.pattern_network import PatternNetwork, PatternShape
from textile.training.cloth_batches import ClothBatches
from textile.training.cloth_set import ClothSource, make_cloth
from textile.training.critic import FormCritic
from textile.training.forms import best_forms, tried_in_colors

DOTS, FLORAL = CATEGORY_IDS.index("dots"), CATEGORY_IDS.index("floral")


class Painting(torch.nn.Module):
    """Of form 0 the ground alone, of form 1 half of layer 1, of form 2 half of it on a ground that is less sure."""

    def forward(self, codes: torch.Tensor, category: torch.Tensor) -> torch.Tensor:
        form = codes.mean(dim=(1, 2, 3)).round()
        logits = torch.zeros(len(codes), 4, 64, 64)
        logits[:, 1, :, 32:] = 20.0
        logits[form == 0, 1] = -20.0
        logits[form == 2, 0] = 1.0
        return logits


class Saying(FormCritic):
    """Flowers where the ground is less sure, dots elsewhere."""

    def forward(self, shown: torch.Tensor) -> torch.Tensor:
        ground, said = shown[:, 0, 0, 0], torch.full((len(shown), len(CATEGORY_IDS)), -20.0)
        flowers = (ground > 0.7) & (ground < 0.95)
        said[flowers, FLORAL], said[~flowers, DOTS] = 20.0, 20.0
        return said


@pytest.fixture
def network() -> PatternNetwork:
    """Three forms of every category, told by their level."""
    network = PatternNetwork(PatternShape(code=4, basis=4, forms=3, rank=1, decoder=8)).eval()
    network.mixture.share[:] = 1 / 3
    network.mixture.centers[:] = torch.arange(3.0)[:, None]
    network.mixture.basis.fill_(0.25)
    network.decoder = Painting()  # type: ignore[assignment]
    return network


def test_a_form_serves_that_is_recognised_and_shows_every_colour(network: PatternNetwork) -> None:
    served = tried_in_colors(network, Saying(), DOTS)
    assert served[2].tolist() == pytest.approx([0, 1, 0], abs=0.01)
    assert torch.equal(served[1], served[2])  # a palette of one colour gets a companion


def test_the_best_forms_are_kept_with_their_shares(network: PatternNetwork, tmp_path: Path) -> None:
    batches = ClothBatches(make_cloth(tmp_path, ClothSource(2)))
    network.code.fit(batches.at(0, 13).maps)
    best = best_forms(network, batches, Saying(), 1, steps=1)
    assert best.shape.forms == 1 and best.mixture.centers.shape[:2] == (13, 1)
    assert torch.equal(best.mixture.centers[DOTS, 0], network.mixture.centers[DOTS, 1])
    assert torch.allclose(best.mixture.share.sum(dim=2), torch.ones(13, 5))

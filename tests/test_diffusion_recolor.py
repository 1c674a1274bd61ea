"""A new colour on the cloth that was there: what is mixed in, and where the edit stays as it is."""

from __future__ import annotations

import pytest
import torch

from diffusion.editing.recolor import recolored
from diffusion.editing.request import RECOLORED, EditSettings, settings_for

SIDE = 64
RED, BLUE, LIGHT, GROUND = ([0.8, 0.1, 0.1], [0.1, 0.2, 0.8], [0.95, 0.9, 0.9], [1.0, 1.0, 1.0])


def cloth(color: list[float], checks: bool = True) -> torch.Tensor:
    """A garment of one colour with light checks, on a white ground, (1, 3, 64, 64)."""
    picture = torch.tensor(GROUND).view(1, 3, 1, 1).expand(1, 3, SIDE, SIDE).clone()
    picture[..., 8:56, 8:56] = torch.tensor(color).view(1, 3, 1, 1)
    if checks:
        for start in range(8, 56, 12):
            picture[..., start : start + 4, 8:56] = torch.tensor(LIGHT).view(1, 3, 1, 1)
            picture[..., 8:56, start : start + 4] = torch.tensor(LIGHT).view(1, 3, 1, 1)
    return picture


def smeared(picture: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """The picture with noise on its garment: a print that a network half lost."""
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(seed)) * 0.12
    noise[..., :8, :] = noise[..., 56:, :] = noise[..., :, :8] = noise[..., :, 56:] = 0
    return (picture + noise).clamp(0, 1)


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().mean())


def test_a_print_comes_back_in_the_new_colour() -> None:
    source, meant = cloth(RED), cloth(BLUE)
    edit = smeared(meant)
    found = recolored(source, edit, 0.65)
    assert distance(found, meant) < 0.5 * distance(edit, meant)
    inside = found[..., 13:19, 13:19].mean(dim=(0, 2, 3))
    assert inside[2] > 0.7 and inside[0] < 0.2  # blue, and no red shines through
    assert distance(found[..., :4, :], edit[..., :4, :]) < 1e-6  # nothing changed there, and nothing is mixed


def test_its_colours_are_as_wide_apart_as_the_edits() -> None:
    source, edit = cloth(RED), smeared(cloth(BLUE))
    found = recolored(source, edit, 1.0)[..., 8:56, 8:56].flatten(2)
    wanted = edit[..., 8:56, 8:56].flatten(2)
    assert torch.allclose(found.mean(2), wanted.mean(2), atol=0.02)
    assert torch.allclose(found.std(2)[:, :2], wanted.std(2)[:, :2], rtol=0.05)  # blue has noise alone


def test_an_edit_that_its_source_does_not_tell_stays_as_it_is() -> None:
    """As with an upload, or under noise of another seed: what was drawn has other shapes."""
    generator = torch.Generator().manual_seed(1)
    source, edit = (torch.rand((1, 3, SIDE, SIDE), generator=generator) for _ in range(2))
    assert torch.equal(recolored(source, edit, 0.65), edit)


@pytest.mark.parametrize("edit", [cloth(RED), cloth(RED, checks=False)])
def test_nothing_is_mixed_where_nothing_changed_or_by_no_share(edit: torch.Tensor) -> None:
    assert torch.equal(recolored(edit, edit, 0.65), edit)
    assert torch.equal(recolored(cloth(BLUE), edit, 0.0), edit)


def test_a_batch_is_its_rows_alone() -> None:
    sources, edits = torch.cat([cloth(RED), cloth(BLUE)]), torch.cat([smeared(cloth(BLUE)), smeared(cloth(RED), 1)])
    together = recolored(sources, edits, 0.65)
    for row in range(2):
        assert torch.equal(together[row : row + 1], recolored(sources[row : row + 1], edits[row : row + 1], 0.65))


def test_edits_of_colours_alone_are_recoloured() -> None:
    assert settings_for({"color"}).recolored == RECOLORED
    assert settings_for({"color", "pattern"}).recolored == settings_for({"pattern"}).recolored == 0.0
    with pytest.raises(ValueError, match="recolored is 1.5: give a number from 0 to 1"):
        EditSettings(recolored=1.5)

"""Patterns of any weights: seamless, in the colours asked for, decided by their seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from testing.random_textile import write_random_textile
from textile.missing import WeightsMissing
from textile.palettes import choose, companion, painted
from textile.pattern_network import BlockCode, PatternNetwork, PatternShape
from textile.patterns import PatternGenerator, enlarged


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> PatternGenerator:
    return PatternGenerator.load(write_random_textile(tmp_path_factory.mktemp("textile")))


def test_missing_weights_name_the_file_and_the_command(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"generator\.safetensors is not there: .*python -m textile train"):
        PatternGenerator.load(tmp_path)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    write_random_textile(tmp_path)
    settings = tmp_path / "generator.json"
    settings.write_text(settings.read_text("utf-8").replace('"code": 8', '"code": 12'), encoding="utf-8")
    with pytest.raises(ValueError, match="shape"):
        PatternGenerator.load(tmp_path)


def test_a_pattern_is_that_of_its_seed_in_any_company(generator: PatternGenerator) -> None:
    together = generator.sample("floral", None, [3, 4, 5])
    alone = generator.sample("floral", None, [4])
    assert together.shape == (3, 128, 128, 3) and together.dtype == np.uint8
    assert np.abs(together[1].astype(int) - alone[0]).max() <= 1
    assert not np.array_equal(together[0], together[1])


def test_nothing_in_the_network_sees_an_edge() -> None:
    """Rolled noise gives the same repeat, rolled: what is not told its place cannot leave a seam."""
    torch.manual_seed(0)
    network = PatternNetwork(PatternShape(code=8, widths=(8, 16), decoder=8)).eval()
    for parameter in network.flow.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    torch.nn.init.zeros_(network.flow.place)
    noise, asked = torch.randn(1, 8, 8, 8), torch.zeros(1, dtype=torch.long)
    repeat, rolled = (
        network.decoder(network.draw(one, asked, asked, asked, (1.0, 0.5, 0.0)))
        for one in (noise, noise.roll((2, 4), (2, 3)))  # two blocks: the flow halves the grid once
    )
    assert torch.allclose(repeat.roll((16, 32), (2, 3)), rolled, atol=1e-4)


def test_an_enlarged_repeat_still_meets_itself() -> None:
    torch.manual_seed(0)
    repeat = torch.randn(1, 4, 64, 64)
    assert torch.allclose(enlarged(repeat).roll(20, 2), enlarged(repeat.roll(10, 2)), atol=1e-5)


def test_a_sheet_repeats_the_tile(generator: PatternGenerator) -> None:
    tile, sheet = generator.sample("dots", None, [1])[0], generator.sample("dots", None, [1], 300)[0]
    assert sheet.shape == (300, 300, 3)
    assert np.array_equal(sheet[:128, 128:256], tile)


def test_a_layer_shows_the_colour_asked_for() -> None:
    palette = ((200, 30, 40), (10, 220, 90))
    shown = np.zeros((2, 2, 4), np.float32)
    shown[..., 0] = 1
    shown[0, 0] = (0, 1, 0, 0)
    picture = painted(shown, np.zeros((2, 2), np.float32), palette)
    assert tuple(picture[0, 0]) == palette[1] and tuple(picture[1, 1]) == palette[0]


def test_no_layer_beyond_the_palette_is_shown(generator: PatternGenerator) -> None:
    choices = [choose("floral", ((0, 0, 0), (255, 255, 255)), 1)]
    shown, _ = generator.maps(4, choices, [1])
    assert shown[..., 2:].max() == 0 and np.allclose(shown.sum(axis=3), 1, atol=1e-5)


def test_one_colour_gets_a_companion_and_plain_cloth_none() -> None:
    red = (200, 30, 40)
    choice = choose("checkered", (red,), 0)
    assert red in choice.palette and choice.layers == 2
    assert choose("solid", (red,), 0).palette == (red,)


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (120, 120, 120), (247, 208, 48)])
def test_a_companion_can_be_told_from_its_colour(color: tuple[int, int, int]) -> None:
    from random import Random

    for seed in range(20):
        assert np.abs(np.subtract(companion(color, Random(seed)), color)).max() > 60


@pytest.mark.parametrize(
    ("category", "palette", "seeds", "size", "said"),
    [
        ("tweed", None, [1], 128, "tweed"), ("dots", (), [1], 128, "1 to 4"), ("dots", None, [], 128, "no seed"),
        ("dots", None, [1], 32, "64 to 4096"), ("dots", None, [1], 5000, "64 to 4096"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_refused(
    generator: PatternGenerator, category: str, palette: tuple | None, seeds: list[int], size: int, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        generator.sample(category, palette, seeds, size)


def test_a_linear_code_gives_back_what_its_components_hold() -> None:
    torch.manual_seed(0)
    maps = torch.rand(6, 4, 16, 16)
    code = BlockCode(256)
    assert code.fit(maps, power=1.0) == pytest.approx(1, abs=1e-4)
    codes = code.encode(maps)
    assert codes.shape == (6, 256, 2, 2)
    back = (codes.flatten(2).transpose(1, 2) * code.scale) @ code.basis + code.mean
    blocks = torch.nn.functional.pixel_unshuffle(maps, 8).flatten(2).transpose(1, 2)
    assert torch.allclose(back, blocks, atol=1e-3)

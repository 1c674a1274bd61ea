"""Patterns of any weights: seamless, in the colours asked for, decided by their seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from testing.random_textile import write_random_textile
from textile.missing import WeightsMissing
from textile.palettes import choose, companion, painted
from textile.pattern_network import NZ, BlockCode, FormMixture, LayerDecoder, PatternShape
from textile.patterns import PatternGenerator, begun, enlarged, laid_out


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


def test_the_decoder_sees_no_edge() -> None:
    """Rolled codes give the same repeat, rolled: what does not know where it is cannot leave a seam."""
    torch.manual_seed(0)
    decoder = LayerDecoder(PatternShape(code=8, decoder=8)).eval()
    codes, category = torch.randn(1, 8, 8, 8), torch.zeros(1, dtype=torch.long)
    rolled = decoder(codes.roll((1, 3), (2, 3)), category)
    assert torch.allclose(decoder(codes, category).roll((8, 24), (2, 3)), rolled, atol=1e-5)


@pytest.mark.parametrize("layout", ["large", "one", "straight", "drop", "mirrored", "turned"])
def test_a_layout_keeps_the_edges_meeting(layout: str) -> None:
    """A motif inside a plain edge: whatever the layout, the tile's edges are plain; beyond it, layouts are straight."""
    repeat = torch.zeros(4, 64, 64)
    repeat[0] = 8
    repeat[:2, 20:40, 24:50] = torch.tensor([0.0, 8.0])[:, None, None]
    tile = laid_out(repeat, layout).softmax(dim=0)
    assert tile.shape == (4, 128, 128)
    assert tile[1].sum() == pytest.approx(4 * 20 * 26, rel=0.05)
    crossing = repeat.roll(32, 1)
    if layout not in ("large", "one"):
        assert torch.equal(laid_out(crossing, layout), crossing.repeat(1, 2, 2))


def test_one_large_motif_is_whole_in_the_tile() -> None:
    tile = np.zeros((128, 128, 3), np.uint8)
    tile[24:104, 24:104] = 200
    for seed in range(30):
        shown = begun(tile, "one", seed)
        assert not shown[[0, -1]].any() and not shown[:, [0, -1]].any(), seed
    assert any(begun(tile, "large", seed)[0].any() for seed in range(30))


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
    assert shown[..., 2:].max() < 1e-6 and np.allclose(shown.sum(axis=3), 1, atol=1e-5)


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
    maps = torch.rand(6, 3, 16, 16)
    code = BlockCode(192)
    assert code.fit(maps) == pytest.approx(1, abs=1e-4)
    codes = code.encode(maps)
    assert codes.shape == (6, 192, 2, 2)
    back = codes.flatten(2).transpose(1, 2) @ code.basis + code.mean
    blocks = torch.nn.functional.pixel_unshuffle(maps, 8).flatten(2).transpose(1, 2)
    assert torch.allclose(back, blocks, atol=1e-3)


def test_a_mixture_says_of_its_own_codes_what_they_are() -> None:
    """Codes drawn from a form are given back by the nearest form and its directions."""
    torch.manual_seed(0)
    mixture = FormMixture(PatternShape(code=8, basis=12, forms=3, rank=2, categories=2))
    mixture.basis.copy_(torch.linalg.qr(torch.randn(8 * 64, 12))[0].T)
    mixture.centers.copy_(20 * torch.randn(2, 3, 12))
    mixture.factors.copy_(torch.linalg.qr(torch.randn(2, 3, 12, 2))[0].transpose(2, 3))
    category, form = torch.tensor([0, 1]), torch.tensor([2, 0])
    codes = mixture.sample(torch.randn(2, NZ).clamp(-2, 2), category, form)
    assert torch.allclose(mixture.nearest(codes, category), codes, atol=1e-3)

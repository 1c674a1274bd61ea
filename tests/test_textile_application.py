"""A pattern on cloth: what stays, how it is lit, how it lies, and what no pattern can be put on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobspec.fabric import CATEGORIES, ITEM_NAMES
from textile.__main__ import main
from textile.application import Placement, edges_meet, mirrored, put_on, tile_of
from textile.categories import CATEGORY_IDS
from textile.checks import ClothError
from textile.item_names import ITEM_BY_ID
from textile.items import item_picture
from textile.oklab import linear, oklab, srgb
from textile.shading import shading_of

RED = np.full((16, 16, 3), (190, 40, 60), np.uint8)


def stripes(width: int = 64, colors: tuple = ((255, 255, 255), (20, 40, 160))) -> np.ndarray:
    tile = np.empty((width, width, 3), np.uint8)
    tile[:, : width // 2], tile[:, width // 2 :] = colors
    return tile


def folded(size: int = 200, level: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """Grey cloth with three soft folds in the middle of a coloured ground, and its soft mask."""
    picture = np.empty((size, size, 3), np.uint8)
    picture[:] = (90, 160, 120)
    light = 1 + 0.35 * np.sin(np.linspace(0, 6 * np.pi, size))
    cloth = np.clip(level * light, 0, 255).astype(np.uint8)[None, :, None]
    inside = slice(size // 5, -size // 5)
    mask = np.zeros((size, size), np.float32)
    mask[inside, inside] = 1
    mask[size // 5 - 1, inside] = mask[inside, size // 5 - 1] = 0.5
    return np.where(mask[..., None] > 0, cloth, picture).astype(np.uint8), mask


def correlation(one: np.ndarray, other: np.ndarray, mask: np.ndarray) -> float:
    inside = mask > 0.9
    return float(np.corrcoef(oklab(one)[..., 0][inside], oklab(other)[..., 0][inside])[0, 1])


def test_outside_the_mask_every_byte_is_as_it_was() -> None:
    picture, mask = folded()
    worn = put_on(stripes(), picture, mask, Placement(0.1, 33))
    assert np.array_equal(worn[mask == 0], picture[mask == 0])
    assert (worn[mask == 1] != picture[mask == 1]).any(axis=-1).mean() > 0.9


@pytest.mark.parametrize("level", [60, 150, 230])
def test_a_solid_pattern_keeps_the_light_of_the_cloth(level: int) -> None:
    picture, mask = folded(level=level)
    assert correlation(put_on(RED, picture, mask), picture, mask) >= 0.95


@pytest.mark.parametrize("item", ITEM_BY_ID)
def test_every_default_item_takes_a_solid_pattern_with_its_light(item: str) -> None:
    picture, mask = item_picture(item)
    assert picture.shape == (512, 512, 3) and 0.05 < mask.mean() < 0.6
    assert correlation(put_on(RED, picture, mask), picture, mask) >= 0.85


def test_shade_keeps_a_patterns_hue() -> None:
    """In OKLab less light is a factor on all three numbers: a and b in proportion to L."""
    picture, mask = folded()
    lab = oklab(put_on(RED, picture, mask))[mask > 0.9]
    plain = oklab(RED)[0, 0]
    dark = lab[lab[:, 0] < np.percentile(lab[:, 0], 10)].mean(axis=0)
    assert dark[0] < 0.9 * plain[0]
    assert dark[1] / dark[0] == pytest.approx(plain[1] / plain[0], rel=0.08)


def test_a_print_does_not_show_through_a_new_one() -> None:
    picture, mask = folded()
    printed = picture.copy()
    rows = (np.arange(200) // 10 % 2 == 0)[:, None] & (mask == 1)
    printed[rows] = (200, 60, 60)
    worn = put_on(np.full((8, 8, 3), 200, np.uint8), printed, mask)
    lightness = oklab(worn)[..., 0]
    column = lightness[60:140, 100]  # across the old stripes
    assert shading_of(printed, mask).printed > 0.9 and shading_of(picture, mask).printed == 0
    assert np.ptp(column) < 0.1 < np.ptp(oklab(printed)[60:140, 100, 0])


def test_scale_turn_and_offset_lay_the_tile() -> None:
    picture = np.full((128, 128, 3), 200, np.uint8)
    picture[0] = 100  # not of one colour
    mask = np.zeros((128, 128), np.float32)
    mask[4:, :] = 1
    lying = put_on(stripes(), picture, mask, Placement(0.5))[64, :, 0] > 150  # of 64 px: white, then blue
    assert lying[32:63].sum() >= 29 and lying[66:95].sum() <= 2  # a tile's middle lies on the picture's
    turned = put_on(stripes(), picture, mask, Placement(0.5, 90))
    assert (turned[40, 20:110, 0] > 150).all() and not (turned[90, 20:110, 0] > 150).any()
    moved = put_on(stripes(), picture, mask, Placement(0.5, across=0.5))[64, :, 0] > 150
    assert (lying[8:-8] != moved[8:-8]).mean() > 0.85


def test_a_tile_keeps_its_shape_and_its_edges_meet_at_any_size() -> None:
    tile = np.random.default_rng(3).integers(0, 255, (40, 80, 3), dtype=np.uint8)
    assert tile_of(tile, 20).shape == (10, 20, 3)
    shifted = np.roll(tile, (20, 40), axis=(0, 1))
    small, other = tile_of(tile, 40), np.roll(tile_of(shifted, 40), (-10, -20), axis=(0, 1))
    assert np.abs(small - other).max() < 1e-5


def test_a_picture_whose_edges_do_not_meet_is_mirrored() -> None:
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 3, axis=2).repeat(64, axis=0)
    assert edges_meet(stripes()) and not edges_meet(ramp) and edges_meet(mirrored(ramp))
    picture, mask = folded()
    same = put_on(ramp, picture, mask, Placement(0.2))
    assert np.array_equal(same, put_on(ramp, picture, mask, Placement(0.2, mirror=True)))
    assert not np.array_equal(same, put_on(ramp, picture, mask, Placement(0.2, mirror=False)))


def test_folds_bend_a_pattern_and_seams_do_not() -> None:
    picture, mask = folded(400)
    assert np.abs(shading_of(picture, mask).bend[:, mask == 1]).max() > 0.004
    flat = np.full_like(picture, 180)
    flat[:, 200:202] = 60  # a seam
    assert np.abs(shading_of(flat, mask).bend[:, mask == 1]).max() < 0.002


def test_an_edge_shows_nothing_of_the_old_colour() -> None:
    picture = np.full((80, 80, 3), 255, np.uint8)
    mask = np.zeros((80, 80), np.float32)
    mask[20:60, 20:60], mask[19, 20:60], mask[60, 20:60] = 1, 0.5, 0.5
    black = np.rint(255 * (1 - mask))[..., None].repeat(3, axis=2).astype(np.uint8)
    black[20:60, 20:60] = (30, 30, 30)
    worn = put_on(np.full((8, 8, 3), 255, np.uint8), black, mask)
    assert worn[19, 30:50].min() > 225  # between white and white, though black cloth was there
    assert np.array_equal(picture[mask == 0], worn[mask == 0])


def test_a_larger_picture_is_dressed_alike() -> None:
    small, large = (put_on(stripes(), *item_picture("dress", size), Placement(0.15, 20)) for size in (256, 512))
    reduced = np.asarray(Image.fromarray(large).resize((256, 256), Image.Resampling.BOX))
    assert np.abs(reduced.astype(int) - small).mean() < 6


@pytest.mark.parametrize(
    ("picture", "mask", "code"),
    [
        (np.full((60, 60, 3), 255, np.uint8), np.ones((60, 60)), "cloth_empty"),
        (np.zeros((12, 12, 3), np.uint8), np.ones((12, 12)), "cloth_tiny"),
        (folded()[0], np.zeros((200, 200)), "cloth_mask"),
        (folded()[0], np.ones((100, 200)), "cloth_mask_size"),
    ],
)
def test_what_no_pattern_can_be_put_on_is_refused(picture: np.ndarray, mask: np.ndarray, code: str) -> None:
    with pytest.raises(ClothError) as refusal:
        put_on(RED, picture, mask)
    assert refusal.value.code == code


@pytest.mark.parametrize("wrong", [{"scale": 0.0}, {"scale": float("nan")}, {"turn": float("inf")}, {"scale": 9.0}])
def test_a_placement_out_of_range_names_what_came(wrong: dict) -> None:
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        Placement(**wrong)


def test_colours_survive_the_way_through_linear_light() -> None:
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(-1, 3)
    assert np.array_equal(np.rint(srgb(linear(levels))), levels)


def test_what_can_be_asked_is_what_there_is() -> None:
    assert CATEGORIES == CATEGORY_IDS and tuple(ITEM_BY_ID) == ITEM_NAMES


def test_the_command_dresses_a_photo_by_a_mask_and_marks_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    picture, mask = folded()
    Image.fromarray(picture).save(tmp_path / "photo.png")
    Image.fromarray((mask * 255).astype(np.uint8)).save(tmp_path / "mask.png")
    Image.fromarray(stripes()).save(tmp_path / "tile.png")
    names = [str(tmp_path / name) for name in ("tile.png", "photo.png", "mask.png", "out.jpg", "item.png")]
    assert main(["apply", names[0], names[1], "--mask", names[2], "-o", names[3], "--size", "300"]) == 0
    with Image.open(names[3]) as out:
        assert out.format == "JPEG" and out.size == (300, 300)
        assert b"compositeWithTrainedAlgorithmicMedia" in out.info["xmp"]
    assert main(["apply", names[0], "--item", "hanbok", "-o", names[4]]) == 0
    with Image.open(names[4]) as out:
        assert out.size == (512, 512) and "compositeWithTrained" in out.text["XML:com.adobe.xmp"]
    Image.new("RGBA", (90, 90)).save(tmp_path / "clear.png")
    for given, said in (
        ([names[0]], "either a PHOTO or --item"),
        ([names[0], str(tmp_path / "clear.png")], "picture is empty (transparent"),
        ([names[0], names[1], "--mask", names[0]], "the mask has 64×64 pixels, its picture 200×200"),
        ([names[0], "--item", "shirt", "-o", str(tmp_path / "out.gif")], "PNG or JPEG"),
    ):
        assert main(["apply", *given]) == 2
        assert said in capsys.readouterr().err

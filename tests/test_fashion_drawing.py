"""Pictures of scenes: the same bytes twice, any size, exact masks, and every word of the lexicon seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fashion.drawing import draw, draw_masks
from fashion.drawing.layers import WORN_SCALE, cut
from fashion.drawing.patterns import LEGIBLE_SCALE
from fashion.drawing.silhouettes import compose
from fashion.drawing.styles import LOOKS
from fashion.lexicon import BACKGROUNDS, COLORS, GARMENT_BY_ID, GARMENTS, PATTERNS, STYLES, Color, GarmentKind
from fashion.scene import Garment, Scene, scenes

DRESS = Garment("dress", "red", "solid", "cotton", "short", "knee", "round")
T_SHIRT = Garment("t_shirt", "blue", "solid", "cotton", "short", None, "round")
JACKET = Garment("jacket", "gray", material="cotton")
OUTFIT = Scene(
    (T_SHIRT, Garment("skirt", "yellow", "dots", "denim", None, "knee"), Garment("cap", "green", "solid", "cotton")),
    layout="figure",
    seed=7,
)
RGB = np.array([color.rgb for color in COLORS], np.float64)
SHADED = np.concatenate([RGB, 0.86 * RGB])  # each colour as it is named, and a little in the shade


@pytest.mark.parametrize("style", [style.id for style in STYLES])
def test_the_same_scene_gives_the_same_bytes(style: str) -> None:
    scene = replace(OUTFIT, style=style, background="hanok")
    assert draw(scene, 128).tobytes() == draw(scene, 128).tobytes()


@pytest.mark.parametrize("style", [style.id for style in STYLES])
@pytest.mark.parametrize("size", [64, 100, 256, 333])
def test_every_size_is_drawn(style: str, size: int) -> None:
    picture = draw(replace(OUTFIT, style=style), size)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    assert draw_masks(replace(OUTFIT, style=style), size).shape == (3, size, size)


def test_a_large_picture_shows_the_same_as_a_small_one() -> None:
    large = draw(OUTFIT, 1024).reshape(128, 8, 128, 8, 3).mean(axis=(1, 3))
    assert np.abs(large - draw(OUTFIT, 128)).mean() < 4


@pytest.mark.parametrize("size", [63, 1025])
def test_a_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="64 to 1024"):
        draw(OUTFIT, size)


def test_no_two_seeds_give_the_same_picture() -> None:
    assert len({draw(replace(OUTFIT, seed=seed), 64).tobytes() for seed in range(8)}) == 8


def test_masks_of_an_outfit_do_not_overlap() -> None:
    masks = draw_masks(OUTFIT, 256)
    assert masks.any(axis=(1, 2)).all()
    assert masks.sum(axis=0).max() == 1


@pytest.mark.parametrize("style", [style.id for style in STYLES])
def test_a_mask_covers_what_changes_with_the_garment(style: str) -> None:
    for i, other in ((0, "white"), (1, "purple"), (2, "red")):
        garments = list(OUTFIT.garments)
        garments[i] = replace(garments[i], color=other)
        dressed = (OUTFIT.garments, tuple(garments))
        before, after = (draw(replace(OUTFIT, garments=worn, style=style), 256) for worn in dressed)
        changed = np.abs(before.astype(int) - after).max(axis=2) > 40
        mask = draw_masks(replace(OUTFIT, style=style), 256)[i]
        assert changed.sum() > 300
        assert (changed & ~_grown(mask, 4 if style == "pixel" else 2)).sum() <= 0.01 * changed.sum()
        assert (changed & mask).sum() > 0.5 * mask.sum()


def _grown(mask: np.ndarray, by: int) -> np.ndarray:
    """Two pixels more on every side for the anti-aliased edge, or a cell of pixel art."""
    padded, size = np.pad(mask, by), mask.shape[0]
    return np.any([padded[y : y + size, x : x + size] for y in range(2 * by + 1) for x in range(2 * by + 1)], axis=0)


def _pictures_differ(all_scenes: list[Scene], size: int = 128, by: float = 1.0) -> None:
    pictures = [draw(scene, size).astype(int) for scene in all_scenes]
    for i, one in enumerate(pictures):
        for other in pictures[:i]:
            assert np.abs(one - other).mean() > by


def test_every_pattern_gives_another_picture() -> None:
    garment = replace(DRESS, color="navy")
    _pictures_differ([Scene((replace(garment, pattern=p.id),), seed=3) for p in PATTERNS])


def test_every_material_gives_another_picture() -> None:
    for kind in ("vest", "jacket"):
        materials = GARMENT_BY_ID[kind].materials
        _pictures_differ([Scene((Garment(kind, "brown", material=m),), seed=3) for m in materials], by=0.4)


def test_every_style_gives_another_picture() -> None:
    _pictures_differ([replace(OUTFIT, style=style.id) for style in STYLES])


def test_every_background_gives_another_picture() -> None:
    _pictures_differ([replace(OUTFIT, background=ground.id) for ground in BACKGROUNDS])


@pytest.mark.parametrize("pattern", [pattern.id for pattern in PATTERNS])
def test_the_main_colour_dominates(pattern: str) -> None:
    for color in COLORS:
        scene = Scene((replace(DRESS, color=color.id, pattern=pattern),), seed=11)
        inside = draw(scene, 96)[draw_masks(scene, 96)[0]].astype(float)
        nearest = np.argmin(((inside[:, None] - SHADED) ** 2).sum(axis=2), axis=1) % len(COLORS)
        assert COLORS[np.bincount(nearest).argmax()].id == color.id, color.id


@pytest.mark.parametrize("kind", [kind for kind in GARMENTS if kind.slot != "feet"], ids=lambda kind: kind.id)
def test_the_median_colour_of_a_plain_garment_is_the_named_one(kind: GarmentKind) -> None:
    """Shoes aside, which have white soles."""
    for i, color in enumerate(COLORS):
        _assert_median(kind, kind.materials[i % len(kind.materials)] if kind.materials else None, color)


@pytest.mark.parametrize("material", GARMENT_BY_ID["dress"].materials)
def test_every_colour_keeps_its_name_in_every_material(material: str) -> None:
    for color in COLORS:
        _assert_median(GARMENT_BY_ID["dress"], material, color)


def _assert_median(kind: GarmentKind, material: str | None, color: Color) -> None:
    """The median inside the mask lies nearest to the named colour, as it is or a little in the shade."""
    first = {"sleeve": kind.sleeves, "hem": kind.hems, "neckline": kind.necklines}
    attributes = {name: options[0] if options else None for name, options in first.items()}
    scene = Scene((Garment(kind.id, color.id, material=material, **attributes),), seed=5)
    median = np.median(draw(scene, 128)[draw_masks(scene, 128)[0]], axis=0)
    nearest = COLORS[int(np.argmin(((SHADED - median) ** 2).sum(axis=1))) % len(COLORS)]
    assert nearest.id == color.id, f"{color.id} {material} {kind.id} looks {nearest.id}: {median}"


def test_the_training_mix_can_be_drawn() -> None:
    for scene in scenes(3, 40):
        assert draw(scene, 64).std() > 1
        assert draw_masks(scene, 64).shape == (len(scene.garments), 64, 64)


def test_no_print_is_finer_than_the_base_stage_can_show() -> None:
    assert set(LEGIBLE_SCALE) == {pattern.id for pattern in PATTERNS}
    looked = set()
    for scene in [*scenes(21, 60, "train", 1), *scenes(22, 60, "train", 3)]:
        look = LOOKS[scene.style]
        for piece in cut(scene, compose(scene), look).pieces:
            pattern = scene.garments[piece.garment].pattern
            finest = 0.95 * LEGIBLE_SCALE[pattern] * (WORN_SCALE**0.5 if scene.layout == "figure" else 1.0)
            assert piece.grain.scale >= finest * look.pattern_zoom - 1e-9
            looked.add((pattern, scene.layout))
    assert len(looked) > len(PATTERNS)


@pytest.mark.parametrize("neckline", ["round", "v", "square"])
def test_a_blouse_under_a_jacket_is_no_t_shirt_at_the_base_stages_size(neckline: str) -> None:
    """Where a skirt hides its peplum and a jacket its sleeves, the ruffles down its front tell it."""
    seen = []
    for kind in ("t_shirt", "blouse"):
        cut = neckline if neckline in GARMENT_BY_ID[kind].necklines else "round"
        top = Garment(kind, "green", material="cotton", sleeve="long", neckline=cut)
        outfit = (top, JACKET, Garment("skirt", "brown", material="cotton", hem="knee"))
        seen.append(draw(Scene(outfit, "figure", seed=3), 128).astype(int))
    assert (np.abs(seen[0] - seen[1]).max(axis=2) > 32).sum() >= 40


def test_skin_shows_below_a_crop_top() -> None:
    """Also above a high waist: it is what tells it from a T-shirt that is tucked in."""
    below = Garment("trousers", "navy", material="cotton")
    cut = {"material": "cotton", "sleeve": "long", "neckline": "round"}
    tops = [Garment(kind, "green", **cut) for kind in ("crop_top", "t_shirt")]
    short, long = (draw(Scene((top, below), "figure", seed=3), 256) for top in tops)
    red, green, blue = short.astype(int).transpose(2, 0, 1)
    skin = (red > 200) & (red > green + 15) & (green > blue + 5)
    assert (skin & (long[..., 1] > long[..., 0])).sum() >= 60

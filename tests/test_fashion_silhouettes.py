"""The geometry of the drawn domain: every garment with all that its row of the lexicon allows."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product

import pytest

from fashion.drawing.layering import LONG_OUTER
from fashion.drawing.shapes import Silhouette
from fashion.drawing.silhouettes import MAKERS, Composition, compose
from fashion.lexicon import GARMENT_BY_ID, GARMENTS, GarmentKind
from fashion.scene import Garment, Scene, permutation_outfits, sample_scene

NUMBERS = re.compile(r"-?\d+\.\d")
EYES, TORSO = 16.2, 49.0  # body units: from light to light in the eyes; the torso under the arms
KINDS = [kind.id for kind in GARMENTS]


def plain(kind: GarmentKind, **attributes: object) -> Garment:
    """A garment of a kind in red, its other attributes the first ones that its row allows."""
    first = {
        "material": kind.materials, "sleeve": kind.sleeves[-1:], "hem": kind.hems[-1:], "neckline": kind.necklines,
    }  # fmt: skip
    chosen = {field: options[0] if options else None for field, options in first.items()}
    return Garment(kind.id, "red", **{**chosen, **attributes})  # type: ignore[arg-type]


def every_cut(kind: GarmentKind) -> list[Garment]:
    """All combinations of sleeve, hem, neckline and one detail or none."""
    details = [(), *((detail,) for detail in kind.details)]
    options = product(kind.sleeves or (None,), kind.hems or (None,), kind.necklines or (None,), details)
    return [plain(kind, sleeve=s, hem=h, neckline=n, details=d) for s, h, n, d in options]


def one_by_one(kind: GarmentKind) -> list[Garment]:
    """Every value of every attribute once."""
    fields = {"sleeve": kind.sleeves, "hem": kind.hems, "neckline": kind.necklines}
    varied = [plain(kind, **{field: value}) for field, values in fields.items() for value in values]
    return [plain(kind), *varied, *(plain(kind, details=(detail,)) for detail in kind.details)]


def paths(silhouette: Silhouette, strokes: bool = True) -> list[str]:
    parts = (*silhouette.back, *silhouette.panels, *silhouette.trims, *(silhouette.strokes if strokes else ()))
    return [part.path for part in parts]


def box(path_list: list[str]) -> tuple[float, float, float, float]:
    numbers = [[float(n) for n in NUMBERS.findall(path)] for path in path_list]
    xs = [x for row in numbers for x in row[::2]]
    ys = [y for row in numbers for y in row[1::2]]
    return min(xs), min(ys), max(xs), max(ys)


def alone(garment: Garment, seed: int = 1) -> Silhouette:
    return compose(Scene((garment,), seed=seed)).silhouettes[0]


def test_every_garment_of_the_lexicon_has_a_maker():
    assert set(MAKERS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_cut_composes_inside_the_square_in_a_shape_of_its_own(kind):
    cuts = every_cut(GARMENT_BY_ID[kind])
    shapes = set()
    for garment in cuts:
        silhouette = alone(garment)
        assert _inside(silhouette), garment
        shapes.add("".join(paths(silhouette)))
    assert len(shapes) >= sum(not _one_strap(garment) for garment in cuts)


@pytest.mark.parametrize("kind", KINDS)
def test_every_attribute_can_be_worn_inside_the_square(kind):
    for seed, garment in enumerate(one_by_one(GARMENT_BY_ID[kind])):
        composition = compose(Scene((garment,), "figure", seed=seed))
        assert composition.figure and _inside(composition.silhouettes[0]), garment


def _inside(silhouette: Silhouette) -> bool:
    left, top, right, bottom = box(paths(silhouette))
    return left >= 0 and top >= 0 and right <= 256 and bottom <= 256


def _one_strap(garment: Garment) -> bool:
    """One shoulder leaves no neckline to choose."""
    return "one_shoulder" in garment.details and garment.neckline != "round"


@pytest.mark.parametrize("kind", KINDS)
def test_a_garment_laid_out_fills_most_of_the_square_near_its_middle(kind):
    for seed in range(6):
        left, top, right, bottom = box(paths(alone(plain(GARMENT_BY_ID[kind]), seed)))
        assert 170 <= max(right - left, bottom - top) <= 228
        assert abs((left + right) / 2 - 128) <= 7 and abs((top + bottom) / 2 - 128) <= 7


def test_kinds_differ_in_shape_alone():
    shapes = {tuple(paths(alone(plain(kind)), strokes=False)) for kind in GARMENTS}
    assert len(shapes) == len(GARMENTS)


def test_longer_hems_reach_further_down_a_figure_and_longer_sleeves_further_along_the_arm():
    for kind in GARMENTS:
        for field, order, role in (("hem", kind.hems, None), ("sleeve", kind.sleeves, "sleeve")):
            worn = [compose(Scene((plain(kind, **{field: value}),), "figure", seed=3)) for value in order]
            reach = [_reach(composition, role) for composition in worn]
            assert all(a + 2 < b for a, b in zip(reach, reach[1:], strict=False)), (kind.id, field, reach)


def _reach(composition: Composition, role: str | None) -> float:
    """How far a worn garment, or its panels of one role, reach below the eyes, in body units; 0 without any."""
    panels = [p.path for p in composition.silhouettes[0].panels if role is None or p.role == role]
    unit, (_, eye_y) = _ruler(composition)
    return (box(panels)[3] - eye_y) / unit if panels else 0.0


def _ruler(composition: Composition) -> tuple[float, tuple[float, float]]:
    """A body unit in scene units, and the place between the eyes, read off the lights in them."""
    assert composition.figure
    left, top, right, bottom = box([part.path for part in composition.figure.body if part.tone == "white"])
    return (right - left) / EYES, ((left + right) / 2, (top + bottom) / 2)


def test_the_same_scene_gives_the_same_paths_and_another_seed_others():
    for seed in range(40):
        scene = sample_scene(seed, "any")
        assert compose(scene) == compose(scene)
        assert compose(scene) != compose(replace(scene, seed=scene.seed + 1))


def test_colour_and_pattern_change_nothing_of_the_shape():
    scene = Scene((plain(GARMENT_BY_ID["dress"]),), "figure", seed=5)
    blue = Scene((replace(scene.garments[0], color="blue", pattern="dots"),), "figure", seed=5)
    assert compose(scene) == compose(blue)


def test_outfits_stay_in_the_square_in_the_order_of_the_scene():
    for seed in range(150):
        scene = sample_scene(seed, "any", count=2 + seed % 2)
        composition = compose(scene)
        assert len(composition.silhouettes) == len(scene.garments)
        for garment, silhouette in zip(scene.garments, composition.silhouettes, strict=True):
            assert _inside(silhouette), (seed, garment.kind)


def test_hats_and_shoes_are_at_least_34_units_wide_on_a_whole_figure():
    shoes, hats = ("sneakers", "boots", "kkotsin"), ("bucket_hat", "cap", "beanie", "gat")
    for shoe, hat in product(shoes, hats):
        garments = tuple(plain(GARMENT_BY_ID[kind]) for kind in (shoe, hat))
        for silhouette in compose(Scene(garments, "figure", seed=2)).silhouettes:
            left, _, right, _ = box([panel.path for panel in silhouette.panels])
            assert right - left >= 34


@pytest.mark.parametrize("kind", [kind.id for kind in GARMENTS if kind.slot == "outer"])
def test_an_outer_garment_shows_a_third_of_the_torso_over_a_top_and_is_closed_over_nothing(kind):
    coat, shirt = plain(GARMENT_BY_ID[kind]), permutation_outfits()[0][2]
    assert _front_gap(compose(Scene((coat, shirt), "figure", seed=4))) >= 0.35 * TORSO
    assert _front_gap(compose(Scene((coat,), "figure", seed=4))) <= 2.5


def _front_gap(composition: Composition) -> float:
    """How far the two fronts of the first garment stand apart, in body units; 0 where there is one front."""
    fronts = [box([panel.path]) for panel in composition.silhouettes[0].panels if panel.role == "body"]
    tallest = max(b[3] - b[1] for b in fronts)
    fronts = sorted(b for b in fronts if b[3] - b[1] > tallest * 0.9)
    return max(0.0, fronts[-1][0] - fronts[0][2]) / _ruler(composition)[0] if len(fronts) > 1 else 0.0


def test_a_long_coat_hangs_open_over_trousers_so_that_they_show():
    assert set(LONG_OUTER) == {"coat", "durumagi", "padding"}
    coat, legs = plain(GARMENT_BY_ID["coat"], hem="maxi"), plain(GARMENT_BY_ID["trousers"])
    assert _front_gap(compose(Scene((coat, legs), "figure", seed=4))) >= 0.35 * TORSO

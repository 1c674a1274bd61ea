"""Compose a scene: every garment as a silhouette in place, and the figure that wears them.

In: a Scene. Out: a Composition in scene units (256 × 256, y down), decided by the scene alone. Alone, a garment fills
most of the square; on a figure the frame follows what is worn, so that garments stay large.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from fashion.drawing.accessories import bag, scarf
from fashion.drawing.bottoms import jeans, shorts, skirt, trousers
from fashion.drawing.dresses import dress
from fashion.drawing.figure import make_figure, reach_of
from fashion.drawing.footwear import boots, kkotsin, sneakers
from fashion.drawing.hanbok import baeja, durumagi, hanbok_skirt, jeogori
from fashion.drawing.headwear import beanie, bucket_hat, cap, gat
from fashion.drawing.hoods import hoodie
from fashion.drawing.layering import LONG_OUTER, dress_together
from fashion.drawing.outerwear import cardigan, vest
from fashion.drawing.padding import padding
from fashion.drawing.paths import SIDE, Frame
from fashion.drawing.raster import Extent
from fashion.drawing.shapes import Figure, Silhouette
from fashion.drawing.sketch import Sketch, Wear
from fashion.drawing.tailored import coat, jacket
from fashion.drawing.tops import blouse, crop_top, knit, shirt, t_shirt
from fashion.lexicon import GARMENT_BY_ID
from fashion.scene import Garment, Scene

Maker = Callable[[Garment, Wear], Sketch]
Box = tuple[float, float, float, float]  # left, top, right, bottom in body units
ALONE_SIDE = {
    "mini": 184.0,
    None: 202.0,
    "knee": 198.0,
    "maxi": 214.0,
}  # longest side, by the hem: lengths show in size too
JITTER, SCALE_JITTER = 6.0, 0.05

MAKERS: dict[str, Maker] = {
    "jeogori": jeogori,
    "hanbok_skirt": hanbok_skirt,
    "durumagi": durumagi,
    "baeja": baeja,
    "gat": gat,
    "kkotsin": kkotsin,
    "bucket_hat": bucket_hat,
    "cap": cap,
    "beanie": beanie,
    "t_shirt": t_shirt,
    "shirt": shirt,
    "blouse": blouse,
    "knit": knit,
    "hoodie": hoodie,
    "vest": vest,
    "cardigan": cardigan,
    "jacket": jacket,
    "coat": coat,
    "padding": padding,
    "dress": dress,
    "skirt": skirt,
    "trousers": trousers,
    "jeans": jeans,
    "shorts": shorts,
    "crop_top": crop_top,
    "scarf": scarf,
    "bag": bag,
    "sneakers": sneakers,
    "boots": boots,
}


@dataclass(frozen=True)
class Composition:
    """Silhouettes in the order of the scene's garments; `figure` None where a garment is laid out alone."""

    silhouettes: tuple[Silhouette, ...]
    figure: Figure | None
    extent: Extent  # how far every path reaches to the right and down, control points included


def compose(scene: Scene) -> Composition:
    """Place all that a scene shows. The same scene gives the same paths."""
    rng = Random(f"compose/{scene.seed}")
    return _alone(scene, rng) if scene.layout == "alone" else _worn(scene, rng)


def _alone(scene: Scene, rng: Random) -> Composition:
    garment = scene.garments[0]
    wear = Wear(rng, alone=True, arm=23.0 + rng.uniform(-3, 4))
    sketch = MAKERS[garment.kind](garment, wear)
    left, top, right, bottom = sketch.bounds()
    scale = ALONE_SIDE[garment.hem] / max(right - left, bottom - top) * (1 + rng.uniform(-SCALE_JITTER, SCALE_JITTER))
    dx = SIDE / 2 - (left + right) / 2 * scale + rng.uniform(-JITTER, JITTER)
    dy = SIDE / 2 - (top + bottom) / 2 * scale + rng.uniform(-JITTER, JITTER)
    return Composition((sketch.place(Frame(scale, dx, dy)),), None, (right * scale + dx, bottom * scale + dy))


def _worn(scene: Scene, rng: Random) -> Composition:
    slots = [GARMENT_BY_ID[garment.kind].slot for garment in scene.garments]
    arm = 24.0 if "hand" in slots else 19.0 + rng.uniform(-1, 2)
    outer = next((g for g, slot in zip(scene.garments, slots, strict=True) if slot == "outer"), None)
    hides_legs = outer is not None and outer.kind in LONG_OUTER and outer.hem != "mini"
    over = outer is not None and ("top" in slots or "whole" in slots or (hides_legs and "bottom" in slots))
    wear = Wear(rng, alone=False, arm=arm, open=over)
    hides_arms = outer is not None and outer.kind not in ("vest", "baeja") and outer.sleeve != "short"
    sketches = []
    for garment, slot in zip(scene.garments, slots, strict=True):
        covered = hides_arms and slot in ("top", "whole")
        sketches.append(MAKERS[garment.kind](garment, replace(wear, covered=covered)))
    dress_together(scene.garments, slots, sketches)
    boxes = [sketch.bounds() for sketch in sketches]
    frame = _frame(slots, boxes, rng)
    figure = make_figure(
        rng,
        frame,
        arm,
        suit_top=not {"top", "whole"} & set(slots),
        suit_bottom=not {"bottom", "whole"} & set(slots),
        hat="head" in slots,
        holds="hand" in slots,
        shod="feet" in slots,
    )
    right, bottom = (max(box[side] for box in (*boxes, reach_of(arm))) for side in (2, 3))
    extent = right * frame.scale + frame.dx, bottom * frame.scale + frame.dy
    return Composition(tuple(sketch.place(frame) for sketch in sketches), figure, extent)


def _frame(slots: list[str], boxes: list[Box], rng: Random) -> Frame:
    """What of the body the square shows: with shoes all of it, else down to just below what is worn.

    A hat or a scarf alone shows head and chest, shoes alone show the legs.
    """
    standing = "feet" in slots
    top = 112.0 if set(slots) == {"feet"} else min(-15.0, min(box[1] for box in boxes) - 3)
    low = 243.0 if standing else 112.0 if set(slots) <= {"head", "neck"} else 150.0
    bottom = low if standing else max(low, max(box[3] for box in boxes) + 9)
    half = max(58.0, *(max(-box[0], box[2]) + 5 for box in boxes))
    room = SIDE - (10.0 if standing else 3.0)
    scale = min(room / (bottom - top), SIDE / 2 / half) * (1 - rng.uniform(0, 0.03))
    dx = SIDE / 2 + rng.uniform(-1, 1) * max(0.0, min(JITTER, SIDE / 2 - half * scale))
    foot = SIDE - rng.uniform(3.0, 8.0) if standing else SIDE
    return Frame(scale, dx, foot - bottom * scale)

"""Clothes worn together: a top is tucked in, what lies under a coat is narrower than the coat."""

from __future__ import annotations

from collections.abc import Callable

from fashion.drawing.paths import Path, bend, bounds
from fashion.drawing.sketch import Sketch
from fashion.scene import Garment

Move = Callable[[float, float], tuple[float, float]]
TUCK_Y = 108.0
TUCKED = ("t_shirt", "shirt", "blouse")
SHORTENED = ("knit", "hoodie")
LONG_OUTER = ("coat", "durumagi", "padding")
SHOE_Y = 210.0
HAT_LIFT = {"bucket_hat": 8.0, "cap": 3.0, "beanie": 2.0, "gat": 3.0}  # so that the eyes show
_ARM_X = 33.0  # a line that stays within is on the torso


def dress_together(garments: tuple[Garment, ...], slots: list[str], sketches: list[Sketch]) -> None:
    """Change sketches so that they can be worn over each other and each still shows."""
    by_slot = {slot: i for i, slot in enumerate(slots)}
    top, bottom, outer, whole = (by_slot.get(slot) for slot in ("top", "bottom", "outer", "whole"))
    if top is not None and bottom is not None:
        if garments[top].kind in TUCKED and garments[bottom].kind != "hanbok_skirt":
            _tuck(sketches[top])
        elif garments[top].kind in SHORTENED:
            _reshape(sketches[top], lambda x, y: (x, y if y < 88 else 88 + (y - 88) * 0.6))
    if "head" in by_slot:
        _lift(sketches[by_slot["head"]], HAT_LIFT[garments[by_slot["head"]].kind])
    if "feet" in by_slot:
        for i, sketch in enumerate(sketches):
            if slots[i] != "feet":
                _shorten(sketch)
        if bottom is not None and garments[bottom].kind != "jeans":
            sketches[by_slot["feet"]].layer = 10
    if outer is None:
        return
    if "neck" in by_slot and (top is not None or whole is not None):
        _part(sketches[by_slot["neck"]])
    long = garments[outer].kind in LONG_OUTER and garments[outer].hem != "mini"
    if top is not None:
        _reshape(sketches[top], _slim)
    for part in (bottom, whole):
        if part is not None and (long or garments[part].kind == "hanbok_skirt"):
            factor = 0.66 if garments[part].kind == "hanbok_skirt" else 0.72
            _narrow(sketches[part], factor)


def _shorten(sketch: Sketch) -> None:
    """End what would hide shoes above them."""
    low = sketch.bounds()[3]
    if low > SHOE_Y:
        factor = (SHOE_Y - 120) / (low - 120)
        _move(sketch, lambda x, y: (x, y if y < 120 else 120 + (y - 120) * factor))


def _part(sketch: Sketch) -> None:
    """Lay the ends of a scarf on both sides of an open front."""

    def parted(path: Path) -> Path:
        left, _, right, _ = bounds([path])
        side = 10 if left + right > 0 else -10
        return bend(path, lambda x, y: (x + side * min(max((y - 74) / 24, 0.0), 1.0), y))

    sketch.panels = [(parted(p[0]), *p[1:]) for p in sketch.panels]
    sketch.strokes = [(parted(s[0]), *s[1:]) for s in sketch.strokes]


def _lift(sketch: Sketch, by: float) -> None:
    """Move a hat up."""
    _move(sketch, lambda x, y: (x, y - by))


def _slim(x: float, y: float) -> tuple[float, float]:
    """Below the arms, nothing of a top wider than an open coat over it."""
    limit = 20.0
    share = 0.6 * min(max((y - 88) / 14, 0.0), 1.0)
    if abs(x) < limit:
        return x, y
    return (abs(x) - (abs(x) - limit) * share) * (1 if x > 0 else -1), y


def _tuck(sketch: Sketch) -> None:
    """End a top at the waistband, under it."""
    sketch.layer = 15
    sketch.trims = [trim for trim in sketch.trims if bounds([trim[0]])[1] < TUCK_Y - 2]

    def tucked(x: float, y: float) -> tuple[float, float]:
        t = min(max((y - 90) / 17, 0.0), 1.0)
        shrink = 1 - 0.34 * t if abs(x) > 5 else 1.0
        limit = 21.0 + (1 - t) * 12
        return max(-limit, min(limit, x * (shrink if abs(x) > 21 else 1.0))), min(y, TUCK_Y + (y - TUCK_Y) * 0.05)

    sketch.strokes = [s for s in sketch.strokes if not _on_torso(s[0]) or bounds([s[0]])[1] < TUCK_Y - 8]
    sketch.panels = [p for p in sketch.panels if not _on_torso(p[0]) or bounds([p[0]])[1] < TUCK_Y - 2]
    _reshape(sketch, tucked)


def _narrow(sketch: Sketch, factor: float) -> None:
    """Press a skirt together from the hips down."""

    def narrowed(x: float, y: float) -> tuple[float, float]:
        t = min(max((y - 96) / 40, 0.0), 1.0)
        return x * (1 - (1 - factor) * t), y

    _move(sketch, narrowed)


def _move(sketch: Sketch, move: Move) -> None:
    """Move all points but those of sleeves."""
    sketch.panels = [(bend(p[0], move), *p[1:]) if p[4] != "sleeve" else p for p in sketch.panels]
    sketch.behind = [(bend(p[0], move), *p[1:]) for p in sketch.behind]
    sketch.strokes = [(bend(s[0], move), *s[1:]) for s in sketch.strokes]
    sketch.trims = [(bend(t[0], move), *t[1:]) for t in sketch.trims]


def _reshape(sketch: Sketch, move: Move) -> None:
    """Move the points of all that lies on the torso, not of the sleeves."""
    sketch.panels = [(bend(p[0], move), *p[1:]) if p[4] != "sleeve" and _on_torso(p[0]) else p for p in sketch.panels]
    sketch.behind = [(bend(p[0], move), *p[1:]) for p in sketch.behind]
    sketch.strokes = [(bend(s[0], move), *s[1:]) if _on_torso(s[0]) else s for s in sketch.strokes]
    sketch.trims = [(bend(t[0], move), *t[1:]) if _on_torso(t[0]) else t for t in sketch.trims]


def _on_torso(path: Path) -> bool:
    left, _, right, _ = bounds([path])
    return left > -_ARM_X and right < _ARM_X or left < -10 and right > 10

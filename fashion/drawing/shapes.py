"""What a garment is made of before it has colour: the seam between geometry (silhouettes) and paint.

All coordinates are scene units: a square of 256 × 256, y down, whatever the picture's size in pixels.
`silhouettes.silhouette(garment, place, rng)` makes these; `render` paints them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Panel:
    """One closed piece of cloth, painted with the garment's colour, pattern and material.

    `path` is SVG path data. `angle` turns the cloth's grain (degrees), so that a pattern follows a sleeve; `scale`
    shrinks it. `shade` in -1..1 darkens or lightens the whole piece (the inside of a hood is about -0.5).
    """

    path: str
    angle: float = 0.0
    scale: float = 1.0
    shade: float = 0.0
    role: str = "body"  # body | sleeve | hood | collar | cuff | lining | brim | sole | trim


@dataclass(frozen=True)
class Stroke:
    """A drawn line: seam, stitch, fold, lace. `path` is SVG path data, `width` in scene units."""

    path: str
    width: float = 1.0
    role: str = "seam"  # seam (thin dark) | stitch (dashed) | fold (soft shadow) | light (soft highlight) | rib | lace


@dataclass(frozen=True)
class Trim:
    """A small part with a colour of its own: button, buckle, sole, ribbon knot, strap. `path` is closed."""

    path: str
    tone: str = "contrast"  # contrast | self_dark | self_light | white | dark | metal | skin


@dataclass(frozen=True)
class Silhouette:
    """One garment in place. Painted in order: back panels, the figure, then panels, folds, seams, trims."""

    panels: tuple[Panel, ...]
    strokes: tuple[Stroke, ...] = ()
    trims: tuple[Trim, ...] = ()
    back: tuple[Panel, ...] = ()  # what lies behind the body: back of a collar, inside of a skirt or hood
    # painted by rising layer: feet 10, bottom 20, top and whole 30, outer 40, neck 60, hand 70, head 80
    layer: int = 0


@dataclass(frozen=True)
class Figure:
    """The body under the clothes: painted before them, hair partly after. It must never look like a garment."""

    body: tuple[Trim, ...]
    front: tuple[Trim, ...] = ()  # what lies over the clothes: a hand, a lock of hair
    strokes: tuple[Stroke, ...] = ()

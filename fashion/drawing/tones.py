"""The tones that go with each garment colour: outline, shade, and the second colours of its patterns.

One fixed rule: a light tint on dark and middle colours, a deep tone on light ones, so that the main colour keeps its
name and every pattern its contrast.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from fashion.lexicon import COLOR_BY_ID

Rgb = tuple[int, int, int]

_ACCENTS: dict[str, Rgb] = {
    "red": (255, 240, 228), "orange": (255, 244, 224), "yellow": (150, 88, 36), "green": (236, 246, 220),
    "mint": (30, 118, 98), "sky_blue": (252, 254, 255), "blue": (232, 242, 255), "navy": (214, 222, 240),
    "purple": (242, 230, 250), "pink": (255, 250, 250), "burgundy": (246, 222, 214), "brown": (244, 224, 194),
    "beige": (136, 92, 56), "white": (84, 96, 122), "gray": (248, 248, 248), "black": (226, 226, 230),
}  # fmt: skip


@dataclass(frozen=True)
class Tones:
    """Hex colours for one garment colour. `base` is the named colour itself."""

    rgb: Rgb
    base: str
    line: str  # outline and seams: a deep tone of the same hue
    accent: str  # the second colour of a pattern
    third: str  # fine lines of a check
    mid: str  # inside of a rosette
    spot: str  # rosettes
    leaf: str
    bloom: str  # petals
    heart: str  # the heart of a flower
    inlay: str  # inside of a paisley drop
    ink: str  # eyes and mouths
    gold: str
    rose: str
    camo_light: str
    camo_dark: str
    camo_deep: str
    dark: str  # trims in the garment's own hue
    light: str
    contrast: str  # buttons
    obang_red: str
    obang_blue: str
    obang_green: str
    obang_yellow: str


def mix(a: Rgb, b: Rgb, share: float) -> Rgb:
    """`a` with `share` (0..1) of `b`."""
    r, g, u = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return r, g, u


def hex_of(rgb: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def luminance(rgb: Rgb) -> float:
    """Perceived lightness, 0..255 (Rec. 601)."""
    return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]


def distance(a: Rgb, b: Rgb) -> float:
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5


def far_from(rgb: Rgb, first: Rgb, second: Rgb) -> str:
    """`first`, unless it would vanish on `rgb`."""
    return hex_of(first if distance(rgb, first) > 90 else second)


@cache
def tones_of(color: str) -> Tones:
    rgb = COLOR_BY_ID[color].rgb
    accent = _ACCENTS[color]
    light_cloth = luminance(accent) < luminance(rgb)
    dark_cloth = luminance(rgb) < 60
    black, white = (12, 10, 16), (255, 255, 255)
    line = mix(rgb, (18, 16, 30), 0.62 if luminance(rgb) < 200 else 0.55)
    if dark_cloth:
        line = mix(rgb, black, 0.75)
    return Tones(
        rgb, hex_of(rgb), hex_of(line), hex_of(accent),
        third=hex_of(mix(rgb, black, 0.6) if not dark_cloth else (250, 220, 120)),
        mid=hex_of(mix(rgb, (196, 120, 40), 0.45) if not dark_cloth else mix(rgb, (210, 150, 80), 0.5)),
        spot=hex_of(mix(rgb, (20, 12, 8), 0.82) if not dark_cloth else (222, 196, 150)),
        leaf=far_from(rgb, (64, 142, 84), (190, 226, 150)),
        bloom=hex_of((204, 66, 104)) if light_cloth else hex_of(accent),
        heart=far_from(rgb, (250, 196, 54), (196, 52, 60)),
        inlay=far_from(rgb, (14, 124, 132), (200, 44, 112)) if luminance(accent) > 120 else hex_of((64, 196, 196)),
        ink=hex_of((44, 36, 44) if not light_cloth else (255, 250, 240)),
        gold=far_from(rgb, (252, 206, 66), (60, 110, 206)), rose=far_from(rgb, (238, 84, 112), (255, 214, 224)),
        camo_light=hex_of(
            mix(rgb, white, 0.58 if dark_cloth else 0.5) if luminance(rgb) < 200 else mix(rgb, (112, 116, 108), 0.36)
        ),
        camo_dark=hex_of(mix(rgb, (24, 30, 20), 0.42) if not dark_cloth else mix(rgb, white, 0.28)),
        camo_deep=hex_of(mix(rgb, (18, 22, 16), 0.74) if not dark_cloth else mix(rgb, black, 0.85)),
        dark=hex_of(mix(rgb, black, 0.4)), light=hex_of(mix(rgb, white, 0.45)),
        contrast=hex_of(accent),
        obang_red=far_from(rgb, (206, 58, 48), (240, 150, 130)),
        obang_blue=far_from(rgb, (38, 84, 168), (120, 190, 230)),
        obang_green=far_from(rgb, (46, 140, 104), (150, 214, 176)),
        obang_yellow=far_from(rgb, (244, 192, 62), (180, 90, 30)),
    )  # fmt: skip

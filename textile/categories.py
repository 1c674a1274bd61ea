"""The thirteen categories of fabric pattern, with the Korean and English names under which the page shows them."""

from __future__ import annotations

from dataclasses import dataclass

from fashion.lexicon import PATTERNS

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Category:
    """`id` is that of `fashion.lexicon.PATTERNS`, so that a drawn garment and a pattern mean the same by it.

    `colors` is how many colours of a palette the category can use: plain cloth shows one.
    """

    id: str
    ko: str
    en: str
    colors: int = 4


CATEGORIES: tuple[Category, ...] = tuple(
    Category(word.id, word.ko[0], word.en[0], 1 if word.id == "solid" else 4) for word in PATTERNS
)
CATEGORY_IDS: tuple[str, ...] = tuple(category.id for category in CATEGORIES)
_BY_ID = {category.id: category for category in CATEGORIES}


def category(id: str) -> Category:
    """The category of an id. Raises ValueError that names what is allowed."""
    try:
        return _BY_ID[id]
    except KeyError:
        raise ValueError(f"pattern category {id!r}: use one of {', '.join(CATEGORY_IDS)}") from None


def checked_palette(palette: list[RGB] | tuple[RGB, ...]) -> tuple[RGB, ...]:
    """A palette of 1 to 4 colours, each three numbers 0..255. Raises ValueError that names what came."""
    if not 1 <= len(palette) <= 4:
        raise ValueError(f"the palette has {len(palette)} colours: give 1 to 4")
    for color in palette:
        if len(color) != 3 or not all(isinstance(level, int) and 0 <= level <= 255 for level in color):
            raise ValueError(f"the palette's colour {color!r}: give three whole numbers from 0 to 255")
    return tuple((color[0], color[1], color[2]) for color in palette)


def checked_sizes(seeds: int, size: int) -> None:
    """Raises ValueError where no seed is given, or a picture of this many pixels a side cannot be made."""
    if not seeds:
        raise ValueError("no seed is given: give one whole number per pattern")
    if not 64 <= size <= 4096:
        raise ValueError(f"a pattern of {size} px cannot be made: use 64 to 4096")

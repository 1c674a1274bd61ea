"""A small picture of every word that is better seen than read: one sheet for a page, and where each word is on it.

In: the lexicon. Out: `word_pictures.webp`, square cells of `CELL` pixels in rows of `COLUMNS`, and
`word_pictures.json`, "field id" → number of its cell. Colours have none: their "#rrggbb" is enough. The styles are on a
sheet of their own besides, `style_pictures.webp` with `style_pictures.json`, because a page shows them before any word:
those of the lexicon, then the looks of styles that ship (`fashion.looks`), by the styles' names.

    python -m fashion word-pictures demo/web/static
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from fashion.drawing import draw, draw_masks
from fashion.lexicon import COLORS, GARMENT_BY_ID, GARMENTS, WORDS, GarmentKind
from fashion.looks import LOOKS
from fashion.scene import Garment, Scene

NAME, STYLES = "word_pictures", "style_pictures"
CELL, COLUMNS = 64, 10
MOST_BYTES = 60_000
_DRAWN = 256  # pixels at which each is drawn
_FIELDS = tuple(field for field in WORDS if field != "color")
_OPTIONS = {"material": "materials", "sleeve": "sleeves", "hem": "hems", "neckline": "necklines", "detail": "details"}
_MODELS = ("dress", "blouse", "knit", "shirt", "coat", "jacket", "vest", "t_shirt")  # who shows an attribute best
_PARTS = {  # what of a garment's box is shown: left, top, side, in parts of its longer side
    "pattern": (0.3, 0.5, 0.4), "material": (0.3, 0.5, 0.4), "neckline": (0.25, 0.0, 0.5),
}  # fmt: skip
_TOLD = {"gat": "black", "jeans": "blue", "hanbok_skirt": "navy", "scarf": "orange"}  # the colour by which it is known
_LOOK_SCENE = Scene((Garment("dress", "red", "dots", "cotton", "short", "knee", "round"),), "figure")
_VIEWS = {"background": (0.0, 36.0, 150.0), "style": (56.0, 56.0, 144.0)}  # left, top, side in pixels


def write_word_pictures(folder: Path) -> Path:
    """Draw the sheet and its places into a folder; the path of the sheet. Raises OSError, ValueError."""
    words = list(words_shown())
    path = _write_sheet(
        {f"{field} {id}": word_picture(field, id) for field, id in words}, folder / f"{NAME}.webp", MOST_BYTES
    )
    styles = {word.id: word_picture("style", word.id) for word in WORDS["style"]}
    looks = {look.words.ko: look_picture(id) for id, look in LOOKS.items()}
    _write_sheet(styles | looks, folder / f"{STYLES}.webp", MOST_BYTES // 5)
    return path


def _write_sheet(pictures: Mapping[str, Image.Image], path: Path, most_bytes: int) -> Path:
    """Cells of named pictures in rows of COLUMNS, of the best quality that keeps to so many bytes; as JSON beside it
    the place of each.
    """
    sheet = Image.new("RGB", (CELL * COLUMNS, CELL * -(-len(pictures) // COLUMNS)), "white")
    for place, picture in enumerate(pictures.values()):
        sheet.paste(picture, (place % COLUMNS * CELL, place // COLUMNS * CELL))
    places = {name: place for place, name in enumerate(pictures)}
    path.with_suffix(".json").write_text(json.dumps(places, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
    for quality in range(80, 20, -5):
        sheet.save(path, "WEBP", quality=quality, method=6)
        if path.stat().st_size <= most_bytes:
            break
    return path


def words_shown() -> Iterator[tuple[str, str]]:
    """(field, id) of every word on the sheet, in order."""
    for field in _FIELDS:
        yield from ((field, word.id) for word in WORDS[field])


def word_picture(field: str, id: str) -> Image.Image:
    """A drawing of CELL × CELL that shows what the word means."""
    if field in ("background", "style"):
        scene = Scene((_garment("jeogori", "red"),), "figure" if field == "background" else "alone")
        scene = replace(scene, background=id) if field == "background" else replace(scene, style=id)
        picture = _part(Image.fromarray(draw(scene, _DRAWN)), *_VIEWS[field])
    else:
        picture = _shown(_example(field, id), _PARTS.get(field, (0.0, 0.0, 1.0)))
    return picture.resize((CELL, CELL), Image.Resampling.LANCZOS)


def look_picture(look: str) -> Image.Image:
    """A drawing of CELL × CELL in a look."""
    scene = LOOKS[look].dressed(_LOOK_SCENE)
    return Image.fromarray(LOOKS[look].draw(scene, _DRAWN)).resize((CELL, CELL), Image.Resampling.LANCZOS)


def _shown(garment: Garment, part: tuple[float, float, float]) -> Image.Image:
    """A part of the square around a garment laid out on white."""
    scene = Scene((garment,), "alone")
    rows, columns = (np.flatnonzero(draw_masks(scene, _DRAWN)[0].any(axis=axis)) for axis in (1, 0))
    longer = max(np.ptp(rows), np.ptp(columns)) * 1.12
    left, top = (float(ends.min() + ends.max()) / 2 - longer / 2 for ends in (columns, rows))
    left, top, side = left + part[0] * longer, top + part[1] * longer, part[2] * longer
    return _part(Image.fromarray(draw(scene, _DRAWN)), left, top, side)


def _part(picture: Image.Image, left: float, top: float, side: float) -> Image.Image:
    """A square out of a picture, white where it reaches beyond."""
    box = (left, top, left + side, top + side)
    return picture.transform(picture.size, Image.Transform.EXTENT, box, Image.Resampling.BICUBIC, fillcolor="white")


def _example(field: str, id: str) -> Garment:
    """A garment that shows the word."""
    if field == "garment":
        color = COLORS[GARMENTS.index(GARMENT_BY_ID[id]) * 5 % len(COLORS)].id
        return _garment(id, _TOLD.get(id, color))
    if field == "pattern":
        return _garment("dress", "blue", pattern=id)
    names = [*_MODELS, *(kind.id for kind in GARMENTS)]
    model = next(name for name in names if id in getattr(GARMENT_BY_ID[name], _OPTIONS[field]))
    return _garment(model, "sky_blue", **{"details": (id,)} if field == "detail" else {field: id})


def _garment(id: str, color: str, **given: object) -> Garment:
    kind: GarmentKind = GARMENT_BY_ID[id]
    usual = {name: options[len(options) // 2 if name in ("sleeve", "hem") else 0] for name, several in _OPTIONS.items()
             if name != "detail" and (options := getattr(kind, several))}  # fmt: skip
    return Garment(id, color, **(usual | given))  # type: ignore[arg-type]  # checked by Garment

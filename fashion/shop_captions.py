"""What a product's columns say of its garments, and that in both languages.

In: a `Product`. Out: attributes as the drawn domain has them, and a caption in English and Korean that names exactly
these. The title is read by `fashion.shop_titles`; category, colour and description add what it leaves unsaid.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from fashion.catalogue import Product
from fashion.lexicon import GARMENT_BY_ID, word
from fashion.shop_titles import Attributes, garments_of, names_goods, only_color
from hangul.particles import attach

_ORDER = ("color", "pattern", "material", "sleeve", "neckline", "hem")
_MAX_TITLE = 120  # characters kept of a title that names nothing we know
_HANGUL = re.compile("[가-힣]")


def describe(record: Product) -> dict[str, object]:
    """The row of one product: text, text_ko, attributes, id, title.

    Where no garment is named, the title stays as the text of its own language, and the other text is empty.
    """
    garments = product_garments(record)
    title = record.title or record.description or record.category
    row = {"attributes": {"garments": garments}, "id": record.id, "title": title}
    if garments:
        return {"text": english(garments), "text_ko": korean(garments), **row}
    kept = title[:_MAX_TITLE].strip()
    return {"text": "", "text_ko": kept, **row} if _HANGUL.search(kept) else {"text": kept, "text_ko": "", **row}


def product_garments(record: Product) -> list[Attributes]:
    """The garments that a product's columns name, the title's first."""
    garments = garments_of(record.title)
    if not garments and not names_goods(record.title):
        garments = _by_category(record)
    if len(garments) == 1:
        _add_color(garments[0], record.colour)
        _add_description(garments[0], record.description)
    return garments


def _by_category(record: Product) -> list[Attributes]:
    """A title without a garment (Timeless Red) said of the one that the last step of the category names (Dresses)."""
    last = re.split(r"\s*[>|/»]\s*", record.category.strip())[-1]
    named = garments_of(last)
    if len(named) != 1:
        return garments_of(record.description) if not record.category else []
    title = garments_of(f"{record.title} {last}")
    return title if len(title) == 1 else named


def _add_color(garment: Attributes, column: str) -> None:
    """The colour column decides, unless it contradicts the title: then nobody knows."""
    color = only_color(column)
    if color is not None:
        garment["color"] = color if garment["color"] in (None, color) else None


def _add_description(garment: Attributes, description: str) -> None:
    """Take from the description what it says of this kind and the title does not. A colour there may be another's."""
    alike = [other for other in garments_of(description) if other["kind"] == garment["kind"]]
    if len(alike) != 1:
        return
    for name in _ORDER[1:]:
        garment[name] = garment[name] or alike[0][name]
    garment["details"] = list(dict.fromkeys([*(garment["details"] or ()), *(alike[0]["details"] or ())]))


def english(garments: Sequence[Attributes]) -> str:
    """A caption: a red dress and a blue cardigan. Details stand behind a garment that is alone, else before it."""
    phrases = [_english_phrase(garment, alone=len(garments) == 1) for garment in garments]
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def _english_phrase(garment: Attributes, alone: bool) -> str:
    kind = GARMENT_BY_ID[str(garment["kind"])]
    details = [word("detail", detail) for detail in garment["details"] or ()]
    before = [word(name, str(garment[name])).en_modifiers[0] for name in _ORDER if garment[name]]
    before += [] if alone else [detail.en_modifiers[0] for detail in details]
    text = " ".join((*before, kind.en[0]))
    if details and alone:
        text += " with " + " and ".join(detail.en[0] for detail in details)
    return text if kind.plural else f"{_article(text)} {text}"


def _article(text: str) -> str:
    return "an" if text[0] in "aeiou" and not text.startswith(("one", "uni")) else "a"


def korean(garments: Sequence[Attributes]) -> str:
    """The same in Korean: 빨간 원피스와 파란 가디건. Clauses of details come first, so that no colour is theirs."""
    phrases = [_korean_phrase(garment) for garment in garments]
    return " ".join((*(attach(phrase, "과") for phrase in phrases[:-1]), phrases[-1]))


def _korean_phrase(garment: Mapping[str, object]) -> str:
    details = [word("detail", str(detail)).modifiers[0] for detail in garment["details"] or ()]  # type: ignore[attr-defined]
    named = [word(name, str(garment[name])).modifiers[0] for name in _ORDER if garment[name]]
    return " ".join((*details, *named, GARMENT_BY_ID[str(garment["kind"])].ko[0]))

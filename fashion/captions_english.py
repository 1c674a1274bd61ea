"""English captions in seventeen shapes: keywords, noun phrases, requests, sentences, tags and shop copy.

Every attribute stands right before its garment or in a clause that only one garment can own, so that nobody
has to guess what is striped. At most about 60 CLIP tokens for three garments: long shapes give way to short ones.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from fashion.lexicon import GARMENT_BY_ID, GarmentKind, word
from fashion.scene import Garment

if TYPE_CHECKING:
    from fashion.captions import CaptionContent

T = TypeVar("T")
_MAX_TOKENS = 62  # about CLIP tokens
_ORDERS = (
    ("color", "pattern", "material", "sleeve", "neckline", "hem", "details"),
    ("details", "sleeve", "hem", "color", "pattern", "material", "neckline"),
    ("hem", "sleeve", "neckline", "color", "pattern", "material", "details"),
    ("color", "pattern", "sleeve", "hem", "neckline", "details", "material"),
    ("material", "color", "pattern", "details", "hem", "sleeve", "neckline"),
    ("pattern", "color", "hem", "neckline", "sleeve", "material", "details"),
)
_TRAILING = frozenset({"details", "sleeve", "neckline"})  # what "with …" may say after the noun
_SCENIC = frozenset({"room", "street", "park", "hanok"})
_PEOPLE = ("a person", "someone", "a figure", "a model")
_SLOT_NAMES = {"head": "hat", "neck": "neck", "top": "top", "outer": "outer layer", "whole": "one-piece",
               "bottom": "bottom", "feet": "shoes", "hand": "in hand"}  # fmt: skip
_REQUESTS = ("draw", "please draw", "draw me", "I want", "show me", "make a picture of", "I'd like to see")
_ESSENTIALS = (
    "is an essential for every wardrobe", "is a must-have this season", "goes with everything you own",
    "will be your new favourite", "is made to be worn on repeat",
)  # fmt: skip


def say(content: CaptionContent, rng: random.Random, shape: str | None) -> tuple[str, str]:
    """Return the text and the name of its shape. Raises ValueError for a shape that does not fit."""
    figure = content.scene.layout == "figure"
    fitting = _FITTING[figure, len(content.scene.garments) > 1]
    if shape is not None and shape not in fitting:
        raise ValueError(f"shape {shape!r} does not fit: use one of {', '.join(fitting)}")
    name = shape or fitting[int(rng.random() * len(fitting))]
    speech = Speech(content, rng)
    text = SHAPES[name](speech)
    if shape is None and len(content.scene.garments) > 1 and estimated_tokens(text) > _MAX_TOKENS:
        name = "keywords"
        text = _keywords(Speech(content, rng))
    return text, name


class Speech:
    """One caption in the making: picks words, and knows what is still to be said about place and style."""

    def __init__(self, content: CaptionContent, rng: random.Random) -> None:
        self.content, self.chance = content, rng.random
        self.garments = list(zip(content.scene.garments, content.fields, strict=True))
        if len(self.garments) > 1:
            rng.shuffle(self.garments)
        self.many = len(self.garments) > 1
        self.figure = content.scene.layout == "figure"
        self.background, self.style = content.background, content.style

    def pick(self, options: tuple[T, ...]) -> T:
        return options[0] if len(options) == 1 else options[int(self.chance() * len(options))]

    def modifier(self, garment: Garment, field: str) -> str:
        if field == "details":
            return " ".join(self.pick(word("detail", detail).en_modifiers) for detail in garment.details)
        return self.pick(word(field, getattr(garment, field)).en_modifiers)

    def noun_word(self, garment: Garment, field: str) -> str:
        if field == "details":
            return " and ".join(self.pick(word("detail", detail).en) for detail in garment.details)
        return self.pick(word(field, getattr(garment, field)).en)

    def phrase(self, garment: Garment, fields: tuple[str, ...], article: bool = True) -> str:
        """A noun phrase: an orange striped cotton t-shirt with pockets. "with …" only where one garment is."""
        kind = GARMENT_BY_ID[garment.kind]
        order = _ORDERS[int(self.chance() * len(_ORDERS))]
        behind = [f for f in fields if f in _TRAILING and not self.many and self.chance() < 0.5]
        before = [self.modifier(garment, field) for field in order if field in fields and field not in behind]
        text = " ".join((*before, self.pick(kind.en)))
        if behind:
            text += " with " + " and ".join(self.noun_word(garment, field) for field in behind)
        return self.with_article(text, kind) if article else text

    def with_article(self, text: str, kind: GarmentKind) -> str:
        if kind.plural:
            return f"a pair of {text}" if self.chance() < 0.25 else text
        return article(text)

    def all(self, article: bool = True) -> list[str]:
        return [self.phrase(garment, fields, article) for garment, fields in self.garments]

    def series(self, article: bool = True) -> str:
        """The garments as a list: A, B and C."""
        return _and(self.all(article))

    def person(self) -> str:
        """A person wearing A, B and C; a garment alone is just itself."""
        if not self.figure:
            return self.series()
        return f"{self.pick(_PEOPLE)} {self.worn(self.pick(('wearing', 'in', 'dressed in')), 'carrying')}"

    def worn(self, wearing: str, carrying: str) -> str:
        """What is worn and, since nobody wears a bag, what is carried: wearing A and B and carrying C."""
        texts = []
        for verb, carried in ((wearing, False), (carrying, True)):
            items = [self.phrase(g, fields) for g, fields in self.garments if (_slot(g) == "hand") is carried]
            texts += [f"{verb} {_and(items)}"] if items else []
        return " and ".join(texts)

    def place(self) -> str:
        """The background with its preposition, once: " in a park" or nothing."""
        if self.background is None:
            return ""
        id, self.background = self.background, None
        name = self.pick(word("background", id).en)
        if id == "street":
            return f" on {name}"
        return f" in {name}" if id in _SCENIC else f" {self.pick(('on', 'against', 'on'))} {name}"

    def style_name(self) -> str:
        id, self.style = self.style, None
        return self.pick(word("style", id).en) if id else ""

    def rest(self) -> str:
        """What nobody has said yet, after commas."""
        place, style = self.place(), self.style_name()
        parts = [place.strip(), style]
        if self.chance() < 0.3:
            parts.reverse()
        return "".join(f", {part}" for part in parts if part)


def _keywords(s: Speech) -> str:
    background = s.pick(word("background", s.background).en) if s.background else ""
    s.background = None
    person = s.pick(("worn by a model", "outfit on a figure", "on a person")) if s.figure else ""
    extra = (person, background.removeprefix("a "), s.style_name())
    return ", ".join([*s.all(article=False), *(e for e in extra if e)])


def _noun(s: Speech) -> str:
    text = s.person() + (s.place() if s.chance() < 0.6 else "")
    return text + s.rest()


def _sentence_noun(s: Speech) -> str:
    text = s.person() + s.place() + s.rest()
    return text[0].upper() + text[1:] + "."


def _request(s: Speech) -> str:
    start = s.pick(_REQUESTS)
    style = f" as {_medium(s.style_name())}" if s.style and s.chance() < 0.5 else ""
    return f"{start} {s.person()}{s.place()}{style}{s.rest()}"


def _question(s: Speech) -> str:
    start = s.pick(("can you draw", "could you draw", "would you paint", "could I see", "can you show me"))
    style = f" as {_medium(s.style_name())}" if s.style else ""
    return f"{start} {s.person()}{s.place()}{style}?"


def _picture_of(s: Speech) -> str:
    medium = s.style_name() or s.pick(("picture", "drawing", "image", "fashion sketch", "illustration"))
    medium = f"{medium} picture" if medium.endswith(" art") else medium
    return f"{article(medium)} of {s.person()}{s.place()}"


def _shop_copy(s: Speech) -> str:
    garment, fields = s.garments[0]
    plural = GARMENT_BY_ID[garment.kind].plural
    line = s.pick(_ESSENTIALS)
    if plural:
        line = line.replace("is an essential", "are essentials").replace("is a must-have", "are must-haves")
        line = line.replace("is made", "are made").replace("goes", "go")
    tail = s.pick(("shown", "photographed", "pictured"))
    place = f", {tail}{place}" if (place := s.place()) else ""
    model = ", worn by a model" if s.figure else ""
    this = "These" if plural else "This"
    return f"{this} {s.phrase(garment, fields, article=False)} {line}{model}{place}{s.rest()}."


def _shop_outfit(s: Speech) -> str:
    first, *others = s.all()
    start = s.pick(("Our model pairs", "Style", "Pair", "Complete the look:"))
    joint = ", " if start == "Complete the look:" else " with "
    return f"{start} {first}{joint}{_and(others)}{s.place()}{s.rest()}."


def _sentences(s: Speech) -> str:
    """The dress is red, plaid and cotton, with a v-neck. The bag is …"""
    texts = []
    for garment, fields in s.garments:
        kind = GARMENT_BY_ID[garment.kind]
        plain = [s.modifier(garment, f) for f in fields if f not in ("details", "neckline")]
        having = [s.noun_word(garment, f) for f in fields if f in ("details", "neckline")]
        verb, has = ("are", "have") if kind.plural else ("is", "has")
        text = f"the {s.pick(kind.en)}"
        text += f" {verb} {_and(plain)}" if plain else ""
        if having:
            text += f"{' and' if plain else ''} {has} {_and(having)}"
        texts.append(text if plain or having else f"there {verb} {s.with_article(s.pick(kind.en), kind)}")
    start = s.pick(("a person is wearing this: ", "on a figure: ")) if s.figure else ""
    return start + ". ".join(texts) + s.rest()


def _tags(s: Speech) -> str:
    """dress (red, plaid, cotton), bag (black): brackets bind."""
    items = []
    for garment, fields in s.garments:
        inside = ", ".join(s.modifier(garment, field) for field in fields)
        noun = s.pick(GARMENT_BY_ID[garment.kind].en)
        items.append(f"{noun} ({inside})" if inside else noun)
    person = ", on a person" if s.figure else ""
    return ", ".join(items) + person + s.rest()


def _in_cloth(s: Speech) -> str:
    """A dress in red plaid cotton with short sleeves and a v-neck."""
    garment, fields = s.garments[0]
    kind = GARMENT_BY_ID[garment.kind]
    cloth = " ".join(s.modifier(garment, f) for f in ("color", "pattern") if f in fields)
    cloth += f" {word('material', garment.material).en[0]}" if garment.material and "material" in fields else ""
    having = [s.noun_word(garment, f) for f in ("sleeve", "neckline", "hem", "details") if f in fields]
    text = s.with_article(s.pick(kind.en), kind) + (f" in {cloth.strip()}" if cloth else "")
    text += f" with {_and(having)}" if having else ""
    on = s.pick((", worn by a person", ", on a model")) if s.figure else ""
    return text + on + s.rest()


def _there_is(s: Speech) -> str:
    person = s.person()
    plural = not s.figure and GARMENT_BY_ID[s.garments[0][0].kind].plural
    verb = "there are" if plural and not person.startswith("a pair") else "there is"
    return f"{verb} {person}{s.place()}{s.rest()}"


def _style_first(s: Speech) -> str:
    style = s.style_name() or s.pick(("fashion illustration", "sketchbook page", "clothing design"))
    return f"{style}: {s.person()}{s.place()}"


def _place_first(s: Speech) -> str:
    place = s.place().strip()
    return f"{place}, {s.person()}{s.rest()}" if place else _noun(s)


def _outfit(s: Speech) -> str:
    sign = s.pick((" + ", ", ", " and "))
    start = s.pick(("outfit: ", "look of the day: ", "an outfit of ", "styled together: "))
    return start + sign.join(s.all(article=start == "an outfit of ")) + s.rest()


def _wears(s: Speech) -> str:
    who = s.pick(("the person", "the model", "someone", "the figure"))
    wears, carries = s.pick((("wears", "carries"), ("is wearing", "is carrying"), ("is in", "holds")))
    return f"{who} {s.worn(wears, carries)}{s.place()}{s.rest()}"


def _slots(s: Speech) -> str:
    """hat: pink bucket hat; top: white t-shirt."""
    items = [f"{_SLOT_NAMES[_slot(g)]}: {s.phrase(g, fields, article=False)}" for g, fields in s.garments]
    return "; ".join(items) + s.rest()


def _slot(garment: Garment) -> str:
    return GARMENT_BY_ID[garment.kind].slot


def _and(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" and not noun.startswith(("one", "uni")) else f"a {noun}"


def _medium(style: str) -> str:
    return style if style.endswith(" art") else article(style)


def estimated_tokens(text: str) -> int:
    """About how many CLIP tokens the text takes: words, signs, and two more for every hyphen."""
    return 2 + len(text.split()) + 2 * text.count("-") + sum(map(text.count, ",.:;()+"))


SHAPES: dict[str, Callable[[Speech], str]] = {
    "keywords": _keywords, "noun": _noun, "sentence_noun": _sentence_noun, "request": _request,
    "question": _question, "picture_of": _picture_of, "shop_copy": _shop_copy, "shop_outfit": _shop_outfit,
    "sentences": _sentences, "tags": _tags, "in_cloth": _in_cloth, "there_is": _there_is,
    "style_first": _style_first, "place_first": _place_first, "outfit": _outfit, "wears": _wears, "slots": _slots,
}  # fmt: skip
_ONE_ONLY, _MANY_ONLY, _FIGURE_ONLY = {"shop_copy", "in_cloth"}, {"shop_outfit", "outfit", "slots"}, {"wears"}
_FITTING: dict[tuple[bool, bool], tuple[str, ...]] = {
    (figure, many): tuple(
        name for name in SHAPES
        if name not in (_ONE_ONLY if many else _MANY_ONLY) and (figure or name not in _FIGURE_ONLY)
    )
    for figure in (False, True) for many in (False, True)
}  # fmt: skip

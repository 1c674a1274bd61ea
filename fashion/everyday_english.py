"""English prompts as people type them; see `fashion.captions_everyday`."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from fashion.captions_english import Speech, article
from fashion.lexicon import GARMENT_BY_ID, word
from fashion.scene import Garment, goes_without_saying

if TYPE_CHECKING:
    from fashion.captions_everyday import Prompt

_NOUNS = {
    "knit": ("sweater", "knit sweater", "knit", "pullover"), "t_shirt": ("t-shirt", "tee", "tshirt", "t shirt"),
    "padding": ("puffer jacket", "padded jacket", "puffer"), "trousers": ("pants", "trousers"), "jeans": ("jeans",),
    "shirt": ("shirt", "button-up shirt", "button up"), "cap": ("cap", "baseball cap"), "kkotsin": ("kkotsin",),
    "hanbok_skirt": ("hanbok skirt", "chima"), "jeogori": ("jeogori",), "baeja": ("hanbok vest", "baeja"),
}  # fmt: skip
_SETS = ("hanbok", "hanbok set", "modern hanbok")
_JOINS = (" and ", " and ", " with ", " with ", ", ", " + ", " & ", " plus ")
_ENDS = ("", "", "", "", "", "", " please", " outfit", " look", " pls", ", full outfit", " together")
_STARTS = ("", "", "", "", "", "", "", "draw ", "draw me ", "i want ", "show me ", "outfit with ")
_WORN = (" on a person", " on a model", ", worn by a model", ", someone wearing it", " worn by a person")
_STYLES = {
    "ink_wash": (" in ink wash", ", ink wash style", ", ink painting", " as an ink wash painting", " ink wash", ", ink wash painting"),
    "watercolor": (" in watercolour", " watercolor", ", watercolor style", " as a watercolor", ", watercolour painting"),
    "pencil": (" in pencil", ", pencil drawing", " pencil sketch", " as a pencil sketch", " drawn in coloured pencil", ", colored pencil style"),
    "pixel": (" pixel art", ", pixel art", " as pixel art", ", pixel style", " in pixel art style"),
    "flat": (", flat illustration", " as a flat illustration", ", illustration style", " flat style"),
}  # fmt: skip


def say(prompt: Prompt, rng: random.Random) -> str:
    """The text of one prompt."""
    talk = _Talk(prompt, rng)
    text = talk.line()
    if "wearer" in prompt.added:
        text += ", worn by a person"
    return text + talk.setting()


class _Talk(Speech):
    """One prompt in the making."""

    def __init__(self, prompt: Prompt, rng: random.Random) -> None:
        super().__init__(prompt.content, rng)
        given = zip(prompt.content.scene.garments, prompt.named, strict=True)
        self.named_fields = {garment.kind: fields for garment, fields in given}
        self.added, self.kinds = prompt.added, set(self.named_fields)

    def line(self) -> str:
        """The garments, joined as people join them."""
        start = self.pick(_STARTS)
        articles = self.chance() < (0.6 if start else 0.35)
        if one := self._set():
            return start + (article(one) if articles else one)
        items = [self.item(garment, fields, articles) for garment, fields in self.garments]
        if len(items) == 1:
            worn = self.pick(_WORN) if self.figure and "wearer" not in self.added else self.pick(_ENDS[:7])
            return start.removeprefix("outfit with ") + items[0] + worn
        return start + self._joined(items) + self.pick(_ENDS)

    def _joined(self, items: list[str]) -> str:
        first, *others = items
        if len(others) == 1:
            slots = [GARMENT_BY_ID[garment.kind].slot for garment, _ in self.garments]
            over = " over " if slots[0] == "outer" and slots[1] in ("top", "whole") else " with "
            return f"{first}{self.pick((*_JOINS, over))}{others[0]}"
        sign = self.pick((", ", ", ", " and ", " + "))
        last = self.pick((sign, ", and ", " and ", " with "))
        return sign.join(items[:-1]) + last + items[-1]

    def item(self, garment: Garment, fields: tuple[str, ...], articles: bool) -> str:
        """One garment with what the person says of it and what was added right before its noun."""
        kind = GARMENT_BY_ID[garment.kind]
        given = [f for f in fields if f in self.named_fields[garment.kind]]
        added = [f for f in fields if f not in given]
        if "color" in given and goes_without_saying(garment, tuple(given)) and self.chance() < 0.75:
            given.remove("color")
        if garment.kind == "knit" and "neckline" in given and garment.neckline == "turtleneck" and self.chance() < 0.6:
            given.remove("neckline")
            noun = "turtleneck"
        else:
            noun = (
                self.pick(_NOUNS[garment.kind])
                if garment.kind in _NOUNS and self.chance() < 0.6
                else self.pick(kind.en)
            )
        order = ["color", "pattern", "material", "sleeve", "neckline", "hem", "details"]
        if self.chance() < 0.3:
            order = ["sleeve", "hem", "pattern", "color", "material", "neckline", "details"]
        behind = ""
        if "pattern" in given and "color" in given and self.chance() < 0.12:
            given.remove("color")
            behind = f" in {self.modifier(garment, 'color')}"
        words = [self._long(garment, f) for f in order if f in given]
        words += [word(f, getattr(garment, f)).en_modifiers[0] for f in added]
        text = " ".join((*words, noun)) + behind
        return (text if kind.plural else article(text)) if articles else text

    def _long(self, garment: Garment, field: str) -> str:
        if field == "hem" and self.chance() < 0.4:
            return {"mini": "short", "maxi": "long", "knee": "midi"}[garment.hem or "knee"]
        if field == "pattern" and garment.pattern == "stripes" and garment.kind == "jeogori" and self.chance() < 0.4:
            return "rainbow striped"
        return self.modifier(garment, field)

    def _set(self) -> str | None:
        """A hanbok: jeogori and skirt of one colour, where nothing else is told of them."""
        if self.kinds != {"jeogori", "hanbok_skirt"} or self.chance() > 0.6:
            return None
        colors = {garment.color for garment, _ in self.garments}
        if len(colors) > 1 or any(set(fields) != {"color"} for _, fields in self.garments):
            return None
        return f"{self.modifier(self.garments[0][0], 'color')} {self.pick(_SETS)}"

    def setting(self) -> str:
        """Background and style, last; where they were added, by their first names behind commas."""
        parts = []
        if self.background:
            name = word("background", self.background).en[0]
            parts.append(f", {name}" if "background" in self.added else self._where())
        if self.style:
            name = word("style", self.style).en[0]
            parts.append(f", {name}" if "style" in self.added else self.pick(_STYLES[self.style]))
        if len(parts) == 2 and not self.added and self.chance() < 0.3:
            parts.reverse()
        return "".join(parts)

    def _where(self) -> str:
        id = self.background or ""
        name = self.pick(word("background", id).en)
        bare = name.removeprefix("a ").removesuffix(" background")
        ways = [
            f", {bare} background",
            f" with a {bare} background",
            f", background: {bare}",
            f", {bare} background please",
        ]
        if id in ("room", "street", "park", "hanok"):
            on = "on" if id == "street" else "in"
            ways += [
                f" {on} {name}",
                f" {on} the {bare}",
                f", {bare}",
                f" {'at' if id != 'street' else 'out on'} the {bare}",
            ]
            ways += [" in front of a hanok"] if id == "hanok" else [" at home"] if id == "room" else []
        else:
            ways += [f" on {bare}", f" on {name}", f" against {name}"]
        return self.pick(tuple(ways))

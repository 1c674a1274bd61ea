"""Korean phrases for captions: garments with their attributes, who wears them, where, and drawn how.

A `Speech` is one caption in the making. It picks words, keeps particles and verbs right, and remembers what is still
to be said about the background and the style.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from fashion.lexicon import BACKGROUND_BY_ID, GARMENT_BY_ID, WORDS, word
from fashion.scene import Garment
from hangul.particles import attach

if TYPE_CHECKING:
    from fashion.captions import CaptionContent

_ORDERS = (
    ("details", "color", "pattern", "material", "sleeve", "neckline", "hem"),
    ("details", "color", "pattern", "neckline", "material", "sleeve", "hem"),
    ("details", "sleeve", "color", "pattern", "material", "neckline", "hem"),
    ("details", "material", "color", "pattern", "sleeve", "neckline", "hem"),
    ("details", "pattern", "color", "material", "neckline", "sleeve", "hem"),
    ("details", "neckline", "sleeve", "material", "color", "pattern", "hem"),
)
_CLAUSE_ENDINGS = ("린", "는", "은", "긴", "인", "단", "른", "낸")
# 주머니가 달린, 기장이 짧은: they come first, or 초록 주머니가 달린 티 would have green pockets
_CLAUSES = frozenset(
    form for words in WORDS.values() for entry in words for form in entry.modifiers
    if " " in form and form.endswith(_CLAUSE_ENDINGS)
)  # fmt: skip
_WEAR = {  # conjunctive, adnominal, and how a sentence ends: by where the garment goes
    "head": (("쓰고", "쓴", "쓰고 있어요"),),
    "neck": (("두르고", "두른", "두르고 있어요"), ("하고", "한", "하고 있어요")),
    "outer": (("걸치고", "걸친", "걸치고 있어요"), ("입고", "입은", "입고 있어요")),
    "feet": (("신고", "신은", "신고 있어요"),),
    "hand": (("들고", "든", "들고 있어요"),),
}
_WEAR_BODY = (("입고", "입은", "입고 있어요"),)  # tops, bottoms, one-pieces
PEOPLE = ("사람", "사람", "모델", "인물")
SCENIC = frozenset({"room", "street", "park", "hanok"})


class Speech:
    """One caption in the making: picks words, and knows what is still to be said about place and style."""

    def __init__(self, content: CaptionContent, rng: random.Random) -> None:
        self.content, self.chance = content, rng.random
        self.garments = list(zip(content.scene.garments, content.fields, strict=True))
        if len(self.garments) > 1:
            rng.shuffle(self.garments)
        self.figure = content.scene.layout == "figure"
        self.background, self.style = content.background, content.style

    def pick(self, options: tuple[str, ...]) -> str:
        return options[0] if len(options) == 1 else options[int(self.chance() * len(options))]

    def maybe(self, probability: float) -> bool:
        return self.chance() < probability

    def mixed(self, field: str, id: str, usual: tuple[str, ...]) -> str:
        """A word in Korean or, if code-mixing is asked for, often in English or English in Korean letters."""
        if self.content.konglish and self.maybe(0.75):
            entry = word(field, id)
            english = entry.en if field == "garment" else entry.en_modifiers
            return self.pick(entry.loan) if entry.loan and self.maybe(0.6) else self.pick(english[:1])
        return self.named(usual)

    def named(self, names: tuple[str, ...]) -> str:
        """One of a word's names, the standard one first; if synonyms are asked for, one of the others. What else is
        said is the same either way."""
        if self.content.synonyms and len(names) > 1:
            return names[1 + int(self.chance() * (len(names) - 1))]
        return self.pick(names)

    def modifier(self, garment: Garment, field: str) -> str:
        if field == "details":
            return " ".join(self.named(word("detail", detail).modifiers) for detail in garment.details)
        id = getattr(garment, field)
        return self.mixed(field, id, word(field, id).modifiers)

    def value(self, garment: Garment, field: str) -> str:
        """The attribute as a noun: 빨간색, 체크무늬, 반팔."""
        if field == "details":
            return ", ".join(self.named(word("detail", detail).ko) for detail in garment.details)
        id = getattr(garment, field)
        return self.mixed(field, id, word(field, id).ko)

    def noun(self, garment: Garment) -> str:
        return self.mixed("garment", garment.kind, GARMENT_BY_ID[garment.kind].ko)

    def phrase(self, garment: Garment, fields: tuple[str, ...]) -> str:
        """A noun phrase: 주머니가 달린 빨간 체크무늬 면 셔츠."""
        order = _ORDERS[int(self.chance() * len(_ORDERS))]
        parts = [self.modifier(garment, field) for field in order if field in fields]
        clauses = [part for part in parts if part in _CLAUSES]
        if clauses:
            parts = clauses + [part for part in parts if part not in _CLAUSES]
        parts.append(self.noun(garment))
        return " ".join(parts)

    def all(self) -> list[str]:
        return [self.phrase(garment, fields) for garment, fields in self.garments]

    def worn(self, last: int = 1) -> str:
        """The garments with their verbs; the last verb stands before a noun (1) or ends a sentence (2)."""
        texts, i = [], 0
        while i < len(self.garments):
            verbs = self.verbs(i)
            phrase = self.phrase(*self.garments[i])
            while i + 1 < len(self.garments) and verbs in self.verb_choices(i + 1):
                i += 1
                phrase = f"{attach(phrase, self.pick(('과', '과', '이랑')))} {self.phrase(*self.garments[i])}"
            i += 1
            form = verbs[0] if i < len(self.garments) else verbs[last]
            texts.append(f"{attach(phrase, '을')} {form}")
        return " ".join(texts)

    def verb_choices(self, i: int) -> tuple[tuple[str, str, str], ...]:
        return _WEAR.get(GARMENT_BY_ID[self.garments[i][0].kind].slot, _WEAR_BODY)

    def verbs(self, i: int) -> tuple[str, str, str]:
        choices = self.verb_choices(i)
        return choices[int(self.chance() * len(choices))]

    def subject(self) -> str:
        """What is to be seen: the garment alone, or someone who wears them."""
        return f"{self.worn()} {self.pick(PEOPLE)}" if self.figure else self.all()[0]

    def placed(self, probability: float = 0.6) -> str:
        """The subject, often with its background before it."""
        subject = self.subject()
        if self.background is None or not self.maybe(probability):
            return subject
        return f"{self.place_before()} {subject}"

    def place_before(self) -> str:
        """The background as it stands before the subject: 공원에 놓인, 흰 배경에서."""
        id = self.background
        name = self.background_name()
        if self.figure:
            if id in SCENIC:
                return self.pick((f"{name}에서", f"{attach(name, '을')} 배경으로"))
            return self.pick((f"{name}에서", f"{name} 앞에서", f"{name}에"))
        if id in SCENIC:
            return self.pick((f"{name}에 놓인", f"{attach(name, '을')} 배경으로 한", f"{name}에 있는"))
        return self.pick((f"{name}의", f"{name}에 놓인", f"{name} 위"))

    def background_name(self) -> str:
        """The background's name without the word 배경 doubled, once."""
        id, self.background = self.background, None
        names = word("background", id or "").ko
        return self.named(tuple(n for n in names if not n.endswith("배경")) or names)

    def style_name(self) -> str:
        id, self.style = self.style, None
        return self.named(word("style", id).ko) if id else ""

    def manner(self) -> str:
        """How to draw it, before a verb, with its blank: "수묵화로 " or nothing."""
        style = self.style_name()
        if not style:
            return ""
        return self.pick((f"{attach(style, '으로')} ", f"{style} 스타일로 ", f"{style} 느낌으로 "))

    def rest(self) -> str:
        """What nobody has said yet, after commas."""
        parts = []
        if self.background:
            id = self.background
            parts.append(self.pick((self.background_name(), f"배경은 {BACKGROUND_BY_ID[id].backdrop}")))
            self.background = None
        if self.style:
            parts.append(self.style_name())
        if len(parts) == 2 and self.maybe(0.3):
            parts.reverse()
        return "".join(f", {part}" for part in parts)

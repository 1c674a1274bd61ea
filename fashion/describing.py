"""Say in a sentence what a picture shows: a guess for pictures of one's own, to be accepted or corrected.

In: a picture of any shape. Out: a sentence in Korean or English whose words `fashion.replacing` can change: 빨간 반팔
원피스와 파란 운동화, 공원, 수채화. The reporting scorer reads garments, its setting reader background and style.
The CLIP that ships cannot: its image tower tells colours and backgrounds apart but not kinds of garments (`python -m
benchmarks.describing`).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from fashion.lexicon import GARMENT_BY_ID, GarmentKind, Word, word
from fashion.scorer import Detection, Scorer
from fashion.setting import SettingReader
from hangul.particles import attach
from pictures import squared

MOST_GARMENTS = 3  # in a sentence: a scene of the domain has no more
_UNSAID = {"pattern": "solid"}
_BODY = ("head", "neck", "outer", "top", "whole", "bottom", "feet", "hand")


class Describer:
    """The scorer and its setting reader, for one picture at a time; safe from any thread."""

    def __init__(self, scorer: Scorer, setting: SettingReader) -> None:
        self._scorer, self._setting, self._lock = scorer, setting, threading.Lock()

    @classmethod
    def load(cls, folder: Path | str) -> Describer:
        """Open the scorers of a checkpoint. Raises FileNotFoundError, ValueError."""
        scorer = Scorer.load(folder)
        return cls(scorer, SettingReader.load(folder, scorer))

    def describe(self, picture: Image.Image, language: str = "ko") -> str:
        """The sentence in "ko" or "en"; "" where no garment is seen."""
        shown = [squared(picture.convert("RGB"))]
        with self._lock:
            seen = self._scorer.detect(shown)[0]
            background, style = self._setting.read(shown)[0]
        return sentence(seen, background, style, language)


def sentence(seen: Sequence[Detection], background: str, style: str, language: str = "ko") -> str:
    """What was seen in words, garments from head to foot; "" where there are none."""
    likely = sorted(seen, key=lambda one: -one.confidence)[:MOST_GARMENTS]
    ordered = sorted(likely, key=lambda one: _BODY.index(GARMENT_BY_ID[one.garment].slot))
    if not ordered:
        return ""
    phrases = [_phrase(one, language) for one in ordered]
    setting = [_name(word("background", background), language), _name(word("style", style), language)]
    return ", ".join([_listed(phrases, language), *setting])


def _listed(phrases: Sequence[str], language: str) -> str:
    if language == "ko":
        return " ".join([*(attach(phrase, "와") for phrase in phrases[:-1]), phrases[-1]])
    return " and ".join(phrases)


def _phrase(one: Detection, language: str) -> str:
    kind = GARMENT_BY_ID[one.garment]
    attributes = [
        word(field, value)
        for field in ("color", "pattern", "sleeve", "hem")
        if (value := getattr(one, field)) is not None and value != _UNSAID.get(field) and _varies(kind, field)
    ]
    if language == "ko":
        return " ".join([*(each.modifiers[0] for each in attributes), kind.ko[0]])
    text = " ".join([*(each.en_modifiers[0] for each in attributes), kind.en[0]])
    article = "" if kind.plural else "an " if text[0] in "aeiou" else "a "
    return article + text


def _varies(kind: GarmentKind, field: str) -> bool:
    """Whether a kind has more than one of a field, so that naming it says something."""
    options = {"sleeve": kind.sleeves, "hem": kind.hems}
    return field not in options or len(options[field]) > 1


def _name(each: Word, language: str) -> str:
    return each.ko[0] if language == "ko" else each.en[0]

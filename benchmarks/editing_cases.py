"""Edits to measure: held-out scenes, what is to change in them, and the sentences before and after.

In: a number of scenes, a language. Out: `Case`s, one change each: the colour, the kind or the pattern of one garment,
the background, the style. The source's sentence is a full caption, the target's the same with one word replaced.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.drawn import SCENE_STREAM
from fashion.captions import caption
from fashion.lexicon import BACKGROUNDS, COLORS, GARMENT_BY_ID, GARMENTS, PATTERNS, STYLES, Word, word
from fashion.replacing import WordChange, replaced
from fashion.scene import Scene, scenes
from fashion.vocabulary import known_words

CHANGED = ("color", "garment", "pattern", "background", "style")
PART = {"outer": "torso", "top": "torso", "whole": "torso"}  # slots of one part of the body
STREAM = SCENE_STREAM + 10  # scenes that no other benchmark draws


@dataclass(frozen=True)
class Case:
    """One change: `place` is the garment's, None for background and style; `seed` is that of the source's noise."""

    changed: str
    scene: Scene
    edited: Scene
    place: int | None
    source: str
    target: str
    seed: int

    @property
    def new(self) -> str:
        """The id that is to be seen."""
        if self.place is None:
            return str(getattr(self.edited, self.changed))
        garment = self.edited.garments[self.place]
        return garment.kind if self.changed == "garment" else str(getattr(garment, self.changed))


def cases(count: int, language: str, changed: tuple[str, ...] = CHANGED) -> list[Case]:
    """Changes of `count` single garments of held-out combinations and as many outfits, for those changed."""
    single = list(scenes(STREAM, count, "held_out", 1))
    outfits = [scene for n in (2, 3) for scene in scenes(STREAM + n, -(-count // 2), "train", n)][:count]
    return [case for i, scene in enumerate([*single, *outfits]) for case in _cases_of(scene, i, language, changed)]


def _cases_of(scene: Scene, i: int, language: str, changed: tuple[str, ...]) -> Iterator[Case]:
    """What can be changed of a scene by one word of its caption; the same changes in both languages."""
    place = random.Random(f"editing/{i}").randrange(len(scene.garments))
    source = caption(scene, language, seed=i).text
    for name in changed:
        edited = _edited(scene, place, name, random.Random(f"editing/{i}/{name}"))
        if edited is None:
            continue
        case = Case(name, scene, edited, place if name in CHANGED[:3] else None, source, "", 1000 * i)
        old = _value(scene, case.place, name)
        spans = [span for span in known_words(source) if (span.field, span.id) == (name, old)]
        if len(spans) != 1:
            continue  # not named, or of two garments alike: a word alone does not say which
        target = replaced(
            source, [WordChange(spans[0].text, _word_text(word(name, case.new), language), spans[0].start)]
        )
        yield replace(case, target=target)


def _edited(scene: Scene, place: int, name: str, rng: random.Random) -> Scene | None:
    garment = scene.garments[place]
    if name in ("background", "style"):
        options = [each.id for each in (BACKGROUNDS if name == "background" else STYLES)]
        return replace(scene, **{name: rng.choice([id for id in options if id != getattr(scene, name)])})
    if name == "garment":
        return _other_kind(scene, place, rng)
    if name == "pattern" and garment.pattern == "solid":
        return None
    words: tuple[Word, ...] = COLORS if name == "color" else PATTERNS[1:]
    new = rng.choice([each.id for each in words if each.id != getattr(garment, name)])
    return _with(scene, place, replace(garment, **{name: new}))


def _other_kind(scene: Scene, place: int, rng: random.Random) -> Scene | None:
    """Another kind that can have all that is said of the garment, worn where it is worn (a dress may become a coat)."""
    garment, found = scene.garments[place], []
    part = PART.get(GARMENT_BY_ID[garment.kind].slot, GARMENT_BY_ID[garment.kind].slot)
    for kind in GARMENTS:
        if kind.id != garment.kind and PART.get(kind.slot, kind.slot) == part:
            try:
                found.append(_with(scene, place, replace(garment, kind=kind.id)))
            except ValueError:
                continue
    return rng.choice(found) if found else None


def _with(scene: Scene, place: int, garment: object) -> Scene:
    return replace(scene, garments=(*scene.garments[:place], garment, *scene.garments[place + 1 :]))  # type: ignore[arg-type]


def _value(scene: Scene, place: int | None, name: str) -> str:
    if place is None:
        return str(getattr(scene, name))
    garment = scene.garments[place]
    return garment.kind if name == "garment" else str(getattr(garment, name))


def _word_text(new: Word, language: str) -> str:
    return (new.ko if language == "ko" else new.en)[0]

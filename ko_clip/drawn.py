"""Captions of drawn scenes as pairs: Korean in many wordings, and English in one canonical wording.

What a Korean sentence says must decide every slot of its target. If the English could be worded in sixteen shapes
and several synonyms, the best answer to each slot would be their average, and nothing draws an average. So the
target of a caption is the English noun phrase that says the same, in the same words each time, garments from head to
foot. Two wordings of one thing then draw the same picture.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace

from fashion import captions_english
from fashion.caption_noise import add_noise
from fashion.captions import Caption, CaptionContent, caption, say
from fashion.captions_everyday import everyday
from fashion.captions_everyday import say as say_everyday
from fashion.lexicon import GARMENTS
from fashion.scene import Scene, sample_scene
from ko_clip.recipe import CorpusRecipe

_BODY = ("head", "neck", "outer", "top", "whole", "bottom", "feet", "hand")
_RANK = {kind.id: (_BODY.index(kind.slot), place) for place, kind in enumerate(GARMENTS)}
# Kinds of noise and how often each is met: a wrong jamo is the hardest to read; NFD the tokenizer composes again.
_TYPING = (("no_spaces", "jamo", "konglish", "ending", "emoji"), (1, 3, 1, 1, 1))
_TYPED = (("no_spaces", "jamo", "ending", "emoji"), (1, 2, 1, 1))  # the same for prompts as people type them
_SCENES_PER_SEED = 10**7  # as fashion.scene.scenes counts them


class DrawnCorpus:
    """Pairs by index: Korean, or English in any wording, and the canonical English.

    korean_share 0: English in any wording, reproduced as it stands.
    """

    def __init__(self, recipe: CorpusRecipe) -> None:
        self.recipe, self.name, self.heads = recipe, recipe.name, recipe.heads
        english = "\n".join(self.pair(i, 0)[1] for i in range(min(len(self), 64)))
        settings = repr((recipe.seed, recipe.split, recipe.short, recipe.garments, recipe.korean_share == 0))
        settings += repr(recipe.everyday) if recipe.everyday else ""
        self.identity = hashlib.sha256((settings + english).encode("utf-8")).hexdigest()[:16]

    def __len__(self) -> int:
        return self.recipe.count

    def pair(self, index: int, epoch: int) -> tuple[str, str]:
        """(what the student reads, the English that the teacher reads); only the first varies with the epoch."""
        recipe = self.recipe
        scene = sample_scene(recipe.seed * _SCENES_PER_SEED + index, recipe.split, recipe.garments or None)
        own = random.Random(f"{recipe.seed}/{index}")
        if recipe.everyday and own.random() < recipe.everyday and (prompt := everyday(scene, own)):
            draw = random.Random(f"{recipe.seed}/{index}/{epoch}")
            language = "ko" if draw.random() < recipe.korean_share else "en"
            text = say_everyday(prompt, language, draw)
            typed = draw.choices(*_TYPED)[0] if draw.random() < recipe.noise / 2 else ""
            return add_noise(text, typed, language, draw) if typed else text, canonical(prompt.content)
        spoken = caption(scene, "en", seed=own.randrange(2**31), short=own.random() < recipe.short)
        if recipe.korean_share == 0:
            return spoken.text, spoken.text
        content, draw = content_of(spoken, scene), random.Random(f"{recipe.seed}/{index}/{epoch}")
        english = canonical(content)
        if draw.random() >= recipe.korean_share:
            return say(content, "en", draw)[0], english
        return korean(content, draw, recipe.noise), english


def content_of(spoken: Caption, scene: Scene) -> CaptionContent:
    """What a caption says, free of its wording."""
    fields = tuple(tuple(name for name in mention if name != "kind") for mention in spoken.mentions)
    return CaptionContent(scene, fields, spoken.background, spoken.style)


def canonical(content: CaptionContent) -> str:
    """The one English wording of what is said: first names, garments from head to foot."""
    garments = sorted(zip(content.scene.garments, content.fields, strict=True), key=lambda pair: _RANK[pair[0].kind])
    scene = replace(content.scene, garments=tuple(garment for garment, _ in garments))
    ordered = CaptionContent(scene, tuple(fields for _, fields in garments), content.background, content.style)
    return captions_english.say(ordered, _First(), "noun")[0]


def korean(content: CaptionContent, draw: random.Random, noise: float) -> str:
    """One Korean wording, with the noise of real typing in a share of cases."""
    kinds = dict.fromkeys(draw.choices(*_TYPING, k=draw.choice((1, 1, 1, 2)))) if draw.random() < noise else ()
    return say(content, "ko", draw, kinds)[0]


def canonical_of(spoken: Caption, scene: Scene) -> str:
    """The canonical English of any caption, Korean or English."""
    return canonical(content_of(spoken, scene))


class _First(random.Random):
    """Chance that always takes the first option and keeps the order."""

    def random(self) -> float:
        return 0.0

    def shuffle(self, x: list) -> None:  # type: ignore[override]
        return None

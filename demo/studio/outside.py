"""Whether a prompt lies outside the drawn domain, and which prompts near to it lie within.

In: a normalised prompt. Out: True where nothing in it is a garment of the lexicon (우주를 나는 고래, 노란 리본), and
two prompts that can be drawn: the prompt's own colour, pattern, material and background on garments, or else the
examples nearest by the text encoder's search vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from demo.studio.words import EXAMPLES
from fashion.lexicon import GARMENT_BY_ID, WORDS, Background
from fashion.reader import FashionReader
from fashion.vocabulary import known_words

if TYPE_CHECKING:
    import numpy as np

DOMAIN = "fashion"
READER = FashionReader()
GARMENTS = ("dress", "jeogori")  # what the words of a prompt without a garment are shown on
BEFORE = ("color", "pattern", "material")  # fields that stand before a garment, in this order


def outside(prompt: str, domain: str = DOMAIN) -> bool:
    """Whether a prompt that is not empty names no garment; never for a checkpoint of another domain or of none."""
    return domain == DOMAIN and READER.outside(prompt)


def near_examples(prompt: str, language: str, vector: Callable[[str], np.ndarray] | None) -> list[str]:
    """Two prompts within the domain that are near to this one, in "ko" or "en".

    `vector` gives a unit search vector, (search_dim,); None, while no encoder is open, takes the first examples.
    """
    named = {
        span.field: str(span.id) for span in known_words(READER.read(prompt)) if span.field in (*BEFORE, "background")
    }
    if any(field in named for field in BEFORE):
        return [_on(garment, named, language) for garment in GARMENTS]
    examples = _examples(language)
    if vector is None:
        return examples[:2]
    import numpy as np

    order = np.argsort(-(_example_vectors(vector, language) @ vector(prompt)), kind="stable")
    return [examples[place] for place in order[:2]]


def _examples(language: str) -> list[str]:
    return [pair[language == "en"] for pair in EXAMPLES]


@lru_cache(maxsize=4)
def _example_vectors(vector: Callable[[str], np.ndarray], language: str) -> np.ndarray:
    import numpy as np

    return np.stack([vector(example) for example in _examples(language)])  # (examples, search_dim)


def _on(garment: str, named: dict[str, str], language: str) -> str:
    """노란 원피스, 공원: the words of a prompt around a garment."""
    words = {field: next(word for word in WORDS[field] if word.id == id) for field, id in named.items()}
    before = [words[field] for field in BEFORE if field in words]
    place = words.get("background")
    if language == "en":
        text = " ".join(word.en_modifiers[0] for word in (*before, GARMENT_BY_ID[garment]))
        text = f"{'an' if text[0] in 'aeiou' else 'a'} {text}"
        return f"{text} in {place.en[0]}" if isinstance(place, Background) else text
    text = " ".join(word.modifiers[0] for word in (*before, GARMENT_BY_ID[garment]))
    return f"{text}, {place.ko[0]}" if isinstance(place, Background) else text

"""How a word that is being typed may go on.

In: the beginning of a word, Hangul in composition included (빨ㄱ, ㅃㄱ). Out: words of the lexicon, standard names
first.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from fashion.lexicon import WORDS, Color, Word, forms
from hangul.jamo import INITIALS, initials, keys

_HANGUL = re.compile("[가-힣ㄱ-ㅣ]")


@dataclass(frozen=True)
class WordOffer:
    """A word to offer: its text, what it names, its standard name, and for a colour its "#rrggbb"."""

    text: str
    field: str
    id: str
    name: str
    rgb: str | None = None


def suggest(prefix: str, language: str = "ko", limit: int = 8) -> list[WordOffer]:
    """Words of the lexicon that can become of what is being typed, standard names first.

    Hangul in composition counts: 빨, 빨ㄱ, and the first letters ㅃㄱ suggest 빨간. In Korean, English letters find the
    Korean word (re: 빨간). Raises ValueError for a language that is neither "ko" nor "en".
    """
    if language not in ("ko", "en"):
        raise ValueError(f"language {language!r}: use ko or en")
    typed = unicodedata.normalize("NFC", prefix).strip().casefold()
    if not typed:
        return []
    found: dict[tuple[str, str], tuple[tuple[int, int, int], WordOffer]] = {}
    for rank, form, shown, field, word in _offers(language):
        if not _begins(typed, form):
            continue
        order = (0 if form.startswith(typed) else 1, rank, len(form))
        rgb = f"#{bytes(word.rgb).hex()}" if isinstance(word, Color) else None
        offer = (order, WordOffer(shown, field, word.id, (word.ko if language == "ko" else word.en)[0], rgb))
        if (field, word.id) not in found or order < found[field, word.id][0]:
            found[field, word.id] = offer
    return [suggestion for _, suggestion in sorted(found.values(), key=lambda offer: offer[0])][:limit]


def _begins(typed: str, form: str) -> bool:
    """As `hangul.jamo.is_prefix`, with the letters of every form taken apart once: people wait for it as they type."""
    if not _HANGUL.search(typed):
        return form.casefold().startswith(typed)
    form_keys, form_initials = _letters(form)
    abbreviated = all(letter in INITIALS or letter == " " for letter in typed)
    return form_keys.startswith(_letters(typed)[0]) or (abbreviated and form_initials.startswith(typed))


@lru_cache(maxsize=10_000)
def _letters(text: str) -> tuple[str, str]:
    return keys(text), initials(text)


@lru_cache(maxsize=2)
def _offers(language: str) -> tuple[tuple[int, str, str, str, Word], ...]:
    """(rank, what is compared with what is typed, what is shown, field, word) of every form."""
    offers = []
    for field, words in WORDS.items():
        for word in words:
            own = forms(word, language)
            offers += [(rank, form, form, field, word) for rank, form in enumerate(own)]
            if language == "ko":
                offers += [(20 + rank, form, own[0], field, word) for rank, form in enumerate(forms(word, "en"))]
    return tuple(offers)

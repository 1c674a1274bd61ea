"""The morphological analyser: what is a word, what is a particle. Loaded on first use, once, for all threads.

In: text. Out: morphemes with their places in it. About half a gigabyte of memory and a few seconds to load, so only
what cannot do without it asks: replacing words, and counting Korean words in statistics.
Ref: kiwipiepy, https://github.com/bab2min/kiwipiepy; its tags are the Sejong tag set.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kiwipiepy import Kiwi

_CONTENT_TAGS = ("NNG", "NNP", "NR", "SL", "XR", "VA", "VV", "MAG")
_USER_WORD_SCORE = 6.0  # 긴바지 is one word and not 긴 and 바지; beyond about 10, words are found inside others
_lock = threading.Lock()


@dataclass(frozen=True)
class Morpheme:
    """One morpheme: form, Sejong tag, text[start:end] where it was found (may be fused), and whether the
    dictionary has it or the analyser guessed it."""

    form: str
    tag: str
    start: int
    end: int
    in_dictionary: bool = True

    @property
    def is_particle(self) -> bool:
        return self.tag.startswith("J")

    @property
    def is_copula(self) -> bool:
        return self.tag.startswith("VCP")


def morphemes(text: str, words: Iterable[str] = (), nouns: Sequence[tuple[int, int]] = ()) -> list[Morpheme]:
    """Take an NFC text apart. `words` are nouns that the dictionary may lack: 버킷햇, 단청무늬.

    `nouns` are places of this text, (start, end), that are known to be one noun each. Raises ValueError where the
    text is not NFC, since its places would be wrong.
    """
    if not unicodedata.is_normalized("NFC", text):
        raise ValueError("the text is not in NFC: pass it through hangul.normalize.clean first")
    with _lock:
        known = [(start, end, "NNP") for start, end in nouns]
        found = _kiwi(tuple(words)).tokenize(text, pretokenized=known or None)
    return [Morpheme(t.form, str(t.tag), t.start, t.start + t.len, not t.oov) for t in found]


def content_words(text: str, words: Iterable[str] = ()) -> list[str]:
    """The words that carry meaning, in dictionary form, verbs and adjectives with 다: 원피스, 빨갛다, 입다."""
    known, found = frozenset(words), []
    for morpheme in morphemes(text, sorted(known)):
        written = text[morpheme.start : morpheme.end]
        if written in known:
            found.append(written)  # its dictionary would rather have blanks in it: 스카이 블루
        elif morpheme.tag.split("-")[0] in _CONTENT_TAGS:
            found.append(morpheme.form + ("다" if morpheme.tag.startswith("V") else ""))
    return found


@lru_cache(maxsize=4)
def _kiwi(words: tuple[str, ...]) -> Kiwi:
    from kiwipiepy import Kiwi

    kiwi = Kiwi(num_workers=1, load_multi_dict=False)  # names of several words: 190 MB
    for word in words:
        kiwi.add_user_word(word, "NNP", _USER_WORD_SCORE)
    return kiwi

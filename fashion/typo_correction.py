"""Typo correction in words of the lexicon: 채크 is 체크, one wrong jamo where the right key is near.

In: the lexicon's Korean forms. Out: a table of their typos and the form of each. A typed form that is a real word
(노트, one key beside 토트) is no typo: `fashion/real_words.txt` holds those that the morphological analyser
knows, `python -m fashion.real_words` writes it anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from hangul.jamo import is_syllable, typos

REAL_WORDS = Path(__file__).parent / "real_words.txt"


def corrections(words: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Typo → the right form, for squeezed forms without blanks.

    A typo of two forms is left out, and so are real words and what is `taken`: forms of the lexicon.
    """
    real = set(REAL_WORDS.read_text(encoding="utf-8").split())
    found: dict[str, str] = {}
    unclear = real | set(taken)
    for form in words:
        for typed in typos_of(form):
            if typed in found and found[typed] != form:
                unclear.add(typed)
            found[typed] = form
    return {typed: form for typed, form in found.items() if typed not in unclear}


def typos_of(form: str) -> Iterator[str]:
    """The form with one wrong jamo in one of its syllables."""
    for place, character in enumerate(form):
        if is_syllable(character):
            for wrong in typos(character):
                yield form[:place] + wrong + form[place + 1 :]

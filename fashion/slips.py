"""A slip of the finger in a word of the lexicon: 채크 for 체크, one wrong jamo where the right key is near.

In: the lexicon's Korean forms. Out: what each may have been typed as, and what was meant. A typed form that is a real
word (노트, one key beside 토트) is nobody's slip: `fashion/real_words.txt` holds those that the morphological analyser
knows, `python -m fashion.real_words` writes it anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from hangul.jamo import is_syllable, slips

REAL_WORDS = Path(__file__).parent / "real_words.txt"


def typed_for(meant: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """What is typed → what was meant, for squeezed forms without blanks.

    What two forms could have meant is left out, and so are real words and what is `taken`: forms of the lexicon.
    """
    real = set(REAL_WORDS.read_text(encoding="utf-8").split())
    found: dict[str, str] = {}
    unclear = real | set(taken)
    for form in meant:
        for typed in one_slip(form):
            if typed in found and found[typed] != form:
                unclear.add(typed)
            found[typed] = form
    return {typed: form for typed, form in found.items() if typed not in unclear}


def one_slip(form: str) -> Iterator[str]:
    """The form with one wrong jamo in one of its syllables."""
    for place, character in enumerate(form):
        if is_syllable(character):
            for wrong in slips(character):
                yield form[:place] + wrong + form[place + 1 :]

"""Hangul letters: taking syllables apart, putting them together, prefixes as they are typed, typos.

All letters are compatibility jamo (ㄱ-ㅣ), as keyboards and people write them.
Ref: The Unicode Standard, section 3.12, Conjoining Jamo Behavior; KS X 5002 (the two-set keyboard).
"""

from __future__ import annotations

import random
import re
import unicodedata

INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
MEDIALS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
FINALS = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
_FIRST, _LAST = 0xAC00, 0xD7A3
# letters that take two keys on the two-set keyboard (ㄲ and its like take one, with shift)
_TWO_KEYS = {
    "ㅘ": "ㅗㅏ", "ㅙ": "ㅗㅐ", "ㅚ": "ㅗㅣ", "ㅝ": "ㅜㅓ", "ㅞ": "ㅜㅔ", "ㅟ": "ㅜㅣ", "ㅢ": "ㅡㅣ",
    "ㄳ": "ㄱㅅ", "ㄵ": "ㄴㅈ", "ㄶ": "ㄴㅎ", "ㄺ": "ㄹㄱ", "ㄻ": "ㄹㅁ", "ㄼ": "ㄹㅂ", "ㄽ": "ㄹㅅ", "ㄾ": "ㄹㅌ",
    "ㄿ": "ㄹㅍ", "ㅀ": "ㄹㅎ", "ㅄ": "ㅂㅅ",
}  # fmt: skip
# neighbours on the two-set keyboard, the shifted key, and vowels that people mix up by ear
_NEAR_INITIALS = {
    "ㅂ": "ㅈㅁㅃ", "ㅈ": "ㅂㄷㅉ", "ㄷ": "ㅈㄱㄸ", "ㄱ": "ㄷㅅㄲ", "ㅅ": "ㄱㅎㅆ", "ㅁ": "ㄴㅂ", "ㄴ": "ㅁㅇ",
    "ㅇ": "ㄴㄹ", "ㄹ": "ㅇㅎ", "ㅎ": "ㄹㅅ", "ㅋ": "ㅌ", "ㅌ": "ㅋㅊ", "ㅊ": "ㅌㅍ", "ㅍ": "ㅊ",
}  # fmt: skip
_NEAR_MEDIALS = {
    "ㅐ": "ㅔㅑ", "ㅔ": "ㅐ", "ㅗ": "ㅓㅜ", "ㅓ": "ㅗㅏ", "ㅏ": "ㅓㅣ", "ㅣ": "ㅏㅡ", "ㅜ": "ㅡㅠ", "ㅡ": "ㅜ",
    "ㅠ": "ㅜ", "ㅛ": "ㅕ", "ㅕ": "ㅛㅑ", "ㅑ": "ㅕㅐ", "ㅟ": "ㅣ", "ㅘ": "ㅏ", "ㅝ": "ㅓ",
}  # fmt: skip


def is_syllable(character: str) -> bool:
    """Whether this is one whole Hangul syllable (가-힣)."""
    return len(character) == 1 and _FIRST <= ord(character) <= _LAST


def split(syllable: str) -> tuple[str, str, str]:
    """Take a syllable apart: 빨 is ("ㅃ", "ㅏ", "ㄹ"), 나 is ("ㄴ", "ㅏ", ""). Raises ValueError for anything else."""
    if not is_syllable(syllable):
        raise ValueError(f"{syllable!r} is not one Hangul syllable (가-힣)")
    index = ord(syllable) - _FIRST
    return INITIALS[index // 588], MEDIALS[index // 28 % 21], FINALS[index % 28]


def join(initial: str, medial: str, final: str = "") -> str:
    """Put a syllable together from compatibility jamo. Raises ValueError for a letter that cannot stand there."""
    try:
        index = (INITIALS.index(initial) * 21 + MEDIALS.index(medial)) * 28 + FINALS.index(final)
    except ValueError:
        raise ValueError(f"{initial!r}, {medial!r}, {final!r} do not make a syllable") from None
    return chr(_FIRST + index)


def keys(text: str) -> str:
    """The keys that type the text: 빨간 is ㅃㅏㄹㄱㅏㄴ, 과 is ㄱㅗㅏ. What is not Hangul stays."""
    typed = []
    for character in unicodedata.normalize("NFC", text):
        letters = split(character) if is_syllable(character) else (character,)
        typed += [_TWO_KEYS.get(letter, letter) for letter in letters]
    return "".join(typed)


def loose_runs(text: str) -> list[tuple[int, int, str]]:
    """Runs of loose letters that make whole syllables: (start, end, syllables). ㅃㅏㄹㄱㅏㄴ is 빨간, ㅋㅋ none."""
    found = []
    for match in re.finditer("[ㄱ-ㅣ]{2,}", text):
        if (syllables := _composed(keys(match[0]))) is not None:
            found.append((match.start(), match.end(), syllables))
    return found


def _composed(typed: str) -> str | None:
    """The syllables that a run of keys types; None where a letter would be left over."""
    made, rest = [], typed
    while rest:
        medials = [rest[1:n] for n in (3, 2) if _one_letter(rest[1:n]) in MEDIALS and rest[1:n]]
        if rest[0] not in INITIALS or not medials:
            return None
        medial, rest_after = medials[0], rest[1 + len(medials[0]) :]
        length = next((n for n in (2, 1) if _closes(rest_after, n)), 0)
        made.append(join(rest[0], _one_letter(medial), _one_letter(rest_after[:length])))
        rest = rest_after[length:]
    return "".join(made)


def _closes(rest: str, length: int) -> bool:
    """Whether so many letters are the final of a syllable: the next one begins with a consonant, or nothing follows."""
    final, after = _one_letter(rest[:length]), rest[length:]
    return len(rest) >= length and final in FINALS and (not after or (after[0] in INITIALS and after[1:2] in MEDIALS))


def _one_letter(typed: str) -> str:
    """ㅗㅏ is ㅘ; one key is itself; what is no letter stays as it is."""
    return next((letter for letter, two in _TWO_KEYS.items() if two == typed), typed)


def initials(text: str) -> str:
    """The first letters of the syllables, as people abbreviate: 빨간 원피스 is ㅃㄱ ㅇㅍㅅ."""
    text = unicodedata.normalize("NFC", text)
    return "".join(INITIALS[(ord(c) - _FIRST) // 588] if is_syllable(c) else c for c in text)


def is_prefix(typed: str, word: str) -> bool:
    """Whether the word can still become what is being typed, in composition too: 빨, 빨ㄱ and 갑 begin 빨간 and 가방.

    First letters alone begin a word as well: ㅃㄱ begins 빨간. An empty text begins everything.
    """
    if keys(word).startswith(keys(typed)):
        return True
    typed = unicodedata.normalize("NFC", typed)
    return all(letter in INITIALS or letter == " " for letter in typed) and initials(word).startswith(typed)


def typos(syllable: str) -> list[str]:
    """The syllable with one wrong jamo, in every way that a finger slips or an ear errs: never the syllable itself."""
    initial, medial, final = split(syllable)
    choices = [(near, medial, final) for near in _NEAR_INITIALS.get(initial, "")]
    choices += [(initial, near, final) for near in _NEAR_MEDIALS.get(medial, "")]
    choices += [(initial, medial, near) for near in _NEAR_INITIALS.get(final, "") if near in FINALS]
    if not choices:
        choices = [(initial, "ㅏ" if medial != "ㅏ" else "ㅓ", final)]
    return [join(*letters) for letters in choices]


def random_typo(syllable: str, rng: random.Random) -> str:
    """One of `typos`."""
    return rng.choice(typos(syllable))

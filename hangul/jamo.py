"""Hangul letters: taking syllables apart, putting them together, and the slips of a finger on the keyboard.

Ref: The Unicode Standard, section 3.12, Conjoining Jamo Behavior; KS X 5002 (the two-set keyboard).
"""

from __future__ import annotations

import random

INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
MEDIALS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
FINALS = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
_FIRST, _LAST = 0xAC00, 0xD7A3
# neighbours on the two-set keyboard, and the vowels that people mix up by ear
_NEAR_INITIALS = {"ㅂ": "ㅈㅁㅃ", "ㅈ": "ㅂㄷㅉ", "ㄷ": "ㅈㄱㄸ", "ㄱ": "ㄷㅅㄲ", "ㅅ": "ㄱㅎㅆ", "ㅁ": "ㄴㅂ", "ㄴ": "ㅁㅇ",
                  "ㅇ": "ㄴㄹ", "ㄹ": "ㅇㅎ", "ㅎ": "ㄹㅅ", "ㅋ": "ㅌ", "ㅌ": "ㅋㅊ", "ㅊ": "ㅌㅍ", "ㅍ": "ㅊ"}  # fmt: skip
_NEAR_MEDIALS = {"ㅐ": "ㅔㅑ", "ㅔ": "ㅐ", "ㅗ": "ㅓㅜ", "ㅓ": "ㅗㅏ", "ㅏ": "ㅓㅣ", "ㅣ": "ㅏㅡ", "ㅜ": "ㅡㅠ", "ㅡ": "ㅜ",
                 "ㅠ": "ㅜ", "ㅛ": "ㅕ", "ㅕ": "ㅛㅑ", "ㅑ": "ㅕㅐ", "ㅟ": "ㅣ", "ㅘ": "ㅏ", "ㅝ": "ㅓ"}  # fmt: skip


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


def slip(syllable: str, rng: random.Random) -> str:
    """The syllable with one wrong jamo, as a finger slips: never the syllable itself."""
    initial, medial, final = split(syllable)
    choices = [(near, medial, final) for near in _NEAR_INITIALS.get(initial, "")]
    choices += [(initial, near, final) for near in _NEAR_MEDIALS.get(medial, "")]
    choices += [(initial, medial, near) for near in _NEAR_INITIALS.get(final, "") if near in FINALS]
    if not choices:
        choices = [(initial, "ㅏ" if medial != "ㅏ" else "ㅓ", final)]
    return join(*rng.choice(choices))

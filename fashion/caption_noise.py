"""The noise of real typing: no spaces, decomposed Hangul, a typo, casual endings, emoji.

In: a clean caption. Out: what someone in a hurry would have typed. "konglish" and "synonyms" are made while the
caption is worded (`fashion.phrases_korean`), not here, since they choose other words.
"""

from __future__ import annotations

import random
import re
import unicodedata

from hangul.jamo import random_typo

NOISES = ("no_spaces", "nfd", "jamo", "konglish", "synonyms", "ending", "emoji")
_EMOJI = ("✨", "🎨", "👗", "💖", "🙏", "😊", "👒", "🔥", "🖌️", "👩‍🎨", "🌸", "💕")
_KOREAN_ENDINGS = (
    "그려줘", "그려줘요", "그려줘~", "그려주라", "그려주세요!", "그려 주세용", "부탁해", "부탁드려요", "해줘",
    "해주세요ㅎㅎ", "ㄱㄱ", "만들어줘ㅋㅋ", "보여줘", "그려볼래?", "그려줄 수 있어요?", "하나만 그려줘ㅠㅠ",
)  # fmt: skip
_ENGLISH_ENDINGS = ("pls", "please!", "plz", "thanks", "thx :)", "lol", "asap please")
_KOREAN_REQUEST = re.compile(
    r"(?:\s|^)(?:그려|보여|만들어|부탁)[^,.]*[?!.~]*$|(?:이에요|예요|입니다|있어요|있습니다|해요|합니다)\.?$"
)
_CASUAL = {
    "입니다": "임", "이에요": "이야", "예요": "야", "있어요": "있음", "있습니다": "있음", "해요": "해", "합니다": "함",
}  # fmt: skip


def add_noise(text: str, kind: str, language: str, rng: random.Random) -> str:
    """Return the text with one kind of noise of `NOISES`; language is "ko" or "en"."""
    if kind == "no_spaces":
        return re.sub(r"\s+", "", text)
    if kind == "nfd":
        return unicodedata.normalize("NFD", text)
    if kind == "jamo":
        return _typo(text, rng)
    if kind == "ending":
        return _ending(text, language, rng)
    if kind == "emoji":
        emoji = "".join(rng.choices(_EMOJI, k=rng.choice((1, 1, 2))))
        return f"{emoji} {text}" if rng.random() < 0.2 else f"{text}{rng.choice(('', ' '))}{emoji}"
    return text


def _typo(text: str, rng: random.Random) -> str:
    """One wrong jamo in one syllable; in a text without Hangul, two neighbouring letters change places."""
    text = unicodedata.normalize("NFC", text)
    syllables = [i for i, c in enumerate(text) if "가" <= c <= "힣"]
    if syllables:
        i = rng.choice(syllables)
        return text[:i] + random_typo(text[i], rng) + text[i + 1 :]
    pairs = [i for i in range(len(text) - 1) if text[i : i + 2].isalpha() and text[i] != text[i + 1]]
    if not pairs:
        return text
    i = rng.choice(pairs)
    return text[:i] + text[i + 1] + text[i] + text[i + 2 :]


def _ending(text: str, language: str, rng: random.Random) -> str:
    """Another speech level: 그려 주세요 becomes 그려줘~, 입니다 becomes 임; else a request is added."""
    text = text.rstrip(" .!?")
    if language == "en":
        return f"{text} {rng.choice(_ENGLISH_ENDINGS)}"
    for polite, casual in _CASUAL.items():
        if text.endswith(polite):
            return text.removesuffix(polite) + casual + rng.choice(("", "ㅎㅎ", "~", "!"))
    return f"{_KOREAN_REQUEST.sub('', text)} {rng.choice(_KOREAN_ENDINGS)}"

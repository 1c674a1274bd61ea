"""The words of the drawn domain as people meet them: chips, examples, styles, completions, and words nobody learnt.

Everything comes from `fashion.lexicon` and `fashion.suggestions`; to a checkpoint of another domain they are hints.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from fashion import lexicon, suggestions

KINDS: dict[str, tuple[str, str]] = {
    "garment": ("옷", "garments"), "color": ("색", "colours"), "pattern": ("무늬", "patterns"),
    "material": ("소재", "materials"), "sleeve": ("소매", "sleeves"), "hem": ("길이", "lengths"),
    "neckline": ("목선", "necklines"), "detail": ("장식", "details"), "background": ("배경", "backgrounds"),
    "style": ("그림체", "styles"),
}  # fmt: skip
EXAMPLES: tuple[tuple[str, str], ...] = (
    ("빨간 체크무늬 원피스", "a red checkered dress"),
    ("분홍 저고리에 남색 한복 치마", "a pink jeogori with a navy hanbok skirt"),
    ("단청무늬 두루마기, 한옥 마당", "a dancheong-pattern durumagi in a hanok courtyard"),
    ("노란 버킷햇과 청바지", "a yellow bucket hat and jeans"),
    ("수묵화로 그린 검은 갓", "a black gat, ink wash painting"),
    ("하늘색 물방울무늬 블라우스", "a sky blue polka dot blouse"),
    ("호피무늬 퍼 코트", "a leopard-print fur coat"),
    ("초록 가디건을 입은 사람, 공원", "a person in a green cardigan in a park"),
)
TAIL_WORDS = 3  # a name of the lexicon may be of so many words (긴 소매, off the shoulder)
_HANGUL = re.compile("[가-힣ㄱ-ㅣ]")


@dataclass(frozen=True)
class Suggestion:
    """One way to go on: the word, its kind, and the whole prompt with it."""

    text: str
    kind: str
    completed: str


def chips() -> list[dict[str, object]]:
    """What can be drawn, by kind, a standard word each in both languages."""
    return [
        {
            "kind": kind,
            "label": {"ko": ko, "en": en},
            "words": [{"ko": word.modifiers[0], "en": word.en_modifiers[0]} for word in lexicon.WORDS[kind]],
        }
        for kind, (ko, en) in KINDS.items()
        if kind != "style"
    ]


def examples() -> list[dict[str, str]]:
    return [{"ko": ko, "en": en} for ko, en in EXAMPLES]


def suggest(text: str, limit: int = 8) -> list[Suggestion]:
    """Complete the last words, half-typed Hangul included (빨ㄱ, 원ㅍ, 긴 소); nothing for nothing.

    English letters complete to English, or to Korean where the prompt has begun in Korean.
    """
    cleaned = unicodedata.normalize("NFC", text)
    if not cleaned or cleaned[-1].isspace():
        return []
    starts = [match.start() for match in re.finditer(r"\S+", cleaned)][-TAIL_WORDS:]
    language = "ko" if _HANGUL.search(cleaned) else "en"
    for start in starts:  # the longest end that begins something
        head, end = cleaned[:start], cleaned[start:]
        offers = suggestions.suggest(end, language, limit + 1)
        found = [Suggestion(one.text, one.field, head + one.text) for one in offers if one.text.lower() != end.lower()]
        if found:
            return found[:limit]
    return []

"""The words of the drawn domain as people meet them: chips, examples, styles, completions, and words nobody learnt.

Everything comes from `fashion.lexicon`; a checkpoint of another domain simply sees them as hints.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache

from fashion import lexicon
from hangul import jamo

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
# words that carry grammar or politeness, not something to draw
FUNCTION_WORDS = frozenset(
    (  # noqa: SIM905
        "그려 그려줘 그려주세요 그려봐 그려라 주세요 줘 입은 입고 쓴 신은 든 두른 걸친 맨 사람 여자 남자 모델 아이 "
        "그리고 와 과 이 그 저 한 있는 없는 된 으로 위에 아래 안에 배경 배경에 그림 그림체 스타일 풍 느낌 무늬 색 색깔 "
        "옷 한복 패션 코디 의상 좀 아주 매우 정말 예쁜 멋진 귀여운 하나 두 개 벌 의 에 에서 를 을 은 는 가 도 만 "
        "a an the of in on with and or wearing person woman man draw please me for style background outfit clothes "
        "picture it is to by made"
    ).split()
)
ENDINGS = (  # a word may end in one of these and still be known
    "으로", "에서", "이랑", "하고", "처럼", "한테", "에게", "까지", "부터", "이고", "이며", "인", "은", "는", "이",
    "가", "을", "를", "과", "와", "로", "에", "의", "도", "만", "랑", "나", "풍", "색", "빛", "톤",
    "무늬", "요", "s", "es",
)  # fmt: skip
WORD = re.compile(r"[^\W_]+(?:[-'][^\W_]+)*")


@dataclass(frozen=True)
class Suggestion:
    """One way to go on: the word, its kind, and the whole prompt with it."""

    text: str
    kind: str
    completed: str


def chips() -> list[dict]:
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


def prompt_styles() -> dict[str, lexicon.Word]:
    """Drawing styles that are asked for by words in the prompt, by name."""
    return {style.id: style for style in lexicon.STYLES}


def with_style(prompt: str, style: lexicon.Word) -> str:
    """The prompt as the encoder reads it, with the style's words in the prompt's language."""
    korean = any("가" <= c <= "힣" for c in prompt)
    return f"{prompt}, {style.ko[0] if korean else style.en[0]}"


def suggest(text: str, limit: int = 8) -> list[Suggestion]:
    """Complete the last word, half-typed Hangul included (빨ㄱ, 원ㅍ); nothing for nothing."""
    cleaned = unicodedata.normalize("NFC", text)
    last = cleaned.split()[-1] if cleaned.split() and not cleaned[-1:].isspace() else ""
    if not last:
        return []
    head = cleaned[: len(cleaned) - len(last)]
    found = [(name, kind) for name, kind in _vocabulary() if name.lower() != last.lower() and _begins(last, name)]
    return [Suggestion(name, kind, head + name) for name, kind in found[:limit]]


def unknown_words(text: str) -> list[tuple[str, int, int]]:
    """Words of a normalised prompt that the drawn domain does not have: (word, start, end)."""
    taken = [False] * len(text)
    lowered = text.lower()
    for name in _names_longest_first():
        start = lowered.find(name)
        while start >= 0:
            end = start + len(name)
            bounded = not name.isascii() or _bounded(lowered, start, end)
            if bounded and not any(taken[start:end]):
                taken[start:end] = [True] * (end - start)
            start = lowered.find(name, start + 1)
    unknown = []
    for match in WORD.finditer(text):
        left = "".join(
            c for c, known in zip(match.group(), taken[match.start() : match.end()], strict=True) if not known
        )
        if left and not _is_grammar(left.lower(), whole=left == match.group()):
            unknown.append((match.group(), match.start(), match.end()))
    return unknown


def _is_grammar(left: str, whole: bool) -> bool:
    """Whether what is left of a word besides known words carries no meaning of its own."""
    if left in FUNCTION_WORDS or left.isdigit() or not any(c.isalnum() for c in left) or set(left) <= set("ㅋㅎㅠㅜ"):
        return True
    if not whole and left in ENDINGS:
        return True
    for ending in ENDINGS:
        stem = left.removesuffix(ending)
        if stem != left and (stem in FUNCTION_WORDS or (not whole and not stem)):
            return True
    return False


def _bounded(text: str, start: int, end: int) -> bool:
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    plural = text[end : end + 1] == "s" and not text[end + 1 : end + 2].isalpha()
    return not (before.isascii() and before.isalpha()) and (plural or not (after.isascii() and after.isalpha()))


@lru_cache(maxsize=20_000)
def _begins(typed: str, name: str) -> bool:
    return jamo.is_prefix(typed.lower(), name.lower())


@cache
def _names_longest_first() -> tuple[str, ...]:
    names = {part for name, _ in _vocabulary() for part in (name.lower(), *name.lower().split()) if len(part) > 0}
    names -= {"a", "the", "한", "긴", "one"}
    return tuple(sorted(names, key=lambda name: (-len(name), name)))


@cache
def _vocabulary() -> tuple[tuple[str, str], ...]:
    """Every (name, kind), standard names first."""
    rows: list[tuple[str, str]] = []
    for rank in range(8):
        for kind, words in lexicon.WORDS.items():
            for word in words:
                for names in (word.modifiers, word.ko, word.loan, word.en_modifiers, word.en):
                    if rank < len(names):
                        rows.append((names[rank], kind))
    return tuple(dict.fromkeys(rows))

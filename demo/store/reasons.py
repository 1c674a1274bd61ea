"""Why a value was refused, in Korean: pydantic says it in English only, and so do we underneath.

In: the English sentence. Out: ours in the language asked for; what is not known here stays as it came.
"""

from __future__ import annotations

import re

KOREAN: tuple[tuple[re.Pattern[str], str], ...] = tuple((re.compile(english), korean) for english, korean in (
    (r"NUL and lone surrogates are not text", "NUL이나 짝 없는 서로게이트는 글자가 아닙니다"),
    (r"1 to 200 characters", "1자에서 200자까지입니다"),
    (r"Field required", "꼭 있어야 합니다"),
    (r"Extra inputs are not permitted", "모르는 항목입니다"),
    (r"Input should be a valid integer.*", "정수여야 합니다"),
    (r"Input should be a valid number.*", "수여야 합니다"),
    (r"Input should be a finite number", "유한한 수여야 합니다"),
    (r"Input should be a valid string.*", "글자여야 합니다"),
    (r"Input should be a valid boolean.*", "true 아니면 false여야 합니다"),
    (r"Input should be a valid dictionary.*", "항목이 있는 객체여야 합니다"),
    (r"Input should be less than or equal to (.+)", "{0} 이하여야 합니다"),
    (r"Input should be greater than or equal to (.+)", "{0} 이상이어야 합니다"),
    (r"Input should be less than (\d.*)", "{0}보다 작아야 합니다"),
    (r"Input should be greater than (\d.*)", "{0}보다 커야 합니다"),
    (r"Input should be (\'.+)", "{0} 가운데 하나여야 합니다"),
    (r"String should have at most (\d+) characters?", "{0}자 이하여야 합니다"),
    (r"String should have at least (\d+) characters?", "{0}자 이상이어야 합니다"),
    (r"String should match pattern (.+)", "모양이 {0} 에 맞아야 합니다"),
))  # fmt: skip


def in_words(reason: str, language: str) -> str:
    """The sentence in Korean where that was asked for."""
    if language != "ko":
        return reason
    for english, korean in KOREAN:
        if found := english.fullmatch(reason):
            return korean.format(*(part.replace(" or ", ", ") for part in found.groups()))
    return reason

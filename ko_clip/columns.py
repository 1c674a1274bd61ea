"""Which columns of a table are the Korean and the English of a pair.

In: a table's first rows. Out: the two columns, how they were found, and which others were not taken. Names decide
before the scripts of the values. A machine translation is never taken unless it is asked for, and never silently.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from hangul.rows import Row

# earlier names come first where a table has several
_NAMES = {
    "ko": (
        "ko", "kor", "korean", "한국어", "국문", "한글", "원문", "korea", "ko_text", "text_ko", "source_ko", "ko원문",
    ),
    "en": (
        "en", "eng", "english", "영어", "영문", "번역문", "en_text", "text_en", "target_en", "en번역문", "번역", "mtpe",
    ),
}  # fmt: skip
_LANGUAGES = {"ko": "Korean", "en": "English"}
_MACHINE = re.compile(
    r"(?<![a-z])(?:mt|nmt|smt|google|papago|deepl|bing|kakao|gpt|chatgpt|machine)(?![a-z])"
    r"|기계|자동 ?번역|번역기|구글|파파고|딥엘|카카오"
)
_NAMED_SHARE, _SCRIPT_SHARE = 0.5, 0.7  # of the values that are written in the language


@dataclass(frozen=True)
class Columns:
    """The columns of a pair; `found_by` is "asked", "name" or "script", for each side; `others` could have been taken.

    `header_is_pair`: the first row names no columns, but is a pair itself.
    """

    ko: str
    en: str
    found_by: tuple[str, str]
    others: tuple[str, ...] = ()
    machine_translations: tuple[str, ...] = ()
    header_is_pair: bool = False


def find_columns(name: str, rows: Sequence[Row], ko: str | None = None, en: str | None = None) -> Columns:
    """The columns of table `name`, of whose beginning `rows` are. Raises ValueError that names those there are."""
    there = list(dict.fromkeys(column for row in rows for column in row))
    machine = tuple(column for column in there if is_machine_translation(column))
    chosen = [_choose(name, rows, there, asked, language) for asked, language in ((ko, "ko"), (en, "en"))]
    (korean, korean_by, korean_others), (english, english_by, english_others) = chosen
    found_by = (korean_by, english_by)
    header = found_by == ("script", "script") and script(korean) == "ko" and script(english) == "en"
    return Columns(korean, english, found_by, (*korean_others, *english_others), machine, header)


def is_machine_translation(column: str) -> bool:
    """Whether a column's name says that a machine wrote it: mt, en_mt, Google 번역. Not mtpe, which people edited."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column).casefold().replace("_", " ")
    return _MACHINE.search(words) is not None


def script(text: str) -> str:
    """ "ko" or "en" by the script that most of a text is written in, "" for neither."""
    hangul = len(re.findall("[가-힣]", unicodedata.normalize("NFC", text)))
    latin = len(re.findall("[A-Za-z]", text))
    if not hangul and not latin:
        return ""
    return "ko" if 2 * hangul >= latin and hangul else "en"


def _choose(
    name: str, rows: Sequence[Row], there: Sequence[str], asked: str | None, language: str
) -> tuple[str, str, tuple[str, ...]]:
    """(column, how it was found, which others could have been) of one language."""
    if asked is not None:
        if asked not in there:
            raise ValueError(f"{name} has no column {asked!r}: it has {', '.join(there)}")
        return asked, "asked", ()
    share = {column: _share(rows, column, language) for column in there}
    human = [column for column in there if not is_machine_translation(column)]
    ranks = {column: _rank(column, language) for column in human}
    named = [column for column in human if ranks[column] is not None and share[column] > _NAMED_SHARE]
    if named:
        best = min(named, key=lambda column: (ranks[column], there.index(column)))
        return best, "name", tuple(column for column in named if column != best)
    likely = [column for column in human if share[column] > _SCRIPT_SHARE]
    if likely:
        best = max(likely, key=lambda column: sum(len(row.get(column) or "") for row in rows))
        return best, "script", tuple(column for column in likely if column != best)
    machine = [column for column in there if column not in human and share[column] > _SCRIPT_SHARE]
    raise ValueError(
        f"{name} has no column of {_LANGUAGES[language]}: it has {', '.join(there)}; "
        + (f"{', '.join(machine)} is machine translation: ask for it with `{language}:` if it is meant"
           if machine else f"name it with `{language}:`, or add it to the table")
    )  # fmt: skip


def _rank(column: str, language: str) -> int | None:
    called = column.strip().casefold().split(".")[-1]
    return _NAMES[language].index(called) if called in _NAMES[language] else None


def _share(rows: Sequence[Row], column: str, language: str) -> float:
    """Share of a column's values that are written mostly in the language's script."""
    filled = [value for row in rows if (value := row.get(column))]
    return sum(script(value) == language for value in filled) / len(filled) if filled else 0.0

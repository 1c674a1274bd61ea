"""Korean-English pairs out of tables: which columns they are, what is cleaned, what is left out and why.

In: a file or a folder, as `ko_clip.table_files` opens them. Out: clean (Korean, English) rows, one at a time, and a
report. Columns are found by their names or by the scripts of their values; `ko` and `en` override.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ko_clip.json_rows import Row
from ko_clip.table_files import tables

_KOREAN_NAMES = (
    "ko", "kor", "korean", "원문", "한국어", "국문", "한글", "korea", "ko_text", "source_ko", "text_ko", "ko원문",
)  # fmt: skip
_ENGLISH_NAMES = ("en", "eng", "english", "번역문", "영어", "영문", "en_text", "text_en", "en번역문", "번역", "mt")
_MOST = 512  # characters of one side
_SPACES = re.compile(r"\s+")


@dataclass
class Report:
    """How many rows were read, kept, and skipped for which reason, with an example of each."""

    read: int = 0
    kept: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    def skip(self, reason: str, example: str) -> None:
        self.skipped[reason] += 1
        self.examples.setdefault(reason, example[:120])

    def summary(self) -> str:
        """One line: rows read, kept, and skipped by reason."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.skipped.most_common())
        return f"{self.read} rows read, {self.kept} kept" + (f"; skipped: {reasons}" if reasons else "")

    def to_dict(self) -> dict[str, object]:
        return {
            "read": self.read, "kept": self.kept, "skipped": dict(self.skipped), "examples": self.examples,
            "files": self.files,
        }  # fmt: skip


def read_pairs(
    path: Path, report: Report, ko: str | None = None, en: str | None = None, encoding: str | None = None,
    unique: bool = True,
) -> Iterator[tuple[str, str]]:  # fmt: skip
    """Clean pairs of a file, a zip or a folder of them; repeated pairs are dropped where `unique`.

    Raises ValueError for a file that is empty, of unknown columns, or not in the encoding named.
    """
    seen: set[int] = set()
    for name, rows in tables(path, encoding):
        report.files.append(name)
        for korean, english in _sides(name, rows, ko, en):
            report.read += 1
            pair = clean(korean), clean(english)
            reason = _fault(*pair)
            if reason is None and unique:
                key = int.from_bytes(hashlib.blake2b("\t".join(pair).encode(), digest_size=8).digest(), "big")
                reason = "seen before" if key in seen else None
                seen.add(key)
            if reason is not None:
                report.skip(reason, f"{pair[0]} / {pair[1]}")
                continue
            report.kept += 1
            yield pair


def clean(text: str) -> str:
    """NFC, one space between words, no control or zero-width characters."""
    text = unicodedata.normalize("NFC", text)
    if not text.isprintable():  # most texts are, and four million of them take a while letter by letter
        dropped = ("Cc", "Cf", "Co", "Cn")
        text = "".join(c for c in text if c in "\n\t \u200d\ufe0f" or unicodedata.category(c) not in dropped)
    return _SPACES.sub(" ", text).strip()


def _sides(name: str, rows: Iterator[Row], ko: str | None, en: str | None) -> Iterator[tuple[str, str]]:
    first = list(itertools.islice(rows, 200))
    if not first:
        raise ValueError(f"{name} has no rows: give a table with Korean and English in every row")
    columns = [column for column in first[0] if column is not None]
    korean, english = _column(name, first, columns, ko, "ko"), _column(name, first, columns, en, "en")
    for row in itertools.chain(first, rows):
        yield row.get(korean) or "", row.get(english) or ""


def _column(name: str, rows: list[Row], columns: list[str], asked: str | None, language: str) -> str:
    if asked is not None:
        if asked not in columns:
            raise ValueError(f"{name} has no column {asked!r}: it has {', '.join(columns)}")
        return asked
    names = _KOREAN_NAMES if language == "ko" else _ENGLISH_NAMES
    share = {column: _share([row.get(column) or "" for row in rows], language) for column in columns}
    named = [column for column in columns if column.strip().lower().split(".")[-1] in names and share[column] > 0.5]
    likely = named or [column for column in columns if share[column] > 0.7]
    if not likely:
        raise ValueError(
            f"{name} has no column of {'Korean' if language == 'ko' else 'English'}: it has {', '.join(columns)}; "
            f"name it with `{language}:`, or add it to the table"
        )
    return max(likely, key=lambda column: (column in named, sum(len(row.get(column) or "") for row in rows)))


def _share(values: list[str], language: str) -> float:
    """Share of the values that are written mostly in the language's script, with some words to them."""
    filled = [value for value in values if value]
    return sum(_script(value) == language for value in filled) / len(filled) if filled else 0.0


def _script(text: str) -> str:
    hangul = len(re.findall("[가-힣]", unicodedata.normalize("NFC", text)))
    latin = len(re.findall("[A-Za-z]", text))
    if not hangul and not latin:
        return ""
    return "ko" if 2 * hangul >= latin and hangul else "en"


def _fault(korean: str, english: str) -> str | None:
    """Why a pair is not used, or None."""
    if not korean or not english:
        return "one side empty"
    if len(korean) > _MOST or len(english) > 2 * _MOST:
        return "too long"
    if not re.search("[가-힣]", korean):
        return "no Korean on the Korean side"
    if not re.search("[A-Za-z]", english) or _script(english) == "ko":
        return "no English on the English side"
    if max(len(korean) * 8, 40) < len(english) or max(len(english) * 4, 40) < len(korean):
        return "lengths do not match"
    return None

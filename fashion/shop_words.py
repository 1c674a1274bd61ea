"""Words that shops write and prompts do not: shades, cuts of one garment, parts, other goods, traps (shop_words.tsv).

In: a word or phrase as `squeezed` leaves it. Out: its role in a title and, where it names something of the lexicon,
field and id. A shade stands for the colour of the lexicon that people would call it; what is near none (mustard, teal)
or near two stays a colour without id, which is never written but keeps another from being taken for the only one.
To add a word: put it into its row of the table, and run `python -m benchmarks.shop_titles`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fashion.lexicon import WORDS, forms

FIELDS = ("color", "pattern", "material", "sleeve", "neckline", "hem", "detail")
ROLES = ("attribute", "garment", "other", "part", "set", "and", "with", "for", "in", "unworn", "plain")
_TABLE = Path(__file__).with_name("shop_words.tsv")
_OTHER_MEANING = "other meaning"  # words of the lexicon that mean something else in a title: 베스트, 자주
_HANBOK = ("한복", "hanbok", "전통", "선비", "조선", "사극", "흑립", "korean")


@dataclass(frozen=True)
class Entry:
    """What a word does in a title, one of `ROLES`, and what of the lexicon it names; `id` is None where it has no such.

    other: a thing on sale that the lexicon lacks; part: of a garment, so that what is said before it is said of the
    part; unworn: goods that are called by clothes and that no person wears; set, and, with, for, in: joints.
    """

    role: str
    field: str = ""
    id: str | None = None


PLAIN = Entry("plain")


def is_hanbok(text: str) -> bool:
    """Whether a title speaks of Korean dress, where 치마 is its skirt and 갓 its hat."""
    return any(word in text.lower() for word in _HANBOK)


@lru_cache(maxsize=1)
def entries() -> dict[str, Entry]:
    """Squeezed form → entry, of the lexicon and of the table, which decides where both have a form."""
    found: dict[str, Entry] = {}
    for field in (*FIELDS, "garment"):
        role = "garment" if field == "garment" else "attribute"
        for word in WORDS[field]:
            for form in (*forms(word, "ko"), *forms(word, "en")):
                found[squeezed(form)] = Entry(role, field, word.id)
    with _TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            for form in row["words"].split():
                if row["role"] == _OTHER_MEANING:
                    found.pop(form, None)
                else:
                    found[form] = Entry(row["role"], row["field"], row["id"] or None)
    return found


def squeezed(form: str) -> str:
    """A form in lower case without blanks, hyphens, apostrophes and article."""
    words = form.lower().replace("-", " ").replace("'", "").split()
    return "".join(words[1:] if len(words) > 1 and words[0] in ("a", "an", "the") else words)

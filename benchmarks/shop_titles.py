"""How well shops' titles are read: precision and recall over tests/data/shop_titles.tsv.

    python -m benchmarks.shop_titles            # the table
    python -m benchmarks.shop_titles --wrong    # and what was read wrongly or not at all, of the part for tuning

A fact is a garment, or a garment with one attribute. Precision: the share of the facts read that a reader takes from
the title; recall: the share of a reader's facts that were read. The peer is what `fashion prepare` did before: the last
garment of a title with the first colour, pattern … found anywhere in it.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fashion.lexicon import WORDS
from fashion.shop_titles import Attributes, garments_of
from fashion.shop_words import FIELDS
from fashion.vocabulary import known_words

FILE = Path(__file__).parent.parent / "tests" / "data" / "shop_titles.tsv"
_FIELD_OF = {word.id: field for field in FIELDS for word in WORDS[field]}

Fact = tuple[str, str, str]  # kind, field, id; a garment itself has the field "kind"


@dataclass(frozen=True)
class Title:
    """One row of the file with the facts that a reader takes from it."""

    part: str
    language: str
    title: str
    facts: frozenset[Fact]


@dataclass(frozen=True)
class Score:
    """How many facts were read rightly, wrongly, and missed."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + self.missed)


def titles() -> list[Title]:
    """The rows of the file."""
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [Title(row["part"], row["language"], row["title"], frozenset(_written(row["garments"]))) for row in rows]


def score(rows: Iterable[Title], read: Callable[[str], list[Attributes]] = garments_of) -> Score:
    """Facts of `read` beside those of a reader."""
    right = wrong = missed = 0
    for row in rows:
        found = facts(read(row.title))
        right += len(found & row.facts)
        wrong += len(found - row.facts)
        missed += len(row.facts - found)
    return Score(right, wrong, missed)


def facts(garments: Sequence[Attributes]) -> frozenset[Fact]:
    """What is claimed of garments, fact by fact."""
    claimed: set[Fact] = set()
    for garment in garments:
        kind = str(garment["kind"])
        claimed.add((kind, "kind", kind))
        claimed |= {(kind, name, str(garment[name])) for name in FIELDS[:-1] if garment[name]}
        claimed |= {(kind, "detail", detail) for detail in garment["details"] or ()}
    return frozenset(claimed)


def former_reading(title: str) -> list[Attributes]:
    """The peer: one garment, the last named, with the first of every attribute found anywhere."""
    spans = known_words(title)
    kinds = [span.id for span in spans if span.field == "garment"]
    if not kinds:
        return []
    found: Attributes = {"kind": kinds[-1]}
    for name in FIELDS[:-1]:
        found[name] = next((span.id for span in spans if span.field == name), None)
    found["details"] = [span.id for span in spans if span.field == "detail" and span.id]
    return [found]


def _written(garments: str) -> Iterable[Fact]:
    for garment in filter(None, garments.split("; ")):
        kind, *ids = garment.split()
        yield kind, "kind", kind
        for id in ids:
            yield kind, _FIELD_OF[id], id


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shop_titles", description=__doc__)
    parser.add_argument("--wrong", action="store_true", help="list what was read wrongly, of the part for tuning")
    arguments = parser.parse_args(argv)
    rows = titles()
    print("| titles | reader | precision | recall | facts |\n|---|---|---:|---:|---:|")
    for part, language in ((p, x) for p in ("tuning", "held_out") for x in ("en", "ko")):
        chosen = [row for row in rows if (row.part, row.language) == (part, language)]
        for name, read in (("before", former_reading), ("grammar", garments_of)):
            measured = score(chosen, read)
            print(
                f"| {len(chosen)} {part}, {language} | {name} | {100 * measured.precision:.1f} % "
                f"| {100 * measured.recall:.1f} % | {sum(len(row.facts) for row in chosen)} |"
            )
    for row in rows if arguments.wrong else ():
        found = facts(garments_of(row.title))
        if row.part == "tuning" and found != row.facts:
            print(f"{row.title}\n    wrong {sorted(found - row.facts)}\n    missed {sorted(row.facts - found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Rows of a JSON file that is larger than memory: one object at a time.

In: a text stream that can be read twice. Out: (number, flat row) of the objects of one list, wherever it stands: the
one with most objects that hold both Korean and English, all lists of the same place taken as one. AI Hub puts it under
`data`, `named_entity` and other keys, or a list of sentences into every document.
Ref: ijson, https://github.com/ICRAR/ijson
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

import ijson

from hangul.rows import Row

_BLOCK = 1 << 20
_SCRIPTS = {"ko": re.compile("[가-힣ᄀ-ᇿ]"), "en": re.compile("[A-Za-z]{2}")}
_IN_LIST = "item"  # as ijson calls it

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)|\\.", re.DOTALL)
_PAIR_LENGTH = 12  # characters of an escaped surrogate pair

Place = tuple[str, ...]  # the keys that lead to a list, and _IN_LIST for each list on the way


def json_rows(stream: TextIO) -> Iterator[tuple[int, Row]]:
    """Rows and their numbers, from 1. Raises ValueError where there is no list of objects, or the text breaks off."""
    try:
        lists = _lists(stream)
        if not lists:
            raise ValueError("holds no list of pairs: give a list of objects, or one object a line as .jsonl")
        place = max(lists, key=lambda place: (lists[place].pairs, lists[place].objects))
        stream.seek(0)
        values = ijson.items(_Utf8(stream), ".".join(place), buf_size=_BLOCK)
        rows = (flat(value) for value in values if isinstance(value, dict))
        yield from enumerate(rows, start=1)
    except ijson.JSONError as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"is not JSON: {reason}: mend it there, or copy it again") from error


def flat(value: object) -> Row:
    """One object's strings, nested keys joined by a dot."""
    if not isinstance(value, dict):
        return {}
    row: Row = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            row.update({f"{key}.{name}": text for name, text in flat(inner).items()})
        elif inner is not None and not isinstance(inner, list):
            row[str(key)] = str(inner)
    return row


@dataclass
class _List:
    """How many objects the lists of one place have, and how many of those hold Korean and English."""

    objects: int = 0
    pairs: int = 0


class _Utf8:
    """A text stream as the bytes that ijson reads, escaped halves of surrogate pairs replaced: yajl fails on them."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def read(self, size: int) -> bytes:
        text = self.stream.read(size)
        while "\\" in text[-_PAIR_LENGTH:] and (more := self.stream.read(_PAIR_LENGTH)):  # no escape is cut in two
            text += more
        if _SURROGATE.search(text):
            text = _ESCAPE.sub(lambda match: "\\ufffd" if match[1] else match[0], text)
        return text.encode("utf-8", "replace")


def _lists(stream: TextIO) -> dict[Place, _List]:
    """Every place of the text where lists hold objects."""
    lists: dict[Place, _List] = {}
    keys: list[str] = []  # to where the reading is
    depths, scripts = [0], [set[str]()]  # of the objects of lists that have begun: length of their keys, what they hold
    for event, value in ijson.basic_parse(_Utf8(stream), buf_size=_BLOCK):
        if event == "map_key":
            keys[-1] = value
        elif event == "string":
            if len(scripts[-1]) < 2:
                scripts[-1] |= {name for name, script in _SCRIPTS.items() if script.search(value)}
        elif event == "start_map":
            if keys and keys[-1] == _IN_LIST:
                depths.append(len(keys))
                scripts.append(set())
            keys.append("")
        elif event == "end_map":
            keys.pop()
            if depths[-1] == len(keys) > 0:
                place = lists.setdefault(tuple(keys), _List())
                place.objects += 1
                place.pairs += len(scripts.pop()) == 2
                depths.pop()
        elif event == "start_array":
            keys.append(_IN_LIST)
        elif event == "end_array":
            keys.pop()
    return lists

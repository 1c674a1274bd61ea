"""Rows of a JSON file that is larger than memory: one object at a time.

In: a text stream that can be read twice. Out: the objects of its longest list of objects, wherever it stands, as flat
rows. AI Hub puts that list under `data`, `named_entity` and other keys.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TextIO

Row = dict[str, str]
_BLOCK = 1 << 20
_OPENING = re.compile(r'["\[]')
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_FIRST_IN_LIST = re.compile(r"\[\s*(\S)")
_BETWEEN = re.compile(r"[\s,]*")


def json_rows(stream: TextIO) -> Iterator[Row]:
    """Flat rows of the longest list of objects. Raises ValueError where there is none, or where the text breaks off."""
    lengths, within = Counter[int](), []
    for number, value in _objects(stream):
        lengths[number] += 1
        within = max(within, _longest_list(value) or [], key=len)
    if not lengths:
        raise ValueError("holds no list of pairs: give a list of objects, or one object a line as .jsonl")
    longest, length = lengths.most_common(1)[0]
    if len(within) > length:
        yield from map(flat, within)
        return
    stream.seek(0)
    yield from (flat(value) for number, value in _objects(stream) if number == longest)


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


def _objects(stream: TextIO) -> Iterator[tuple[int, object]]:
    """(which list, value) of every list that begins with an object, read as far as the next value needs."""
    decode = json.JSONDecoder().raw_decode
    text, at, number, inside = "", 0, 0, False
    while True:
        if inside:
            at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]
            if text[at : at + 1] == "]":
                at, inside = at + 1, False
                continue
            try:
                value, at = decode(text, at)
                yield number, value
                continue
            except json.JSONDecodeError as error:
                wrong = error
        else:
            at, inside, whole = _next_list(text, at)
            if inside:
                number += 1
            if whole:
                continue
        block = stream.read(max(_BLOCK, len(text) - at))
        if not block:
            if inside:
                raise ValueError(f"is not JSON: {wrong}: mend it there, or copy it again")
            return
        text, at = text[at:] + block, 0


def _next_list(text: str, at: int) -> tuple[int, bool, bool]:
    """Where to go on, whether a list of objects begins there, and whether the text read so far suffices to say."""
    opening = _OPENING.search(text, at)
    if opening is None:
        return len(text), False, False
    start = opening.start()
    found = (_STRING if text[start] == '"' else _FIRST_IN_LIST).match(text, start)
    if found is None:
        return start, False, False
    if text[start] == '"':
        return found.end(), False, True
    listed = found[1] == "{"
    return (found.end() - 1 if listed else start + 1), listed, True


def _longest_list(value: object) -> list[dict] | None:
    """The longest list of objects anywhere inside one value."""
    if isinstance(value, list):
        found = [value] if value and isinstance(value[0], dict) else []
        children: Iterable[object] = value[:8]
    elif isinstance(value, dict):
        found, children = [], value.values()
    else:
        return None
    found += [inner for child in children if (inner := _longest_list(child)) is not None]
    return max(found, key=len) if found else None

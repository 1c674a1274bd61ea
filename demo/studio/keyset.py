"""Pages of a list by the place where the last one ended, so that the ten-thousandth row costs what the first does.

A place is the values of the columns that the list is sorted by; a cursor is a place as text. What is added or deleted
meanwhile moves nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, or_

from demo.store.errors import ServiceError

Value = float | str
MOST_TEXT = 64  # characters of a value


@dataclass(frozen=True)
class Key:
    """A column that a list is sorted by."""

    column: SQLColumnExpression[Any]
    text: bool = False
    falling: bool = True

    @property
    def order(self) -> SQLColumnExpression[Any]:
        return self.column.desc() if self.falling else self.column.asc()

    def beyond(self, value: Value) -> ColumnElement[bool]:
        return self.column < value if self.falling else self.column > value

    def from_there(self, value: Value) -> ColumnElement[bool]:
        return self.column <= value if self.falling else self.column >= value


def after(keys: Sequence[Key], place: Sequence[Value]) -> ColumnElement[bool]:
    """Rows that come after a place. The bound on the first column alone is what a database finds in its index."""
    ways = [
        and_(*(key.column == value for key, value in zip(keys[:i], place[:i], strict=True)), keys[i].beyond(place[i]))
        for i in range(len(keys))
    ]
    return and_(keys[0].from_there(place[0]), or_(*ways))


def write_place(place: Sequence[Value]) -> str:
    """A place as a cursor."""
    text = json.dumps(list(place), separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_place(cursor: str, keys: Sequence[Key]) -> list[Value]:
    """The place that a cursor names in a list sorted by `keys`. Raises ServiceError bad_cursor."""
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
        if not isinstance(place, list) or len(place) != len(keys):
            raise ValueError
        return [_value(value, key) for value, key in zip(place, keys, strict=True)]
    except (ValueError, binascii.Error, RecursionError) as error:
        raise ServiceError("bad_cursor", "cursor") from error


def _value(value: object, key: Key) -> Value:
    if key.text:
        if not isinstance(value, str) or len(value) > MOST_TEXT or not value.isalnum():
            raise ValueError
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise ValueError
    return value

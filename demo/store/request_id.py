"""The id of the request that is being answered, or that asked for the job that is being drawn: in logs and rows."""

from __future__ import annotations

import logging
import re
import secrets
from contextvars import ContextVar

HEADER = "X-Request-ID"
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")
_current: ContextVar[str] = ContextVar("request_id", default="")


def begin(given: str | None = None) -> str:
    """Take the id that a proxy gave, where it is one, or a new one; it holds for this thread until the next."""
    request_id = given if given and _GIVEN.fullmatch(given) else secrets.token_hex(8)
    _current.set(request_id)
    return request_id


def set_current(request_id: str) -> None:
    """Let what is logged from now on belong to a request; empty: to none."""
    _current.set(request_id)


def current() -> str:
    return _current.get()


class RequestIds(logging.Filter):
    """Gives every record the id of its thread's request, `request_id`, unless it brings one."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "request_id"):
            record.request_id = _current.get()
        return True

"""The refusal that rooms below `demo/web/` raise, in the language of whoever asks. No HTTP here.

Codes and sentences stand in demo/store/messages.py; `demo/web/problems.py` alone knows how a refusal looks over HTTP.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from demo.store.messages import NO_STYLES, REFUSALS, WARNINGS, reason_of

DAMAGE = ("malformed", "not a database", "no such table", "no such column")  # how SQLite says so
_language: ContextVar[str] = ContextVar("language", default="ko")


class ServiceError(Exception):
    """A refusal with a code of `REFUSALS`; `values` fill its message, `field` names what was asked wrongly."""

    def __init__(self, code: str, field: str | None = None, retry_after: int | None = None, **values: object) -> None:
        super().__init__(code)
        self.code, self.field, self.values = code, field, values
        self.retry_after = retry_after if retry_after is not None else REFUSALS[code].retry_after


def language() -> str:
    """`ko` or `en`: what the person who asks reads; Korean where nobody said otherwise."""
    return _language.get()


def set_language(language: str) -> None:
    """Choose the language of what follows in this context. Raises ValueError for one that is not there."""
    if language not in ("ko", "en"):
        raise ValueError(f"language is {language!r}: choose ko or en")
    _language.set(language)


def message(code: str, values: Mapping[str, object] | None = None) -> str:
    """The sentence of a refusal or a warning in the language in use; of `invalid_request`, with its reason."""
    sentence = REFUSALS.get(code) or WARNINGS.get(code) or REFUSALS["internal"]
    filled = _Blank(values or {})
    if "reason" in filled and code == "invalid_request":
        reason = reason_of(str(filled["reason"]), {}, language())
        filled["detail"] = f"{filled['name']}: {reason}" if "name" in filled else reason
    if code == "read_as":
        filled.setdefault("said", filled["words"])  # a row of an earlier version has the words alone
    if code == "unknown_style" and not filled.get("known"):
        sentence = NO_STYLES
    return sentence.text(language()).format_map(filled)


class _Blank(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return ""


def stored_error(error: dict[str, Any] | None) -> dict[str, str] | None:
    """A job's error as a client sees it: `{"code", "message"}`."""
    return error and {"code": error["code"], "message": message(error["code"], error.get("values"))}


# PostgreSQL's codes: a deadlock, a transaction that would have to be serial, a lock not had, too many connections
GIVEN_UP = ("40P01", "40001", "55P03", "53300")
AWAY = ("08", "57P")  # how codes begin where a connection was lost, or the server stops or starts


def is_busy(error: BaseException) -> bool:
    """Whether the same may well succeed in a moment: a busy database, one of two transactions that waited for each
    other and was given up, or a server that is away (`is_away`).
    """
    known = from_failure(error)
    return (known is not None and known.code == "database_busy") or is_away(error)


def is_away(error: BaseException) -> bool:
    """Whether a database server was lost, as by a restart. What was being committed then may have been, or not."""
    code = getattr(getattr(error, "orig", None), "sqlstate", "")  # "": SQLite's errors have none
    if not isinstance(error, DBAPIError) or code == "":
        return False
    lost = code is None and isinstance(error, OperationalError)  # the driver says so itself, not the server
    return error.connection_invalidated or lost or str(code).startswith(AWAY)


def from_failure(error: BaseException) -> ServiceError | None:
    """The refusal that a failure of disk or database amounts to; None when it is our own mistake."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, PoolTimeout):
        return ServiceError("database_busy")
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return ServiceError("disk_full")
        return ServiceError("storage_unavailable")
    if isinstance(error, UnicodeDecodeError) and b"malformed" in error.object:  # SQLite quotes what it found there
        return ServiceError("database_damaged", detail=error.object.decode("utf-8", "replace"))
    if isinstance(error, DatabaseError):
        code = getattr(error.orig, "sqlstate", None)
        if code is not None:
            return _by_code(code, error)
        text = str(error.orig).lower()
        if "full" in text:
            return ServiceError("disk_full")
        if "locked" in text or "busy" in text:
            return ServiceError("database_busy")
        if any(sign in text for sign in DAMAGE):
            return ServiceError("database_damaged", detail=text)
        if isinstance(error, OperationalError) or "readonly" in text or "read-only" in text:
            return ServiceError("storage_unavailable")
    return None


def _by_code(code: str, error: DatabaseError) -> ServiceError | None:
    """PostgreSQL says by a code what went wrong; its text quotes values, which may say anything."""
    if code in GIVEN_UP:
        return ServiceError("database_busy")
    if code == "53100":
        return ServiceError("disk_full")
    if isinstance(error, OperationalError) or code == "25006":  # 25006: a server that only reads
        return ServiceError("storage_unavailable")
    return None

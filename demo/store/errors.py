"""Every refusal that a person can meet: its code and its message in Korean and English. No HTTP here.

Rooms below `demo/web/` raise `ServiceError(code)`; `demo/web/problems.py` alone knows how it looks over HTTP.
"""

from __future__ import annotations

import errno
from contextvars import ContextVar
from dataclasses import dataclass

from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from demo.store.reasons import in_words

DAMAGE = ("malformed", "not a database", "no such table", "no such column")  # how SQLite says so
_language: ContextVar[str] = ContextVar("language", default="ko")


@dataclass(frozen=True)
class Refusal:
    """What a person reads in Korean and English; `retry_after`: seconds after which asking again makes sense."""

    ko: str
    en: str
    retry_after: int | None = None


REFUSALS: dict[str, Refusal] = {
    "bad_request": Refusal("요청을 읽을 수 없습니다.", "The request cannot be read."),
    "bad_cursor": Refusal("알 수 없는 쪽 표시입니다.", "The cursor is not one of ours."),
    "bad_token": Refusal("토큰이 올바르지 않습니다.", "The token is not valid."),
    "token_required": Refusal("이 서버는 코드나 토큰이 있어야 쓸 수 있습니다.", "This server needs a code or a token."),
    "cross_site": Refusal("다른 사이트에서 온 요청은 받지 않습니다.", "Requests from other sites are refused."),
    "bad_host": Refusal("이 이름으로는 접속할 수 없습니다.", "The server does not answer to this host name."),
    "admin_only": Refusal("관리자 토큰이 필요합니다.", "This needs the admin token."),
    "not_found": Refusal("찾을 수 없습니다.", "Not found."),
    "method_not_allowed": Refusal("이 주소에서 쓸 수 없는 방법입니다.", "This method is not allowed here."),
    "already_finished": Refusal("이미 끝난 작업입니다.", "The job has already ended."),
    "code_used": Refusal("이미 썼거나 기한이 지난 코드입니다.", "The code was used or has expired."),
    "too_large": Refusal("보낸 내용이 너무 큽니다.", "The request is too large."),
    "unsupported_media_type": Refusal("이 형식은 받지 않습니다.", "This content type is not accepted."),
    "invalid_request": Refusal("요청 값이 올바르지 않습니다: {detail}", "The request is not valid: {detail}"),
    "prompt_empty": Refusal("프롬프트가 비어 있습니다.", "The prompt is empty."),
    "prompt_too_long": Refusal(
        "프롬프트는 {limit}자까지 쓸 수 있습니다 ({got}자).", "A prompt has at most {limit} characters, not {got}."
    ),
    "prompt_rejected": Refusal("이 프롬프트로는 그릴 수 없습니다: {reason}", "This prompt cannot be drawn: {reason}"),
    "unknown_style": Refusal("모르는 스타일입니다: {style}", "Unknown style: {style}"),
    "unknown_source_image": Refusal("시작할 그림을 찾을 수 없습니다.", "The source image cannot be found."),
    "idempotency_conflict": Refusal(
        "같은 Idempotency-Key로 다른 요청을 보냈습니다.", "This Idempotency-Key was used for another request."
    ),
    "bad_image": Refusal("읽을 수 없는 그림입니다 (PNG, JPEG, WebP).", "The picture cannot be read (PNG, JPEG, WebP)."),
    "image_too_large": Refusal(
        "그림이 너무 큽니다 (2,500만 화소까지).", "The picture is too large (25 million pixels at most)."
    ),
    "rate_limited": Refusal("요청이 너무 잦습니다. 잠시 뒤에 다시 하세요.", "Too many requests; wait a little.", 10),
    "queue_full": Refusal(
        "기다리는 사람이 많습니다. 잠시 뒤에 다시 하세요.", "The queue is full; try again in a while.", 15
    ),
    "address_full": Refusal(
        "이 주소에서 기다리는 작업이 많아요. 잠시 뒤에 다시 해 주세요.",
        "Many jobs from this address are waiting; try again in a while.", 15
    ),
    "too_many_jobs": Refusal(
        "기다리는 내 작업이 너무 많습니다.", "You have too many jobs waiting; let some finish.", 15
    ),
    "internal": Refusal("서버에 문제가 생겼습니다.", "Something went wrong on the server."),
    "not_ready": Refusal("준비하는 중입니다. 곧 됩니다.", "The server is starting; it takes seconds.", 2),
    "checkpoint_missing": Refusal(
        "그림 모델이 없습니다: {detail}", "There is no checkpoint to draw with: {detail}", 30
    ),
    "encoder_missing": Refusal("한국어 인코더가 없습니다: {detail}", "There is no Korean text encoder: {detail}", 30),
    "too_many_streams": Refusal(
        "열린 연결이 많습니다. 상태를 물어봐 주세요.", "Too many event streams; poll the generation instead.", 5
    ),
    "database_busy": Refusal("데이터베이스가 바쁩니다.", "The database is busy.", 2),
    "database_damaged": Refusal(
        "데이터베이스를 읽을 수 없어요 ({detail}). 서버를 운영하는 사람이 백업을 되돌려야 해요.",
        "The database is damaged ({detail}). Stop the server and run `python -m demo restore BACKUP`.", 30
    ),
    "storage_unavailable": Refusal("지금은 저장할 수 없습니다.", "Storage is unavailable at the moment.", 10),
    "disk_full": Refusal("저장 공간이 가득 찼습니다.", "The disk space for pictures is used up.", 60),
    # what only a job ends with
    "worker_died": Refusal(
        "그리는 프로그램이 세 번 멈춰 그만두었습니다.", "The worker died three times while drawing this."
    ),
    "draw_failed": Refusal("그리지 못했습니다.", "Drawing failed."),
    "bad_settings": Refusal(
        "이 설정으로는 그릴 수 없습니다: {detail}", "It cannot be drawn with these settings: {detail}"
    ),
    "content_flagged": Refusal(
        "안전 검사에서 걸린 그림이 있어 보여 드리지 않습니다.", "The safety checker flagged a picture."
    ),
    "source_gone": Refusal("시작할 그림이 지워졌습니다.", "The source image has been deleted."),
}


class ServiceError(Exception):
    """A refusal with a code of `REFUSALS`; `values` fill its message, `field` names what was asked wrongly."""

    def __init__(self, code: str, field: str | None = None, retry_after: int | None = None, **values: object) -> None:
        super().__init__(code)
        self.code, self.field, self.values = code, field, values
        self.retry_after = retry_after if retry_after is not None else REFUSALS[code].retry_after


def language() -> str:
    """`ko` or `en`: what the person who asks reads; Korean where nobody said otherwise."""
    return _language.get()


def speak(language: str) -> None:
    """Choose the language of what follows in this context. Raises ValueError for one that is not there."""
    if language not in ("ko", "en"):
        raise ValueError(f"language is {language!r}: choose ko or en")
    _language.set(language)


def message(code: str, values: dict[str, object] | None = None) -> str:
    """The sentence of a code in the language in use."""
    refusal, values = REFUSALS.get(code, REFUSALS["internal"]), dict(values or {})
    if code == "invalid_request":
        values["detail"] = in_words(str(values.get("detail", "")), language())
    return getattr(refusal, language()).format_map(_Blank(values))


class _Blank(dict):
    def __missing__(self, key: str) -> str:
        return ""


def stored_error(error: dict | None) -> dict[str, str] | None:
    """A job's error as a client sees it: `{"code", "message"}`."""
    return error and {"code": error["code"], "message": message(error["code"], error.get("values"))}


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
    if isinstance(error, DatabaseError):
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

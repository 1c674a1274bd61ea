"""Every error that a client can see: its code, its status, its message in Korean and English.

The rest of the service raises `ServiceError(code)`; only `install` knows how it looks over HTTP: RFC 9457
problem+json that is also `{"error": {code, message, field?}}`.
"""

from __future__ import annotations

import errno
import json
import logging
from dataclasses import dataclass

from apiflask import APIFlask
from apiflask.exceptions import HTTPError
from flask import Response, g, has_request_context, request
from flask_limiter import RateLimitExceeded
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from demo.reasons import in_words

logger = logging.getLogger(__name__)
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Kind:
    """One code: what HTTP says, and what a person reads."""

    status: int
    ko: str
    en: str
    retry_after: int | None = None


KINDS: dict[str, Kind] = {
    "bad_request": Kind(400, "요청을 읽을 수 없습니다.", "The request cannot be read."),
    "bad_cursor": Kind(400, "알 수 없는 쪽 표시입니다.", "The cursor is not one of ours."),
    "bad_token": Kind(401, "토큰이 올바르지 않습니다.", "The token is not valid."),
    "token_required": Kind(
        401, "이 서버는 코드나 토큰이 있어야 쓸 수 있습니다.", "This server needs a code or a token."
    ),
    "cross_site": Kind(403, "다른 사이트에서 온 요청은 받지 않습니다.", "Requests from other sites are refused."),
    "bad_host": Kind(403, "이 이름으로는 접속할 수 없습니다.", "The server does not answer to this host name."),
    "admin_only": Kind(403, "관리자 토큰이 필요합니다.", "This needs the admin token."),
    "not_found": Kind(404, "찾을 수 없습니다.", "Not found."),
    "method_not_allowed": Kind(405, "이 주소에서 쓸 수 없는 방법입니다.", "This method is not allowed here."),
    "already_finished": Kind(409, "이미 끝난 작업입니다.", "The job has already ended."),
    "code_used": Kind(410, "이미 썼거나 기한이 지난 코드입니다.", "The code was used or has expired."),
    "too_large": Kind(413, "보낸 내용이 너무 큽니다.", "The request is too large."),
    "unsupported_media_type": Kind(415, "이 형식은 받지 않습니다.", "This content type is not accepted."),
    "invalid_request": Kind(422, "요청 값이 올바르지 않습니다: {detail}", "The request is not valid: {detail}"),
    "prompt_empty": Kind(422, "프롬프트가 비어 있습니다.", "The prompt is empty."),
    "prompt_too_long": Kind(
        422, "프롬프트는 {limit}자까지 쓸 수 있습니다 ({got}자).", "A prompt has at most {limit} characters, not {got}."
    ),
    "prompt_rejected": Kind(422, "이 프롬프트로는 그릴 수 없습니다: {reason}", "This prompt cannot be drawn: {reason}"),
    "unknown_style": Kind(422, "모르는 스타일입니다: {style}", "Unknown style: {style}"),
    "unknown_source_image": Kind(422, "시작할 그림을 찾을 수 없습니다.", "The source image cannot be found."),
    "idempotency_conflict": Kind(
        422, "같은 Idempotency-Key로 다른 요청을 보냈습니다.", "This Idempotency-Key was used for another request."
    ),
    "bad_image": Kind(
        422, "읽을 수 없는 그림입니다 (PNG, JPEG, WebP).", "The picture cannot be read (PNG, JPEG, WebP)."
    ),
    "image_too_large": Kind(
        422, "그림이 너무 큽니다 (2,500만 화소까지).", "The picture is too large (25 million pixels at most)."
    ),
    "rate_limited": Kind(429, "요청이 너무 잦습니다. 잠시 뒤에 다시 하세요.", "Too many requests; wait a little.", 10),
    "queue_full": Kind(
        429, "기다리는 사람이 많습니다. 잠시 뒤에 다시 하세요.", "The queue is full; try again in a while.", 15
    ),
    "too_many_jobs": Kind(
        429, "기다리는 내 작업이 너무 많습니다.", "You have too many jobs waiting; let some finish.", 15
    ),
    "internal": Kind(500, "서버에 문제가 생겼습니다.", "Something went wrong on the server."),
    "not_ready": Kind(503, "준비하는 중입니다. 곧 됩니다.", "The server is starting; it takes seconds.", 2),
    "checkpoint_missing": Kind(
        503, "그림 모델이 없습니다: {detail}", "There is no checkpoint to draw with: {detail}", 30
    ),
    "encoder_missing": Kind(503, "한국어 인코더가 없습니다: {detail}", "There is no Korean text encoder: {detail}", 30),
    "too_many_streams": Kind(
        503, "열린 연결이 많습니다. 상태를 물어봐 주세요.", "Too many event streams; poll the generation instead.", 5
    ),
    "database_busy": Kind(503, "데이터베이스가 바쁩니다.", "The database is busy.", 2),
    "storage_unavailable": Kind(503, "지금은 저장할 수 없습니다.", "Storage is unavailable at the moment.", 10),
    "disk_full": Kind(507, "저장 공간이 가득 찼습니다.", "The disk space for pictures is used up.", 60),
    # what only a job ends with
    "worker_died": Kind(
        500, "그리는 프로그램이 세 번 멈춰 그만두었습니다.", "The worker died three times while drawing this."
    ),
    "draw_failed": Kind(500, "그리지 못했습니다.", "Drawing failed."),
    "bad_settings": Kind(
        422, "이 설정으로는 그릴 수 없습니다: {detail}", "It cannot be drawn with these settings: {detail}"
    ),
    "content_flagged": Kind(
        422, "안전 검사에서 걸린 그림이 있어 보여 드리지 않습니다.", "The safety checker flagged a picture."
    ),
    "source_gone": Kind(422, "시작할 그림이 지워졌습니다.", "The source image has been deleted."),
}
HTTP_CODES = {
    400: "bad_request", 401: "bad_token", 404: "not_found", 405: "method_not_allowed", 413: "too_large",
    415: "unsupported_media_type", 422: "invalid_request", 429: "rate_limited", 503: "not_ready",
}  # fmt: skip


class ServiceError(Exception):
    """A refusal with a code of `KINDS`; `values` fill its message."""

    def __init__(self, code: str, field: str | None = None, retry_after: int | None = None, **values: object) -> None:
        super().__init__(code)
        self.code, self.field, self.values = code, field, values
        self.retry_after = retry_after if retry_after is not None else KINDS[code].retry_after


def language() -> str:
    """`ko` or `en`, by Accept-Language; Korean outside a request and for anything else."""
    if not has_request_context():
        return "ko"
    return request.accept_languages.best_match(["ko", "en"], default="ko")


def message(code: str, values: dict[str, object] | None = None) -> str:
    """The sentence of a code in the language of the request."""
    kind, values = KINDS.get(code, KINDS["internal"]), dict(values or {})
    if code == "invalid_request":
        values["detail"] = in_words(str(values.get("detail", "")), language())
    return getattr(kind, language()).format_map(_Blank(values))


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
        if isinstance(error, OperationalError) or "readonly" in text or "read-only" in text:
            return ServiceError("storage_unavailable")
    return None


def problem(error: ServiceError) -> Response:
    """The one shape of an error over HTTP."""
    kind, text = KINDS[error.code], message(error.code, error.values)
    inner = {"code": error.code, "message": text} | ({"field": error.field} if error.field else {})
    title = HTTP_STATUS_CODES.get(kind.status, "Error")
    body = {"type": "about:blank", "title": title, "status": kind.status, "detail": text, "error": inner}
    reply = Response(json.dumps(body, ensure_ascii=False), kind.status, content_type=PROBLEM)
    if error.retry_after is not None:
        reply.headers["Retry-After"] = str(error.retry_after)
    return reply


def unread(status: int) -> bytes:
    """The same shape for a request that no application ever saw: a whole HTTP answer of its own."""
    code = {414: "too_large", 431: "too_large"}.get(status, "bad_request" if status < 500 else "internal")
    text, title = KINDS[code].ko, HTTP_STATUS_CODES.get(status, "Error")
    body = {"type": "about:blank", "title": title, "status": status, "detail": text,
            "error": {"code": code, "message": text}}  # fmt: skip
    data = json.dumps(body, ensure_ascii=False).encode()
    lines = (f"HTTP/1.1 {status} {title}", "Connection: close", f"Content-Type: {PROBLEM}",
             f"Content-Length: {len(data)}", "", "")  # fmt: skip
    return "\r\n".join(lines).encode() + data


def install(app: APIFlask) -> None:
    """Make every failure of the application one `problem`."""
    app.register_error_handler(ServiceError, problem)
    app.register_error_handler(RateLimitExceeded, _limited)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)
    app.error_processor(_invalid)


def _invalid(error: HTTPError) -> Response:
    """APIFlask's validation error: name the first field to blame."""
    for fields in (error.detail or {}).values():
        if isinstance(fields, dict):
            name, reasons = next(iter(fields.items()))
            said = in_words(reasons[0], language())
            reason = f"{name}: {said}" if name != "_schema" else said
            return problem(ServiceError("invalid_request", None if name == "_schema" else name, detail=reason))
    return problem(ServiceError(HTTP_CODES.get(error.status_code, "bad_request")))


def _http(error: HTTPException) -> Response:
    if isinstance(error, RateLimitExceeded):
        return _limited(error)
    if (error.code or 500) < 400:
        return error.get_response()
    reply = problem(
        ServiceError(HTTP_CODES.get(error.code or 500, "bad_request" if (error.code or 500) < 500 else "internal"))
    )
    if error.code == 405:
        reply.headers["Allow"] = ", ".join(error.valid_methods or ())
    return reply


def _limited(_error: RateLimitExceeded) -> Response:
    return problem(ServiceError("rate_limited"))


def _unexpected(error: Exception) -> Response:
    known = from_failure(error)
    if known is None:
        logger.exception("unexpected failure in %s", request.endpoint)
        g.failed = True
    else:
        logger.warning("%s in %s: %s", known.code, request.endpoint, error)
    return problem(known or ServiceError("internal"))

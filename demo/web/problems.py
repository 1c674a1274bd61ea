"""How a refusal looks over HTTP: RFC 9457 problem+json that is also `{"error": {code, message, field?}}`."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

from apiflask import APIFlask
from apiflask.exceptions import HTTPError
from flask import Response, current_app, g, has_request_context, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wrappers import Response as AnyResponse

from demo.store.errors import ServiceError, from_failure, language, message, set_language
from demo.store.messages import REFUSALS, reason_of

logger = logging.getLogger(__name__)
PROBLEM = "application/problem+json"
Dialect = Callable[[ServiceError, int], dict[str, object]]  # what clients of a compatible API read beside our error
STATUS: dict[str, int] = {
    "bad_request": 400,
    "bad_cursor": 400,
    "bad_token": 401,
    "token_required": 401,
    "cross_site": 403,
    "bad_host": 403,
    "admin_only": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "already_finished": 409,
    "cancelled": 409,
    "drafts_off": 409,
    "trash_off": 409,
    "code_used": 410,
    "too_large": 413,
    "unsupported_media_type": 415,
    "invalid_request": 422,
    "prompt_empty": 422,
    "prompt_too_long": 422,
    "prompt_rejected": 422,
    "publishing_rejected": 422,
    "unknown_style": 422,
    "unknown_source_image": 422,
    "edit_nothing": 422,
    "edit_several": 422,
    "edit_unknown_word": 422,
    "edit_same_word": 422,
    "edit_word_twice": 422,
    "edit_source_prompt": 422,
    "edit_mask_size": 422,
    "size_square": 422,
    "size_unfit": 422,
    "pattern_nothing": 422,
    "patterns_missing": 503,
    "apply_target": 422,
    "cloth_tiny": 422,
    "cloth_empty": 422,
    "cloth_missing": 422,
    "cloth_unfound": 422,
    "cloth_mask": 422,
    "upload_private": 422,
    "closet_full": 422,
    "idempotency_conflict": 422,
    "bad_image": 422,
    "image_too_large": 422,
    "rate_limited": 429,
    "queue_full": 429,
    "address_full": 429,
    "too_many_jobs": 429,
    "internal": 500,
    "not_ready": 503,
    "checkpoint_missing": 503,
    "encoder_missing": 503,
    "too_many_streams": 503,
    "database_busy": 503,
    "database_damaged": 503,
    "storage_unavailable": 503,
    "disk_full": 507,
    "worker_died": 500,
    "draw_failed": 500,
    "bad_settings": 422,
    "content_flagged": 422,
    "source_gone": 422,
}
HTTP_CODES = {
    400: "bad_request",
    401: "bad_token",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    429: "rate_limited",
    503: "not_ready",
}


def problem(error: ServiceError, dialect: Dialect | None = None) -> Response:
    """The one shape of an error over HTTP; where the request came by a compatible API, with what its clients read."""
    status, text = STATUS[error.code], message(error.code, error.values)
    inner: dict[str, object] = {"code": error.code, "message": text}
    if error.field:
        inner["field"] = error.field
    if dialect is None and has_request_context():
        dialect = current_app.extensions.get("dialects", {}).get(request.blueprint)
    if dialect is not None:
        inner |= dialect(error, status)
    title = HTTP_STATUS_CODES.get(status, "Error")
    body = {"type": "about:blank", "title": title, "status": status, "detail": text, "error": inner}
    reply = Response(json.dumps(body, ensure_ascii=False), status, content_type=PROBLEM)
    if error.retry_after is not None:
        reply.headers["Retry-After"] = str(error.retry_after)
    return reply


def unread(status: int) -> bytes:
    """The same shape for a request that no application ever saw: a whole HTTP answer of its own."""
    code = {414: "too_large", 429: "rate_limited", 431: "too_large"}.get(status, "bad_request")
    text, title = REFUSALS[code].ko, HTTP_STATUS_CODES.get(status, "Error")
    body = {"type": "about:blank", "title": title, "status": status, "detail": text,
            "error": {"code": code, "message": text}}  # fmt: skip
    data = json.dumps(body, ensure_ascii=False).encode()
    lines = (f"HTTP/1.1 {status} {title}", "Connection: close", f"Content-Type: {PROBLEM}",
             f"Content-Length: {len(data)}", "", "")  # fmt: skip
    return "\r\n".join(lines).encode() + data


def install(app: APIFlask) -> None:
    """Make every failure of the application one `problem`, in the language that the request asks for."""
    app.before_request(lambda: set_language(request.accept_languages.best_match(["ko", "en"], default="ko")))
    app.register_error_handler(ServiceError, problem)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)
    app.error_processor(_invalid)


def _invalid(error: HTTPError) -> Response:
    """APIFlask's validation error: name the first field to blame, and why by Pydantic's type of error."""
    if isinstance(error.__cause__, ValidationError):
        return problem(invalid(error.__cause__))
    return _of_status(error.status_code)


def invalid(error: ValidationError) -> ServiceError:
    """The refusal that names the first field to blame."""
    first = error.errors(include_url=False)[0]
    reason = reason_of(first["type"], first.get("ctx", {}), language(), first["msg"])
    name = ".".join(map(str, first["loc"]))
    return ServiceError("invalid_request", name or None, detail=f"{name}: {reason}" if name else reason)


def _http(error: HTTPException) -> AnyResponse:
    if (error.code or 500) < 400:
        return error.get_response()
    return _of_status(error.code or 500)


def _of_status(status: int) -> Response:
    reply = problem(ServiceError(HTTP_CODES.get(status, "bad_request" if status < 500 else "internal")))
    if status == 405:
        adapter = current_app.create_url_adapter(request)  # the error that Flask hands on does not know
        reply.headers["Allow"] = ", ".join(sorted(adapter.allowed_methods() if adapter else ()))
    return reply


def _unexpected(error: Exception) -> Response:
    known = from_failure(error)
    if known is None:
        logger.exception("unexpected failure in %s", request.endpoint)
        g.failed = True
    else:
        logger.warning("%s in %s: %s", known.code, request.endpoint, error)
    return problem(known or ServiceError("internal"))

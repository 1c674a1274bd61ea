"""What every request passes: its host and origin, who asks, how often; and the headers of every answer."""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import replace
from urllib.parse import urlsplit

from apiflask import APIFlask
from flask import Response, current_app, g, request
from flask_limiter import Limiter
from limits import parse
from sqlalchemy.exc import SQLAlchemyError

from demo.store.errors import ServiceError
from demo.store.settings import Settings
from demo.store.tables import Owner
from demo.studio.owners import COOKIE, COOKIE_SECONDS
from demo.studio.visibility import Viewer
from demo.web.current import metrics, services
from demo.web.rates import LOCAL

logger = logging.getLogger("demo.requests")
WRITING = ("POST", "PUT", "PATCH", "DELETE")
MAX_JSON = 256 * 1024
MAX_UPLOAD = 10 * 2**20 + 64 * 1024
ANALYSIS = "prompts.analyze"  # a POST that only reads: the page asks at every rest of the typing
OPEN_TO_STRANGERS = ("people.claim_code", "status.", "pages.", "openapi", "about.get_about")  # with ACCESS=token


def viewer() -> Viewer:
    """Who asks."""
    return g.viewer


def owner() -> Viewer:
    """Who asks, as somebody who may keep things; a newcomer becomes one. Raises ServiceError token_required."""
    if g.viewer.kind == "admin":
        raise ServiceError("token_required")
    if g.viewer.owner_id is None:
        if services().settings.token_access:
            raise ServiceError("token_required")
        g.viewer = replace(services().owners.newcomer(), address=g.viewer.address)
        g.set_cookie = True
    if not getattr(g, "counted", False):
        g.counted = True
        _limit_newcomers(g.viewer)
    return g.viewer


def admin() -> None:
    """Raise ServiceError admin_only for anybody but the admin."""
    if g.viewer.kind != "admin":
        raise ServiceError("admin_only")


def csp_nonce() -> str:
    """The nonce of this answer's scripts and styles."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    return g.nonce


def install(app: APIFlask, settings: Settings) -> Limiter:
    """Put the checks before and the headers behind every request."""
    app.config.update(MAX_CONTENT_LENGTH=MAX_JSON, MAX_FORM_PARTS=8, MAX_FORM_MEMORY_SIZE=64 * 1024)
    app.before_request(_begin)
    limiter = Limiter(
        _who, app=app, storage_uri=settings.rate_storage or LOCAL, headers_enabled=False, strategy="fixed-window",
        swallow_errors=bool(settings.rate_storage),  # where counts are kept elsewhere: better uncounted than refused
        application_limits=[lambda: settings.rate_writes if _changes_something() else settings.rate_reads],
    )  # fmt: skip
    app.before_request(_check_body)
    app.teardown_request(lambda _error: request.close())  # an upload's temporary file
    app.after_request(_headers)
    app.after_request(_finish)
    app.jinja_env.globals["csp_nonce"] = csp_nonce
    return limiter


def _begin() -> None:
    g.started = time.perf_counter()
    g.viewer = Viewer()
    settings = services().settings
    if settings.hosts and _host_name(request.host) not in settings.hosts:
        raise ServiceError("bad_host")
    try:
        g.viewer = replace(_recognise(), address=services().owners.address_of(request.remote_addr))
    except SQLAlchemyError:
        if not (request.endpoint or "").startswith("status."):  # what says how the database is needs no database
            raise
    if g.viewer.kind in ("browser", "anonymous") and request.method in WRITING:
        _check_origin()
    if settings.token_access and g.viewer.kind == "anonymous":
        endpoint = request.endpoint or ""
        if not endpoint.startswith(OPEN_TO_STRANGERS):
            raise ServiceError("token_required")


def _recognise() -> Viewer:
    header = request.headers.get("Authorization", "")
    if header:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise ServiceError("bad_token")
        return services().owners.from_token(token.strip())
    if (cookie := request.cookies.get(COOKIE)) is not None:
        known = services().owners.from_cookie(cookie)
        g.set_cookie = known.owner_id is not None and not cookie.startswith(known.owner_id)  # moved: a new cookie
        return known
    return Viewer()


def _check_origin() -> None:
    """Refuse what a browser says comes from another site (programs say nothing, and pass)."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        raise ServiceError("cross_site")
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise ServiceError("cross_site")


def _check_body() -> None:
    """Bodies are JSON, but for the upload; and of a size that fits."""
    if request.method not in WRITING:
        return
    if request.endpoint == "images.upload":
        request.max_content_length = MAX_UPLOAD
        if request.mimetype != "multipart/form-data":
            raise ServiceError("unsupported_media_type")
        return
    has_body = bool(request.content_length) or "chunked" in request.headers.get("Transfer-Encoding", "")
    if has_body and request.mimetype != "application/json":
        raise ServiceError("unsupported_media_type")


def body_limit(path: str) -> int:
    """Bytes that are read of a body sent to this path."""
    return MAX_UPLOAD if path.rstrip("/") == "/api/v1/images" else MAX_JSON


def _changes_something() -> bool:
    return request.method in WRITING and request.endpoint != ANALYSIS


def _who() -> str:
    return g.viewer.owner_id or g.viewer.kind + (request.remote_addr or "")


def _limit_newcomers(someone: Viewer) -> None:
    """Count owners that are not known yet by address, so that throwing cookies away frees nobody of limits."""
    with services().database.read() as session:
        known = session.get(Owner, someone.owner_id) is not None
    if not known:
        limit("newcomers", services().settings.rate_newcomers)


def limit(what: str, rate: str) -> None:
    """Count one more of something from this address. Raises ServiceError rate_limited."""
    limiter: Limiter = current_app.extensions["people_limiter"]
    try:
        within = limiter.limiter.hit(parse(rate), what, request.remote_addr or "")
    except limiter.storage.base_exceptions as error:
        logger.warning("%s are not counted: %s", what, error)
        return
    if not within:
        raise ServiceError("rate_limited")


def _host_name(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if port.isdigit() and name else host


def _headers(response: Response) -> Response:
    nonce = csp_nonce()
    response.headers.setdefault("Content-Security-Policy", (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
        "img-src 'self' blob: data:; connect-src 'self'; font-src 'self'; manifest-src 'self'; worker-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ))  # fmt: skip
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Permissions-Policy"] = "camera=(self), microphone=(), geolocation=()"
    if services().settings.secure_cookies:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response


def _finish(response: Response) -> Response:
    """Hand out the cookie, count, and write one line, which never holds a prompt (paths only, no queries)."""
    everything, settings = services(), services().settings
    page = request.endpoint == "pages.index" and g.viewer.kind == "anonymous" and not settings.token_access
    if page:
        g.viewer = everything.owners.newcomer()
    if page or getattr(g, "set_cookie", False):
        response.set_cookie(
            COOKIE, everything.owners.cookie(g.viewer.owner_id), max_age=COOKIE_SECONDS, httponly=True,
            samesite="Lax", secure=settings.secure_cookies, path="/",
        )  # fmt: skip
        response.headers["Cache-Control"] = "no-store"
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    route = str(request.url_rule.rule) if request.url_rule else "none"
    metrics().count(request.method, route, response.status_code, seconds)
    logger.info("%s %s %d %.0f ms", request.method, route, response.status_code, seconds * 1000)
    return response

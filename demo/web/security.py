"""What every request passes: its host and origin, who asks, how often; and the headers of every answer."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from apiflask import APIFlask
from flask import Response, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError

from demo.store import request_id
from demo.store.errors import ServiceError
from demo.store.settings import Settings
from demo.studio.owners import COOKIE, COOKIE_SECONDS
from demo.studio.services import Services
from demo.studio.visibility import Viewer
from demo.web.current import metrics, services
from demo.web.rates import Rates, neighbourhood, open_storage

logger = logging.getLogger("demo.requests")
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")  # anything else counts as other
WRITING = ("POST", "PUT", "PATCH", "DELETE")
MAX_JSON = 256 * 1024
MAX_UPLOAD = 10 * 2**20 + 64 * 1024
UPLOADS = {  # paths whose bodies are pictures, and how many bytes they may have
    "/api/v1/images": MAX_UPLOAD,
    "/v1/images/edits": 5 * MAX_UPLOAD,  # four pictures and a mask
    "/v1/images/variations": MAX_UPLOAD,
}
TEXT_UPLOADS = {  # the same of bodies that hold pictures as base64 in JSON
    "/sdapi/v1/img2img": 3 * MAX_UPLOAD,
    "/sdapi/v1/png-info": 2 * MAX_UPLOAD,
}
FORM_PARTS = 64  # of a form of OpenAI's API: every field that it knows, and pictures
# Werkzeug reads 64 KiB at once and keeps back what may be the beginning of a boundary: with a limit of that size an
# ordinary photo is refused as too large. The limit is for fields that are no files, of which there are none here.
MAX_FIELD = 256 * 1024
UNMATCHED = "300/minute"  # requests of one address for what is not there
HEALTH = "status.healthz"  # asked all the time by whoever watches the service; costs nothing
READING_POSTS = ("prompts.analyze", "drafts.make_draft")  # keep nothing: the page asks at every rest of the typing
OPEN_TO_STRANGERS = (
    "people.claim_code",
    "status.",
    "pages.",
    "openapi",
    "about.get_about",
    "openai.get_linked",
    "a1111.",  # which asks for itself
)  # with ACCESS=token


def csp_nonce() -> str:
    """The nonce of this answer's scripts and styles."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    return g.nonce


def install(app: APIFlask, settings: Settings) -> Rates:
    """Put the checks before and the headers behind every request."""
    app.config.update(MAX_CONTENT_LENGTH=MAX_JSON, MAX_FORM_PARTS=8, MAX_FORM_MEMORY_SIZE=MAX_FIELD)
    app.before_request(_begin)
    app.before_request(_check_rates)
    app.before_request(_check_body)
    app.teardown_request(lambda _error: request.close())  # an upload's temporary file
    app.after_request(_headers)
    app.after_request(_finish)
    app.jinja_env.globals["csp_nonce"] = csp_nonce
    everything: Services = app.extensions["services"]
    source = everything.uploads.link_source()
    app.extensions["pictures_from"] = f" {source}" if source else ""
    return Rates(open_storage(settings.rates_url, everything.database, everything.owners.counting_key))


def _begin() -> None:
    g.started = time.perf_counter()
    g.request_id = request_id.begin(request.headers.get(request_id.HEADER))
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
        if scheme.lower() == "basic" and request.blueprint == "a1111":  # the only way that its clients know
            scheme, token = "bearer", (request.authorization.password or "") if request.authorization else ""
            _check_origin()  # a browser sends it by itself
        if scheme.lower() == "basic" and request.endpoint is None:  # its clients look for what is not there
            return Viewer()
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


def _check_rates() -> None:
    """Count the request for its address, and for the person or, where nobody is known, for the address again."""
    settings, address = services().settings, neighbourhood(request.remote_addr or "")
    rates: Rates = current_app.extensions["people_limiter"]
    if request.endpoint == HEALTH:
        return
    rates.count(settings.rate_address, "address", address)
    if request.endpoint is None:
        rates.count(UNMATCHED, "unmatched", address)
    elif not request.endpoint.startswith("status."):
        changes = request.method in WRITING and request.endpoint not in READING_POSTS
        rate = settings.rate_writes if changes else settings.rate_reads
        for whose in _counted_for(address):
            rates.count(rate, "writes" if changes else "reads", whose)


def _counted_for(address: str) -> Iterator[str]:
    """Who a request counts for: the person, and the address too while the person has made nothing yet.

    Everybody gets a fresh cookie for asking, so that it frees nobody of limits.
    """
    if g.viewer.kind == "admin":
        yield "admin"
        return
    if g.viewer.owner_id is not None:
        yield g.viewer.owner_id
    if g.viewer.owner_id is None or not services().owners.is_known(g.viewer.owner_id):
        yield f"newcomers {address}"


def _check_body() -> None:
    """Bodies are JSON, but for the upload; and of a size that fits."""
    if request.method not in WRITING or request.routing_exception is not None:
        return
    if (most := UPLOADS.get(request.path)) is not None:
        request.max_content_length = most
        request.max_form_parts = FORM_PARTS if request.blueprint == "openai" else request.max_form_parts
        if request.mimetype != "multipart/form-data":
            raise ServiceError("unsupported_media_type")
        return
    if (most := TEXT_UPLOADS.get(request.path)) is not None:
        request.max_content_length = most
    has_body = bool(request.content_length) or "chunked" in request.headers.get("Transfer-Encoding", "")
    if has_body and request.mimetype != "application/json":
        raise ServiceError("unsupported_media_type")


def body_limits(settings: Settings) -> Callable[[str], int]:
    """Path → bytes that are read of a body sent to it; routes that are off take no large ones."""
    large = UPLOADS | (TEXT_UPLOADS if settings.a1111 else {})
    return lambda path: large.get(path.rstrip("/"), MAX_JSON)


def _host_name(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if port.isdigit() and name else host


def _headers(response: Response) -> Response:
    pictures_from = current_app.extensions["pictures_from"]
    nonce = f" 'nonce-{g.nonce}'" if "nonce" in g else ""  # only a page that was rendered with one needs it
    response.headers.setdefault("Content-Security-Policy", (
        f"default-src 'none'; script-src 'self'{nonce}; style-src 'self'{nonce}; "
        f"img-src 'self' blob: data:{pictures_from}; connect-src 'self'; font-src 'self'; manifest-src 'self'; "
        "worker-src 'self'; "
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
    method = request.method if request.method in METHODS else "other"
    metrics().count(method, route, response.status_code, seconds)
    response.headers[request_id.HEADER] = g.get("request_id", "")
    logger.info("%s %s %d %.0f ms", method, route, response.status_code, seconds * 1000)
    return response

"""Of the current request: who asks, and the services of the application that answers."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import TYPE_CHECKING

from flask import current_app, g, request

from demo.store.errors import ServiceError
from demo.studio.visibility import Viewer
from demo.web.rates import Rates, neighbourhood

if TYPE_CHECKING:
    from demo.studio.services import Services
    from demo.web.metrics import Metrics
    from demo.web.streams import Streams


def services() -> Services:
    return current_app.extensions["services"]


def streams() -> Streams:
    return current_app.extensions["streams"]


def metrics() -> Metrics:
    return current_app.extensions["metrics"]


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
        g.set_cookie, g.counted = True, True
        limit("newcomers", services().settings.rate_newcomers)
    if not getattr(g, "counted", False):
        g.counted = True
        _limit_newcomers(g.viewer)
    return g.viewer


def admin() -> None:
    """Raise ServiceError admin_only for anybody but the admin."""
    if g.viewer.kind != "admin":
        raise ServiceError("admin_only")


def is_loopback() -> bool:
    """Whether the request comes from this machine (behind a proxy on it: whether the proxy says so)."""
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def _limit_newcomers(someone: Viewer) -> None:
    """Count owners that are not known yet by address, so that throwing cookies away frees nobody of limits."""
    if not services().owners.is_known(someone.known_id):
        limit("newcomers", services().settings.rate_newcomers)


def limit(what: str, rate: str) -> None:
    """Count one more of something from this address. Raises ServiceError rate_limited."""
    rates: Rates = current_app.extensions["people_limiter"]
    rates.count(rate, what, neighbourhood(request.remote_addr or ""))

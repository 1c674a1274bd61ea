"""What belongs to the application that answers the current request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import current_app

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

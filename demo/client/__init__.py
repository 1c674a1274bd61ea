"""A typed client of a running studio, by its JSON API: `Studio`, and `AsyncStudio` with the same methods to await."""

from __future__ import annotations

from demo.client.answers import PastDrawing, RemoteDrawing, RemotePicture, StudioError, StyleOffer
from demo.client.studio import AsyncStudio, Studio

__all__ = ["AsyncStudio", "PastDrawing", "RemoteDrawing", "RemotePicture", "Studio", "StudioError", "StyleOffer"]

"""A picture file opened with its name in the error, for commands that open many."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from pictures import UnreadablePicture, open_picture


def open_named(path: Path, background: str | None = "white") -> Image.Image:
    """The picture. Raises ValueError that names the file and says why it cannot be read, FileNotFoundError."""
    try:
        return open_picture(path, background=background)
    except UnreadablePicture as error:
        raise ValueError(f"{path}: {error}") from error

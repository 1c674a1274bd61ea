"""What an upload shows, as the scorers that ship with the checkpoint see it: a sentence for its owner to accept."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from PIL import Image as Picture

from demo.store.errors import language
from demo.store.settings import Settings
from demo.store.storage import DamagedFile, Storage
from demo.store.tables import Image
from pictures import open_picture

logger = logging.getLogger(__name__)
GUESSES_KEPT = 256  # a look takes some tenths of a second, and a viewer asks each time a picture is opened


class PictureReader(Protocol):
    """What `fashion.describing.Describer` gives."""

    def describe(self, picture: Picture.Image, language: str) -> str:
        """What a picture shows, in "ko" or "en"; "" where nothing is seen."""
        ...


def open_describer(folder: Path) -> PictureReader:
    """The scorers in a folder. Raises FileNotFoundError, ValueError."""
    from fashion.describing import Describer

    return Describer.load(folder)


class Guesser:
    """Guesses what uploads show; opens the scorers when first asked. Safe from any thread."""

    def __init__(self, settings: Settings, storage: Storage, opened: Callable[[Path], PictureReader]) -> None:
        self._folder, self._storage, self._open = Path(settings.checkpoint) / "scorers", storage, opened
        self._describer: PictureReader | None = None
        self._lock = threading.Lock()
        self._sentence = lru_cache(GUESSES_KEPT)(self._look)

    def guess(self, row: Image) -> str:
        """A sentence in the language of the request; "" where nothing is seen, or nobody can look."""
        try:
            return self._sentence(tuple(row.files["final"].items()), language())
        except (OSError, DamagedFile, ValueError) as error:
            logger.info("no guess of what a picture shows: %s", error)
            return ""

    def _look(self, file: tuple[tuple[str, str | int], ...], language: str) -> str:
        """`file`: the entries of a file as a row names it."""
        return self._opened().describe(open_picture(self._storage.read(dict(file))), language)

    def _opened(self) -> PictureReader:
        with self._lock:
            if self._describer is None:
                self._describer = self._open(self._folder)
            return self._describer

"""What the page's preview of a pattern needs: default items, and of any picture its garment's mask, light and folds.

Out: PNG bytes. `maps`: the picture's shape, at most 512 a side, twice as high. Above: red, how much of a point is
garment; green, its light, 200 where cloth is well lit. Below: red and green, how far right and down its cloth is bent,
128 for not at all, 127 levels for `MOST_BEND` of the longer side.
"""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from PIL import Image as Picture

from demo.store.errors import ServiceError
from demo.store.settings import Settings
from demo.store.storage import DamagedFile, Storage
from demo.store.tables import Image
from demo.studio import pictures

logger = logging.getLogger(__name__)
MAPS_SIDE = 512
LIT = 200


class FoundGarment(Protocol):
    """What `textile.segmentation.GarmentMask` gives: `mask` (H, W), 1 where the garment is."""

    @property
    def mask(self) -> object: ...


class Segmenter(Protocol):
    """What `textile.segmentation.GarmentSegmenter` gives."""

    def mask(self, image: Picture.Image) -> FoundGarment: ...


def open_segmenter(folder: Path) -> Segmenter:
    """The segmenter in a folder. Raises FileNotFoundError."""
    from textile.segmentation import GarmentSegmenter

    return GarmentSegmenter.load(folder)


class Cloths:
    """Finds garments and their light; opens the segmenter when first asked. Safe from any thread."""

    def __init__(self, settings: Settings, storage: Storage, opened: Callable[[Path], Segmenter]) -> None:
        self._folder, self._storage, self._open = Path(settings.textile), storage, opened
        self._segmenter: Segmenter | None = None
        self._tried = False
        self._lock = threading.Lock()

    def finds_garments(self) -> bool:
        """Whether there is a segmenter."""
        return self._opened() is not None

    def item(self, id: str) -> bytes:
        """A default item's picture. Raises ServiceError not_found."""
        return _item(_known(id), maps=False)

    def item_maps(self, id: str) -> bytes:
        """A default item's maps. Raises ServiceError not_found."""
        return _item(_known(id), maps=True)

    def maps(self, row: Image) -> bytes:
        """A picture's maps; nothing of it is garment where none is found, or nobody can look. Raises
        storage_unavailable.
        """
        try:
            picture = pictures.decode(self._storage.read(row.files["final"])).convert("RGB")
        except (FileNotFoundError, DamagedFile) as error:
            raise ServiceError("storage_unavailable") from error
        segmenter = self._opened()
        picture.thumbnail((MAPS_SIDE, MAPS_SIDE), Picture.Resampling.LANCZOS)
        if segmenter is None or min(picture.size) < 16:
            return _maps(picture, None)
        with self._lock:  # one at a time: the network takes the memory of many pictures
            return _maps(picture, segmenter.mask(picture).mask)

    def _opened(self) -> Segmenter | None:
        with self._lock:
            if not self._tried:
                self._tried = True
                try:
                    self._segmenter = self._open(self._folder)
                except (OSError, ValueError) as error:
                    logger.info("garments are not found: %s", error)
            return self._segmenter


def _known(id: str) -> str:
    from textile.item_names import ITEM_BY_ID

    if id not in ITEM_BY_ID:
        raise ServiceError("not_found", "item")
    return id


@lru_cache(32)
def _item(id: str, maps: bool) -> bytes:
    from textile.items import item_picture

    picture, mask = item_picture(id)
    drawn = Picture.fromarray(picture)
    return _maps(drawn, mask) if maps else pictures.encode(drawn, "image/png", pictures.GENERATED)


def _maps(picture: Picture.Image, mask: object) -> bytes:
    import numpy as np

    from textile.shading import MOST_BEND, shading_of

    levels = np.asarray(picture)
    found = np.zeros(levels.shape[:2], np.float32) if mask is None else np.asarray(mask, np.float32)
    lit = shading_of(levels, found if (found > 0.5).any() else np.ones_like(found))
    above = np.stack([found * 255, lit.light * LIT, np.zeros_like(found)], axis=-1)
    bend = 128 + lit.bend / MOST_BEND * 127
    below = np.stack([bend[0], bend[1], np.zeros_like(found)], axis=-1)
    both = np.clip(np.rint(np.concatenate([above, below])), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Picture.fromarray(both).save(out, "PNG", compress_level=3)
    return out.getvalue()

"""Pattern and apply: the runners over the pattern generator and over the application of a pattern to cloth.

The generator is needed for the kind `pattern` alone: where its weights are missing that kind has no runner. A pattern
is put on without a segmenter too, where the job brings a mask or names a default item.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from demo.store.errors import ServiceError
from demo.store.settings import Settings
from demo.studio.searching import Encoder
from jobspec import SEEDS, Apply, BatchStep, Cancelled, Order, Pattern, Result, ResultPicture
from jobspec.fabric import CATEGORIES, TILE
from textile.application import Placement, put_on
from textile.checks import ClothError, covers
from textile.items import item_picture

logger = logging.getLogger(__name__)
LARGEST_DRAWN = 1024  # pixels at which a default item is drawn; beyond that it is enlarged
RGB = tuple[int, int, int]


class PatternSource(Protocol):
    """What `textile.patterns.PatternGenerator` gives: (n, size, size, 3) uint8, pattern i by seeds[i] alone."""

    def sample(
        self, category: str, palette: Sequence[RGB] | None, seeds: Sequence[int], size: int = TILE
    ) -> np.ndarray: ...


class FoundMask(Protocol):
    """What `textile.segmentation.GarmentMask` gives: `mask` (H, W) float32, 1 where the garment is."""

    @property
    def mask(self) -> np.ndarray: ...


class GarmentFinder(Protocol):
    """What `textile.segmentation.GarmentSegmenter` gives."""

    def mask(self, image: Image.Image) -> FoundMask: ...


class PatternRunner:
    """Runs jobs of the kind pattern."""

    def __init__(self, generator: PatternSource) -> None:
        self._generator = generator

    def facts(self) -> dict[str, object]:
        return {}

    def run(
        self, orders: Sequence[Order], on_step: Callable[[BatchStep], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Result]:  # fmt: skip
        """Make each order's patterns. Raises ValueError, Cancelled."""
        return [self._run(order.job, cancelled) for order in orders]

    def _run(self, job: object, cancelled: Callable[[], bool] | None) -> Result:
        assert isinstance(job, Pattern)
        started = time.perf_counter()
        made: list[tuple[int, np.ndarray]] = []
        palette = [_rgb(color) for color in job.palette] if job.palette else None
        seeds = [((job.seed or 0) + place) % SEEDS for place in range(job.n)]
        for category, together in _by_category(job.category, seeds).items():
            _go_on(cancelled)
            made += zip(together, self._generator.sample(category, palette, together, job.size), strict=True)
        drawn = dict(made)
        pictures = [ResultPicture(Image.fromarray(drawn[seed]), _pattern_recipe(job, seed)) for seed in seeds]
        return Result(job, pictures, {"pattern": time.perf_counter() - started})


class ApplyRunner:
    """Runs jobs of the kind apply."""

    def __init__(self, segmenter: GarmentFinder | None) -> None:
        self._segmenter = segmenter

    def facts(self) -> dict[str, object]:
        return {"segments": self._segmenter is not None}

    def run(
        self, orders: Sequence[Order], on_step: Callable[[BatchStep], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Result]:  # fmt: skip
        """Put each order's pattern on. Raises ServiceError cloth_…, ValueError, Cancelled."""
        results = []
        for order in orders:
            _go_on(cancelled)
            results.append(self._run(order))
        return results

    def _run(self, order: Order) -> Result:
        job = order.job
        assert isinstance(job, Apply)
        started = time.perf_counter()
        picture, mask, found_by = self._target(job, order.pictures)
        own = order.recipes.get("pattern_image", {}).get("tile")
        pattern = _tile(order.pictures["pattern_image"], own)
        mirror = False if own and job.mirror is None else job.mirror
        placement = Placement(job.scale, job.turn, job.offset_x, job.offset_y, mirror)
        try:
            worn = put_on(pattern, np.asarray(picture), mask, placement)
        except ClothError as error:
            raise ServiceError(error.code, "source_image", None, **error.values) from error
        recipe: dict[str, object] = {
            "kind": job.kind, "prompt": job.prompt, "seed": job.seed, "item": job.item, "mask": found_by,
            "placement": {name: getattr(job, name) for name in ("scale", "turn", "offset_x", "offset_y", "mirror")},
            "size": job.size, "asked": {"prompt": job.prompt},
        }  # fmt: skip
        return Result(job, [ResultPicture(Image.fromarray(worn), recipe)], {"apply": time.perf_counter() - started})

    def _target(self, job: Apply, given: Mapping[str, Image.Image]) -> tuple[Image.Image, np.ndarray, str]:
        """What the pattern is put on, at the size asked for, its mask, and who gave that."""
        mask: Image.Image | None = None
        if job.item is not None:
            levels, drawn = item_picture(job.item, min(job.size, LARGEST_DRAWN) if job.size else 512)
            picture, mask, found_by = Image.fromarray(levels), Image.fromarray(drawn), "item"
        else:
            picture, found_by = given["source_image"].convert("RGB"), "segmenter"
            if "mask_image" not in given:
                mask = Image.fromarray(self._found(picture))
        if "mask_image" in given:
            mask, found_by = given["mask_image"].convert("L"), "given"
        assert mask is not None
        wide = _size_of(picture.size, job.size)
        if picture.size != wide:
            picture = picture.resize(wide, Image.Resampling.LANCZOS)
        if mask.size != wide:
            mask = mask.resize(wide, Image.Resampling.BILINEAR)
        return picture, np.asarray(mask, np.float32) / (255 if found_by == "given" else 1), found_by

    def _found(self, picture: Image.Image) -> np.ndarray:
        if self._segmenter is None:
            raise ServiceError("cloth_unfound", "mask_image")
        mask = np.asarray(self._segmenter.mask(picture).mask, np.float32)
        if not covers(mask):
            raise ServiceError("cloth_missing", "source_image")
        return mask


def open_patterns(settings: Settings, encoder: Callable[[], Encoder]) -> PatternRunner:
    """The generator in the folder of the settings. Raises FileNotFoundError, ValueError."""
    from textile.patterns import PatternGenerator

    return PatternRunner(PatternGenerator.load(Path(settings.textile)))


def open_application(settings: Settings, encoder: Callable[[], Encoder]) -> ApplyRunner:
    """The application of patterns, with a segmenter where the folder of the settings has one."""
    from textile.segmentation import GarmentSegmenter

    try:
        return ApplyRunner(GarmentSegmenter.load(Path(settings.textile)))
    except (OSError, ValueError) as error:
        logger.warning("garments are not found by themselves: %s", error)
        return ApplyRunner(None)


def _by_category(category: str | None, seeds: Sequence[int]) -> dict[str, list[int]]:
    """The seeds by category: the one that was asked for, or of each seed its own."""
    found: dict[str, list[int]] = {}
    for seed in seeds:
        found.setdefault(category or random.Random(seed).choice(CATEGORIES), []).append(seed)
    return found


def _pattern_recipe(job: Pattern, seed: int) -> dict[str, object]:
    category = next(iter(_by_category(job.category, [seed])))
    return {
        "kind": job.kind, "prompt": job.prompt, "seed": seed, "category": category, "palette": job.palette,
        "size": job.size, "tile": TILE, "asked": {"prompt": job.prompt},
    }  # fmt: skip


def _tile(picture: Image.Image, side: object) -> np.ndarray:
    """A pattern's own tile of `side` pixels; of any other picture the whole."""
    if isinstance(side, int) and 0 < side < min(picture.size):
        picture = picture.crop((0, 0, side, side))
    return np.asarray(picture.convert("RGB"))


def _size_of(size: tuple[int, int], longer: int | None) -> tuple[int, int]:
    if longer is None:
        return size
    return max(1, round(size[0] * longer / max(size))), max(1, round(size[1] * longer / max(size)))


def _rgb(color: str) -> RGB:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _go_on(cancelled: Callable[[], bool] | None) -> None:
    if cancelled is not None and cancelled():
        raise Cancelled

"""Pictures of ended jobs as bytes for a compatible API: in the format and at the size that was asked for."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image as Picture
from PIL import ImageOps

from demo.store.errors import ServiceError
from demo.store.tables import Generation, Image
from demo.studio import pictures
from demo.studio.services import Services
from demo.studio.views import Shown
from demo.studio.visibility import Viewer
from jobspec import PictureSize, Shapes


@dataclass(frozen=True)
class Rendered:
    """A picture's row and its bytes, width × height."""

    row: Image
    data: bytes
    width: int
    height: int


def ended(services: Services, viewer: Viewer, generation_id: str) -> Shown:
    """A job that has ended well. Raises ServiceError for what it ended with otherwise."""
    row = services.generations.get(viewer, generation_id, own=True)
    if row.status == "failed" and row.error:
        raise ServiceError(row.error["code"], **row.error.get("values", {}))
    if row.status == "cancelled":
        raise ServiceError("cancelled")
    if row.status != "succeeded":  # the server stops
        raise ServiceError("not_ready")
    return services.generations.show(row, viewer)


def render(services: Services, viewer: Viewer, image_id: str, format: str, wanted: PictureSize | None) -> Rendered:
    """A picture as it leaves the service, at the size of `size_at`. Raises ServiceError."""
    row, _ = services.generations.image(viewer, image_id)
    file = services.uploads.read(row, viewer, "final", format, metadata=True, download=True)
    width, height = size_at(row, wanted)
    if (width, height) == (row.width, row.height):
        return Rendered(row, file.data, width, height)
    drawn = ImageOps.fit(pictures.decode(file.data), (width, height), Picture.Resampling.LANCZOS)
    recipe = row.recipe if viewer.owns(row.owner_id) else pictures.recipe_for_others(row.recipe)
    data = pictures.encode(drawn, pictures.FORMATS[format], row.source_type, recipe)
    return Rendered(row, data, width, height)


def drawn_at(size: PictureSize | None, shapes: Shapes | None) -> dict[str, object]:
    """The width and height to draw at for a size that a client wants; nothing for a square, or where only squares are
    drawn.
    """
    if size is None or size.is_square or shapes is None or shapes.squares_only:
        return {}
    drawn = shapes.near(size)
    return {"width": drawn.width, "height": drawn.height}


def size_at(row: Image, wanted: PictureSize | None) -> tuple[int, int]:
    """Width and height at which a picture is given: as drawn where nothing is wanted; what is wanted of a picture that
    stands or lies as that does; else its longer side as long as the longer one that is wanted.
    """
    if wanted is None:
        return row.width, row.height
    if not wanted.is_square and (row.width - row.height) * (wanted.width - wanted.height) > 0:
        return wanted.width, wanted.height
    scale = max(wanted) / max(row.width, row.height)
    return max(1, round(row.width * scale)), max(1, round(row.height * scale))


def drawn_share(progress: Mapping[str, Any], stages: int) -> float:
    """The share of a drawing of `stages` stages that is done, 0 to 1, from its last step alone (earlier ones may never
    have been seen): a stage is known by its name.
    """
    before = stages - 1 if progress["stage"] == "refiner" else 0
    return (before + progress["step"] / progress["steps"]) / stages


def stages_of(services: Services, row: Generation) -> int:
    """How many stages a drawing goes through: two where the checkpoint refines and the job does not say otherwise."""
    return 2 if services.readiness.refines() and row.spec.get("refine") is not False else 1


def converted(webp: bytes, format: str) -> tuple[bytes, int, int]:
    """A preview in another format, with its width and height."""
    shown = pictures.decode(webp).convert("RGB")
    out = io.BytesIO()
    shown.save(out, format.upper())
    return out.getvalue(), shown.width, shown.height

"""How large a picture is drawn: as asked, as the picture that it varies, or as the checkpoint draws."""

from __future__ import annotations

from collections.abc import Mapping

from demo.store.errors import ServiceError
from jobspec import Draw, Frame, Shapes


def settled_size(job: Draw, source: Mapping[str, object] | None, shapes: Shapes | None) -> dict[str, int | None]:
    """Width and height of a job, both null for the checkpoint's own square; of a variation, those of its source's
    recipe where nothing is asked. Nothing is checked before a worker has said what it draws.

    Raises ServiceError size_square, size_unfit.
    """
    asked = job.width, job.height
    if asked == (None, None):
        settings = source.get("settings") if source is not None else None
        drawn = (settings.get("width"), settings.get("height")) if isinstance(settings, Mapping) else (None, None)
        width, height = drawn if isinstance(drawn[0], int) and isinstance(drawn[1], int) else (None, None)
        if shapes is None or width is None or not shapes.takes(Frame(height, width)):
            return {"width": None, "height": None}
        return {"width": width, "height": height}
    if shapes is None:
        return {"width": job.width, "height": job.height}
    frame = Frame(job.height or shapes.side, job.width or shapes.side)
    if not shapes.takes(frame):
        raise _refused(frame, shapes, "height" if job.width is None else "width")
    own = frame == shapes.own
    return {"width": None if own else frame.width, "height": None if own else frame.height}


def _refused(frame: Frame, shapes: Shapes, field: str) -> ServiceError:
    if shapes.squares_only:
        return ServiceError("size_square", field, got=str(frame), side=str(shapes.side))
    offered = ", ".join(map(str, shapes.offered().values()))
    return ServiceError(
        "size_unfit", field, got=str(frame), unit=str(shapes.unit), most=f"{shapes.most_pixels:,}", offered=offered
    )

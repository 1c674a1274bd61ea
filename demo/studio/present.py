"""Rows as the JSON of docs/api.md, for whoever asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from demo.store.errors import message, stored_error
from demo.store.tables import Generation, Image, Receipt, Report
from demo.studio.owners import Viewer
from demo.studio.searching import Found

API = "/api/v1"


def moment(seconds: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601 in UTC, to the millisecond."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def image(row: Image) -> dict:
    url = f"{API}/images/{row.id}"
    return {
        "id": row.id,
        "kind": row.kind,
        "generation_id": row.generation_id,
        "url": url,
        "thumbnail_url": f"{url}?size=thumbnail",
        "base_url": f"{url}?stage=base" if "base" in row.files else None,
        "width": row.width,
        "height": row.height,
        "seed": row.seed,
    }


def images_of(session: Session, generation_ids: Iterable[str]) -> dict[str, list[dict]]:
    """The pictures of several generations, in order, by generation."""
    ids = list(generation_ids)
    found: dict[str, list[dict]] = {id: [] for id in ids}
    query = select(Image).where(Image.generation_id.in_(ids)).order_by(Image.generation_id, Image.position)
    query = query.options(defer(Image.recipe, raiseload=True))  # long, and nobody here looks at it
    for row in session.scalars(query):
        found[row.generation_id].append(image(row))
    return found


def progress(row_id: str, stored: Mapping | None) -> dict | None:
    """A step as a client sees it; previews are named by generation and place."""
    if not stored:
        return None
    urls = [f"{API}/generations/{row_id}/previews/{place}?v={stored['version']}" for place in range(stored["previews"])]
    return {
        "stage": stored["stage"],
        "step": stored["step"],
        "steps": stored["steps"],
        "seconds_left": stored["seconds_left"],
        "preview_url": urls[0] if urls else None,
        "preview_urls": urls,
    }


def generation(row: Generation, images: Sequence[dict], viewer: Viewer, position: int | None) -> dict:
    """A generation, with what is its owner's alone left out for others."""
    mine = viewer.owns(row.owner_id)
    url = f"{API}/generations/{row.id}"
    body = {
        "id": row.id,
        "status": row.status,
        "created_at": moment(row.created_at),
        "started_at": moment(row.started_at),
        "finished_at": moment(row.finished_at),
        **{name: getattr(row, name) for name in SHARED},
        "source_image": row.source_image if mine else None,
        "mine": mine,
        "position": position,
        "progress": progress(row.id, row.progress) if row.status == "running" else None,
        "images": list(images),
        "timings": row.timings if mine else {},
        "warnings": [warning(one) for one in row.warnings] if mine else [],
        "error": stored_error(row.error),
        "links": {
            "self": url,
            "events": f"{url}/events" if mine else None,
            "cancel": f"{url}/cancel" if mine else None,
        },
    }
    return body


SHARED = ("prompt", "negative_prompt", "n", "seed", "steps", "guidance_scale", "refine", "refine_strength", "style",
          "style_weight", "strength", "visibility", "hidden")  # fmt: skip
WARNINGS = {
    "prompt_cut": ("인코더는 {max_tokens}토큰까지 읽습니다. 뒤쪽은 그림에 담기지 않습니다 ({tokens}토큰).",
                   "The encoder reads {max_tokens} tokens; what comes after is not drawn ({tokens} tokens)."),
    "unknown_words": ("그림 모델이 모르는 말이 있습니다: {words}", "Words that the checkpoint cannot know: {words}"),
    "read_as": ("이렇게 읽고 그립니다: {words}", "Read and drawn so: {words}"),
    "refiner_missing": ("이 체크포인트에는 다듬는 단계가 없어 밑그림까지만 그립니다.",
                        "This checkpoint has no refiner; only its base stage is drawn."),
    "style_weight_unused": ("이 스타일에는 세기가 없습니다.", "This style has no weight."),
}  # fmt: skip


def warning(stored: Mapping) -> dict[str, str]:
    """`{"code", "message"}` in the language of the request."""
    from demo.store.errors import language

    code = stored["code"]
    if code not in WARNINGS:
        return {"code": code, "message": message(code, stored.get("values"))}
    return {"code": code, "message": WARNINGS[code][language() == "en"].format_map(stored.get("values", {}))}


def similar(found: Sequence[Found], images: Mapping[str, list[dict]], viewer: Viewer) -> list[dict]:
    return [
        {
            "generation_id": one.generation.id,
            "prompt": one.generation.prompt,
            "score": one.score,
            "created_at": moment(one.generation.created_at),
            "mine": viewer.owns(one.generation.owner_id),
            "seed": one.generation.seed,
            "images": images.get(one.generation.id, [])[:4],
        }
        for one in found
    ]


def receipt(row: Receipt, files_left: int) -> dict:
    return {
        "receipt": row.id,
        "complete": row.completed_at is not None,
        "created_at": moment(row.created_at),
        "generations": row.generations,
        "images": row.images,
        "files_left": files_left,
        "vectors_left": len(row.vectors),
        "url": f"{API}/receipts/{row.id}",
    }


def report(row: Report, generation: Generation) -> dict:
    return {
        "generation_id": row.generation_id,
        "prompt": generation.prompt,
        "reason": row.reason,
        "created_at": moment(row.created_at),
        "hidden": generation.hidden,
    }

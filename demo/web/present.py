"""JSON as it comes in, and what the services answer as the JSON of docs/reference/api.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from flask.json.provider import DefaultJSONProvider

from demo.store.errors import language, message, stored_error
from demo.store.tables import Image
from demo.studio import views
from demo.studio.editing import Alternative, Words
from demo.studio.words import KINDS as KIND_LABELS
from jobspec import KINDS
from jobspec.job import picture_fields

API = "/api/v1"
STATIC = Path(__file__).resolve().parent / "static"
WORD_CELLS, STYLE_CELLS = STATIC / "word_pictures.json", STATIC / "style_pictures.json"


class StrictJSON(DefaultJSONProvider):
    """JSON as the standard has it: no NaN, no recursion without end; Korean stays readable."""

    ensure_ascii = False

    def loads(self, s: str | bytes, **kwargs: object) -> object:
        try:
            if isinstance(s, bytes):
                s = s.decode("utf-8-sig")  # json itself would guess UTF-16 and UTF-32 too
            return json.loads(s, parse_constant=_no_json, **kwargs)  # type: ignore[arg-type]  # json.loads checks them
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


def _no_json(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


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
        "withheld": row.withheld,
        "likes": row.likes,
    }


def family(found: views.Family) -> dict:
    """Where a picture comes from and what was made from it."""

    def relative(row: Image) -> dict:
        return image(row) | {"prompt": found.prompts.get(row.generation_id or "", "")}

    return {
        "parent_state": found.parent_state,
        "parent": relative(found.parent) if found.parent else None,
        "ancestors": [relative(one) for one in found.ancestors],
        "line_state": found.line_state,
        "children": [relative(one) for one in found.children],
    }


def picture_words(found: Words, known: bool) -> dict:
    """A picture's text, and its words with what can stand in their place, labelled in the language of the request."""
    words = [
        {
            "start": one.start, "end": one.end, "text": one.text, "slot": one.field, "id": one.id,
            "label": _label(one.field), "alternatives": _alternatives(one.field, one.alternatives),
        }
        for one in found.words
    ]  # fmt: skip
    added = [
        {"slot": field, "label": _label(field), "alternatives": _alternatives(field, offers)}
        for field, offers in found.additions.items()
    ]
    return {
        "known": known, "guessed": found.guessed, "text": found.text, "words": words, "additions": added,
        "fields": found.fields,
    }  # fmt: skip


def _label(field: str) -> str:
    return KIND_LABELS[field][language() == "en"]


def _alternatives(field: str, offers: Sequence[Alternative]) -> list[dict]:
    cells = word_cells()
    return [vars(each) | {"cell": cells.get(f"{field} {each.id}")} for each in offers]


@cache
def word_cells() -> dict[str, int]:
    """Where each word's picture is on the sheet, by "field id" (python -m fashion word-pictures makes both files)."""
    return json.loads(WORD_CELLS.read_text(encoding="utf-8"))


@cache
def style_cells() -> dict[str, int]:
    """Where each style's picture is on the sheet of styles, by name; a style that somebody added has none."""
    return json.loads(STYLE_CELLS.read_text(encoding="utf-8"))


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


def job(kind: str, spec: Mapping[str, object], mine: bool) -> dict:
    """A row's job as its fields; the ids of source pictures are their owner's alone."""
    known = KINDS.get(kind)
    hidden = () if mine or known is None else picture_fields(known)
    also = known.ALSO_SHOWN if known is not None else ()
    knows = known is not None and "styles" in known.model_fields
    lists: dict[str, object] = {"styles": []} if knows else {}  # of rows from before there were any
    return dict.fromkeys(also) | lists | {name: None if name in hidden else value for name, value in spec.items()}


def generation(shown: views.Shown) -> dict:
    """A generation, with what is its owner's alone left out for others."""
    row, mine = shown.generation, shown.mine
    url = f"{API}/generations/{row.id}"
    return {
        "id": row.id,
        "kind": row.kind,
        "status": row.status,
        "created_at": moment(row.created_at),
        "started_at": moment(row.started_at),
        "finished_at": moment(row.finished_at),
        **job(row.kind, row.spec, mine),
        "prompt": row.prompt,
        "visibility": row.visibility,
        "hidden": row.hidden,
        "mine": mine,
        "position": shown.position,
        "progress": progress(row.id, row.progress) if row.status == "running" else None,
        "images": [image(one) for one in shown.images],
        "timings": row.timings if mine else {},
        "warnings": [warning(one) for one in row.warnings] if mine else [],
        "error": stored_error(row.error) if row.error else None,
        "links": {
            "self": url,
            "events": f"{url}/events" if mine else None,
            "cancel": f"{url}/cancel" if mine else None,
        },
    }


def asked(made: views.Asked) -> dict:
    return generation(made.shown) | {"similar": [similar(one) for one in made.similar]}


def page(found: views.Page[views.Shown]) -> dict:
    return {"items": [generation(one) for one in found.items], "next_cursor": found.next_cursor}


def warning(stored: Mapping) -> dict[str, str]:
    """`{"code", "message"}` in the language of the request."""
    return {"code": stored["code"], "message": message(stored["code"], stored.get("values"))}


def similar(one: views.Similar) -> dict:
    row = one.generation
    return {
        "generation_id": row.id,
        "prompt": row.prompt,
        "score": one.score,
        "created_at": moment(row.created_at),
        "mine": one.mine,
        "seed": row.seed,
        "images": [image(each) for each in one.images[:4]],
    }


def receipt(erased: views.Erased) -> dict:
    row = erased.receipt
    return {
        "receipt": row.id,
        "complete": row.completed_at is not None,
        "created_at": moment(row.created_at),
        "generations": row.generations,
        "images": row.images,
        "children_kept": row.children_kept,
        "files_left": erased.files_left,
        "vectors_left": len(row.vectors),
        "url": f"{API}/receipts/{row.id}",
    }


def report(one: views.Reported) -> dict:
    return {
        "generation_id": one.report.generation_id,
        "prompt": one.generation.prompt,
        "reason": one.report.reason,
        "created_at": moment(one.report.created_at),
        "hidden": one.generation.hidden,
    }

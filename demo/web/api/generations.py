"""/generations: ask, watch, cancel, change, delete; and the public gallery."""

from __future__ import annotations

import re

from apiflask import APIBlueprint
from flask import Response, request

from demo.store.errors import ServiceError
from demo.web import present, schemas
from demo.web.current import limit, owner, services, streams, viewer
from demo.web.streams import PUSH
from jobspec import AnyJob, Job

REPORTS = "60/hour"  # from one address
blueprint = APIBlueprint("generations", __name__, url_prefix="/api/v1", tag="Generations")
KEY_PATTERN = "^[!-~]{1,200}$"
KEY_HEADER = {
    "name": "Idempotency-Key", "in": "header", "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": KEY_PATTERN},
}  # fmt: skip
EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "event": {"enum": ["queued", "progress", "image", "done", "failed", "cancelled"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
LAST_EVENT_HEADER = {
    "name": "Last-Event-ID", "in": "header", "required": False,
    "schema": {"type": "string", "pattern": "^[0-9]{1,15}$"},
}  # fmt: skip


@blueprint.post("/generations")
@blueprint.input(AnyJob, arg_name="asked")
@blueprint.output(schemas.Accepted, status_code=202)
@blueprint.doc(summary="Draw", extensions={"x-parameters": [KEY_HEADER]})
def make_generation(asked: Job) -> tuple:
    """Take a prompt: similar past prompts at once, pictures later."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not re.fullmatch(KEY_PATTERN, key):
        raise ServiceError("invalid_request", "Idempotency-Key", reason="key_length")
    made = services().asking.ask(owner(), asked, key)
    return present.asked(made), 202, {"Idempotency-Replayed": "true"} if made.replayed else {}


@blueprint.get("/generations")
@blueprint.input(schemas.PageQuery, location="query", arg_name="page")
@blueprint.output(schemas.Page)
@blueprint.doc(summary="Own generations, newest first")
def list_generations(page: schemas.PageQuery) -> dict:
    return present.page(services().generations.page(viewer(), page.cursor, page.limit))


@blueprint.get("/gallery")
@blueprint.input(schemas.GalleryQuery, location="query", arg_name="page")
@blueprint.output(schemas.Page)
@blueprint.doc(summary="Public generations, newest first")
def public_gallery(page: schemas.GalleryQuery) -> dict:
    liked_by = services().settings.first_page_likes if page.first else 0
    return present.page(services().generations.page(viewer(), page.cursor, page.limit, public=True, liked_by=liked_by))


@blueprint.get("/generations/<string:generation_id>")
@blueprint.output(schemas.GenerationOut)
@blueprint.doc(summary="One generation")
def get_generation(generation_id: str) -> dict:
    generations = services().generations
    return present.generation(generations.show(generations.get(viewer(), generation_id), viewer()))


FOLLOWED: schemas.Responses = {
    200: {"description": "Events", "content": {"text/event-stream": {"schema": EVENT}}},
    204: {"description": "It has ended and nothing is left to tell"},
}


@blueprint.get("/generations/<string:generation_id>/events")
@blueprint.doc(
    summary="Follow a generation (server-sent events)",
    responses=FOLLOWED,
    extensions={"x-parameters": [LAST_EVENT_HEADER]},
)
def follow_generation(generation_id: str) -> Response:
    last = request.headers.get("Last-Event-ID", "0")
    seq = int(last) if last.isdecimal() and last.isascii() and len(last) < 16 else 0
    stream = streams().stream(viewer(), generation_id, seq)
    if stream is None:
        return Response(status=204)
    if (pushed := request.environ.get(PUSH)) is not None:  # the server's event loop sends it, without a thread
        pushed.append(stream)
    headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
    response = Response(iter(()) if pushed else iter(stream), mimetype="text/event-stream", headers=headers)
    if not pushed:
        response.call_on_close(stream.close)
    return response


@blueprint.post("/generations/<string:generation_id>/cancel")
@blueprint.output(schemas.GenerationOut)
@blueprint.doc(summary="Cancel", extensions={"x-problems": [409]})
def cancel_generation(generation_id: str) -> dict:
    generations = services().generations
    return present.generation(generations.show(generations.cancel(viewer(), generation_id), viewer()))


@blueprint.patch("/generations/<string:generation_id>")
@blueprint.input(schemas.Change, arg_name="change")
@blueprint.output(schemas.GenerationOut)
@blueprint.doc(summary="Make public or private")
def change_generation(generation_id: str, change: schemas.Change) -> dict:
    generations = services().generations
    row = generations.set_visibility(viewer(), generation_id, change.visibility)
    return present.generation(generations.show(row, viewer()))


@blueprint.delete("/generations/<string:generation_id>")
@blueprint.output(schemas.ReceiptOut)
@blueprint.doc(summary="Delete for good")
def delete_generation(generation_id: str) -> dict:
    return present.receipt(services().deletion.generation(viewer(), generation_id))


PREVIEWED: schemas.Responses = {
    200: {"description": "A small WebP", "content": {"image/webp": {"schema": {"type": "string"}}}}
}


@blueprint.get("/generations/<string:generation_id>/previews/<int:place>")
@blueprint.doc(
    summary="The picture so far",
    responses=PREVIEWED,
)
def get_preview(generation_id: str, place: int) -> Response:
    return Response(services().generations.preview(viewer(), generation_id, place), mimetype="image/webp")


@blueprint.post("/generations/<string:generation_id>/report")
@blueprint.input(schemas.NewReport, arg_name="report")
@blueprint.output(schemas.Reported, status_code=202)
@blueprint.doc(summary="Say that a public generation should not be there")
def report_generation(generation_id: str, report: schemas.NewReport) -> dict:
    limit("reports", REPORTS)
    services().generations.report(viewer(), generation_id, report.reason)
    return {"reported": True}


@blueprint.get("/receipts/<string:receipt_id>")
@blueprint.output(schemas.ReceiptOut)
@blueprint.doc(summary="Is what was deleted gone from everywhere?")
def get_receipt(receipt_id: str) -> dict:
    return present.receipt(services().deletion.receipt(receipt_id))

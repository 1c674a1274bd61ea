"""/drafts: a small picture of a prompt that is still being written."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from demo.web import schemas
from demo.web.current import limit, services, viewer
from demo.web.draft_schemas import NewDraft
from jobspec import Draw

DRAFTS = "600/minute"  # of one address: ten people who type without a rest
blueprint = APIBlueprint("drafts", __name__, url_prefix="/api/v1", tag="Drafts")

DRAWN: schemas.Responses = {
    200: {"description": "A WebP", "content": {"image/webp": {"schema": {"type": "string"}}}},
    204: {"description": "It gave way to a job, or to a newer draft of yours; nothing is drawn later"},
}


@blueprint.post("/drafts")
@blueprint.input(NewDraft, arg_name="asked")
@blueprint.doc(
    summary="Draw a draft: one picture of the base stage, not stored",
    responses=DRAWN,
    extensions={"x-problems": [409]},
)
def make_draft(asked: NewDraft) -> Response:
    """For a prompt that is still being written; ask again when it has changed."""
    limit("drafts", DRAFTS)
    picture = services().drafting.draw(viewer(), Draw(**asked.model_dump(exclude_none=True)))
    return Response(status=204) if picture is None else Response(picture, mimetype="image/webp")

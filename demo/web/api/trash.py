"""/trash: what one put away and can still have back (where TRASH_DAYS is set)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from demo.web import list_schemas, present, schemas
from demo.web.current import services, viewer

blueprint = APIBlueprint("trash", __name__, url_prefix="/api/v1", tag="Trash")
SEEN: schemas.Responses = {
    200: {"description": "A small WebP", "content": {"image/webp": {"schema": {"type": "string"}}}}
}


@blueprint.get("/trash")
@blueprint.input(schemas.PageQuery, location="query", arg_name="page")
@blueprint.output(schemas.ImagePage)
@blueprint.doc(summary="What lies in one's trash, what came last first")
def list_trash(page: schemas.PageQuery) -> dict:
    found = services().trash_can.page(viewer(), page.cursor, page.limit)
    items = [present.image(row) | {"thumbnail_url": f"{present.API}/trash/{row.id}"} for row in found.items]
    return {"items": items, "next_cursor": found.next_cursor}


@blueprint.get("/trash/<string:image_id>")
@blueprint.doc(summary="A thumbnail of a picture in one's trash", responses=SEEN)
def see_trashed(image_id: str) -> Response:
    row = services().trash_can.get(viewer(), image_id)
    file = services().uploads.read(row, viewer(), "thumbnail", None, True, False)
    return Response(file.data, mimetype=file.media_type)


@blueprint.post("/trash")
@blueprint.input(list_schemas.Selected, arg_name="asked")
@blueprint.output(list_schemas.Changed)
@blueprint.doc(summary="Put own pictures into the trash", extensions={"x-problems": [409]})
def put_away(asked: list_schemas.Selected) -> dict:
    return {"changed": services().trash_can.put(viewer(), asked.images)}


@blueprint.post("/trash/restore")
@blueprint.input(list_schemas.Selected, arg_name="asked")
@blueprint.output(list_schemas.Changed)
@blueprint.doc(summary="Take pictures out of the trash")
def restore(asked: list_schemas.Selected) -> dict:
    return {"changed": services().trash_can.restore(viewer(), asked.images)}


@blueprint.post("/trash/delete")
@blueprint.input(list_schemas.Selected, arg_name="asked")
@blueprint.output(schemas.ReceiptOut)
@blueprint.doc(summary="Delete pictures in the trash for good")
def delete_for_good(asked: list_schemas.Selected) -> dict:
    return present.receipt(services().trash_can.delete(viewer(), asked.images))

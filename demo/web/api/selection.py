"""One or several single pictures: published, taken back, deleted, downloaded together; and posts."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from demo.web import list_schemas, present, present_lists, schemas
from demo.web.current import owner, services, viewer

blueprint = APIBlueprint("selection", __name__, url_prefix="/api/v1", tag="Single pictures")
ZIPPED: schemas.Responses = {
    200: {"description": "A zip", "content": {"application/zip": {"schema": {"type": "string"}}}}
}


@blueprint.post("/images/visibility")
@blueprint.input(list_schemas.ShowSelected, arg_name="asked")
@blueprint.output(list_schemas.Changed)
@blueprint.doc(summary="Publish own pictures, or take them back")
def show_pictures(asked: list_schemas.ShowSelected) -> dict:
    return {"changed": services().publishing.show(viewer(), asked.images, asked.visibility)}


@blueprint.post("/images/delete")
@blueprint.input(list_schemas.Selected, arg_name="asked")
@blueprint.output(schemas.ReceiptOut)
@blueprint.doc(summary="Delete own pictures for good, all or none")
def delete_pictures(asked: list_schemas.Selected) -> dict:
    return present.receipt(services().deletion.images(viewer(), asked.images))


@blueprint.post("/images/zip")
@blueprint.input(list_schemas.Selected, arg_name="asked")
@blueprint.doc(summary="Pictures as a zip", responses=ZIPPED)
def zip_pictures(asked: list_schemas.Selected) -> Response:
    pieces = services().zipping.pictures(viewer(), asked.images)
    headers = {"Content-Disposition": 'attachment; filename="geuryeojwo.zip"', "Cache-Control": "no-store"}
    return Response(pieces, mimetype="application/zip", headers=headers)


@blueprint.get("/images/<string:image_id>/post")
@blueprint.output(list_schemas.PostOut)
@blueprint.doc(summary="A public picture with what its owner says of it")
def get_post(image_id: str) -> dict:
    return present_lists.post(services().publishing.get(viewer(), image_id))


@blueprint.put("/images/<string:image_id>/post")
@blueprint.input(list_schemas.NewPost, arg_name="asked")
@blueprint.output(list_schemas.PostOut)
@blueprint.doc(summary="Publish an own picture with a caption and a name")
def make_post(image_id: str, asked: list_schemas.NewPost) -> dict:
    return present_lists.post(services().publishing.post(owner(), image_id, asked.caption, asked.author))


@blueprint.delete("/images/<string:image_id>/post")
@blueprint.output({}, status_code=204)
@blueprint.doc(summary="Take a post back: the picture is private again")
def take_back(image_id: str) -> tuple[str, int]:
    services().publishing.take_back(viewer(), image_id)
    return "", 204

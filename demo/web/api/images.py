"""/images: pictures' bytes, uploads, deletion."""

from __future__ import annotations

from urllib.parse import quote

from apiflask import APIBlueprint
from apiflask.fields import UploadFile
from flask import Response, redirect, request
from pydantic import BaseModel

from demo.studio.carried import read_carried
from demo.web import picture_schemas, present, schemas
from demo.web.current import owner, services, viewer

blueprint = APIBlueprint("images", __name__, url_prefix="/api/v1", tag="Images")
PICTURE = {"schema": {"type": "string", "format": "binary"}}


class Upload(BaseModel):
    file: UploadFile


SHOWN: schemas.Responses = {
    200: {
        "description": "The picture",
        "content": {"image/png": PICTURE, "image/jpeg": PICTURE, "image/webp": PICTURE},
    },
    304: {"description": "Not modified"},
}


@blueprint.get("/images/<string:image_id>")
@blueprint.input(schemas.ImageQuery, location="query", arg_name="asked")
@blueprint.doc(
    summary="A picture",
    responses=SHOWN,
)
def get_image(image_id: str, asked: schemas.ImageQuery) -> Response:
    row, for_all = services().generations.image(viewer(), image_id)
    stage = "thumbnail" if asked.size == "thumbnail" else asked.stage
    as_stored = not asked.format and asked.metadata == "all" and not asked.download and asked.scale == 1
    program = request.headers.get("Sec-Fetch-Site") is None
    if (link := services().uploads.link(row, viewer(), stage, as_stored, program)) is not None:
        elsewhere: Response = redirect(link, 302, Response)  # type: ignore[assignment]  # werkzeug's hint is wider
        elsewhere.headers["Cache-Control"] = "private, no-store"
        return elsewhere
    file = services().uploads.read(
        row, viewer(), stage, asked.format, asked.metadata == "all", asked.download, asked.scale, asked.sheet
    )
    response = Response(file.data, mimetype=file.media_type)
    response.set_etag(file.etag)
    mine = viewer().owns(row.owner_id)  # whose file says more than that of others: no cache may mix them up
    shared = "private, no-cache" if mine else "public, no-cache"
    response.headers["Cache-Control"] = shared if for_all else "private, no-store"
    response.vary.update(("Cookie", "Authorization"))
    if asked.download:
        named = f'attachment; filename="{file.name}"'
        named += f"; filename*=UTF-8''{quote(file.title)}" if file.title != file.name else ""
        response.headers["Content-Disposition"] = named
    response.make_conditional(request)
    return response


@blueprint.get("/images/<string:image_id>/info")
@blueprint.output(picture_schemas.ImageInfo)
@blueprint.doc(summary="What a picture was drawn from")
def get_image_info(image_id: str) -> dict:
    row, for_all = services().generations.image(viewer(), image_id)
    recipe = row.recipe if viewer().owns(row.owner_id) else None
    closets = services().closets
    kept = {
        "visibility": "public" if for_all else "private",
        "liked": image_id in closets.liked(viewer(), [image_id]),
        "collections": closets.holding(viewer(), image_id),
    }
    family = present.family(services().generations.family(viewer(), row))
    return present.image(row) | {"recipe": recipe} | kept | family


@blueprint.get("/images/<string:image_id>/words")
@blueprint.input(picture_schemas.WordsQuery, location="query", arg_name="asked")
@blueprint.output(picture_schemas.PictureWords)
@blueprint.doc(summary="The words of a picture's prompt, and what can stand in their place")
def get_image_words(image_id: str, asked: picture_schemas.WordsQuery) -> dict:
    row, _ = services().generations.image(viewer(), image_id)
    return present.picture_words(services().asking.words(row, asked.text), known=row.recipe is not None)


@blueprint.get("/images")
@blueprint.input(schemas.PageQuery, location="query", arg_name="page")
@blueprint.output(schemas.ImagePage)
@blueprint.doc(summary="Own uploads, newest first")
def list_uploads(page: schemas.PageQuery) -> dict:
    found = services().uploads.page(viewer(), page.cursor, page.limit)
    return {"items": [present.image(row) for row in found.items], "next_cursor": found.next_cursor}


@blueprint.post("/images")
@blueprint.input(Upload, location="files", arg_name="upload")
@blueprint.output(picture_schemas.Uploaded, status_code=201)
@blueprint.doc(summary="Bring a picture to start from")
def upload(upload: Upload) -> dict:
    data = upload.file.read()
    row = services().uploads.add(owner(), data)
    carried = read_carried(data, services().styles.has)
    return present.image(row) | {"carried": vars(carried) if carried else None}


@blueprint.delete("/images/<string:image_id>")
@blueprint.output(schemas.ReceiptOut)
@blueprint.doc(summary="Delete a picture for good")
def delete_image(image_id: str) -> dict:
    return present.receipt(services().deletion.image(viewer(), image_id))

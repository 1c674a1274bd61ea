"""/pictures, likes and the closet: lists of single pictures, sorted, filtered, collected."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask.typing import ResponseReturnValue

from demo.studio.lists import Wanted
from demo.web import list_schemas, present_lists
from demo.web.current import owner, services, viewer

blueprint = APIBlueprint("closet", __name__, url_prefix="/api/v1", tag="Lists and closet")


@blueprint.get("/pictures")
@blueprint.input(list_schemas.PicturesQuery, location="query", arg_name="asked")
@blueprint.output(list_schemas.PicturePage)
@blueprint.doc(summary="Single pictures of a list")
def list_pictures(asked: list_schemas.PicturesQuery) -> dict:
    wanted = Wanted(
        place=asked.place, collection=asked.collection or "", sort=asked.sort, seed=asked.seed, q=asked.q,
        garment=asked.garment, color=asked.color, style=asked.style, source=asked.source,
        since=asked.since.timestamp() if asked.since else None, until=asked.until.timestamp() if asked.until else None,
    )  # fmt: skip
    return present_lists.pictures(services().lists.page(viewer(), wanted, asked.cursor, asked.limit))


@blueprint.put("/images/<string:image_id>/like")
@blueprint.output(list_schemas.Liked)
@blueprint.doc(summary="Like a picture")
def like(image_id: str) -> dict:
    return {"liked": True, "likes": services().closets.like(owner(), image_id, True)}


@blueprint.delete("/images/<string:image_id>/like")
@blueprint.output(list_schemas.Liked)
@blueprint.doc(summary="Like a picture no longer")
def unlike(image_id: str) -> dict:
    return {"liked": False, "likes": services().closets.like(owner(), image_id, False)}


@blueprint.get("/closet")
@blueprint.output(list_schemas.ClosetOut)
@blueprint.doc(summary="Own collections")
def show_closet() -> dict:
    return present_lists.closet(services().closets.show(viewer()))


@blueprint.post("/closet")
@blueprint.input(list_schemas.NewCollection, arg_name="asked")
@blueprint.output(list_schemas.CollectionOut, status_code=201)
@blueprint.doc(summary="Make a collection")
def make_collection(asked: list_schemas.NewCollection) -> dict:
    return present_lists.shelf(services().closets.make(owner(), asked.name))


@blueprint.patch("/closet/<string:collection_id>")
@blueprint.input(list_schemas.ChangeCollection, arg_name="asked")
@blueprint.output(list_schemas.CollectionOut)
@blueprint.doc(summary="Rename a collection, choose its cover, move it")
def change_collection(collection_id: str, asked: list_schemas.ChangeCollection) -> dict:
    changed = services().closets.change(viewer(), collection_id, asked.name, asked.cover, asked.place)
    return present_lists.shelf(changed)


@blueprint.delete("/closet/<string:collection_id>")
@blueprint.output({}, status_code=204)
@blueprint.doc(summary="Delete a collection; its pictures stay")
def drop_collection(collection_id: str) -> ResponseReturnValue:
    services().closets.drop(viewer(), collection_id)
    return "", 204


@blueprint.post("/closet/<string:collection_id>/pictures")
@blueprint.input(list_schemas.PutIn, arg_name="asked")
@blueprint.output(list_schemas.Added)
@blueprint.doc(summary="Put pictures into a collection, or move them from another")
def put_in(collection_id: str, asked: list_schemas.PutIn) -> dict:
    return {"added": services().closets.put_in(owner(), collection_id, asked.images, asked.source)}


@blueprint.post("/closet/<string:collection_id>/remove")
@blueprint.input(list_schemas.Selected, arg_name="asked")
@blueprint.output(list_schemas.Removed)
@blueprint.doc(summary="Take pictures out of a collection")
def take_out(collection_id: str, asked: list_schemas.Selected) -> dict:
    return {"removed": services().closets.take_out(viewer(), collection_id, asked.images)}

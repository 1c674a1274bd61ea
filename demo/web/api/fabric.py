"""/fabric: what patterns can be of and put on, default items, and what a preview of a pattern on a picture needs."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from demo.store.errors import ServiceError
from demo.studio.fabric import labels, makes_patterns
from demo.web import fabric_schemas, schemas
from demo.web.current import services, viewer

blueprint = APIBlueprint("fabric", __name__, url_prefix="/api/v1", tag="Fabric")
PICTURE: schemas.Responses = {
    200: {
        "description": "A PNG",
        "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@blueprint.get("/fabric")
@blueprint.output(fabric_schemas.FabricOut)
@blueprint.doc(summary="What patterns can be of, and what they can be put on")
def about_fabric() -> dict:
    patterns = makes_patterns(services().readiness.facts())
    return labels() | {"patterns": patterns, "finds_garments": services().cloths.finds_garments()}


@blueprint.get("/fabric/item")
@blueprint.input(fabric_schemas.ItemQuery, location="query", arg_name="asked")
@blueprint.doc(summary="A default item", responses=PICTURE)
def get_item(asked: fabric_schemas.ItemQuery) -> Response:
    return _png(services().cloths.item(asked.item), "public, max-age=86400")


@blueprint.get("/fabric/maps")
@blueprint.input(fabric_schemas.MapsQuery, location="query", arg_name="asked")
@blueprint.doc(summary="The garment of an item or a picture: its mask, its light and its folds", responses=PICTURE)
def get_maps(asked: fabric_schemas.MapsQuery) -> Response:
    if asked.item is not None:
        return _png(services().cloths.item_maps(asked.item), "public, max-age=86400")
    if asked.image is None:
        raise ServiceError("apply_target", "item", given="-")
    row, _ = services().generations.image(viewer(), asked.image)
    return _png(services().cloths.maps(row), "private, no-store")


def _png(data: bytes, kept: str) -> Response:
    response = Response(data, mimetype="image/png")
    response.headers["Cache-Control"] = kept
    if kept.startswith("private"):
        response.vary.update(("Cookie", "Authorization"))
    return response

"""What can be drawn and by what: /about, /styles, /models."""

from __future__ import annotations

from apiflask import APIBlueprint

from demo.web import present, schemas
from demo.web.current import services

blueprint = APIBlueprint("about", __name__, url_prefix="/api/v1", tag="What can be drawn")


@blueprint.get("/about")
@blueprint.output(schemas.About)
@blueprint.doc(summary="Limits, defaults, examples and words")
def get_about() -> dict:
    return vars(services().about.about())


@blueprint.get("/styles")
@blueprint.output(schemas.Styles)
@blueprint.doc(summary="Styles")
def list_styles() -> dict:
    cells = present.style_cells()
    return {"styles": [vars(style) | {"cell": cells.get(style.name)} for style in services().about.styles()]}


@blueprint.get("/models")
@blueprint.output(schemas.Models)
@blueprint.doc(summary="The checkpoint and the encoder in use")
def list_models() -> dict:
    return vars(services().about.models())

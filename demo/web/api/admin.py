"""For the person who runs the server: reports, hiding, forgetting."""

from __future__ import annotations

from apiflask import APIBlueprint

from demo.web import present, schemas
from demo.web.current import admin, services

blueprint = APIBlueprint("admin", __name__, url_prefix="/api/v1/admin", tag="Administration")
blueprint.before_request(admin)


@blueprint.get("/reports")
@blueprint.output(schemas.Reports)
@blueprint.doc(summary="What people reported")
def list_reports() -> dict:
    return {"reports": [present.report(one) for one in services().generations.reports()]}


@blueprint.post("/generations/<string:generation_id>/hide")
@blueprint.input(schemas.Hide, arg_name="asked")
@blueprint.output(schemas.Hidden)
@blueprint.doc(summary="Hide a public generation, or show it again")
def hide_generation(generation_id: str, asked: schemas.Hide) -> dict:
    services().generations.hide(generation_id, asked.hidden)
    return {"id": generation_id, "hidden": asked.hidden}


@blueprint.post("/forget")
@blueprint.input(schemas.Forget, arg_name="asked")
@blueprint.output(schemas.ReceiptOut)
@blueprint.doc(summary="Delete everything of an owner")
def forget_owner(asked: schemas.Forget) -> dict:
    return present.receipt(services().deletion.owner(asked.owner))

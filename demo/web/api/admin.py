"""For the person who runs the server: reports, hiding, forgetting."""

from __future__ import annotations

from apiflask import APIBlueprint

from demo.web import admin_schemas, present, schemas
from demo.web.current import admin, services

blueprint = APIBlueprint("admin", __name__, url_prefix="/api/v1/admin", tag="Administration")
blueprint.before_request(admin)


@blueprint.get("/reports")
@blueprint.output(admin_schemas.Reports)
@blueprint.doc(summary="What people reported")
def list_reports() -> dict:
    return {"reports": [present.report(one) for one in services().generations.reports()]}


@blueprint.post("/generations/<string:generation_id>/hide")
@blueprint.input(admin_schemas.Hide, arg_name="asked")
@blueprint.output(admin_schemas.Hidden)
@blueprint.doc(summary="Hide a public generation, or show it again")
def hide_generation(generation_id: str, asked: admin_schemas.Hide) -> dict:
    services().generations.hide(generation_id, asked.hidden)
    return {"id": generation_id, "hidden": asked.hidden}


@blueprint.post("/generations/<string:generation_id>/approve")
@blueprint.input(admin_schemas.Approve, arg_name="asked")
@blueprint.output(admin_schemas.Approved)
@blueprint.doc(summary="Let a public generation stand on everybody's first page, or no longer")
def approve_generation(generation_id: str, asked: admin_schemas.Approve) -> dict:
    services().generations.approve(generation_id, asked.approved)
    return {"id": generation_id, "approved": asked.approved}


@blueprint.post("/forget")
@blueprint.input(admin_schemas.Forget, arg_name="asked")
@blueprint.output(schemas.ReceiptOut)
@blueprint.doc(summary="Delete everything of an owner")
def forget_owner(asked: admin_schemas.Forget) -> dict:
    return present.receipt(services().deletion.owner(asked.owner))

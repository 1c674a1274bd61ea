"""/healthz, /readyz, /metrics."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, make_response

from demo.web import schemas
from demo.web.current import admin, is_loopback, metrics, services, viewer

READY = {"content": {"application/json": {"schema": schemas.Ready.model_json_schema()}}}

blueprint = APIBlueprint("status", __name__, tag="Status")


@blueprint.get("/healthz")
@blueprint.output(schemas.Health)
@blueprint.doc(summary="The process answers")
def healthz() -> dict:
    return {"ok": True}


READINESS: schemas.Responses = {
    200: READY | {"description": "Ready"},
    503: READY | {"description": "Not ready: `missing` says why"},
}


@blueprint.get("/readyz")
@blueprint.input(schemas.ReadyQuery, location="query", arg_name="asked")
@blueprint.doc(
    summary="Pictures can be drawn; if not, what is missing",
    responses=READINESS,
)
def readyz(asked: schemas.ReadyQuery) -> Response:
    body = services().readiness.report(asked.role or "")
    if viewer().kind != "admin":
        del body["disk"]  # it grows by what others keep to themselves
    response = make_response(body, 200 if body["ready"] else 503)
    if not body["ready"]:
        response.headers["Retry-After"] = "2"
    return response


METRICS: schemas.Responses = {200: {"description": "Text", "content": {"text/plain": {"schema": {"type": "string"}}}}}


@blueprint.get("/metrics")
@blueprint.doc(
    summary="Numbers for Prometheus",
    responses=METRICS,
)
def show_metrics() -> Response:
    if not (services().settings.metrics_open and is_loopback()):
        admin()
    return Response(metrics().text(), content_type="text/plain; version=0.0.4; charset=utf-8")

"""One's own things: /me, moving between browsers, tokens, export, forgetting."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, g
from flask.typing import ResponseReturnValue

from demo.studio.visibility import Viewer
from demo.web import present, schemas
from demo.web.current import limit, owner, services, viewer
from demo.web.present import moment

blueprint = APIBlueprint("people", __name__, url_prefix="/api/v1", tag="One's own things")


@blueprint.get("/me")
@blueprint.output(schemas.Me)
@blueprint.doc(summary="Who am I, and how much is kept of me")
def get_me() -> dict:
    counts = services().user_data.count(viewer())
    return {"kind": viewer().kind, "owner": viewer().owner_id, **vars(counts)}


@blueprint.delete("/me")
@blueprint.output(schemas.ReceiptOut)
@blueprint.doc(summary="Delete everything of mine")
def forget_me() -> dict:
    return present.receipt(services().deletion.owner(owner().known_id))


EXPORTED: schemas.Responses = {
    200: {"description": "A zip", "content": {"application/zip": {"schema": {"type": "string"}}}}
}


@blueprint.get("/me/export")
@blueprint.doc(
    summary="Everything of mine as a zip",
    responses=EXPORTED,
)
def export_me() -> Response:
    headers = {"Content-Disposition": 'attachment; filename="geuryeojwo.zip"', "Cache-Control": "no-store"}
    pieces = services().user_data.export(viewer(), present.generation)
    return Response(pieces, mimetype="application/zip", headers=headers)


@blueprint.post("/me/code")
@blueprint.output(schemas.CodeOut, status_code=201)
@blueprint.doc(summary="A code that brings me to another browser")
def make_code() -> dict:
    code, expires_at = services().owners.make_code(owner().known_id)
    return {"code": code, "expires_at": moment(expires_at)}


@blueprint.post("/me/claim")
@blueprint.input(schemas.Claim, arg_name="claim")
@blueprint.output(schemas.Claimed)
@blueprint.doc(summary="Become the owner that a code leads to", extensions={"x-problems": [410]})
def claim_code(claim: schemas.Claim) -> dict:
    limit("claims", "20/minute")
    owner_id, moved = services().owners.claim(claim.code, viewer(), services().user_data.rehome)
    g.viewer, g.set_cookie = Viewer(owner_id, "browser"), True
    return {"moved": moved, "generations": services().user_data.count(g.viewer).generations}


@blueprint.get("/me/tokens")
@blueprint.output(schemas.Tokens)
@blueprint.doc(summary="My API tokens")
def list_tokens() -> dict:
    rows = services().owners.tokens(viewer().owner_id or "")
    return {"tokens": [{"id": row.id, "name": row.name, "created_at": moment(row.created_at)} for row in rows]}


@blueprint.post("/me/tokens")
@blueprint.input(schemas.NewToken, arg_name="asked")
@blueprint.output(schemas.TokenMade, status_code=201)
@blueprint.doc(summary="Make an API token (shown once)")
def make_token(asked: schemas.NewToken) -> dict:
    row, token = services().owners.make_token(owner().known_id, asked.name)
    return {"id": row.id, "name": row.name, "created_at": moment(row.created_at), "token": token}


@blueprint.delete("/me/tokens/<string:token_id>")
@blueprint.output({}, status_code=204)
@blueprint.doc(summary="Take an API token back")
def drop_token(token_id: str) -> ResponseReturnValue:
    services().owners.drop_token(viewer().owner_id or "", token_id)
    return "", 204

"""/openapi.json, completed with what APIFlask cannot know, and /docs, a page made here without any script."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

from apiflask import APIFlask
from flask import Response, current_app, jsonify, render_template_string

from demo.store.messages import REFUSALS
from demo.studio.generations import MOST_PREVIEWS
from demo.web.problems import PROBLEM, STATUS
from demo.web.schemas import Problem

# statuses that any route may answer, beside its own
EVERYWHERE = (400, 401, 403, 404, 405, 413, 414, 415, 422, 429, 431, 500, 503, 507)
BY_THE_SERVER = {414: "The request line is longer than 8,190 bytes", 431: "The head has more than 64 fields or 32 KiB"}
PATH_SCHEMAS = {  # all others are ids
    "place": {"minimum": 0, "maximum": MOST_PREVIEWS - 1},
    "model_id": {"pattern": "^[A-Za-z0-9._-]{1,64}$"},
}
ID_SCHEMA = {"minLength": 32, "maxLength": 32, "pattern": "^[0-9a-f]{32}$"}
PAGE = Path(__file__).with_name("reference.html")


def install(app: APIFlask) -> None:
    """Serve the document and the page."""
    app.config.update(AUTO_404_RESPONSE=False, AUTO_VALIDATION_ERROR_RESPONSE=False)
    app.spec_processor(_complete)  # type: ignore[arg-type]  # the document is no text: its format is JSON
    app.add_url_rule("/openapi.json", "openapi", document)
    app.add_url_rule("/docs", "openapi_page", page)


def document() -> Response:
    """The OpenAPI document, written once."""
    written = current_app.extensions
    if "openapi_text" not in written:
        written["openapi_text"] = jsonify(_spec()).data
    return Response(written["openapi_text"], mimetype="application/json")


def _spec() -> dict:
    spec = cast(APIFlask, current_app).spec
    assert isinstance(spec, dict)
    return spec


def page() -> str:
    """The document as a page for people."""
    tags: dict[str, list[dict]] = {}
    for path, item in _spec()["paths"].items():
        for method, operation in item.items():
            tags.setdefault(operation["tags"][0], []).append(_row(path, method, operation))
    source = PAGE.read_text(encoding="utf-8")
    return render_template_string(source, spec=_spec(), tags=tags, refusals=REFUSALS, statuses=STATUS)


def _row(path: str, method: str, operation: dict) -> dict:
    answers = [
        (status, {"description": answer.get("description", ""), "schema": _schema(answer)})
        for status, answer in operation["responses"].items()
        if status < "400"
    ]
    body = _schema(operation.get("requestBody", {}))
    return {"path": path, "method": method.upper(), "summary": operation.get("summary", ""), "body": body,
            "parameters": operation.get("parameters", []), "answers": answers}  # fmt: skip


def _schema(holder: dict) -> dict | None:
    return next((content.get("schema") for content in holder.get("content", {}).values()), None)


def _complete(spec: dict) -> dict:
    """Add the shared errors, header parameters and the ways to say who one is."""
    schemas = spec.setdefault("components", {}).setdefault("schemas", {})
    definition = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(definition.pop("$defs"))
    schemas["Problem"] = definition
    spec["components"]["securitySchemes"] = {
        "cookie": {"type": "apiKey", "in": "cookie", "name": "geuryeojwo"},
        "token": {"type": "http", "scheme": "bearer"},
    }
    spec["security"] = [{}, {"cookie": []}, {"token": []}]
    spec["paths"] = {path: item for path, item in spec["paths"].items() if _is_ours(path)}
    for item in spec["paths"].values():
        for operation in item.values():
            _complete_operation(operation)
    return spec


def _complete_operation(operation: dict) -> None:
    operation.setdefault("parameters", []).extend(operation.pop("x-parameters", []))
    if (body := operation.pop("x-body", None)) is not None:
        operation["requestBody"] = body
    if "requestBody" in operation:
        operation["requestBody"]["required"] = True
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            parameter["schema"] |= PATH_SCHEMAS.get(parameter["name"], ID_SCHEMA)
    answers = operation["responses"]
    for status in (*EVERYWHERE, *operation.pop("x-problems", [])):
        answers.setdefault(str(status), {
            "description": BY_THE_SERVER.get(status) or ", ".join(c for c, known in STATUS.items() if known == status),
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        })  # fmt: skip


def _is_ours(path: str) -> bool:
    return bool(re.match(r"/api/v1/|/v1/|/sdapi/v1/|/healthz|/readyz|/metrics", path))

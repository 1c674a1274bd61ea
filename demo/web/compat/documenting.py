"""What /openapi.json says of a compatible API where its requests are forms and its answers are written by hand."""

from __future__ import annotations

from pydantic import BaseModel

from demo.web.schemas import Responses

PICTURE = {
    "type": "object",
    "properties": {
        "b64_json": {"type": "string", "contentEncoding": "base64"},
        "url": {"type": "string"},
        "revised_prompt": {"type": "string"},
        "image_id": {"type": "string"},
        "seed": {"type": "integer"},
    },
    "required": ["image_id"],
}
WARNING = {"type": "object", "properties": {"code": {"type": "string"}, "message": {"type": "string"}}}
ANSWER = {
    "type": "object",
    "properties": {
        "created": {"type": "integer"},
        "data": {"type": "array", "items": PICTURE},
        "background": {"const": "opaque"},
        "output_format": {"enum": ["png", "jpeg", "webp"]},
        "size": {"type": ["string", "null"]},
        "generation_ids": {"type": "array", "items": {"type": "string"}},
        "warnings": {"type": "array", "items": WARNING},
    },
    "required": ["created", "data"],
}
EVENT = {
    "type": "object",
    "properties": {
        "event": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
IMAGES: Responses = {
    200: {
        "description": "The pictures, or events where `stream` is true",
        "content": {"application/json": {"schema": ANSWER}, "text/event-stream": {"schema": EVENT}},
    }
}
MODEL = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "object": {"const": "model"},
        "created": {"type": "integer"},
        "owned_by": {"type": "string"},
        "checkpoint": {"type": ["string", "null"]},
    },
    "required": ["id", "object", "created", "owned_by"],
}
MODELS = {
    "type": "object",
    "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": MODEL}},
    "required": ["object", "data"],
}
MODEL_SCHEMA: Responses = {200: {"description": "The model", "content": {"application/json": {"schema": MODEL}}}}
MODELS_SCHEMA: Responses = {200: {"description": "One model", "content": {"application/json": {"schema": MODELS}}}}

ANYTHING: Responses = {200: {"description": "As A1111 answers", "content": {"application/json": {"schema": {}}}}}
A1111_ANSWER = {
    "type": "object",
    "properties": {
        "images": {"type": "array", "items": {"type": "string", "contentEncoding": "base64"}},
        "parameters": {"type": "object"},
        "info": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["images", "parameters", "info"],
}
A1111_PICTURES: Responses = {
    200: {"description": "The pictures", "content": {"application/json": {"schema": A1111_ANSWER}}}
}


def form_body(fields: type[BaseModel], files: type[BaseModel]) -> dict[str, object]:
    """The requestBody of a form with files; where `image` may come several times, `image[]` stands beside it."""
    known = fields.model_json_schema()
    properties = {name: _not_null(field) for name, field in known["properties"].items()}
    binary = {"type": "string", "format": "binary"}
    sent = dict.fromkeys(files.model_fields, binary)
    schema = {"type": "object", "properties": properties | sent, "required": [*known.get("required", []), "image"]}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def _not_null(field: dict) -> dict:
    """A field of a form: there, or left out."""
    choices = [choice for choice in field.get("anyOf", []) if choice.get("type") != "null"]
    return choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else field

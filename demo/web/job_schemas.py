"""What answers say of a job: the common fields of a generation, and those of each kind that `jobspec` has."""

from __future__ import annotations

from collections.abc import Iterable

import jobspec
from jobspec.job import picture_fields, properties


def with_kinds(common: dict) -> dict:
    """The schema of a generation with every kind's fields beside the common ones, told apart by `kind`."""
    names = set(common["properties"])
    shown = {kind: _shown_fields(kind, names) for kind in jobspec.KINDS.values()}
    for name in dict.fromkeys(name for fields in shown.values() for name in fields):
        found = [fields[name] for fields in shown.values() if name in fields]
        common["properties"][name] = found[0] if found.count(found[0]) == len(found) else {"anyOf": found}
    return common | {"oneOf": [_one_kind(kind, fields) for kind, fields in shown.items()]}


def _shown_fields(kind: type[jobspec.Job], common: Iterable[str]) -> dict[str, dict[str, object]]:
    """What an answer holds of a job of this kind beside what all have: name → schema. Pictures that are somebody
    else's are null, and so is what the kind has not and answers name all the same.
    """
    schema = kind.model_json_schema()
    known = _inlined(schema["properties"], schema.get("$defs", {}))
    assert isinstance(known, dict)
    for other in jobspec.KINDS.values():
        known |= {name: properties(other)[name] for name in kind.ALSO_SHOWN if name in properties(other)}
    nullable = {*kind.ALSO_SHOWN, *picture_fields(kind)}
    own = {name: _plain(field) for name, field in known.items() if name not in common}
    return {name: {"anyOf": [field, {"type": "null"}]} if name in nullable and "anyOf" not in field else field
            for name, field in own.items()}  # fmt: skip


def _one_kind(kind: type[jobspec.Job], fields: dict[str, dict[str, object]]) -> dict[str, object]:
    named = {"kind": {"const": kind.model_fields["kind"].default}}
    return {"title": kind.__name__, "properties": named, "required": [*named, *fields]}


def _inlined(part: object, definitions: dict[str, object]) -> object:
    """A schema with what it refers to in the place of the references: an answer's schema has definitions of its own."""
    if isinstance(part, list):
        return [_inlined(each, definitions) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _inlined(definitions[str(part["$ref"]).rsplit("/", 1)[-1]], definitions)
    return {key: _inlined(value, definitions) for key, value in part.items()}


def _plain(field: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in field.items() if key not in ("default", "title", "description", "examples")}

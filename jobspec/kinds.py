"""The registry of kinds: which there are, and which one a request or a row is of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeVar, Union

from pydantic import Field, TypeAdapter, ValidationError

from jobspec.job import Job

KINDS: dict[str, type[Job]] = {}
J = TypeVar("J", bound=Job)


def register(kind: type[J]) -> type[J]:
    """Add a kind (a class decorator). Raises ValueError for a name that is taken."""
    name = kind.model_fields["kind"].default
    if KINDS.get(name, kind) is not kind:
        raise ValueError(f"kind {name!r} is {KINDS[name].__name__}: choose another name than {', '.join(KINDS)}")
    KINDS[name] = kind
    return kind


def removed(name: str) -> type[Job]:
    """Take a kind away again; returns its class."""
    return KINDS.pop(name)


def parse(body: object) -> Job:
    """The job that a request's JSON asks for; without `kind`, vary where it names a source picture, else draw.

    Raises pydantic.ValidationError.
    """
    if not isinstance(body, Mapping):
        return KINDS["draw"].model_validate(body)
    name = body.get("kind", "draw" if body.get("source_image") is None else "vary")
    if name not in KINDS if isinstance(name, str) else True:
        expected = " or ".join(repr(known) for known in KINDS)
        wrong = {"type": "literal_error", "loc": ("kind",), "input": name, "ctx": {"expected": expected}}
        raise ValidationError.from_exception_data("Job", [wrong])  # type: ignore[list-item]
    return KINDS[name].model_validate(body)


def of_row(spec: Mapping[str, object]) -> Job:
    """The job of a database row. Raises ValueError for a kind that is no longer there or values no longer allowed."""
    kind = KINDS.get(str(spec.get("kind")))
    if kind is None:
        raise ValueError(f"no kind of job is called {spec.get('kind')!r}: there are {', '.join(KINDS)}")
    return kind.model_validate(dict(spec))


def schema(ref_template: str = "#/$defs/{model}") -> dict[str, object]:
    """The JSON schema of every request: one of the kinds, told apart by `kind`."""
    union = Annotated[Union[tuple(KINDS.values())], Field(discriminator="kind")]  # noqa: UP007
    return TypeAdapter(union).json_schema(ref_template=ref_template) | {"title": "Job"}

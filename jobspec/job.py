"""A job: what every kind has in common, and the registry of kinds. A job is frozen and checked where it is made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, ClassVar, TypeVar, Union

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from jobspec.fields import Count, Seed, Visibility

ID = "^[0-9a-f]{32}$"
ASKED_OTHERWISE = ("kind", "visibility")  # of a job: columns of its row, and never options of a command


class Job(BaseModel):
    """A request for `n` pictures; picture i has seed + i modulo 2³². Numbers in quotes and unknown keys are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True, defer_build=True)
    TEXT: ClassVar[str] = "prompt"  # the field by whose words the job is judged, embedded and found again
    ARGUMENT: ClassVar[str] = ""  # the field that its command takes without a name; the text where it is ""
    PARENTS: ClassVar[tuple[str, ...]] = ("source_image",)  # whose picture it descends from: the first set
    MADE: ClassVar[tuple[str, ...]] = ()  # fields that are made of others, and never options of a command
    OTHER_TEXTS: ClassVar[tuple[str, ...]] = ()  # further fields of free text
    BATCH: ClassVar[tuple[str, ...]] = ()  # fields that jobs of one batch share
    BATCH_AS: ClassVar[str] = ""  # another kind whose batches it may be drawn in
    COMMAND: ClassVar[str] = ""  # what its command line does, in a sentence
    ALSO_SHOWN: ClassVar[tuple[str, ...]] = ()  # fields of other kinds that answers of this one name, as null

    kind: str
    n: Count = Field(default=4, description="How many pictures.")
    seed: Seed | None = Field(default=None, description="Picture i has seed + i modulo 2³²; rolled when absent.")
    visibility: Visibility = "private"

    @property
    def main_text(self) -> str:
        """The words that the job is found by."""
        return str(getattr(self, self.TEXT))

    def changed(self, **fields: object) -> Job:
        """The job with other values, checked again. Raises pydantic.ValidationError."""
        return type(self).model_validate(dict(self) | fields)

    def batch_key(self) -> str:
        """Jobs with one key may be run in one batch."""
        return json.dumps([self.kind, *(getattr(self, name) for name in self.BATCH)])

    def source_pictures(self) -> dict[str, str]:
        """The ids of the pictures that the job starts from, by field."""
        named = {name: getattr(self, name) for name in picture_fields(type(self))}
        return {name: id for name, id in named.items() if id is not None}

    def parent(self) -> str | None:
        """The id of the picture that its pictures descend from."""
        found = self.source_pictures()
        return next((found[name] for name in self.PARENTS if name in found), None)

    def to_row(self) -> dict[str, object]:
        """The JSON form that the database keeps; `jobspec.of_row` reads it."""
        return self.model_dump(mode="json", by_alias=True, exclude={"visibility"})


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


class AnyJob(BaseModel):
    """What a request may hold: a job of any kind. Which there are is looked up when it is asked, not at import."""

    @classmethod
    def model_validate(cls, obj: object, **_: object) -> Job:  # type: ignore[override]
        return parse(obj)

    @classmethod
    def model_json_schema(cls, *_: object, ref_template: str = "#/$defs/{model}", **__: object) -> dict[str, object]:
        return schema(ref_template)


def schema(ref_template: str = "#/$defs/{model}") -> dict[str, object]:
    """The JSON schema of every request: one of the kinds, told apart by `kind`."""
    union: object = Annotated[Union[tuple(KINDS.values())], Field(discriminator="kind")]  # noqa: UP007
    # the union is a value here, made of whatever kinds there are
    described = TypeAdapter(union).json_schema(ref_template=ref_template)  # type: ignore[arg-type]
    return described | {"title": "Job"}


def properties(kind: type[Job]) -> dict[str, dict[str, object]]:
    """Name → JSON schema of each field, of one that may be null without the null."""
    found = kind.model_json_schema()["properties"]
    return {name: _not_null(field) for name, field in found.items()}


def picture_fields(kind: type[Job]) -> tuple[str, ...]:
    """The fields that name a picture."""
    if "_picture_fields" not in kind.__dict__:
        names = tuple(name for name, field in properties(kind).items() if field.get("x-picture"))
        type.__setattr__(kind, "_picture_fields", names)
    known: tuple[str, ...] = kind.__dict__["_picture_fields"]
    return known


def ranges(kind: type[Job]) -> dict[str, dict[str, object]]:
    """Name → what of a field's schema a form needs: limits, choices, and what a slider offers."""
    wanted = ("minimum", "maximum", "exclusiveMaximum", "maxLength", "minLength", "enum", "default", "x-slider")
    return {
        name: {key.removeprefix("x-"): field[key] for key in wanted if key in field}
        for name, field in properties(kind).items()
        if name != "kind"
    }


def _not_null(field: dict[str, object]) -> dict[str, object]:
    choices = field.get("anyOf", [])
    assert isinstance(choices, list)
    for choice in choices:
        if choice.get("type") != "null":
            described: dict[str, object] = {key: value for key, value in field.items() if key != "anyOf"} | choice
            return described
    return field

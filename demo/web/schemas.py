"""What comes in and goes out over HTTP, as Pydantic models: the source of /openapi.json.

Bodies are strict (a number in quotes is refused, so is an unknown key); queries are text, so they are converted.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

import jobspec
from jobspec.fields import MAX_TEXT, Visibility
from jobspec.job import picture_fields, properties

Id = Annotated[str, Field(pattern=jobspec.ID)]


class Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class Query(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")


# in


class NewJob(BaseModel):
    """A job of any kind that `jobspec` has; which kinds there are is looked up when it is asked, not at import."""

    @classmethod
    def model_validate(cls, obj: object, **_: object) -> jobspec.Job:  # type: ignore[override]
        return jobspec.parse(obj)

    @classmethod
    def model_json_schema(cls, *_: object, ref_template: str = "#/$defs/{model}", **__: object) -> dict[str, object]:  # type: ignore[override]
        return jobspec.schema(ref_template)


class Change(Body):
    visibility: Visibility


class NewReport(Body):
    reason: str = Field("", max_length=500)


class Analyze(Body):
    prompt: str = Field(max_length=MAX_TEXT)


class Claim(Body):
    code: str = Field(min_length=16, max_length=40)


class NewToken(Body):
    name: str = Field(min_length=1, max_length=100)


class Hide(Body):
    hidden: bool


class Forget(Body):
    owner: Id


class PageQuery(Query):
    cursor: str | None = Field(None, max_length=200)
    limit: int = Field(24, ge=1, le=100)


class SearchQuery(Query):
    q: str = Field(min_length=1, max_length=MAX_TEXT)
    k: int = Field(10, ge=1, le=100)
    scope: Literal["all", "mine", "public"] = "all"


class SuggestQuery(Query):
    q: str = Field("", max_length=MAX_TEXT)
    limit: int = Field(8, ge=1, le=20)


class ImageQuery(Query):
    format: Literal["png", "jpeg", "webp"] | None = None
    size: Literal["full", "thumbnail"] = "full"
    stage: Literal["final", "base"] = "final"
    download: bool = False
    metadata: Literal["all", "none"] = "all"


# out


class ErrorBody(Answer):
    code: str
    message: str
    field: str | None = None


class Problem(Answer):
    """RFC 9457, and the `error` object that API clients look for."""

    type: str
    title: str
    status: int
    detail: str
    error: ErrorBody


class ImageOut(Answer):
    id: Id
    kind: Literal["generation", "upload"]
    generation_id: Id | None
    url: str
    thumbnail_url: str
    base_url: str | None
    width: int
    height: int
    seed: int | None


class ImageInfo(ImageOut):
    recipe: dict | None


class Progress(Answer):
    stage: str
    step: int
    steps: int
    seconds_left: float
    preview_url: str | None
    preview_urls: list[str]


class Note(Answer):
    code: str
    message: str


class Links(Answer):
    self: str
    events: str | None
    cancel: str | None


class Similar(Answer):
    generation_id: Id
    prompt: str
    score: float
    created_at: str
    mine: bool
    seed: int
    images: list[ImageOut]


class GenerationOut(Answer):
    """A generation: what all have, and beside it the fields of its kind."""

    model_config = ConfigDict(extra="allow")
    id: Id
    kind: str
    status: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    created_at: str
    started_at: str | None
    finished_at: str | None
    prompt: str
    n: int
    seed: int
    visibility: Visibility
    mine: bool
    hidden: bool
    position: int | None
    progress: Progress | None
    images: list[ImageOut]
    timings: dict[str, float]
    warnings: list[Note]
    error: Note | None
    links: Links

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, object]:
        """Beside the common fields those of each kind, told apart by `kind`."""
        common = handler.resolve_ref_schema(handler(core))
        shown = {kind: _shown_fields(kind) for kind in jobspec.KINDS.values()}
        for name in dict.fromkeys(name for fields in shown.values() for name in fields):
            found = [fields[name] for fields in shown.values() if name in fields]
            common["properties"][name] = found[0] if found.count(found[0]) == len(found) else {"anyOf": found}
        return common | {"oneOf": [_one_kind(kind, fields) for kind, fields in shown.items()]}


def _shown_fields(kind: type[jobspec.Job]) -> dict[str, dict[str, object]]:
    """What an answer holds of a job of this kind beside what all have: name → schema. Pictures that are somebody
    else's are null, and so is what the kind has not and answers name all the same.
    """
    known = dict(kind.model_json_schema()["properties"])
    for other in jobspec.KINDS.values():
        known |= {name: properties(other)[name] for name in kind.ALSO_SHOWN if name in properties(other)}
    nullable = {*kind.ALSO_SHOWN, *picture_fields(kind)}
    own = {name: _plain(field) for name, field in known.items() if name not in GenerationOut.model_fields}
    return {name: {"anyOf": [field, {"type": "null"}]} if name in nullable and "anyOf" not in field else field
            for name, field in own.items()}  # fmt: skip


def _one_kind(kind: type[jobspec.Job], fields: dict[str, dict[str, object]]) -> dict[str, object]:
    named = {"kind": {"const": kind.model_fields["kind"].default}}
    return {"title": kind.__name__, "properties": named, "required": [*named, *fields]}


def _plain(field: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in field.items() if key not in ("default", "title", "description", "examples")}


class Accepted(GenerationOut):
    similar: list[Similar]


class Page(Answer):
    items: list[GenerationOut]
    next_cursor: str | None


class ImagePage(Answer):
    items: list[ImageOut]
    next_cursor: str | None


class ReceiptOut(Answer):
    receipt: Id
    complete: bool
    created_at: str
    generations: int
    images: int
    files_left: int
    vectors_left: int
    url: str


class SearchOut(Answer):
    query: str
    results: list[Similar]
    took_ms: float


class Suggestion(Answer):
    text: str
    kind: str
    completed: str


class Suggestions(Answer):
    suggestions: list[Suggestion]


class UnknownWord(Answer):
    word: str
    start: int
    end: int


class ReadAs(Answer):
    word: str
    meant: str
    start: int
    end: int


class AnalysisOut(Answer):
    normalized: str
    characters: int
    max_characters: int
    tokens: int | None
    max_tokens: int | None
    unknown_words: list[UnknownWord]
    read_as: list[ReadAs]
    unwanted: str = Field(description="What the prompt says should not be there; it goes to the negative prompt.")
    warnings: list[Note]
    allowed: bool
    outside: bool = Field(description="Nothing in it is a garment that can be drawn.")
    examples: list[str] = Field(description="For what is outside: prompts near to it that can be drawn.")


class Reported(Answer):
    reported: bool


class Me(Answer):
    kind: Literal["browser", "token", "anonymous", "admin"]
    owner: Id | None
    generations: int
    active: int
    images: int
    bytes: int


class CodeOut(Answer):
    code: str
    expires_at: str


class Claimed(Answer):
    moved: int
    generations: int


class TokenOut(Answer):
    id: Id
    name: str
    created_at: str


class TokenMade(TokenOut):
    token: str


class Tokens(Answer):
    tokens: list[TokenOut]


class Style(Answer):
    name: str
    kind: Literal["prompt", "lora"]
    label: dict[str, str]


class Styles(Answer):
    styles: list[Style]


class Models(Answer):
    checkpoint: dict
    encoder: dict
    defaults: dict


class About(Answer):
    model_config = ConfigDict(extra="allow")
    name: str
    version: str
    ready: bool
    missing: list[Note]


class ReportOut(Answer):
    generation_id: Id
    prompt: str
    reason: str
    created_at: str
    hidden: bool


class Reports(Answer):
    reports: list[ReportOut]


class Hidden(Answer):
    id: Id
    hidden: bool


class Health(Answer):
    ok: bool


class Ready(Answer):
    ready: bool
    missing: list[Note]
    checks: dict[str, str]
    retention_days: int
    disk: dict[str, int]

"""What comes in and goes out over HTTP, as Pydantic models: the source of /openapi.json.

Bodies are strict (a number in quotes is refused, so is an unknown key); queries are text, so they are converted.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

import jobspec
from demo.web.job_schemas import with_kinds
from jobspec.fields import MAX_TEXT, Visibility

Responses = dict[int | str, dict[str, str | dict[str, dict[str, Any]]]]  # of a route, as APIFlask takes them
Id = Annotated[str, Field(pattern=jobspec.ID)]


# `defer_build`: a model is built when it is first used; building all of them is a third of the import
class Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class Query(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, defer_build=True)


class Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", defer_build=True)


# in


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


MAX_QUERY = 8000  # what fits into the request line
QUERY_HELP = "At most 2,000 characters once normalised, and as much as a request line of 8,190 bytes holds (else 414)."


class PageQuery(Query):
    cursor: str | None = Field(None, max_length=200)
    limit: int = Field(24, ge=1, le=100)


class GalleryQuery(PageQuery):
    first: bool = Field(False, description="Only what has been liked by others or approved (FIRST_PAGE_LIKES).")


class ReadyQuery(Query):
    role: Literal["web", "worker"] | None = Field(None, description="Of web processes alone, or of workers alone.")


class SearchQuery(Query):
    q: str = Field(min_length=1, max_length=MAX_QUERY, description=QUERY_HELP)
    k: int = Field(10, ge=1, le=100)
    scope: Literal["all", "mine", "public"] = "all"


class SuggestQuery(Query):
    q: str = Field("", max_length=MAX_QUERY, description=QUERY_HELP)
    limit: int = Field(8, ge=1, le=20)


class ImageQuery(Query):
    format: Literal["png", "jpeg", "webp"] | None = None
    size: Literal["full", "thumbnail"] = "full"
    stage: Literal["final", "base"] = "final"
    scale: int = Field(1, ge=1, le=2, description="2: twice as wide and high, resampled (Lanczos).")
    sheet: int | None = Field(
        None, ge=64, le=4096, description="Of a pattern: its tile repeated to a square of so many pixels a side."
    )
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
    withheld: bool = Field(description="Its owner's alone, though the set that it belongs to is public.")
    likes: int


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
        return with_kinds(handler.resolve_ref_schema(handler(core)))


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
    children_kept: int = Field(description="Own pictures made from what was deleted; they stay.")
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
    trigger: str = Field(description="The word that calls a LoRA; empty where it needs none.")
    example: str = Field(description="A prompt that shows it.")
    base: str = Field(description="What it was trained on, as its file says.")
    sha256: str = Field(description="Of its file; a picture's recipe names it.")
    cell: int | None = Field(description="Its place on the page's sheet of styles; null where it has no picture.")


class Styles(Answer):
    styles: list[Style]


class OfferedShape(Answer):
    name: Literal["square", "portrait", "landscape"]
    width: int
    height: int


class Models(Answer):
    checkpoint: dict
    encoder: dict
    defaults: dict
    shapes: list[OfferedShape] = Field(description="Shapes that the base draws; empty before a worker has opened it.")


class About(Answer):
    model_config = ConfigDict(extra="allow")
    name: str
    version: str
    ready: bool
    missing: list[Note]


class Health(Answer):
    ok: bool


class Ready(Answer):
    ready: bool
    missing: list[Note]
    checks: dict[str, str]
    retention_days: int
    disk: dict[str, int] = Field(default_factory=dict, description="Bytes used and allowed; told to the admin only.")

"""What requests of OpenAI's Images API hold, each field with what becomes of it; fields of our own may stand beside.

Ref: the request types of the `openai` packages for Python (2.54, 3.57) and Node.js (7.55).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from demo.web.compat.fields import ignored, refused, taken
from demo.web.schemas import Query
from jobspec.fields import MAX_TEXT, Count

Size = Annotated[str, Field(pattern=r"^(auto|\d{2,4}x\d{2,4})$", description="auto, or WIDTHxHEIGHT such as 256x256.")]
Prompt = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
ANY = "one checkpoint draws; `geuryeojwo` names it"


class Pictures(BaseModel):
    """What all three requests have."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False, defer_build=True)

    model: Annotated[str | None, ignored(ANY)] = None
    n: Annotated[Count | None, taken("1 where absent")] = None
    response_format: Annotated[
        Literal["b64_json", "url"] | None, taken("`url`: a link that works for an hour, without a token")
    ] = None
    size: Annotated[
        Size | None,
        taken("a square, or another shape where the checkpoint draws it; what is drawn is resized; `auto`: as drawn"),
    ] = None
    user: Annotated[str | None, ignored("the token says whose it is")] = None


class Generated(Pictures):
    """What generations and edits share."""

    background: Annotated[Literal["auto", "opaque"] | None, taken("`transparent` is refused")] = None
    complexity: Annotated[str | None, ignored("one way of drawing")] = None
    frame_count: Annotated[int | None, refused("no animations")] = None
    frame_duration_ms: Annotated[int | None, refused("no animations")] = None
    output_compression: Annotated[int | None, ignored("JPEG has quality 92, WebP 90")] = None
    output_format: Annotated[Literal["png", "jpeg", "webp"] | None, taken("`gif`, `svg` are refused")] = None
    partial_images: Annotated[
        Annotated[int, Field(ge=0, le=3)] | None, taken("pictures so far, at most 128 pixels wide")
    ] = None
    quality: Annotated[str | None, ignored("steps are set by `steps`")] = None
    safety_identifier: Annotated[str | None, ignored("the token says whose it is")] = None
    stream: Annotated[bool | None, taken("server-sent events")] = None
    svg: Annotated[dict | None, refused("no SVG")] = None


class GenerateRequest(Generated):
    prompt: Annotated[Prompt, taken("Korean or English")]
    moderation: Annotated[str | None, ignored("ours always applies")] = None
    style: Annotated[
        str | None, taken("a style of `/api/v1/styles`; `vivid` and `natural` are ignored"), Field(max_length=100)
    ] = None


class EditRequest(Generated):
    """The form fields of an edit; its files are `image` (or several as `image[]`) and `mask`."""

    model_config = ConfigDict(strict=False, defer_build=True)

    prompt: Annotated[Prompt, taken("what the picture is to show, as a sentence")]
    input_fidelity: Annotated[str | None, ignored("`keep` says how much of the rest stays")] = None


class VariationRequest(Pictures):
    """The form fields of a variation; its file is `image`."""

    model_config = ConfigDict(strict=False, defer_build=True)

    prompt: Annotated[Prompt | None, taken("ours: what the picture shows; else read from the file or guessed")] = None


class EditFiles(BaseModel):
    image: Annotated[bytes, taken("one picture, or several as `image[]`: each is edited on its own, at most 4")]
    mask: Annotated[bytes | None, taken("transparent where the picture may change; of the first picture")] = None
    markup: Annotated[bytes | None, refused("no drawing on the picture is read")] = None


class VariationFiles(BaseModel):
    image: Annotated[bytes, taken("PNG, JPEG or WebP")]


class LinkQuery(Query):
    format: Literal["png", "jpeg", "webp"] = "png"

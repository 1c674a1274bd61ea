"""Change a word and keep the picture: the kind `edit`; and `form`, which draws from fields in place of a sentence."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from jobspec.draw import Draw
from jobspec.fields import Count, Keep, PictureId, Text
from jobspec.job import Job, register

MOST_REPLACED = 10
FORM_PICTURES = 6
Filled = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]


class Replacement(BaseModel):
    """One word of the source's prompt and what is to stand there. JSON: `{"from": "원피스", "to": "코트"}`."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, populate_by_name=True, defer_build=True)
    old: Filled = Field(alias="from", description="A word of the prompt that the picture was drawn from.")
    new: Filled = Field(alias="to", description="What is to stand in its place.")
    start: int | None = Field(
        default=None, ge=0, description="Where that word begins in /images/ID/words; every such word where absent."
    )


@register
class Form(Draw):
    """Draw from title, colour and style in place of a sentence: 이름, 색, 스타일."""

    ARGUMENT: ClassVar[str] = "title"
    MADE: ClassVar[tuple[str, ...]] = ("prompt",)
    BATCH_AS: ClassVar[str] = "draw"
    COMMAND: ClassVar[str] = "Draw from a title, a colour and a style, without a server."

    kind: Literal["form"] = "form"  # type: ignore[assignment]
    n: Count = Field(default=FORM_PICTURES, description="How many pictures.")
    title: Filled = Field(examples=["원피스"], description="What to draw (이름).")
    color: Filled = Field(examples=["빨간"], description="Its colour (색).")
    prompt: Text = Field(default="", description="Made from title and colour; what is given here does not count.")

    @model_validator(mode="after")
    def _worded(self) -> Form:
        object.__setattr__(self, "prompt", f"{self.color.strip()} {self.title.strip()}")
        return self


@register
class Edit(Job):
    """Draw a picture again with other words, and keep what they do not change.

    What is to change is said by `replace`, by a new sentence (`prompt`), or by fields (`title`, `color`, `style`). A
    picture that was drawn here knows its words; of an upload `source_prompt` says what it shows.
    """

    ARGUMENT: ClassVar[str] = "source_image"
    BATCH: ClassVar[tuple[str, ...]] = ("source_image", "mask_image", "keep", "prompt")
    OTHER_TEXTS: ClassVar[tuple[str, ...]] = ("source_prompt",)
    COMMAND: ClassVar[str] = "Change words of a picture's prompt and keep the rest of the picture, without a server."

    kind: Literal["edit"] = "edit"
    n: Count = Field(default=1, description="How many pictures; the first has the source's own noise.")
    source_image: PictureId = Field(description="Any picture the caller may see, uploads included.")
    prompt: Text = Field(default="", examples=["파란 체크무늬 코트"], description="What it is to show, as a sentence.")
    source_prompt: Text = Field(default="", description="What it shows now; known for pictures drawn here.")
    replace: list[Replacement] = Field(
        default_factory=list, max_length=MOST_REPLACED, description="Words to replace in its prompt; particles agree."
    )
    title: Text = Field(default="", description="What it is to show (이름), in place of a sentence.")
    color: Text = Field(default="", description="The colour of that (색).")
    style: Text = Field(default="", description="How it is to be drawn (스타일).")
    keep: Keep = Field(default=1.0, description="How much of what is outside the changed part stays, 0 to 1.")
    mask_image: PictureId | None = Field(
        default=None, description="An upload of the source's size: white where it may change, black where it stays."
    )

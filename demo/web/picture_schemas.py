"""What the API says of one picture: where it comes from, what it shows in words, what can stand in their place."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from demo.web.schemas import Answer, ImageOut


class ImageInfo(ImageOut):
    recipe: dict | None
    parent_state: Literal["none", "shown", "hidden", "private", "deleted"] = Field(
        description="Whether the picture that this one was made from can be seen."
    )
    parent: ImageOut | None
    children: list[ImageOut] = Field(description="What was made from it, the oldest first; at most 100.")


class Alternative(Answer):
    id: str
    text: str
    rgb: str | None = Field(description="Of a colour: #rrggbb.")


class EditableWord(Answer):
    start: int
    end: int
    text: str
    slot: str
    label: str
    id: str
    alternatives: list[Alternative]


class FormFields(Answer):
    title: str
    color: str
    style: str


class PictureWords(Answer):
    """What a picture shows in words, and what can stand in the place of each."""

    known: bool = Field(description="Whether the picture was drawn here, so that its text is known.")
    guessed: bool = Field(description="The text is a guess of what an upload shows; send it as source_prompt.")
    text: str
    words: list[EditableWord]
    fields: FormFields = Field(description="The same as a form, filled for the next edit.")

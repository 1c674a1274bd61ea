"""What the API says of one picture: where it comes from, what it shows in words, what can stand in their place."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from demo.web.schemas import Answer, Id, ImageOut, Query
from jobspec.fields import Visibility


class WordsQuery(Query):
    text: str | None = Field(None, min_length=1, max_length=2000, description="What the picture shows, of an upload.")


class CarriedOut(Answer):
    """What a file says of how it was drawn: fields of a drawing, and what means nothing here."""

    program: Literal["geuryeojwo", "a1111", "comfyui", "invokeai", "fooocus"]
    settings: dict[str, Any] = Field(description="prompt, negative_prompt, seed, steps, styles; of our files the rest.")
    left_out: dict[str, str]


class Uploaded(ImageOut):
    carried: CarriedOut | None = Field(description="Settings that the file brought along; they are not kept.")


ParentState = Literal["none", "shown", "hidden", "private", "deleted"]


class Relative(ImageOut):
    prompt: str = Field(description="Of its drawing; empty for an upload.")


class ImageInfo(ImageOut):
    recipe: dict | None
    visibility: Visibility
    liked: bool
    collections: list[Id] = Field(description="Of one's own that it lies in.")
    parent_state: ParentState = Field(description="Whether the picture that this one was made from can be seen.")
    parent: Relative | None
    ancestors: list[Relative] = Field(
        description="The parent, its parent and so on, as far as they can be seen; at most 20."
    )
    line_state: ParentState = Field(description="The same of the parent of the last of them.")
    children: list[Relative] = Field(description="What was made from it, the oldest first; at most 100.")


class Alternative(Answer):
    id: str
    text: str
    rgb: str | None = Field(description="Of a colour: #rrggbb.")
    cell: int | None = Field(description="Its picture on the page's sheet of word pictures, counted along the rows.")


class EditableWord(Answer):
    start: int
    end: int
    text: str
    slot: str
    label: str
    id: str
    alternatives: list[Alternative]


class Addition(Answer):
    slot: str
    label: str
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
    additions: list[Addition] = Field(description="What can be said behind the text, where it says none.")
    fields: FormFields = Field(description="The same as a form, filled for the next edit.")

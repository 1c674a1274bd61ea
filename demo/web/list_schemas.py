"""What comes in and goes out of lists of single pictures, the closet and posts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from demo.web.schemas import MAX_QUERY, Answer, Body, Id, ImageOut, Query
from jobspec.fields import Visibility

MOST_SELECTED = 500
NAME, CAPTION, AUTHOR = 60, 300, 40  # characters
Ids = Annotated[list[Id], Field(min_length=1, max_length=MOST_SELECTED)]


# in


class PicturesQuery(Query):
    place: Literal["mine", "gallery", "liked", "closet"] = Field("mine", description="`closet`: name the collection.")
    collection: Id | None = None
    sort: Literal["newest", "oldest", "liked", "random"] = "newest"
    seed: int = Field(0, ge=0, le=21, description="Which random order.")
    q: str = Field("", max_length=MAX_QUERY, description="Search within the list, the best first; `sort` is ignored.")
    garment: str = Field("", max_length=NAME, description="A word of the garments, in Korean or English.")
    color: str = Field("", max_length=NAME)
    style: str = Field("", max_length=NAME)
    source: Literal["drawn", "edited", "fabric", "photo"] | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    cursor: str | None = Field(None, max_length=300)
    limit: int = Field(60, ge=1, le=100)


class Selected(Body):
    images: Ids


class ShowSelected(Selected):
    visibility: Visibility


class PutIn(Selected):
    source: Id | None = Field(None, description="A collection that they are taken out of.")


class NewCollection(Body):
    name: str = Field(min_length=1, max_length=NAME)


class ChangeCollection(Body):
    name: str | None = Field(None, min_length=1, max_length=NAME)
    cover: Id | None = Field(None, description="A picture in it.")
    place: int | None = Field(None, ge=0, le=1000, description="Among one's collections; 0 is the first.")


class NewPost(Body):
    caption: str = Field("", max_length=CAPTION)
    author: str = Field("", max_length=AUTHOR, description="A name of one's choice; empty: none is shown.")


# out


class PictureOut(ImageOut):
    """A picture of a list."""

    prompt: str = Field(description="Of its drawing; empty for an upload.")
    created_at: str = Field(description="When it was drawn, liked or collected, by the list.")
    position: int = Field(description="In its set, from 0.")
    visibility: Visibility
    mine: bool
    liked: bool


class PicturePage(Answer):
    items: list[PictureOut]
    next_cursor: str | None
    total: int | None = Field(description="How many the whole list has; on its first page only.")


class Liked(Answer):
    liked: bool
    likes: int


class CollectionOut(Answer):
    id: Id
    name: str
    created_at: str
    count: int
    cover: ImageOut | None


class ClosetOut(Answer):
    collections: list[CollectionOut]
    liked: int


class Added(Answer):
    added: int


class Removed(Answer):
    removed: int


class Changed(Answer):
    changed: int


class PostOut(Answer):
    image: ImageOut
    prompt: str
    caption: str
    author: str
    created_at: str
    mine: bool
    url: str = Field(description="Of its page, for people without an account, with a link preview.")

"""Who asks, and who may see what, said once.

`visible_to(viewer)` is an SQLAlchemy expression over generations; given a row instead of the table it is that row's
truth. Every query, view, search result and source picture uses it; the index, which filters while it searches, is told
`is_public` of each record.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, overload

from sqlalchemy import ColumnElement, false, func, select, true
from sqlalchemy.orm import Session

from demo.store.tables import Collection, Generation, Image, Like, Owner, Post


@dataclass(frozen=True)
class Viewer:
    """Who asks: an owner or nobody (`owner_id` None), by `kind` browser, token, anonymous or admin.

    `address`: a keyed hash of where the request comes from, for turns in the queue; says nothing of what may be seen.
    """

    owner_id: str | None = None
    kind: str = "anonymous"
    address: str | None = field(default=None, compare=False)

    @property
    def known_id(self) -> str:
        """The owner's id, for what nobody without one gets to."""
        assert self.owner_id is not None
        return self.owner_id

    def owns(self, owner_id: str) -> bool:
        return self.owner_id is not None and self.owner_id == owner_id


NOBODY = Viewer()


Owned = Generation | Image | Like | Collection | Post


def owned_by(viewer: Viewer, table: type[Generation] | type[Image] = Generation) -> ColumnElement[bool]:
    """What is this person's own and not in their trash; nothing is nobody's own."""
    return (table.owner_id == (viewer.owner_id or "")) & table.trashed_at.is_(None)


def all_of(viewer: Viewer, table: type[Owned] = Generation) -> ColumnElement[bool]:
    """Everything that is kept of this person, what lies in their trash included."""
    return table.owner_id == (viewer.owner_id or "")


def in_trash_of(viewer: Viewer) -> ColumnElement[bool]:
    """The pictures that this person put into the trash."""
    return all_of(viewer, Image) & Image.trashed_at.is_not(None)


@overload
def is_public(generation: type[Generation] = ...) -> ColumnElement[bool]: ...
@overload
def is_public(generation: Generation) -> bool: ...
def is_public(generation: type[Generation] | Generation = Generation) -> ColumnElement[bool] | bool:
    """Public by its owner's word, not hidden by the admin, and not in its owner's trash."""
    row: Any = generation
    shown = (row.visibility == "public") & (row.hidden == False) & (row.trashed_at == None)  # noqa: E711, E712
    return shown  # type: ignore[no-any-return]


@overload
def visible_to(viewer: Viewer, generation: type[Generation] = ...) -> ColumnElement[bool]: ...
@overload
def visible_to(viewer: Viewer, generation: Generation) -> bool: ...
def visible_to(viewer: Viewer, generation: type[Generation] | Generation = Generation) -> ColumnElement[bool] | bool:
    """One's own, and what is public once it has succeeded."""
    row: Any = generation
    mine = (row.owner_id == (viewer.owner_id or "")) & (row.trashed_at == None)  # noqa: E711
    return mine | (is_public(row) & (row.status == "succeeded"))  # type: ignore[no-any-return]


def shown_to(viewer: Viewer) -> ColumnElement[bool]:
    """Of the pictures of a generation that this person may see: all of one's own, of others what is not withheld."""
    return Image.trashed_at.is_(None) & (owned_by(viewer, Image) | (Image.withheld == false()))


def on_first_page(likes: int) -> ColumnElement[bool]:
    """Of what is public, what strangers see before they ask: what the admin approved, or so many other people like."""
    by_others = select(Image.generation_id).join(Like, Like.image_id == Image.id).where(Like.owner_id != Image.owner_id)
    liked = by_others.group_by(Image.generation_id).having(func.count() >= likes)
    return (Generation.approved == true()) | Generation.id.in_(liked)


def image_visible_to(viewer: Viewer) -> ColumnElement[bool]:
    """Pictures of one's own, uploads among them, and those of visible generations that are not withheld."""
    seen = select(Generation.id).where(Generation.id == Image.generation_id, visible_to(viewer)).correlate(Image)
    return Image.trashed_at.is_(None) & (owned_by(viewer, Image) | (seen.exists() & (Image.withheld == false())))


def ensure_owner(session: Session, owner_id: str, member: bool = False) -> str:
    """Write the owner's row if there is none yet; returns whose new things are (the other's, of one who has moved)."""
    row = session.get(Owner, owner_id)
    if row is None:
        session.add(Owner(id=owner_id, created_at=time.time(), member=member))
        session.flush()
    elif row.moved_to:
        return row.moved_to
    elif member and not row.member:
        row.member = True
    return owner_id

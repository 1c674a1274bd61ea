"""Lists of single pictures: one's own, the gallery, what one likes, a collection; sorted, filtered, searched, by page.

Every list is a condition over pictures and their generations, and always within what its viewer may see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, func, literal, select, true
from sqlalchemy.orm import Session, defer

from demo.store.database import Database
from demo.store.errors import ServiceError
from demo.store.tables import Collection, CollectionItem, Generation, Image, Like, WordUse
from demo.studio import tagging
from demo.studio.exact_search import among
from demo.studio.keyset import Key, after, read_place, write_place
from demo.studio.prompts import DomainReader, clean
from demo.studio.searching import Searcher
from demo.studio.views import OnePicture, Pictures
from demo.studio.visibility import NOBODY, Viewer, all_of, image_visible_to, owned_by, shown_to, visible_to

Place = Literal["mine", "gallery", "liked", "closet"]
Sort = Literal["newest", "oldest", "liked", "random"]
Source = Literal["drawn", "edited", "fabric", "photo"]
KINDS: dict[str, tuple[str, ...]] = {
    "drawn": ("draw", "form", "vary"),
    "edited": ("edit",),
    "fabric": ("pattern", "apply"),
}
FLOOR = 0.5  # of a search: words of the drawn domain score 0.53 and more at their best picture, others at most 0.47
MOST_NEAR = 200  # generations that a search of the whole gallery finds
SHUFFLES = 11  # random orders in one direction: the random digits of an id are read from one of so many places on


@dataclass(frozen=True)
class Wanted:
    """Which pictures, in which order; empty texts filter nothing. `since`, `until`: seconds since 1970."""

    place: Place
    collection: str = ""
    sort: Sort = "newest"
    seed: int = 0  # of the random order
    q: str = ""
    garment: str = ""
    color: str = ""
    style: str = ""
    source: Source | None = None
    since: float | None = None
    until: float | None = None

    @property
    def words(self) -> dict[str, str]:
        """The words that are filtered by, by field."""
        return {field: text for field in tagging.FIELDS if (text := getattr(self, field))}


class Lists:
    """Pages of pictures; safe from any thread. `reader`: of the checkpoint's domain, for words that are filtered by."""

    def __init__(self, database: Database, searcher: Searcher, reader: Callable[[], DomainReader]) -> None:
        self._database, self._searcher, self._reader = database, searcher, reader

    def page(self, viewer: Viewer, wanted: Wanted, cursor: str | None, limit: int) -> Pictures:
        """Some pictures of a list. Raises ServiceError not_found (a collection), bad_cursor, encoder_missing."""
        query = clean(wanted.q, "q")
        if wanted.words:
            while tagging.read_words(self._database, self._reader()) == tagging.AT_ONCE:
                pass
        if query:
            return self._found(viewer, replace(wanted, q=query), cursor, limit)
        moment, conditions = self._list(viewer, wanted)
        keys = _keys(wanted, moment)
        rows = _columns(viewer, moment).where(*conditions)
        with self._database.read() as session:
            _require_collection(session, viewer, wanted)
            total = None if cursor else _count(session, rows)
            if cursor:
                rows = rows.where(after(keys, read_place(cursor, keys)))
            found = session.execute(
                rows.add_columns(*(key.column for key in keys)).order_by(*(key.order for key in keys)).limit(limit + 1)
            ).all()
        following = write_place(found[limit - 1][-len(keys) :]) if len(found) > limit else None
        return Pictures([_one(row, viewer) for row in found[:limit]], following, total)

    def _found(self, viewer: Viewer, wanted: Wanted, cursor: str | None, limit: int) -> Pictures:
        """The same list by search: the best first, each generation's pictures together."""
        start = int(read_place(cursor, [Key(literal(0))])[0]) if cursor else 0
        moment, conditions = self._list(viewer, wanted)
        with self._database.read() as session:
            _require_collection(session, viewer, wanted)
        ids = self._near(viewer, wanted, moment, conditions)
        place = {id: i for i, id in enumerate(ids)}
        listed = _columns(viewer, moment).where(*conditions)
        with self._database.read() as session:
            every = session.execute(_keys_within(moment, conditions).where(Image.generation_id.in_(ids))).all()
            here = sorted(every, key=lambda key: (place[key.generation_id], key.position))[start : start + limit]
            turn = {key.id: i for i, key in enumerate(here)}
            rows = session.execute(listed.where(_image_id(moment).in_(turn))).all()
        following = write_place([start + limit]) if len(every) > start + limit else None
        shown = [_one(row, viewer) for row in sorted(rows, key=lambda row: turn[row[0].id])]
        return Pictures(shown, following, None if cursor else len(every))

    def _near(
        self, viewer: Viewer, wanted: Wanted, moment: SQLColumnExpression[Any], conditions: list[ColumnElement[bool]]
    ) -> list[str]:
        """The generations of a list that a search finds, the best first: in the whole gallery by the index."""
        if wanted == Wanted("gallery", q=wanted.q, sort=wanted.sort, seed=wanted.seed):
            found = self._searcher.near(wanted.q, self._searcher.vector(wanted.q), MOST_NEAR, viewer, "public")
            return [one.generation.id for one in found if one.score >= FLOOR]
        ids = _columns(viewer, moment).with_only_columns(Image.generation_id, maintain_column_froms=True)
        return list(among(self._searcher, self._database, wanted.q, ids.where(*conditions), FLOOR))

    def _list(self, viewer: Viewer, wanted: Wanted) -> tuple[SQLColumnExpression[Any], list[ColumnElement[bool]]]:
        """When a picture came into a list, and what it must be to be in it."""
        moment, conditions = _place(viewer, wanted)
        if wanted.source == "photo":
            conditions.append(Image.kind == "upload")
        elif wanted.source is not None:
            conditions.append(Generation.kind.in_(KINDS[wanted.source]))
        for field, text in wanted.words.items():
            word = tagging.word_named(field, clean(text, field), self._reader())
            use = select(literal(1)).where(WordUse.field == field, WordUse.word == word)
            conditions.append(use.where(WordUse.generation_id == Image.generation_id).exists())
        if wanted.since is not None:
            conditions.append(moment >= wanted.since)
        if wanted.until is not None:
            conditions.append(moment < wanted.until)
        return moment, conditions


def _place(viewer: Viewer, wanted: Wanted) -> tuple[SQLColumnExpression[Any], list[ColumnElement[bool]]]:
    if wanted.place == "gallery":
        return Generation.created_at, [visible_to(NOBODY), shown_to(NOBODY), Image.kind == "generation"]
    if wanted.place == "mine" and wanted.source == "photo":
        return Image.created_at, [owned_by(viewer, Image)]
    if wanted.place == "mine":
        return Generation.created_at, [owned_by(viewer), Image.kind == "generation"]
    if wanted.place == "liked":
        return Like.created_at, [all_of(viewer, Like), image_visible_to(viewer)]
    return CollectionItem.added_at, [CollectionItem.collection_id == wanted.collection, image_visible_to(viewer)]


def _columns(viewer: Viewer, moment: SQLColumnExpression[Any]) -> Select[*tuple[Any, ...]]:
    """Pictures with what a list says of them; recipes, which are long, are left out."""
    mine = select(literal(1)).where(all_of(viewer, Like), Like.image_id == Image.id).correlate(Image)
    liked = true() if moment is Like.created_at else mine.exists()
    told: tuple[Any, ...] = (moment.label("moment"), Generation.prompt, Generation.visibility, liked.label("liked"))
    row: Select[*tuple[Any, ...]] = select(Image, *told).options(defer(Image.recipe, raiseload=True))
    if moment is Generation.created_at:
        return row.select_from(Generation).join(Image, Image.generation_id == Generation.id)
    if moment is Like.created_at:
        row = row.select_from(Like).join(Image, Image.id == Like.image_id)
    elif moment is CollectionItem.added_at:
        row = row.select_from(CollectionItem).join(Image, Image.id == CollectionItem.image_id)
    return row.outerjoin(Generation, Generation.id == Image.generation_id)


def _image_id(moment: SQLColumnExpression[Any]) -> SQLColumnExpression[Any]:
    """Pictures' ids in the table that a list begins with: few of them are then found without reading the whole list."""
    if moment is CollectionItem.added_at:
        return CollectionItem.image_id
    return Like.image_id if moment is Like.created_at else Image.id


def _keys_within(
    moment: SQLColumnExpression[Any], conditions: Sequence[ColumnElement[bool]]
) -> Select[*tuple[Any, ...]]:
    """Id, generation and position of a list's pictures, read from the pictures on: for those of a few generations."""
    keys: Select[*tuple[Any, ...]] = select(Image.id, Image.generation_id, Image.position)
    keys = keys.outerjoin(Generation, Generation.id == Image.generation_id)
    listed = _image_id(moment)
    if listed is Image.id:
        return keys.where(*conditions)
    return keys.where(select(literal(1)).where(listed == Image.id, *conditions).correlate(Image, Generation).exists())


def _keys(wanted: Wanted, moment: SQLColumnExpression[Any]) -> list[Key]:
    falling = wanted.sort != "oldest"
    if moment is Generation.created_at:
        keys = [Key(moment, falling=falling), Key(Generation.id, True, falling), Key(Image.position, falling=False)]
    else:
        keys = [Key(moment, falling=falling), Key(Image.id, True, falling)]
    if wanted.sort == "liked":
        return [Key(Image.likes), *keys]
    if wanted.sort == "random":
        way, turn = divmod(wanted.seed, SHUFFLES)
        return [Key(func.substr(Image.id, 17 + turn, 6), True, way % 2 == 0), Key(Image.id, True)]
    return keys


def _require_collection(session: Session, viewer: Viewer, wanted: Wanted) -> None:
    if wanted.place != "closet":
        return
    row = session.get(Collection, wanted.collection)
    if row is None or not viewer.owns(row.owner_id):
        raise ServiceError("not_found", "collection")


def _count(session: Session, rows: Select[Any]) -> int:
    return session.scalar(rows.with_only_columns(func.count(), maintain_column_froms=True).order_by(None)) or 0


def _one(row: Sequence[Any], viewer: Viewer) -> OnePicture:
    image, moment, prompt, visibility, liked = row[:5]
    public = visibility == "public" and not image.withheld
    return OnePicture(
        image, moment, prompt or "", "public" if public else "private", viewer.owns(image.owner_id), bool(liked)
    )

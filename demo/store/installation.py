"""Which database and which storage belong together: an id in both, so that nothing deletes another's files.

The id is made when a database is first opened (a note). Beside the pictures it is written (`studio.json`) where there
are none yet, or where the database names those that lie there (an installation from before there were ids). A database
that was new where pictures lay already never says that they are its own.
"""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from demo.store.database import Database
from demo.store.storage import Storage
from demo.store.tables import Image, StudioNote, new_id

logger = logging.getLogger(__name__)
NOTE = "installation"
SAMPLE = 20  # of a database's oldest pictures, half of which must lie in a storage that is its own


def installation_id(database: Database, storage: Storage) -> str:
    """The id of this database, made at first use."""
    return str(_note(database, storage)["id"])


def belong_together(database: Database, storage: Storage) -> bool:
    """Whether the files in the storage are this database's to look after; marks a storage that is new or its own.

    To be asked once before anything is stored.
    """
    try:
        note, theirs = _note(database, storage), storage.installation()
        if theirs is None and (_is_empty(storage) or (note["alone"] and _has_sample(database, storage))):
            storage.mark(str(note["id"]))
            return True
    except OSError as error:
        logger.warning("nobody can say now whose the storage is, no file there is removed: %s", error)
        return False
    if theirs != note["id"]:
        logger.warning("the storage belongs to %s, the database is %s: no file there is removed; restore a backup of "
                       "its database, or set STORAGE_URL", theirs or "nobody known", note["id"])  # fmt: skip
    return bool(theirs == note["id"])


def _note(database: Database, storage: Storage) -> dict[str, Any]:
    """`id`, and `alone`: no other database's pictures lay in the storage when this one was first opened."""
    with database.read() as session:
        note = session.get(StudioNote, NOTE)
    if note is None:
        note = _made(database, alone=_is_empty(storage) or _has_sample(database, storage))
    return note.value


def _made(database: Database, alone: bool) -> StudioNote:
    """The note, made here or by a process that was quicker."""
    try:
        with database.write() as session:
            note = session.get(StudioNote, NOTE)
            if note is None:
                note = StudioNote(name=NOTE, value={"id": new_id(), "alone": alone})
                session.add(note)
    except IntegrityError:  # PostgreSQL: both looked before either wrote
        with database.read() as session:
            note = session.get_one(StudioNote, NOTE)
    return note


def _is_empty(storage: Storage) -> bool:
    return next(storage.found(), None) is None


def _has_sample(database: Database, storage: Storage) -> bool:
    with database.read() as session:
        oldest = list(session.scalars(select(Image.files).order_by(Image.created_at).limit(SAMPLE)))
    there = [any(storage.holds(str(file["key"])) for file in files.values()) for files in oldest]
    return bool(there) and sum(there) * 2 >= len(there)

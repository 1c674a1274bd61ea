"""Which database and which storage belong together: an id in both, so that nothing deletes another's files.

The id is made with the database (a note) and written beside the pictures (`studio.json`) where they are new together,
or where the database already names pictures that lie there (an installation from before there were ids).
"""

from __future__ import annotations

import logging

from sqlalchemy import select

from demo.store.database import Database
from demo.store.storage import Storage
from demo.store.tables import Image, Note, new_id

logger = logging.getLogger(__name__)
NOTE = "installation"
SAMPLE = 20  # pictures of an unmarked storage that are looked for


def installation_id(database: Database) -> str:
    """The id of this database, made at first use."""
    with database.read() as session:
        note = session.get(Note, NOTE)
    if note is None:
        with database.write() as session:
            note = session.get(Note, NOTE)
            if note is None:
                note = Note(name=NOTE, value={"id": new_id()})
                session.add(note)
    return str(note.value["id"])


def belong_together(database: Database, storage: Storage) -> bool:
    """Whether the files in the storage are this database's to look after; marks a storage that is new or its own."""
    mine, theirs = installation_id(database), storage.installation()
    if theirs is None and _may_mark(database, storage):
        storage.mark(mine)
        return True
    if theirs != mine:
        logger.warning("the storage belongs to %s, the database is %s: no file there is removed; restore a backup of "
                       "its database, or set STORAGE_URL", theirs or "nobody known", mine)  # fmt: skip
    return theirs == mine


def _may_mark(database: Database, storage: Storage) -> bool:
    with database.read() as session:
        some = list(session.scalars(select(Image.files).limit(SAMPLE)))
    if not some:
        return next(storage.found(), None) is None
    return any(storage.holds(str(file["key"])) for files in some for file in files.values())

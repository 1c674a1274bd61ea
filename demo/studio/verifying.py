"""Check what is kept against itself: rows, files, index records, rules. Reads only."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select

from demo.store.errors import ServiceError
from demo.store.installation import installation_id
from demo.store.storage import DamagedFile
from demo.store.tables import Event, Generation, Image, Trash
from demo.studio.moderation import load_rules
from demo.studio.services import Services


def problems(services: Services) -> list[str]:
    """Everything that is wrong, in words; empty when all is well."""
    load_rules()
    if (damage := services.database.problem()) is not None:
        return [f"the database is damaged: {damage}: restore a backup (python -m demo restore)"]
    return [*_rows(services), *_files(services), *_index(services)]


def _rows(services: Services) -> Iterator[str]:
    with services.database.read() as session:
        pictures = select(Image.generation_id, func.count()).group_by(Image.generation_id)
        counts = dict(session.execute(pictures).all())
        for row in session.scalars(select(Generation)):
            count = counts.get(row.id, 0)
            if row.status == "succeeded" and not 1 <= count <= row.n:
                yield f"generation {row.id} has {count} pictures of {row.n}"
            if row.status != "succeeded" and count:
                yield f"generation {row.id} is {row.status} and has {count} pictures"
            if (row.finished_at is None) != (row.status in ("queued", "running")):
                yield f"generation {row.id} is {row.status} with finished_at {row.finished_at}"
        ends = select(Event.generation_id, func.count()).where(Event.kind.in_(("done", "failed", "cancelled")))
        for id, count in session.execute(ends.group_by(Event.generation_id)):
            if count > 1:
                yield f"generation {id} has ended {count} times"


def _files(services: Services) -> Iterator[str]:
    with services.database.read() as session:
        rows = list(session.scalars(select(Image)))
        trash = set(session.scalars(select(Trash.key)))
    named: set[str] = set()
    for row in rows:
        for stage, file in row.files.items():
            named.add(file["key"])
            try:
                services.storage.read(file)
            except (FileNotFoundError, DamagedFile) as error:
                yield f"picture {row.id}, {stage}: {error}"
    theirs = services.storage.installation()
    if theirs not in (None, installation_id(services.database, services.storage)):
        yield f"the storage belongs to another installation ({theirs}): set STORAGE_URL, or restore its database"
    for key in services.storage.found():
        if key not in named | trash:
            yield f"file {key} belongs to no picture"


def _index(services: Services) -> Iterator[str]:
    try:
        index = services.searcher.index
    except ServiceError:
        return  # nothing has ever been indexed
    yield from (f"index: {problem}" for problem in index.verify())
    with services.database.read() as session:
        wanted = select(func.count()).select_from(Generation).where(Generation.status == "succeeded")
        total = session.scalar(wanted)
    live = index.live_count()
    if live != total:
        yield f"{total} generations are finished, the index holds {live}"

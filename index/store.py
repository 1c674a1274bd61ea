"""The truth: one row per record, in SQLAlchemy Core (SQLite or PostgreSQL).

Every write takes the next sequence numbers from a counter row, under that row's lock. So they are committed
in their own order, and "everything after number n" misses nothing. A scope is who sees a record: everyone
(`PUBLIC`) or its owner. A removed record keeps its id, number and sequence number, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa

from index.records import PUBLIC, Leader, Record, RefusedRecord, UnknownId, check_name, unit_rows
from index.tables import SEQUENCE, counter, create_tables, encoders, insert_once, prompts

_NUMBER = prompts.c.number == sa.bindparam("number_")
_CHUNK = 2_000  # rows per statement: short reads, so that SQLite's log can be checkpointed between them


class RecordChange(NamedTuple):
    """A record as it is since `seq`. Once removed it has only its number left."""

    seq: int
    number: int
    owner: str | None
    group: str | None
    now: Leader | None  # the record, if it is there for this encoder; it may lead its group or not


class Removal(NamedTuple):
    """A removal: its sequence number, and the number of the record that was removed."""

    seq: int
    number: int


class _Place(NamedTuple):
    """Where a record is; without scope and group, it was removed."""

    number: int
    encoder: int | None
    scope: str | None
    group: str | None


class Store:
    """Records of one encoder, read and written on `engine`; the tables are made where they are absent."""

    def __init__(self, engine: sa.Engine, dim: int, encoder_id: str) -> None:
        if not 1 <= dim <= 65_536:
            raise ValueError(f"dim is {dim}: it must be from 1 to 65536")
        self.engine, self.dim, self.encoder_id = engine, dim, check_name("encoder_id", encoder_id)
        create_tables(engine)
        self.encoder = self._register_encoder()
        self._sequence, self._driver_error = str(SEQUENCE.compile(engine)), engine.dialect.loaded_dbapi.Error
        self._changes, self._leaders, self._places = self._prepared()  # built once: searches and removals run them
        self._newest_of_group = self._driver_sql()
        with engine.connect() as connection:
            self.store_id: str = connection.execute(sa.select(counter.c.store_id)).scalar_one()

    def sequence(self) -> int:
        """Return the sequence number of the last committed change; 0 for a new store."""
        try:
            with closing(self.engine.raw_connection()) as connection:  # every search asks: three times as fast
                cursor = connection.cursor()
                cursor.execute(self._sequence)
                row = cursor.fetchone()
            if row is not None:
                return int(row[0])
        except self._driver_error:
            pass  # said by SQLAlchemy's own errors, below
        with self.engine.connect() as connection:
            return int(connection.execute(SEQUENCE).scalar_one())

    # Writing

    def add(self, records: Sequence[Record], connection: sa.Connection | None = None) -> None:
        """Write records, all or none; one whose id is known gives it a new vector and visibility."""
        vectors = unit_rows([record.vector for record in records], self.dim)
        ids = [record.id for record in records]
        if len(set(ids)) < len(ids):
            raise RefusedRecord("one call names an id twice: name each once")
        with self._writing(connection, len(records)) as (writer, first):
            known = self._known(writer, records)
            fresh, again = [], []
            for seq, record, vector in zip(range(first, first + len(records)), records, vectors, strict=True):
                row = {"seq": seq, "scope": record.scope, "vector": vector.tobytes(), "encoder": self.encoder}
                if record.id in known:
                    again.append({"number_": known[record.id], **row})
                else:
                    fresh.append({"id": record.id, "group": record.group, "owner": record.owner, **row})
            if fresh:
                writer.execute(sa.insert(prompts), fresh)
            if again:
                writer.execute(sa.update(prompts).where(_NUMBER), again)

    def set_visibility(self, id: str, public: bool, connection: sa.Connection | None = None) -> None:
        """Show a record to everyone, or to its owner alone. Raises UnknownId."""
        scope = sa.literal(PUBLIC) if public else prompts.c.owner
        with self._writing(connection, 1) as (writer, seq):
            if not self._update_live(writer, id, scope=scope, seq=seq):
                raise UnknownId(f"id {id!r} is not in the index")

    def remove(self, ids: Sequence[str], connection: sa.Connection | None = None) -> None:
        """Erase all of some records but their ids, all or none. A second removal changes nothing. Raises UnknownId.

        Who leads a removed record's group now counts as changed too: a reader whose file has lost the text of the
        group learns of the heir by that.
        """
        wanted = list(dict.fromkeys(check_name("id", id) for id in ids))
        erased = dict.fromkeys(("scope", "group", "owner", "vector", "encoder"), sa.null())
        with self._writing(connection, 2 * len(wanted)) as (writer, first):
            if self.engine.dialect.name == "sqlite":
                writer.exec_driver_sql("PRAGMA secure_delete = ON").close()  # zero the freed bytes as well
            live = self._live(writer, wanted)
            if live:
                rows = [{"number_": number, "seq": first + i} for i, (number, *_) in enumerate(live)]
                writer.execute(sa.update(prompts).where(_NUMBER).values(erased), rows)
            if heirs := self._heirs(writer, live):
                rows = [{"number_": number, "seq": first + len(wanted) + i} for i, number in enumerate(heirs)]
                writer.execute(sa.update(prompts).where(_NUMBER).values(seq=sa.bindparam("seq")), rows)

    # Reading

    def removal(self, id: str, connection: sa.Connection | None = None) -> Removal | None:
        """Return the removal of an id, None while it lives. Raises UnknownId."""
        columns = (prompts.c.seq, prompts.c.scope, prompts.c.number)
        statement = sa.select(*columns).where(prompts.c.id == check_name("id", id))
        with self._reading(connection) as reader:
            row = reader.execute(statement).one_or_none()
        if row is None:
            raise UnknownId(f"id {id!r} is not in the index")
        return Removal(row.seq, row.number) if row.scope is None else None

    def changes(self, after: int, limit: int) -> list[RecordChange]:
        """Return the records that changed after a sequence number, oldest change first."""
        with self.engine.connect() as connection:
            rows = connection.execute(self._changes, {"after": after, "most": limit}).all()
        return [
            RecordChange(
                seq,
                number,
                owner,
                group,
                _leader(number, id, group, scope, vector) if encoder == self.encoder else None,
            )
            for seq, owner, encoder, number, id, group, scope, vector in rows
        ]

    def leaders(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Leader]:
        """Return the newest live record of each (scope, group) that has one."""
        wanted = set(keys)
        scopes, groups = sorted({scope for scope, _ in wanted}), sorted({group for _, group in wanted})
        found: dict[tuple[str, str], Leader] = {}
        with self.engine.connect() as connection:
            for start in range(0, len(groups), 500):
                asked = {"groups": groups[start : start + 500], "scopes": scopes}
                for leader in (_leader(*row) for row in connection.execute(self._leaders, asked)):
                    if (leader.scope, leader.group) in wanted:
                        found[leader.scope, leader.group] = leader
        return found

    def every_leader(self) -> Iterator[Leader]:
        """Yield all leaders, scope by scope; what changes meanwhile may or may not be seen."""
        position = ("", "")
        while True:
            beyond = sa.tuple_(prompts.c.scope, prompts.c.group) > sa.tuple_(*map(sa.literal, position))
            order = (prompts.c.scope, prompts.c.group)
            newest = self._newest(beyond).order_by(*order).limit(_CHUNK).subquery()
            with self.engine.connect() as connection:
                ordered = self._of(newest).order_by(newest.c.scope, newest.c.group)
                rows = [_leader(*row) for row in connection.execute(ordered)]
            yield from rows
            if not rows:
                return
            position = (rows[-1].scope, rows[-1].group)

    def scope_sizes(self) -> dict[str, int]:
        """Return how many groups each scope holds."""
        newest = self._newest().subquery()
        statement = sa.select(newest.c.scope, sa.func.count()).group_by(newest.c.scope)
        with self.engine.connect() as connection:
            return dict(connection.execute(statement).all())

    def outdated(self, limit: int = 1_000) -> list[str]:
        """Return ids of live records made by another encoder, oldest first: add them again, embedded anew."""
        other = prompts.c.encoder != self.encoder
        statement = sa.select(prompts.c.id).where(other).order_by(prompts.c.number).limit(limit)
        with self.engine.connect() as connection:
            return list(connection.execute(statement).scalars())

    def count_live(self) -> int:
        """Return how many live records there are, of every encoder."""
        with self.engine.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).where(prompts.c.scope.is_not(None))).scalar_one()

    def count_outdated(self) -> int:
        """Return how many live records another encoder made."""
        other = prompts.c.encoder != self.encoder
        with self.engine.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).where(other)).scalar_one()

    def vector(self, id: str) -> np.ndarray:
        """Return the (dim,) unit vector of a live record of this encoder. Raises UnknownId."""
        live = sa.and_(prompts.c.id == check_name("id", id), prompts.c.encoder == self.encoder)
        with self.engine.connect() as connection:
            blob = connection.execute(sa.select(prompts.c.vector).where(live)).scalar_one_or_none()
        if blob is None:
            raise UnknownId(f"id {id!r} is not in the index, or waits to be embedded by {self.encoder_id!r}")
        return np.frombuffer(blob, dtype="<f4")

    # Below: how

    def _newest(self, *conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
        """Select scope, group and the highest number of each key, from the index on them alone."""
        key = (prompts.c.scope, prompts.c.group)
        mine = sa.and_(prompts.c.encoder == self.encoder, *conditions)  # a removed record has no encoder
        return sa.select(*key, sa.func.max(prompts.c.number).label("number")).where(mine).group_by(*key)

    def _of(self, newest: sa.Subquery) -> sa.Select[Any]:
        """Select what makes a Leader of each row of `newest`."""
        columns = (prompts.c.number, prompts.c.id, prompts.c.group, prompts.c.scope, prompts.c.vector)
        return sa.select(*columns).join(newest, prompts.c.number == newest.c.number)

    def _driver_sql(self) -> tuple[str, Sequence[str] | None]:
        """SQL for the newest number of encoder e, scope s and group g; the order of these values (None: by name)."""
        c = prompts.c
        group = sa.and_(
            *(each == sa.bindparam(name) for each, name in ((c.encoder, "e"), (c.scope, "s"), (c.group, "g")))
        )
        compiled = sa.select(sa.func.max(c.number)).where(group).compile(self.engine)
        return str(compiled), compiled.positiontup

    def _prepared(self) -> tuple[sa.Select[Any], sa.Select[Any], sa.Select[Any]]:
        c = prompts.c
        columns = (c.seq, c.owner, c.encoder, c.number, c.id, c.group, c.scope, c.vector)
        changes = sa.select(*columns).where(c.seq > sa.bindparam("after")).order_by(c.seq)
        groups: sa.BindParameter[list[str]] = sa.bindparam("groups", expanding=True)
        scopes: sa.BindParameter[list[str]] = sa.bindparam("scopes", expanding=True)
        leaders = self._of(self._newest(c.group.in_(groups), c.scope.in_(scopes)).subquery())
        ids: sa.BindParameter[list[str]] = sa.bindparam("ids", expanding=True)
        places = sa.select(c.id, c.number, c.encoder, c.scope, c.group).where(c.id.in_(ids))
        return changes.limit(sa.bindparam("most", type_=sa.Integer)), leaders, places

    def _known(self, writer: sa.Connection, records: Sequence[Record]) -> dict[str, int]:
        """Return the number of each id that is there already. Raises RefusedRecord for a contradiction."""
        by_id, known = {record.id: record for record in records}, {}
        ids, c = list(by_id), prompts.c
        for start in range(0, len(ids), 500):
            some = c.id.in_(ids[start : start + 500])
            statement = sa.select(c.id, c.number, c.scope, c.group, c.owner).where(some)
            for id, number, scope, group, owner in writer.execute(statement):
                if scope is None:
                    raise RefusedRecord(f"id {id!r} was removed and never returns: add it under a new id")
                if (group, owner) != (by_id[id].group, by_id[id].owner):
                    raise RefusedRecord(f"id {id!r} has another group or owner already: use a new id")
                known[id] = number
        return known

    def _live(self, writer: sa.Connection, ids: Sequence[str]) -> list[_Place]:
        """Return where the ids are that live, leaving out those that were removed. Raises UnknownId."""
        known: dict[str, _Place] = {}
        for start in range(0, len(ids), 500):
            for id, *place in writer.execute(self._places, {"ids": ids[start : start + 500]}):
                known[id] = _Place(*place)
        if unknown := [id for id in ids if id not in known]:
            raise UnknownId(f"id {unknown[0]!r} is not in the index")
        return [place for place in map(known.__getitem__, ids) if place.scope is not None]

    def _heirs(self, writer: sa.Connection, places: Iterable[_Place]) -> list[int]:
        """Return the number of the newest record of each group of these places that has one."""
        sql, order = self._newest_of_group  # by the driver: three times as fast as a statement
        groups = {(place.encoder, place.scope, place.group) for place in places}
        asked = (dict(zip("esg", group, strict=True)) for group in groups)
        found = (
            writer.exec_driver_sql(sql, tuple(map(values.__getitem__, order)) if order else values).scalar()
            for values in asked
        )
        return [number for number in found if number is not None]

    def _update_live(self, writer: sa.Connection, id: str, **values: object) -> bool:
        live = sa.and_(prompts.c.id == check_name("id", id), prompts.c.scope.is_not(None))
        return writer.execute(sa.update(prompts).where(live).values(**values)).rowcount > 0

    @contextmanager
    def _writing(self, connection: sa.Connection | None, n: int) -> Iterator[tuple[sa.Connection, int]]:
        """Yield a connection and the first of `n` sequence numbers; the caller commits its own connection."""
        if connection is None:
            with self.engine.begin() as own, self._writing(own, n) as writing:
                yield writing
            return
        taken = sa.update(counter).values(seq=counter.c.seq + n).returning(counter.c.seq)
        yield connection, connection.execute(taken).scalar_one() - n + 1

    @contextmanager
    def _reading(self, connection: sa.Connection | None) -> Iterator[sa.Connection]:
        if connection is not None:
            yield connection
            return
        with self.engine.connect() as own:
            yield own

    def _register_encoder(self) -> int:
        mine = sa.select(encoders.c.number, encoders.c.dim).where(encoders.c.encoder_id == self.encoder_id)
        for _ in range(2):
            with self.engine.connect() as connection:
                row = connection.execute(mine).one_or_none()
            if row is None:
                values = {"encoder_id": self.encoder_id, "dim": self.dim}
                insert_once(self.engine, sa.insert(encoders).values(values))
                continue
            if row.dim != self.dim:
                raise ValueError(
                    f"index has dim {row.dim} for encoder {self.encoder_id!r}, {self.dim} came: "
                    "give another encoder id to another encoder"
                )
            return int(row.number)
        raise RuntimeError("the encoder could not be registered")


def _leader(number: int, id: str, group: str, scope: str, vector: bytes) -> Leader:
    return Leader(number, id, group, scope, np.frombuffer(vector, dtype="<f4"))

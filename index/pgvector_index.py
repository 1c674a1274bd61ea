"""Similar past prompts found by pgvector in the PostgreSQL that holds the records: one index for all processes.

    index = PgVectorIndex(engine, dim=384, encoder_id="sha256:…")     # PostgreSQL with the extension `vector`, from 0.8

The same store, promises and answers as `PromptIndex`. Of each encoder there is a table `prompt_points_N` with one row
per leader: (scope, group) → number, id, vector. It follows the store by sequence numbers: a search that finds it behind
first takes in what was committed since, so that every process finds what any process has committed. What everybody may
see is found by an HNSW graph over the public rows alone (a partial index, with iterative scan: dead rows do not take
places of the k). What the viewer alone may see is compared exactly. No query reads a row of another scope.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

import numpy as np
import sqlalchemy as sa
from pgvector.sqlalchemy import VECTOR
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from index.layers import Candidate, exact_best
from index.records import PUBLIC, Hit, Leader, check_k, check_name, unit
from index.store import RecordChange, Store
from index.stored import StoredRecords
from index.tables import SEQUENCE

logger = logging.getLogger(__name__)
LEAST_VERSION = (0, 8)  # of the extension: the first with iterative scan
LOCK = 0x6772_6A79  # PostgreSQL's advisory lock under which points are written
M, EF_CONSTRUCTION = 16, 100  # of the HNSW graph
EF_SEARCH, MOST_EF = 160, 1_000  # how many candidates a search keeps; pgvector allows 1,000
_BATCH = 2_000  # changes that are taken in at once


class PgVectorIndex(StoredRecords):
    """An index over the records in `engine`'s database; threads and processes may share it.

    Raises ValueError where the database is not PostgreSQL or has no extension `vector` of LEAST_VERSION.
    """

    def __init__(self, engine: sa.Engine, dim: int, encoder_id: str, ef_search: int = EF_SEARCH) -> None:
        if engine.dialect.name != "postgresql":
            raise ValueError(f"the database is {engine.dialect.name}: pgvector needs DATABASE_URL of a PostgreSQL")
        self.version = _require_extension(engine)
        self.store, self._ef_search = Store(engine, dim, encoder_id), ef_search
        self._points = _table(f"prompt_points_{self.store.encoder}", dim)
        self._graph = f"{self._points.name}_hnsw"
        self._make_tables()

    def search(self, vector: np.ndarray, k: int = 10, viewer: str | None = None) -> list[Hit]:
        """Return the `k` nearest groups among what `viewer` may see (None: public ones only), best first."""
        query, k = unit(vector, self.store.dim), check_k(k)
        if viewer is not None:
            check_name("viewer", viewer)
        self._catch_up()
        with self.store.engine.begin() as connection:
            kept = str(min(MOST_EF, max(self._ef_search, 2 * k)))
            values = (sa.func.set_config("hnsw.ef_search", kept, True),
                      sa.func.set_config("hnsw.iterative_scan", "strict_order", True))  # fmt: skip
            connection.execute(sa.select(*values))
            found = self._nearest(connection, query, k, PUBLIC, viewer)
            if viewer is not None:
                found += self._nearest(connection, query, k, viewer, PUBLIC)
        return exact_best(query, found, k) if found else []

    def removed(self, id: str) -> bool:
        """Say whether a removed record has left the index too. Raises UnknownId.

        PostgreSQL overwrites the bytes of a deleted row at its next VACUUM, as those of every other table.
        """
        if self.store.removal(id) is None:
            return False
        self._catch_up()
        return True

    def stats(self) -> dict[str, int | str | None]:
        """Return counts for the operator; they cover everybody's records."""
        self._catch_up()
        c = self._points.c
        with self.store.engine.connect() as connection:
            groups, scopes = connection.execute(sa.select(sa.func.count(), sa.func.count(c.scope.distinct()))).one()
            size = connection.execute(sa.text(f"SELECT pg_total_relation_size('{self._points.name}')")).scalar_one()
        return {
            "sequence": self.store.sequence(), "encoder_id": self.store.encoder_id, "dim": self.store.dim,
            "groups": groups, "scopes": scopes, "engine": f"pgvector {self.version}", "generation_bytes": size,
            "outdated": self.store.count_outdated(),
        }  # fmt: skip

    def verify(self) -> list[str]:
        """Count against the store; return what is wrong, in words."""
        for _ in range(10):  # until nothing is written meanwhile
            self._catch_up()
            sequence, stored = self.store.sequence(), self.store.scope_sizes()
            per_scope = sa.select(self._points.c.scope, sa.func.count()).group_by(self._points.c.scope)
            with self.store.engine.connect() as connection:
                counted: dict[str, int] = dict(connection.execute(per_scope).all())
            if self.store.sequence() == sequence:
                there, held = sum(counted.values()), sum(stored.values())
                return [] if counted == stored else [f"{there} groups can be found, the store has {held}"]
        return []

    def rebuild(self) -> None:
        """Empty the table, read all that is committed, and build the graph anew."""
        with self.store.engine.begin() as connection:
            _lock(connection)
            connection.exec_driver_sql(f"DROP INDEX IF EXISTS {self._graph}")
            connection.execute(sa.delete(self._points))
            connection.execute(sa.update(_state).where(_state.c.encoder == self.store.encoder).values(seq=0))
        self._fill()

    def close(self) -> None:
        """Nothing runs in the background."""

    # Below: how

    def _make_tables(self) -> None:
        with self.store.engine.begin() as connection:
            _lock(connection)
            _state.create(connection, checkfirst=True)
            self._points.create(connection, checkfirst=True)
            begun = insert(_state).values(encoder=self.store.encoder, seq=0).on_conflict_do_nothing()
            connection.execute(begun)
        self._fill()

    def _fill(self) -> None:
        """Take in what there is, and only then build the graph: in one piece that is many times as fast."""
        self._catch_up()
        with self.store.engine.begin() as connection:
            _lock(connection)
            connection.exec_driver_sql(
                f"CREATE INDEX IF NOT EXISTS {self._graph} ON {self._points.name} USING hnsw (vector vector_ip_ops) "
                f"WITH (m = {M}, ef_construction = {EF_CONSTRUCTION}) WHERE scope = ''"
            )
            connection.exec_driver_sql(f"ANALYZE {self._points.name}")

    def _nearest(
        self, connection: sa.Connection, query: np.ndarray, k: int, scope: str, rival: str | None
    ) -> list[Candidate]:
        """The k nearest of one scope, leaving out groups for which a newer record of the scope `rival` stands.

        That is asked of each row that the graph proposes, by the table's key: a join would be made of all rows.
        """
        c, other = self._points.c, self._points.alias("other")
        where = sa.literal_column(f"{self._points.name}.scope = ''") if scope == PUBLIC else c.scope == scope
        nearest = sa.select(c.number, c.id, c.group, c.vector).where(where)
        if rival is not None:
            newer = sa.select(other.c.number).where(other.c.scope == rival, other.c.group == c.group)
            nearest = nearest.where(sa.func.coalesce(newer.scalar_subquery(), -1) < c.number)
        rows = connection.execute(nearest.order_by(c.vector.max_inner_product(query)).limit(k)).all()
        return [Candidate(number, id, group, _array(vector)) for number, id, group, vector in rows]

    def _catch_up(self) -> None:
        """Take in every change that was committed before this moment."""
        mine = sa.select(_state.c.seq).where(_state.c.encoder == self.store.encoder)
        both = sa.select(SEQUENCE.scalar_subquery(), mine.scalar_subquery())
        with self.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            sequence, seen = connection.execute(both).one()
        while seen < sequence:
            with self.store.engine.begin() as connection:
                _lock(connection)
                seen = connection.execute(mine).scalar_one()
                changes = self.store.changes(seen, _BATCH) if seen < sequence else []
                if changes:
                    self._take_in(connection, changes)
                seen = changes[-1].seq if changes else max(seen, sequence)
                connection.execute(sa.update(_state).where(_state.c.encoder == self.store.encoder).values(seq=seen))

    def _take_in(self, connection: sa.Connection, changes: list[RecordChange]) -> None:
        """Let each (scope, group) that may have another leader now have the one that the store names."""
        c = self._points.c
        numbers = [change.number for change in changes]
        keys: set[tuple[str, str]] = {
            (scope, change.group)
            for change in changes if change.group is not None
            for scope in (PUBLIC, change.owner) if scope is not None
        }  # fmt: skip
        led = sa.select(c.scope, c.group).where(c.number.in_(numbers))
        keys |= {(scope, group) for scope, group in connection.execute(led)}
        leaders = self.store.leaders(keys)
        gone = [{"s": scope, "g": group} for scope, group in keys - leaders.keys()]
        if gone:
            which = (c.scope == sa.bindparam("s"), c.group == sa.bindparam("g"))
            connection.execute(sa.delete(self._points).where(*which), gone)
        rows = list(_rows(leaders.values()))
        for start in range(0, len(rows), 500):
            self._write(connection, rows[start : start + 500])

    def _write(self, connection: sa.Connection, rows: list[dict[str, object]]) -> None:
        new = insert(self._points).values(rows)
        values = {name: new.excluded[name] for name in ("number", "id", "vector")}
        connection.execute(new.on_conflict_do_update(index_elements=["scope", "group"], set_=values))


_metadata = sa.MetaData()
_state = sa.Table(
    "prompt_points",
    _metadata,
    sa.Column("encoder", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("seq", sa.BigInteger, nullable=False),  # every change of the store up to here is in
)


def _table(name: str, dim: int) -> sa.Table:
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column("scope", sa.Text, primary_key=True),  # PUBLIC or the owner
        sa.Column("group", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False, index=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("vector", VECTOR(dim), nullable=False),
    )


def _rows(leaders: Iterable[Leader]) -> Iterator[dict[str, object]]:
    for leader in leaders:
        yield {"scope": leader.scope, "group": leader.group, "number": leader.number, "id": leader.id,
               "vector": leader.vector}  # fmt: skip


def _array(vector: object) -> np.ndarray:
    return np.asarray(vector, dtype=np.float32)


def _lock(connection: sa.Connection) -> None:
    """Until the end of the transaction; readers are not kept waiting."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")


def _require_extension(engine: sa.Engine) -> str:
    """The version of the extension, created where this user may. Raises ValueError with the cure."""
    found = sa.text("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    with engine.connect() as connection:
        version = connection.execute(found).scalar_one_or_none()
    if version is None:
        try:
            with engine.begin() as connection:
                _lock(connection)
                connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS vector")
                version = connection.execute(found).scalar_one()
        except DBAPIError as error:
            raise ValueError(
                "the database has no extension vector: install pgvector beside PostgreSQL and run CREATE EXTENSION "
                f"vector as its superuser, or leave INDEX_URL empty ({str(error.orig).splitlines()[0]})"
            ) from error
    numbers = tuple(int(part) for part in str(version).split(".")[:2])
    if numbers < LEAST_VERSION:
        raise ValueError(f"pgvector is {version}: it must be {'.'.join(map(str, LEAST_VERSION))} or newer")
    return str(version)

"""The three tables of the index in the service's database, made where they are absent."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

metadata = sa.MetaData()
Count = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite numbers rows only in INTEGER columns

counter = sa.Table(
    "prompt_index",
    metadata,
    sa.Column("seq", Count, nullable=False),
    sa.Column("store_id", sa.Text, nullable=False),
    sa.Column("key", sa.Integer, primary_key=True, autoincrement=False),
)
encoders = sa.Table(
    "prompt_encoders",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("encoder_id", sa.Text, nullable=False, unique=True),
    sa.Column("dim", sa.Integer, nullable=False),
)
prompts = sa.Table(
    "prompt_vectors",
    metadata,
    sa.Column("number", Count, primary_key=True),  # grows with every new id: a group's newest is highest
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("seq", Count, nullable=False, unique=True),  # grows with every change
    sa.Column("encoder", sa.Integer),  # NULL once removed, like all that follow
    sa.Column("scope", sa.Text),  # PUBLIC or the owner
    sa.Column("group", sa.Text),
    sa.Column("owner", sa.Text),
    sa.Column("vector", sa.LargeBinary),  # dim × float32, little-endian, length 1
    sa.Index("prompt_vectors_leaders", "encoder", "scope", "group", "number"),
    sqlite_autoincrement=True,
)

SEQUENCE = sa.select(counter.c.seq)


def create_tables(engine: sa.Engine) -> None:
    """Make the tables and the counter row where they are absent; safe while another process does the same."""
    try:
        metadata.create_all(engine)
    except (IntegrityError, OperationalError, ProgrammingError):  # another process was quicker (PostgreSQL says so by
        metadata.create_all(engine)  # its catalogue's own unique constraint), or there is no database
    with engine.connect() as connection:
        empty = connection.execute(SEQUENCE).one_or_none() is None
    if empty:
        insert_once(engine, sa.insert(counter).values(key=1, seq=0, store_id=uuid.uuid4().hex))


def newest_encoder(engine: sa.Engine) -> tuple[int, str]:
    """Return (dim, encoder_id) of the encoder registered last. Raises ValueError for an empty store."""
    create_tables(engine)
    statement = sa.select(encoders.c.dim, encoders.c.encoder_id).order_by(encoders.c.number.desc()).limit(1)
    with engine.connect() as connection:
        row = connection.execute(statement).one_or_none()
    if row is None:
        raise ValueError("this database holds no prompt index yet: the studio makes it when it starts")
    return row.dim, row.encoder_id


def insert_once(engine: sa.Engine, statement: sa.Insert) -> None:
    try:
        with engine.begin() as connection:
            connection.execute(statement)
    except IntegrityError:
        pass  # another process was quicker, with the same row

"""The database: one engine, short sessions, writers that take turns.

SQLite runs with WAL, synchronous=FULL (a 202 survives `kill -9`), secure_delete (freed pages are overwritten) and
BEGIN IMMEDIATE for writers, so that no transaction fails half way because another one wrote first.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from demo.store.settings import Settings

logger = logging.getLogger(__name__)

HEAD = "0005"  # the newest revision in migrations/versions
BUSY_MILLISECONDS = 5000  # how long a writer waits for its turn
MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """Sessions for reading and for writing over one engine."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self._writers = self.engine.execution_options(begin="IMMEDIATE")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment of the database."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes commit together at the end, or not at all."""
        with Session(self._writers, expire_on_commit=False) as session, session.begin():
            yield session

    def revision(self) -> str | None:
        """The migration that the database is at; None for an empty one."""
        try:
            with self.engine.connect() as connection:
                return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        except (OperationalError, ProgrammingError):
            return None

    def checkpoint(self) -> None:
        """Move SQLite's write-ahead log into the file and empty it, so that deleted rows stay nowhere."""
        if self.engine.dialect.name == "sqlite":
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self.engine.dispose()


def open_database(settings: Settings) -> Database:
    """Open the database, creating or upgrading it first; several processes may do so at once."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.sqlalchemy_url)
    if database.revision() != HEAD:
        with (settings.data_dir / "migration.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if database.revision() != HEAD:
                upgrade(database)
    return database


def upgrade(database: Database) -> None:
    """Run the migrations up to the newest revision."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    logger.info("database is at revision %s", HEAD)


def _engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, pool_size=16, max_overflow=48, pool_pre_ping=True, hide_parameters=True)
    engine = create_engine(url, pool_size=16, max_overflow=96, pool_timeout=10, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: object, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is ours: see _begin_sqlite
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    mode = connection.get_execution_options().get("begin", "DEFERRED")
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql(f"BEGIN {mode}")

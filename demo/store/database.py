"""The database: one engine, short sessions, writers that take turns, and whether it is sound.

SQLite runs with WAL, synchronous=FULL (a 202 survives `kill -9`), secure_delete (freed pages are overwritten) and
BEGIN IMMEDIATE for writers, so that no transaction fails half way because another one wrote first. A file that was
deleted or replaced under a running process is noticed before the next commit: what was written to it would be lost.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError, OperationalError, ProgrammingError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from demo.store.errors import ServiceError, from_failure
from demo.store.settings import Settings

logger = logging.getLogger(__name__)

HEAD = "0012"  # the newest revision in migrations/versions
BUSY_MILLISECONDS = 5000  # how long a writer waits for its turn
LOOK_SECONDS = 0.002  # how often it looks meanwhile
MIGRATIONS = Path(__file__).parent / "migrations"
LOCKS = {"migration": 0x6772_6A77, "starter": 0x6772_6A78}  # of PostgreSQL's advisory locks: numbers of ours alone
IDLE_SECONDS = 1.0  # a connection to PostgreSQL that rested for so long is asked whether it lives
IDLE_IN_TRANSACTION_SECONDS = 60  # of a process that hangs: no transaction waits for anything but the database
VANISHED_SECONDS, CONNECT_SECONDS = 30, 10
AUTOCOMMIT = {"isolation_level": "AUTOCOMMIT"}
BACKUPS = "backups"
NEWS = "news"  # in a session's `info`: what it commits is to be told to other processes (`Database.tell`)
OWN = ("studio.sqlite*", "files", "index", BACKUPS, "secret_key", "admin_token", "*.lock", "reserve")


class Database:
    """Sessions for reading and for writing over one engine."""

    def __init__(self, url: str | URL) -> None:
        self.engine = _engine(make_url(url))
        self._writers = self.engine.execution_options(begin="IMMEDIATE")
        sqlite = self.engine.dialect.name == "sqlite"
        self._lookers = self.engine.execution_options(**{"begin": "NONE"} if sqlite else AUTOCOMMIT)
        name = self.engine.url.database if self.engine.dialect.name == "sqlite" else None
        self.path = Path(name) if name and name != ":memory:" else None
        self._file: tuple[int, int] | None = None  # device and inode of the file when it was first used
        self.tell: Callable[[], None] = lambda: None  # called after a commit that holds NEWS
        self.damage: str | None = None  # what the last check of the whole file found: nothing is written then

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment of the database."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def look(self) -> Iterator[Session]:
        """A session for one query, which needs no BEGIN and no end: half the calls into SQLite of `read`, and a
        third of the round trips to PostgreSQL.

        Each query of it sees a moment of its own. A thread gives up the interpreter's lock at every call.
        """
        with Session(self._lookers, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes commit together at the end, or not at all. Raises ServiceError database_damaged."""
        with Session(self._writers, expire_on_commit=False) as session:
            with session.begin():
                yield session
                self.require_sound()
            if session.info.get(NEWS):
                self.tell()

    def require_sound(self) -> None:
        """Raise ServiceError database_damaged where what is written now may be lost."""
        if self.lost():
            raise ServiceError("database_damaged", detail="its file was deleted or replaced")
        if self.damage:
            raise ServiceError("database_damaged", detail=self.damage)

    def lost(self) -> bool:
        """Whether the file was deleted or replaced since it was opened: nothing written now would be kept."""
        if self.path is None:
            return False
        try:
            found = self.path.stat()
        except OSError:
            return self._file is not None
        self._file = self._file or (found.st_dev, found.st_ino)
        return self._file != (found.st_dev, found.st_ino)

    def replaced(self) -> bool:
        """Whether another file lies in the place of the one that was opened: a process that starts anew can use it."""
        return self.lost() and self.path is not None and self.path.exists()

    def touch(self, others: Collection[str] = ()) -> None:
        """Read a row of every table. Raises ServiceError database_damaged, SQLAlchemyError.

        `others`: tables beside those of this room that must be there.
        """
        from demo.store.tables import Base

        self.require_sound()
        with self.engine.connect() as connection:
            names = set(inspect(connection).get_table_names())
            if missing := sorted({*Base.metadata.tables, *others} - names):
                raise ServiceError("database_damaged", detail=f"it has no table {missing[0]}")
            quote = connection.dialect.identifier_preparer.quote
            for name in sorted(names):
                connection.exec_driver_sql(f"SELECT * FROM {quote(name)} LIMIT 1").all()

    def problem(self) -> str | None:
        """What SQLite's own check finds wrong in the whole file, in words; None when it is sound (or PostgreSQL)."""
        if self.path is None:
            return None
        try:  # by a connection of its own: those of the pool have read pages before, and would not read them again
            with contextlib.closing(sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=rw", uri=True)) as connection:
                found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.DatabaseError as error:
            found = str(error)
        return None if found == "ok" else found

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

    def copy(self, target: Path) -> None:
        """Write a consistent copy of a SQLite database while others use it. Raises ValueError, OSError."""
        if self.engine.dialect.name != "sqlite":
            raise ValueError(f"a copy of {self.engine.dialect.name} is made by its own tools (pg_dump)")
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.touch(mode=0o600, exist_ok=False)
        with self.engine.connect() as connection, contextlib.closing(sqlite3.connect(target)) as copy:
            _driver(connection).backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
            found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise ServiceError("database_damaged", detail=found)

    def close(self) -> None:
        self.engine.dispose()


def open_database(settings: Settings) -> Database:
    """Open the database, creating or upgrading it first; several processes may do so at once.

    Raises ServiceError database_damaged with what is wrong.
    """
    secure_folder(settings.data_dir)
    database = Database(settings.sqlalchemy_url)
    try:
        if _is_behind(database):
            with one_at_a_time(database, settings.data_dir, "migration"):
                if _is_behind(database):
                    _upgrade_with_backup(database, settings.data_dir)
        database.touch()
    except BaseException as error:
        database.close()
        known = from_failure(error)
        if known is not None and known.code == "database_damaged" and known is not error:
            raise known from error
        raise
    return database


def _is_behind(database: Database) -> bool:
    """Whether migrations are to be run. A newer version may have run more: they add only, so this one goes on."""
    revision = database.revision()
    if revision is not None and revision > HEAD:
        logger.warning(
            "the database is at revision %s, this version knows %s: upgrade this process too", revision, HEAD
        )
        return False
    return revision != HEAD


def upgrade(database: Database) -> None:
    """Run the migrations up to the newest revision."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    logger.info("database is at revision %s", HEAD)


def secure_folder(folder: Path) -> None:
    """Make a data folder, or an existing one, for its user alone: 0700, and 0600 for what is the studio's in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077 == 0:
        return
    try:
        folder.chmod(0o700)
        for path in (path for own in OWN for top in folder.glob(own) for path in (top, *top.rglob("*"))):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o700)
        logger.info("%s is now for its user alone (0700)", folder)
    except OSError as error:
        logger.warning("%s can be read by other users of this machine: %s", folder, error)


@contextmanager
def one_at_a_time(database: Database, folder: Path, what: str) -> Iterator[None]:
    """Let one process do something of LOCKS: by PostgreSQL's advisory lock, which other hosts see, else a file's."""
    if database.engine.dialect.name == "postgresql":
        with database.engine.connect() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({LOCKS[what]})")
            connection.commit()
            try:
                yield
            finally:
                connection.exec_driver_sql(f"SELECT pg_advisory_unlock({LOCKS[what]})")
        return
    with (folder / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _upgrade_with_backup(database: Database, folder: Path) -> None:
    """Keep a copy of a database that has something to lose, then upgrade it."""
    if database.path is not None and (before := database.revision()) is not None:
        copy = folder / BACKUPS / f"{time.strftime('%Y%m%dT%H%M%S')}-before-{HEAD}" / database.path.name
        database.copy(copy)
        logger.info("the database of revision %s is kept as %s", before, copy)
    upgrade(database)


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        watched = _watched(url) if url.get_driver_name() in ("psycopg", "psycopg2") else {}
        engine = create_engine(url, pool_size=16, max_overflow=48, hide_parameters=True, connect_args=watched)
        event.listen(engine, "checkin", _note_use)
        event.listen(engine, "checkout", _ping_idle)
        return engine
    engine = create_engine(url, pool_size=16, max_overflow=96, pool_timeout=10, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _watched(url: URL) -> dict[str, str | int]:
    """Arguments of a connection to PostgreSQL. A process that hangs, or whose host vanishes, in the middle of a
    transaction would hold its locks, such as the turn of the queue, for hours: the server ends its session. A server
    that vanishes is noticed here.
    """
    idle, every, times = VANISHED_SECONDS // 2, VANISHED_SECONDS // 6, 3
    there = {"idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s", "tcp_keepalives_idle": idle,
             "tcp_keepalives_interval": every, "tcp_keepalives_count": times}  # fmt: skip
    given = url.query.get("options", "")
    options = [f"-c {name}={value}" for name, value in there.items()]
    return {
        "options": " ".join([*options, given if isinstance(given, str) else " ".join(given)]), "keepalives": 1,
        "keepalives_idle": idle, "keepalives_interval": every, "keepalives_count": times,
        "tcp_user_timeout": 1000 * VANISHED_SECONDS, "connect_timeout": CONNECT_SECONDS,
    }  # fmt: skip


def _note_use(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _ping_idle(connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Ask a connection that has rested whether it still lives; a ping before every query would double their number."""
    if time.monotonic() - record.info.get("used", time.monotonic()) < IDLE_SECONDS:
        return
    cursor = connection.cursor()
    try:
        cursor.execute("SELECT 1")
        cursor.close()
        connection.rollback()
    except Exception as error:
        raise DisconnectionError("the connection has gone") from error  # the pool opens another one


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is ours: see _begin_sqlite
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    mode = connection.get_execution_options().get("begin", "DEFERRED")
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return
    if mode == "NONE":
        return
    if mode == "IMMEDIATE" and _begun_at_once(connection):
        return
    connection.exec_driver_sql(f"BEGIN {mode}")


def _driver(connection: Connection) -> sqlite3.Connection:
    found = connection.connection.driver_connection
    assert isinstance(found, sqlite3.Connection)
    return found


def _begun_at_once(connection: Connection) -> bool:
    """Take the turn to write as soon as it is free; False where it cannot be had, for SQLite to say why.

    SQLite's own handler sleeps up to 100 ms between two looks, while others take turn after turn.
    """
    raw, ends = _driver(connection), time.monotonic() + BUSY_MILLISECONDS / 1000
    raw.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                raw.execute("BEGIN IMMEDIATE")
                return True
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > ends:
                    return False
            time.sleep(LOOK_SECONDS)
    finally:
        raw.execute(f"PRAGMA busy_timeout={1 if time.monotonic() > ends else BUSY_MILLISECONDS}")

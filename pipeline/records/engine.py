"""The database: opened, brought up to date, and written to in short exclusive transactions."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import alembic.command
import alembic.config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pipeline import faults
from pipeline.blobs.files import PRIVATE_FILE, make_folders
from pipeline.errors import Misconfigured, Unavailable
from pipeline.records.tables import now_ms

BUSY_SECONDS = 15
"""How long a SQLite writer waits for another; writes here take milliseconds, so this is a broken disk or a stuck peer."""
WAL_PAUSE_S = 0.01
POOL_KEPT, POOL_MOST, POOL_WAIT_SECONDS = 5, 20, 10.0
"""Connections of one process: five stay open; 20 serve 40 threads, since a transaction takes milliseconds."""
POSTGRESQL = {
    "connect_timeout": 5, "tcp_user_timeout": 15_000, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
    "options": "-c statement_timeout=15s -c lock_timeout=10s -c idle_in_transaction_session_timeout=30s -c timezone=UTC",
}
"""No call waits for ever, whether the server hangs, a lock is held, or the network swallows packets. See BUSY_SECONDS."""
PRIMARY_CODE = 0xFF
"""Of an extended result code, the byte that holds the primary one (sqlite.org/rescode.html)."""
DISK_FULL = "53100"
"""PostgreSQL's code (its manual, appendix A)."""
MIGRATIONS = Path(__file__).parent / "migrations"


def open_engine(url: str, password: str | None = None) -> Engine:
    """An engine for SQLite or PostgreSQL. Raises `Misconfigured` for a URL that is neither.

    password: of PostgreSQL, where the URL holds none.
    """
    parsed = make_url(url)
    kind = parsed.get_backend_name()
    if kind == "postgresql":
        return _open_postgresql(parsed if password is None else parsed.set(password=password))
    if kind != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise Misconfigured("the database must be sqlite:///PATH or postgresql+psycopg://…", code="bad_database_url")
    make_folders(Path(parsed.database).parent)
    Path(parsed.database).touch(mode=PRIVATE_FILE)  # its WAL takes the same mode
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    _TURNS[engine] = threading.Lock()
    return engine


def _open_postgresql(url: URL) -> Engine:
    """A pool that finds out by itself that the server was restarted: each connection is tried before it is used."""
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"), pool_pre_ping=True, hide_parameters=True, pool_size=POOL_KEPT,
        max_overflow=POOL_MOST - POOL_KEPT, pool_timeout=POOL_WAIT_SECONDS, connect_args=POSTGRESQL)
    event.listen(engine, "connect", _check_postgresql)
    return engine


def _check_postgresql(connection: Any, _record: Any) -> None:
    """A commit that returned is on the disk, or nothing here may start."""
    settings = "SELECT current_setting('fsync'), current_setting('synchronous_commit'), current_setting('full_page_writes')"
    with connection.cursor() as cursor:
        found = cursor.execute(settings).fetchone()
    connection.rollback()
    if found[0] != "on" or found[1] == "off" or found[2] != "on":
        raise Misconfigured("PostgreSQL must run with fsync and full_page_writes on, and synchronous_commit not off",
                            code="postgresql_not_durable")


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    """WAL with synchronous=FULL: NORMAL may lose a commit that was acknowledged when power fails. Asserted, not hoped."""
    connection.isolation_level = None  # transactions are begun by us, see _begin_sqlite
    _turn_to_wal(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")  # a destroyed key does not stay in a free page
    found = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")}
    if found != {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}:
        raise Misconfigured(f"SQLite here does not keep its promises: {found}", code="sqlite_not_durable")


def _turn_to_wal(connection: sqlite3.Connection) -> None:
    """Several processes may start on a new database at once, and SQLite does not wait for another that turns it to WAL: it says
    locked at once. So the waiting is done here. Raises sqlite3's `OperationalError` after `BUSY_SECONDS`."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & PRIMARY_CODE != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(WAL_PAUSE_S)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock at once: a transaction that reads first and writes later could not be retried by waiting."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


_TURNS: WeakKeyDictionary[Engine, threading.Lock] = WeakKeyDictionary()
"""SQLite writes one at a time; who finds it busy sleeps and looks again, in no order. Threads of one process take turns here."""


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that writes: committed at the end, rolled back by any exception. Raises `Unavailable`."""
    with _TURNS.get(engine, nullcontext()), _translated(), engine.connect().execution_options(writes=True) as connection:
        with connection.begin():
            yield connection
            faults.point("commit.before")
        faults.point("commit.after")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent read, whatever is committed meanwhile. Raises `Unavailable` if the database does not answer."""
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if engine.dialect.name == "postgresql" else {}
    with _translated(), engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("no connection became free", code="database_unavailable") from error
    except DBAPIError as error:
        if error.connection_invalidated or isinstance(error, OperationalError | InterfaceError):
            raise Unavailable(f"no answer: {type(error.orig).__name__}",
                              code="storage_full" if _is_full(error.orig) else "database_unavailable") from error
        raise


def _is_full(error: BaseException | None) -> bool:
    """Whether the database says that its disk has no room."""
    return getattr(error, "sqlstate", None) == DISK_FULL or getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def database_now(engine: Engine) -> int:
    """Milliseconds since 1970 by the database's clock."""
    with reading(engine) as connection:
        return int(connection.execute(select(now_ms())).scalar_one())


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest revision. Safe to call at every start and from several processes at once.

    Tables newer than this code are left as they are: migrations only add, so that the former version goes on beside the next.
    """
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL statement_timeout = 0"))  # a migration takes what it takes
            connection.execute(text("SELECT pg_advisory_xact_lock(4711)"))  # any constant: one migration at a time
        if not _state(connection).ahead:
            alembic.command.upgrade(_configuration(connection), "head")


@dataclass(frozen=True, slots=True)
class SchemaState:
    """The tables' revision (None: no tables yet), the newest that this code knows, and how the two stand."""

    found: str | None
    newest: str | None
    behind: bool
    ahead: bool


def schema_state(engine: Engine) -> SchemaState:
    """How the tables stand to this code. Raises `Unavailable`."""
    with reading(engine) as connection:
        return _state(connection)


def _state(connection: Connection) -> SchemaState:
    scripts = ScriptDirectory.from_config(_configuration(connection))
    found, newest = MigrationContext.configure(connection).get_current_revision(), scripts.get_current_head()
    ahead = found is not None and found not in {script.revision for script in scripts.walk_revisions()}
    return SchemaState(found, newest, behind=found != newest and not ahead, ahead=ahead)


def pending_changes(engine: Engine) -> None:
    """Raises alembic's `AutogenerateDiffsDetected` where `tables` says more or less than the migrations make."""
    with writing(engine) as connection:
        alembic.command.check(_configuration(connection))


def _configuration(connection: Connection) -> alembic.config.Config:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config

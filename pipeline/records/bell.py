"""Waiting for what others commit, without asking for rows: an idle service costs little, and work is seen at once.

SQLite counts commits (`PRAGMA data_version`: some microseconds, no lock); PostgreSQL tells whoever listens. Neither is relied
upon: who waits looks by itself after a while, since leases end and waits are over without any commit.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import psycopg
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

FIRST_LOOK, LAST_LOOK, SLOWER = 0.02, 0.1, 1.2
"""Seconds between two looks at the count of commits, which grow by a fifth each time while nothing comes: to wake up costs more
than to look."""
STOP_SECONDS = 0.5
"""How soon a listener of PostgreSQL sees that it is to stop."""


class Channel(StrEnum):
    """What PostgreSQL is listened to for."""

    JOBS = "apoyo_jobs"
    EVENTS = "apoyo_events"


class Bell(Protocol):
    """Not thread-safe. `arm` before you look for work, `wait` when you found none: what came between them is not missed."""

    def arm(self) -> None: ...

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Until something may have come, `stop` is set, or so many seconds are over."""
        ...


def bell_of(engine: Engine, channel: Channel) -> Bell:
    """Opens nothing before it is armed."""
    return _Listener(engine, channel) if engine.dialect.name == "postgresql" else _CommitCounter(engine)


def ring(connection: Connection, channel: Channel) -> None:
    """Within the caller's transaction: tells those who listen once it is committed. SQLite's commits are counted anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(_NOTIFY, {"channel": channel.value})


_NOTIFY = text("SELECT pg_notify(:channel, '')")


class _CommitCounter:
    """SQLite: by a connection of its own, which no transaction is ever begun on."""

    def __init__(self, engine: Engine) -> None:
        self._file = Path(engine.url.database or "").absolute().as_uri()
        self._connection: sqlite3.Connection | None = None
        self._seen, self._pause = 0, FIRST_LOOK

    def arm(self) -> None:
        self._seen = self._version()

    def wait(self, stop: threading.Event, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if stop.wait(min(self._pause, left)):
                return
            if self._version() != self._seen:
                self._pause = FIRST_LOOK
                return
            self._pause = min(self._pause * SLOWER, LAST_LOOK)

    def _version(self) -> int:
        """Where the database does not answer it is the same as before: the look for work that follows says why."""
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(f"{self._file}?mode=ro", uri=True, check_same_thread=False,
                                                   isolation_level=None)
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            return self._seen


class _Listener:
    """PostgreSQL: LISTEN on a connection of its own, outside the pool; made anew where it broke."""

    def __init__(self, engine: Engine, channel: Channel) -> None:
        self._engine, self._channel = engine, channel
        self._connection: psycopg.Connection[Any] | None = None

    def arm(self) -> None:
        """What was told before is forgotten: the look for work that follows sees it."""
        try:
            if self._connection is None:
                self._connection = self._listen()
            for _ in self._connection.notifies(timeout=0):
                continue
        except (psycopg.Error, DBAPIError, PoolTimeout):
            self._drop()

    def wait(self, stop: threading.Event, seconds: float) -> None:
        step = min(seconds, STOP_SECONDS)
        for _ in range(max(1, round(seconds / step))):
            if stop.is_set():
                return
            try:
                if self._connection is None:
                    stop.wait(step)
                elif list(self._connection.notifies(timeout=step, stop_after=1)):
                    return
            except psycopg.Error:
                self._drop()
                return

    def _listen(self) -> psycopg.Connection[Any]:
        pooled = self._engine.raw_connection()
        connection = pooled.driver_connection
        pooled.detach()
        if not isinstance(connection, psycopg.Connection):
            raise TypeError("the engine's driver is not psycopg")
        connection.autocommit = True
        connection.execute(f"LISTEN {self._channel.value}")
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
        self._connection = None

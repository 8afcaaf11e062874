"""Settings of an empty storage on each pair."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.chaos.servers import PostgreSQL, S3Server, bucket_of
from pipeline.records.engine import open_engine, upgrade
from pipeline.settings import StorageSettings

PAIRS = ("sqlite+folder", "postgresql+s3")
EMPTY, MIGRATED = "template1", "migrated"
"""What a new PostgreSQL database is a copy of: to copy the tables is quicker than to make them for each test."""


def make_template(postgresql: PostgreSQL) -> None:
    with postgresql.connect() as connection:
        connection.execute(f"CREATE DATABASE {MIGRATED}")
    engine = open_engine(postgresql.url(MIGRATED), postgresql.password_file.read_text())
    upgrade(engine)
    engine.dispose()


@contextmanager
def settings_of(folder: Path, servers: tuple[PostgreSQL, S3Server] | None = None, *,
                template: str = MIGRATED) -> Iterator[StorageSettings]:
    """Of a new SQLite and folder in `folder`, or of a new database and an emptied bucket of these servers."""
    if servers is None:
        yield StorageSettings(data_dir=folder)
        return
    postgresql, s3 = servers
    s3.empty()
    with postgresql.database(template) as url:
        yield StorageSettings(data_dir=folder, database_url=url, **server_settings(postgresql, s3))


def server_settings(postgresql: PostgreSQL, s3: S3Server) -> dict[str, object]:
    return {"database_password_file": postgresql.password_file, **bucket_of(s3)}

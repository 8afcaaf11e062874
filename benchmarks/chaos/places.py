"""The two pairs of storage: how the service is told of them, how the checker reads them, and what can be done to them."""

from __future__ import annotations

import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from psycopg.conninfo import make_conninfo

from benchmarks.chaos.checker import Database, Objects
from benchmarks.chaos.nemesis import Nemesis
from benchmarks.chaos.reads import FolderObjects, PostgresRows, S3Objects, SqliteRows
from benchmarks.chaos.servers import BUCKET, USER, PostgreSQL, S3Server
from pipeline.settings import StorageSettings

PAIRS = ("sqlite+folder", "postgresql+s3")


class Place(ABC):
    """Empty storage of one pair."""

    pair: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def settings(self) -> StorageSettings: ...

    @abstractmethod
    def database(self) -> Database: ...

    @abstractmethod
    def objects(self) -> Objects: ...

    @abstractmethod
    def at_rest(self) -> tuple[Path, ...]:
        """The folders in which everything lies that was stored or logged."""


class Embedded(Place):
    pair = "sqlite+folder"

    def settings(self) -> StorageSettings:
        return StorageSettings(data_dir=self.folder / "var")

    def database(self) -> Database:
        return SqliteRows(self.folder / "var" / "apoyo.sqlite3")

    def objects(self) -> Objects:
        return FolderObjects(self.folder / "var" / "blobs")

    def at_rest(self) -> tuple[Path, ...]:
        return (self.folder,)


class Servers(Place):
    """Through a proxy to the store, so that it may misbehave; the checker reads past it."""

    pair = "postgresql+s3"

    def __init__(self, folder: Path, url: str, postgresql: PostgreSQL, s3: S3Server, nemesis: Nemesis) -> None:
        super().__init__(folder)
        self._url, self.postgresql, self.s3, self.nemesis = url, postgresql, s3, nemesis
        self.name = url.rpartition("/")[2]

    def settings(self) -> StorageSettings:
        values: dict[str, Any] = {
            "data_dir": self.folder / "var", "database_url": self._url, "database_password_file": self.postgresql.password_file,
            "s3_endpoint": self.nemesis.endpoint, "s3_bucket": BUCKET, "s3_access_key_file": self.s3.access_key_file,
            "s3_secret_key_file": self.s3.secret_key_file}
        return StorageSettings(**values)

    def database(self) -> Database:
        return PostgresRows(make_conninfo(host="127.0.0.1", port=self.postgresql.port, user=USER, dbname=self.name,
                                          password=self.postgresql.password_file.read_text()))

    def objects(self) -> Objects:
        return S3Objects(self.s3.client(), BUCKET)

    def at_rest(self) -> tuple[Path, ...]:
        return self.folder, self.postgresql.folder, self.s3.folder


@contextmanager
def running_servers(pair: str) -> Iterator[tuple[PostgreSQL, S3Server] | None]:
    """The servers that a pair needs, for as many places as are wanted."""
    if pair == Embedded.pair:
        yield None
        return
    with PostgreSQL() as postgresql, S3Server() as s3:
        yield postgresql, s3


@contextmanager
def empty_place(servers: tuple[PostgreSQL, S3Server] | None, seed: int = 0, keep: Path | None = None) -> Iterator[Place]:
    """Storage that holds nothing, while the block runs. keep: a new folder for its files, which then stay."""
    folder = Path(tempfile.mkdtemp(prefix="apoyo-chaos-")) if keep is None else keep
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if servers is None:
            yield Embedded(folder)
            return
        postgresql, s3 = servers
        s3.empty()
        with postgresql.database() as url, Nemesis(s3.port, seed) as nemesis:
            yield Servers(folder, url, postgresql, s3, nemesis)
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)

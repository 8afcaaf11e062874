"""How the checker reads what is stored: straight from the database and the store. Imports nothing of ours."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from minio import Minio
from minio.error import S3Error


@dataclass(frozen=True, slots=True)
class SqliteRows:
    file: Path

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.file, timeout=30)) as connection:
            return connection.execute(query).fetchall()


@dataclass(frozen=True, slots=True)
class PostgresRows:
    conninfo: str = field(repr=False)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.conninfo, connect_timeout=10) as connection:
            return connection.execute(query.encode()).fetchall()


@dataclass(frozen=True, slots=True)
class FolderObjects:
    root: Path

    def get(self, key: str) -> bytes | None:
        file = self.root / key
        return file.read_bytes() if file.is_file() else None

    def replace(self, key: str, data: bytes) -> None:
        (self.root / key).write_bytes(data)


@dataclass(frozen=True, slots=True)
class S3Objects:
    client: Minio
    bucket: str

    def get(self, key: str) -> bytes | None:
        try:
            answer = self.client.get_object(self.bucket, key)
        except S3Error as error:
            if error.code == "NoSuchKey":
                return None
            raise
        try:
            return answer.read()
        finally:
            answer.close()

    def replace(self, key: str, data: bytes) -> None:
        self.client.put_object(self.bucket, key, io.BytesIO(data), len(data))

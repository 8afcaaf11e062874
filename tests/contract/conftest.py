"""The pairs of storage that every contract runs through: SQLite with a folder, PostgreSQL with an S3 server; both real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos.servers import PostgreSQL, S3Server
from pipeline.settings import StorageSettings
from tests.pairs import PAIRS, settings_of


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorageSettings]:
    """Where an empty storage of the pair is to be opened."""
    servers: tuple[PostgreSQL, S3Server] | None = None
    if request.param != "sqlite+folder":
        servers = request.getfixturevalue("postgresql"), request.getfixturevalue("s3")
    with settings_of(tmp_path, servers) as settings:
        yield settings

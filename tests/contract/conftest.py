"""The pairs of storage that every contract runs through: SQLite with a folder, PostgreSQL with an S3 server; both real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos.servers import PostgreSQL, S3Server
from pipeline.settings import StorageSettings
from tests.pairs import EMPTY, PAIRS, settings_of


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorageSettings]:
    """Where an empty storage of the pair is to be opened."""
    with settings_of(tmp_path, _servers(request)) as settings:
        yield settings


@pytest.fixture(params=PAIRS)
def bare_pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorageSettings]:
    """The same, without any table."""
    with settings_of(tmp_path, _servers(request), template=EMPTY) as settings:
        yield settings


def _servers(request: pytest.FixtureRequest) -> tuple[PostgreSQL, S3Server] | None:
    if request.param == "sqlite+folder":
        return None
    return request.getfixturevalue("postgresql"), request.getfixturevalue("s3")

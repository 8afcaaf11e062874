"""The pairs of storage that every contract runs through: SQLite with a folder, PostgreSQL with an S3 server; both real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos.servers import PostgreSQL, S3Server
from pipeline.records.storage import Storage
from pipeline.settings import StorageSettings
from tests.contract.record_makers import client_in, storage_in
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


@pytest.fixture
def storage(pair: StorageSettings) -> Iterator[Storage]:
    """An empty storage of the pair."""
    opened = storage_in(pair)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def client(storage: Storage) -> str:
    """A client in it."""
    return client_in(storage.engine)

"""What every room of tests shares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos.servers import PostgreSQL, S3Server
from tests.pairs import make_template
from tests.specimens import draw_cases


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Drawn supports by case; see tests/specimens.py."""
    return draw_cases(tmp_path_factory.mktemp("specimens"))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        make_template(server)
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server

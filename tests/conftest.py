"""What every room of tests shares."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.specimens import draw_cases


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Drawn supports by case; see tests/specimens.py."""
    return draw_cases(tmp_path_factory.mktemp("specimens"))

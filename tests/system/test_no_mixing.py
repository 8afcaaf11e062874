"""Nothing of one citizen is in another's result: the same supports in one process, in two orders, some of them damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.system.test_verify import apoyo

pytestmark = pytest.mark.system
NOT_COMPARED = ("timings_ms", "received_at", "id")
"""What differs from run to run by itself."""


def holed(photo: bytes) -> bytes:
    """Zeros in the midst of what is coded: it still begins and ends as a JPEG does. (Some decoders fill such holes with what they
    decoded before.)"""
    middle = len(photo) // 2
    return photo[:middle] + bytes(2_000) + photo[middle + 2_000:]


@pytest.fixture
def folders(cases: dict[str, Path], tmp_path: Path) -> list[Path]:
    """Two citizens, and a third whose front and selfie have holes."""
    damaged = tmp_path / "0097-damaged-X"
    shutil.copytree(cases["other_face"], damaged)
    for name in ("front", "selfie"):
        photo = next(damaged.glob(f"{name}.*"))
        photo.write_bytes(holed(photo.read_bytes()))
    return [cases["good"], damaged, cases["no_signature"]]


def results(folders: list[Path]) -> dict[str, dict[str, Any]]:
    lines = apoyo("verify", *folders, "--jsonl").stdout.splitlines()
    told = {Path(one["source"]).name: one for one in map(json.loads, lines)}
    return {name: {key: value for key, value in one.items() if key not in NOT_COMPARED} for name, one in told.items()}


def test_a_result_does_not_depend_on_who_came_before(folders: list[Path]) -> None:
    one_way, other_way = results(folders), results(folders[::-1])
    assert len(one_way) == len(folders)
    for name, result in one_way.items():
        assert json.dumps(result, sort_keys=True) == json.dumps(other_way[name], sort_keys=True), name
    assert one_way["0097-damaged-X"].get("verdict") != "accepted"

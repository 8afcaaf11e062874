"""The service (HTTP, storage, a Ray actor) and `apoyo verify` (one process) answer the same to the same four pictures."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.registry import load_calibration
from pipeline.cli.serve import running_service
from pipeline.cli.verify import Desk
from pipeline.domain.plan import Place
from pipeline.domain.process import DEMO_PROCESS
from pipeline.settings import Settings
from pipeline.wiring import local_networks

COMPARED = ("good", "other_face", "blurred_back")
OWN = ("id", "source", "received_at", "timings_ms", "checks", "reuse")
"""What belongs to the way, not to the answer; checks are compared apart."""


@pytest.fixture(scope="module", params=Place)
def served(cases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory,
           request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """Each compared case, sent over HTTP and judged by a worker whose networks are its own, or a server's."""
    root = tmp_path_factory.mktemp("service")
    settings = Settings.model_validate({"storage": {"data_dir": root / "var"}, "api": {"port": 0}, "worker": {"count": 1},
                                        "networks": {"place": request.param}})
    with running_service(settings, log_file=root / "service.log") as service:
        headers = {"Authorization": f"Bearer {service.secret}"}
        with httpx.Client(base_url=service.url, headers=headers, timeout=30) as client:
            places = {case: send(client, cases[case]) for case in COMPARED}
            return {case: wait_for(client, place) for case, place in places.items()}


def send(client: httpx.Client, folder: Path) -> str:
    parts = {path.stem: (path.name, path.read_bytes()) for path in folder.iterdir() if path.suffix in (".jpg", ".png")}
    types = {".jpg": "image/jpeg", ".png": "image/png"}
    files = {name: (*part, types[Path(part[0]).suffix]) for name, part in parts.items()}
    answer = client.post("/v1/supports", files=files, data={"support": (folder / "support.json").read_text()},
                         headers={"Idempotency-Key": folder.name})
    assert answer.status_code == 202, answer.text
    return str(answer.headers["Location"])


def wait_for(client: httpx.Client, place: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        resource: dict[str, Any] = client.get(place).raise_for_status().json()
        if resource["verdict"] is not None:
            return resource
        time.sleep(0.2)
    raise AssertionError(f"no verdict at {place}")


@pytest.mark.system
@pytest.mark.parametrize("case", COMPARED)
def test_the_service_and_the_command_line_agree(served: dict[str, dict[str, Any]], cases: dict[str, Path], case: str) -> None:
    local = Desk(DEMO_PROCESS, None, local_networks(), load_calibration()).judge(cases[case])
    local = json.loads(json.dumps(local))
    assert {key: served[case][key] for key in local if key not in OWN} == {
        key: value for key, value in local.items() if key not in OWN}
    assert by_picture(served[case]) == by_picture(local)


def by_picture(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """The checks that hang on the support alone: other supports to be found again in are the service's only."""
    return [check for check in resource["checks"] if not check["name"].startswith("reuse_")]

"""A server of networks that is killed costs supports time: they wait for the one that is started in its place."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
import pytest

from pipeline.cli.serve import running_service
from pipeline.settings import Settings
from tests.parity.test_plans import send, wait_for
from tests.system.processes import alive, processes_naming, until

pytestmark = pytest.mark.system
ACTOR = "ray::NetworkServer"


def servers(folder: Path) -> list[int]:
    return [int(line.split()[0]) for line in processes_naming(str(folder)) if ACTOR in line]


def test_supports_wait_for_a_server_that_was_killed(cases: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "var"
    settings = Settings.model_validate({"storage": {"data_dir": folder}, "api": {"port": 0}, "worker": {"count": 1},
                                        "networks": {"place": "remote"}})
    with (running_service(settings, log_file=tmp_path / "service.log") as service,
          httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {service.secret}"}, timeout=30) as client):
        assert wait_for(client, send(client, cases["good"]))["verdict"] == "accepted"
        (killed,) = servers(folder)
        os.kill(killed, signal.SIGKILL)
        until(lambda: not alive(killed))
        assert wait_for(client, send(client, cases["other_face"]))["verdict"] == "review"
        assert [pid for pid in servers(folder) if pid != killed]
    log = (tmp_path / "service.log").read_text()
    assert "networks_unavailable" in log or "actor ended" in log

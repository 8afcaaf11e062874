"""A Ray cluster that is there already: joined, grown with the backlog, left in peace; and two of them on one queue."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.support import State
from pipeline.settings import RaySettings, Settings, StorageSettings, WorkerSettings
from tests.system.processes import processes_naming, until
from tests.system.test_workers import Workers

pytestmark = pytest.mark.system
# Far longer than the second cluster needs to start: supports are held in hand meanwhile.
BOUNDS = {"lease_seconds": 2.0, "heartbeat_seconds": 0.5, "hard_deadline_seconds": 100.0}


@pytest.fixture(scope="module")
def cluster() -> Iterator[RaySettings]:
    """A head node on loopback with three CPUs and a token, as `ray start` makes one."""
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder, socket.socket() as probe:  # Ray's sockets need a short path
        token = Path(folder, "token")
        token.write_text(secrets.token_hex(32))
        token.chmod(0o600)
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
        probe.close()
        loopback = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
        os.environ.update(loopback)  # the driver's too
        head = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=3", "--include-dashboard=false",
             f"--port={address.rpartition(':')[2]}", "--node-ip-address=127.0.0.1", f"--temp-dir={folder}",
             f"--object-store-memory={80 << 20}"],
            env={**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), "PYTHONPATH": str(Path.cwd())},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: processes_naming(f"{folder}/session_") and Path(folder, "ray_current_cluster").exists())
            yield RaySettings(address=address, token_file=token)
        finally:
            for name in loopback:
                del os.environ[name]
            head.terminate()
            head.wait(30)
            until(lambda: not [line for line in processes_naming(folder) if "gcs_server" in line or "raylet" in line])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Workers]]:
    """Starts workers on one storage, each in a Ray of its own or a cluster's; ends those that a test left running."""
    started: list[Workers] = []

    def start_one(name: str, **settings: Any) -> Workers:
        started.append(Workers(Settings(storage=StorageSettings(data_dir=tmp_path / "var"), **settings), tmp_path / name))
        return started[-1]

    yield start_one
    for one in started:
        if one.process.poll() is None:
            one.flag("hold", False)
            one.stop()
        assert one.process.stdout is not None
        one.process.stdout.close()


JOIN = "import ray, sys; ray.init(address=sys.argv[1], log_to_driver=False, logging_level='ERROR'); print('inside')"


@pytest.mark.parametrize(("mode", "token", "inside"), [("token", "right", True), ("token", "wrong", False), ("disabled", None, False)])
def test_nobody_gets_into_a_cluster_without_its_token(
    cluster: RaySettings, tmp_path: Path, mode: str, token: str | None, inside: bool
) -> None:
    """As a driver, who could then run any code on its nodes."""
    assert cluster.token_file is not None
    wrong = tmp_path / "token"
    wrong.write_text(secrets.token_hex(32))
    wrong.chmod(0o600)
    environment = {**os.environ, "RAY_AUTH_MODE": mode, "HOME": str(tmp_path)}
    if token is not None:
        environment["RAY_AUTH_TOKEN_PATH"] = str(cluster.token_file if token == "right" else wrong)
    done = subprocess.run([sys.executable, "-c", JOIN, str(cluster.address)], env=environment, capture_output=True, text=True,
                          check=False, timeout=120)
    assert ("inside" in done.stdout) is inside, done.stderr[-2000:]
    assert (done.returncode == 0) is inside


def test_the_backlog_brings_workers_up_and_the_next_cluster_takes_over(
    cluster: RaySettings, start: Callable[..., Workers]
) -> None:
    """Blue is a cluster that is joined, green a node of its own: both on one queue; blue drains while supports are in hand."""
    blue = start("blue", ray=cluster, worker=WorkerSettings(count=1, max_count=3, **BOUNDS))
    blue.flag("hold", True)
    ids = [blue.submit() for _ in range(24)]
    until(lambda: len({blue.held_by(support_id) for support_id in ids} - {None}) == 3)

    green = start("green", worker=WorkerSettings(count=1, **BOUNDS))
    blue.process.terminate()
    until(lambda: len({green.held_by(support_id) for support_id in ids} - {None}) == 4)
    blue.flag("hold", False)
    assert blue.process.wait(60) == 0
    assert any("raylet" in line for line in processes_naming(str(cluster.token_file))), "the cluster outlives who joined it"

    until(lambda: all(green.state(support_id) is State.ACCEPTED for support_id in ids))
    assert sorted(verdict_of for verdict_of, _, _ in green.verdicts()) == sorted(ids)
    assert {fence for _, fence, _ in green.verdicts()} == {1}, "what blue had in hand it finished"

"""The intake as a process of its own, on loopback, with its settings from the environment."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from benchmarks.security.served import wait_until_ready
from pipeline.settings import ApiSettings, Settings, StorageSettings, child_environment
from tests.contract.intake_makers import URL, files

pytestmark = pytest.mark.system
ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"


@contextmanager
def server(root: Path, **limits: int) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    """`python -m api` over `root`, ready, and a client that holds its secret."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = Settings(storage=StorageSettings.model_validate({"data_dir": root}), api=ApiSettings.model_validate({"port": port, **limits}))
    with (root / "log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "api"], cwd=ROOT, env=child_environment(settings), stderr=log)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
    try:
        wait_until_ready(client, process)
        client.headers["Authorization"] = f"Bearer {settings.storage.client_secret_file.read_text().strip()}"
        yield client, process
    finally:
        client.close()
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with server(tmp_path_factory.mktemp("served")) as (client, _):
        yield client


@pytest.mark.shared
@pytest.mark.skipif(not (SHARED / "manifest.json").is_file(), reason="../shared/data is not beside this checkout")
def test_each_shared_bad_input_gets_its_answer_as_front_and_as_signature(served: httpx.Client) -> None:
    wrong = []
    for entry in json.loads((SHARED / "manifest.json").read_text()):
        if entry["set"] != "bad_inputs":
            continue
        data, expected = (SHARED / entry["file"]).read_bytes(), entry["expect"]["answer"]
        for part in ("front", "signature"):
            answer = served.post(URL, headers={"Idempotency-Key": f"{part}-{entry['sha256']}"}, files=files(**{part: data}))
            accepted = answer.status_code == 202
            if not accepted:
                assert 400 <= answer.status_code < 500, entry["file"]
                assert answer.json()["part"] == part
            if expected not in ("either", "accept" if accepted else "reject"):
                wrong.append((entry["file"], part, expected, answer.status_code))
    assert wrong == []


def test_a_body_too_large_is_refused_and_the_server_goes_on(served: httpx.Client) -> None:
    form = {"Content-Type": "multipart/form-data; boundary=b", "Idempotency-Key": "large"}
    piece = b"--b\r\nContent-Disposition: form-data; name=\"front\"\r\n\r\n" + b"\x00" * (1 << 20)
    declared = served.post(URL, headers=form, content=b"\x00" * (40 << 20))
    assert (declared.status_code, declared.json()["code"]) == (413, "body_too_large")
    streamed = served.post(URL, headers=form, content=(part for part in [piece] + [b"\x00" * (1 << 20)] * 40))
    assert streamed.status_code == 413
    assert served.post(URL, headers={"Idempotency-Key": "small"}, files=files()).status_code == 202


def test_a_body_that_is_not_wanted_is_not_asked_for(served: httpx.Client) -> None:
    """Expect: 100-continue: the refusal comes instead of the invitation to send."""
    with socket.create_connection((served.base_url.host, served.base_url.port), 10) as connection:
        connection.sendall(b"POST /v1/supports HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 99000000\r\n"
                           b"Content-Type: multipart/form-data; boundary=b\r\nIdempotency-Key: k\r\n"
                           + f"Authorization: {served.headers['Authorization']}\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_connection_that_breaks_midway_leaves_its_key_free(served: httpx.Client) -> None:
    with socket.create_connection((served.base_url.host, served.base_url.port), 10) as connection:
        connection.sendall(b"POST /v1/supports HTTP/1.1\r\nHost: test\r\nContent-Length: 5000\r\n"
                           b"Content-Type: multipart/form-data; boundary=b\r\nIdempotency-Key: broken\r\n"
                           + f"Authorization: {served.headers['Authorization']}\r\n\r\n--b\r\n".encode())
    deadline = time.monotonic() + 10
    while (answer := served.post(URL, headers={"Idempotency-Key": "broken"}, files=files())).status_code == 409:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert answer.status_code == 202


def test_what_was_acknowledged_outlives_a_killed_server(tmp_path: Path) -> None:
    with server(tmp_path) as (client, process):
        first = client.post(URL, headers={"Idempotency-Key": "once"}, files=files())
        assert first.status_code == 202
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    with server(tmp_path) as (client, _):
        assert client.get(first.headers["location"]).json()["verdict"] is None
        assert client.post(URL, headers={"Idempotency-Key": "once"}, files=files()).json() == first.json()
    log = (tmp_path / "log").read_text()
    assert "apoyo_" not in log, "the secret is not logged"
    assert all(json.loads(line) for line in log.splitlines()), "every line of the log is JSON"


def test_a_wrong_setting_ends_it_with_a_reason(tmp_path: Path) -> None:
    settings = Settings(storage=StorageSettings.model_validate({"data_dir": tmp_path}))
    environment = child_environment(settings, {"APOYO_API__PORT": "eighty"})
    done = subprocess.run([sys.executable, "-m", "api"], cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 2
    assert b"APOYO_API__PORT" in done.stderr
    assert b"eighty" not in done.stderr

"""The intake as a process of its own on loopback, in a bounded address space, and what it takes of memory."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from pipeline.settings import ApiSettings, Settings, StorageSettings, child_environment

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS, ANSWER_SECONDS = 60.0, 10.0
SILENCE = b"silence"
ADDRESS_SPACE = 3 << 30
"""Of addresses: libraries and threads' stacks reserve most of it."""


@dataclass(frozen=True, slots=True)
class Served:
    """client: with the first client's secret. process: the server."""

    client: httpx.Client
    process: subprocess.Popen[bytes]
    host: str
    port: int
    secret: str

    def peak_mb(self) -> int:
        """The most that it ever had in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) // 1024

    def raw(self, *pieces: bytes) -> bytes:
        """What is answered to these bytes on a connection of their own; empty where it is closed without a word. Sends on until
        it is answered, closed, or out of pieces."""
        with socket.create_connection((self.host, self.port), ANSWER_SECONDS) as connection:
            connection.settimeout(ANSWER_SECONDS)
            try:
                for piece in pieces:
                    connection.sendall(piece)
                return connection.recv(65_536)
            except TimeoutError:
                return SILENCE
            except ConnectionError:
                return b""


@contextmanager
def served(folder: Path, address_space: int = ADDRESS_SPACE, **changed: Any) -> Iterator[Served]:
    """`python -m api` over an empty `folder`; ended at the end. changed: of `ApiSettings`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    api = ApiSettings(port=port, requests_a_minute=100_000, **changed)
    settings = Settings(storage=StorageSettings(data_dir=folder), api=api)
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "api"], cwd=ROOT, env=child_environment(settings), stderr=log,
                                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space)))
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=ANSWER_SECONDS)
    try:
        wait_until_ready(client, process)
        secret = settings.storage.client_secret_file.read_text(encoding="ascii").strip()
        client.headers["Authorization"] = f"Bearer {secret}"
        yield Served(client, process, "127.0.0.1", port, secret)
    finally:
        client.close()
        process.terminate()
        process.wait(ANSWER_SECONDS)


def wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    """Raises `RuntimeError` where it does not get ready."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"the server did not get ready: exit code {process.poll()}")

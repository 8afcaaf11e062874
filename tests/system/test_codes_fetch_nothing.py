"""What a code says is read and never asked for: a listener at the address that codes name hears nobody."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from tests.unit.drawn_backs import back_g, blank, paste, qr

ROOT = Path(__file__).parents[2]
LIKE_INE_S = "/123412345678901987654321/20190102/P/000001"
"""The path of a small QR, at another host."""


class Listener:
    """On loopback, under addresses that a code may name."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.heard: list[bytes] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            with caller:
                self.heard.append(caller.recv(100))

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    one = Listener()
    yield one
    one.close()


def test_no_code_of_a_support_is_asked_for(cases: dict[str, Path], tmp_path: Path, listener: Listener) -> None:
    """In a back's own place of the small QR, beside it, and on a picture that is nothing else; read alone and in a whole support."""
    host = f"127.0.0.1:{listener.port}"
    texts = [f"http://{host}{LIKE_INE_S}", f"http://{host}/canary", f"http://localhost:{listener.port}/canary", f"HTTP://{host}/"]
    pictures = []
    for number, text in enumerate(texts):
        beside, alone = back_g(), blank()
        paste(beside, qr(text, 12), 60, 12)
        paste(alone, qr(text, 20), 30, 15)
        for picture in (beside, alone):
            pictures.append(tmp_path / f"{len(pictures)}.jpg")
            cv2.imwrite(str(pictures[-1]), picture)
        support = tmp_path / f"support-{number}"
        shutil.copytree(cases["good"], support)
        shutil.copyfile(pictures[-2], next(path for path in support.iterdir() if path.stem == "back"))
    read = apoyo("read-codes", *pictures, "--jsonl")
    seen = {code["text"] for line in read for code in line["codes"]}
    assert set(texts) <= seen, "each was read, or nothing is shown"
    verdicts = [line["verdict"] for line in apoyo("verify", *sorted(tmp_path.glob("support-*")), "--jsonl")]
    assert len(verdicts) == len(texts) and "accepted" not in verdicts
    assert listener.heard == []
    with socket.create_connection(("127.0.0.1", listener.port), 5) as caller:  # it does hear who asks
        caller.sendall(b"here")
    for _ in range(100):
        if listener.heard:
            break
        threading.Event().wait(0.02)
    assert listener.heard == [b"here"]


def apoyo(*arguments: object) -> list[dict[str, object]]:
    done = subprocess.run([sys.executable, "-m", "pipeline.cli.main", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]

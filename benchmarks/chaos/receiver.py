"""A webhook's receiver that is as bad as receivers are: it fails, hangs, answers late, hangs up. Imports nothing of ours.

What it was told is in the history before it answers. At the path `/dead` it never answers at all.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from benchmarks.chaos.history import History

LIVING, DEAD = "living", "dead"
LATE_SECONDS = 3.0
"""Longer than the service waits for an answer here: it has given up when it comes."""
TROUBLES = ("fail", "hang", "drop", "refuse", "move")
"""fail: 500.  hang: an answer that comes too late.  drop: it hangs up without one.  refuse: 410.  move: 302."""


class Receiver:
    """Listens on loopback while the block runs. `secrets`: by name, once the service has told them."""

    def __init__(self, history: History, seed: int = 0) -> None:
        self.history, self.secrets = history, dict[str, str]()
        self.share = 0.0
        """How many of the answers are trouble."""
        self.fired: Counter[str] = Counter()
        self._random, self._lock = random.Random(seed), threading.Lock()
        receiver = self

        class Handler(_Handler):
            owner = receiver

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{name}"

    def draw(self) -> str:
        with self._lock:
            found = self._random.choice(TROUBLES) if self._random.random() < self.share else ""
            self.fired[found] += 1
            return found

    def note(self, name: str, headers: dict[str, str], body: bytes, *, taken: bool) -> None:
        told = json.loads(body)
        data = told["data"]
        self.history.write(
            "hook", taken=taken, id=headers.get("webhook-id", ""), kind=told["type"], support=data.get("support", ""),
            round=data.get("round", 0), outcome=data.get("outcome", ""), body_sha256=hashlib.sha256(body).hexdigest(),
            valid=signed(self.secrets.get(name, ""), headers, body))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


def signed(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """As standardwebhooks.com says: HMAC-SHA256 over `id.timestamp.body`, any of the signatures."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{headers.get('webhook-id')}.{headers.get('webhook-timestamp')}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return expected in headers.get("webhook-signature", "").split(" ")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A deliverer that went is nothing to tell of: it is killed here all the time."""


class _Handler(BaseHTTPRequestHandler):
    owner: Receiver
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the history has it."""

    def do_POST(self) -> None:
        size = int(self.headers["content-length"])
        body = self.rfile.read(size)
        name = self.path.lstrip("/")
        if len(body) < size or name == DEAD:  # the sender was killed while it spoke; or nobody is here
            time.sleep(LATE_SECONDS if name == DEAD else 0)
            self.close_connection = True
            return
        trouble = self.owner.draw()
        self.owner.note(name, {key.lower(): value for key, value in self.headers.items()}, body, taken=not trouble)
        try:
            self._answer(trouble)
        except OSError:  # the sender gave up
            self.close_connection = True

    def _answer(self, trouble: str) -> None:
        if trouble == "drop":
            self.close_connection = True
            return
        time.sleep(LATE_SECONDS if trouble == "hang" else 0)
        self.send_response({"fail": 500, "refuse": 410, "move": 302}.get(trouble, 204))
        if trouble == "move":
            self.send_header("Location", self.owner.url(DEAD))
        self.send_header("Content-Length", "0")
        self.end_headers()

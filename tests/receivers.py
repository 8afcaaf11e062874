"""A webhook's receiver on loopback: keeps what it is told, and answers as it is told to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Told:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))

    def signed_by(self, secret: str) -> bool:
        """By the words of the specification, standardwebhooks.com: HMAC-SHA256 over id.timestamp.body, any of the signatures."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        content = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        expected = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        return expected in self.headers["webhook-signature"].split(" ")


@dataclass
class Receiver:
    url: str
    told: list[Told] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    """For the next requests, one each; then 204."""
    always: Answer | None = None

    def ids(self) -> list[str]:
        return [one.id for one in self.told]


def status(code: int, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        for name, value in {"Content-Length": "0", **{name.replace("_", "-"): value for name, value in headers.items()}}.items():
            request.send_header(name, value)
        request.end_headers()

    return answer


def hang(seconds: float) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        status(204)(request)

    return answer


def endless(request: BaseHTTPRequestHandler) -> None:
    """200, and then a gigabyte."""
    request.send_response(200)
    request.send_header("Content-Length", str(1 << 30))
    request.end_headers()
    for _ in range(1 << 14):
        request.wfile.write(b"\x00" * (1 << 16))


def drop(request: BaseHTTPRequestHandler) -> None:
    """No answer at all."""
    request.close_connection = True


def ok_then_drop(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.close_connection = True


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Listens while the block runs."""
    known = Receiver("")
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                known.told.append(Told(self.path, {name.lower(): value for name, value in self.headers.items()}, body, time.monotonic()))
                answer = known.answers.pop(0) if known.answers else known.always or status(204)
            try:
                answer(self)
            except OSError:  # the sender has had enough
                self.close_connection = True

        do_GET = do_POST  # noqa: N815 (the library's)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    known.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

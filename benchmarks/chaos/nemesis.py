"""A proxy in front of an S3 server that misbehaves as told: errors, silence, dripping, resets, lies about what was kept."""

from __future__ import annotations

import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

HANG_SECONDS = 30.0
"""Longer than any client of ours waits."""
DRIP_SECONDS = 0.5
"""Between two bytes of an answer that drips."""
SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
HOP = {"connection", "transfer-encoding", "keep-alive"}

FAULTS = ("error", "hang", "drip", "reset", "cut", "short", "lie", "etag")
"""error: 503 SlowDown.  hang: no answer.  drip: the body a byte at a time.  reset: the request is done, its answer lost.  cut:
the answer's body ends half-way.  short: half of what is put or got, answered as if whole.  lie: 200 for a put that is not done.
etag: another checksum than that of the object."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Nemesis:
    """Listens on loopback while the block runs. `fired`: how often each fault struck."""

    def __init__(self, upstream_port: int, seed: int = 0) -> None:
        self._upstream_port = upstream_port
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._faults: tuple[str, ...] = ()
        self._share = 0.0
        self.fired: Counter[str] = Counter()
        self.dropped: tuple[str, ...] = ()
        """Headers, in lower case, that never reach the server."""
        proxy = self

        class Handler(_Handler):
            nemesis = proxy

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def strike(self, *faults: str, share: float = 1.0) -> None:
        """From now on each request meets one of these with this probability; none: all is well."""
        with self._lock:
            self._faults, self._share = faults, share

    def draw(self) -> str:
        with self._lock:
            return self._random.choice(self._faults) if self._faults and self._random.random() < self._share else ""

    def forward(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._upstream_port, timeout=HANG_SECONDS)
        passed = {name: value for name, value in headers.items() if name.lower() not in self.dropped}
        try:
            connection.request(method, path, body, passed)
            answer = connection.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in HOP}
            return Answer(answer.status, kept, answer.read())
        finally:
            connection.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went is nothing to tell of: they are killed here all the time."""


class _Handler(BaseHTTPRequestHandler):
    nemesis: Nemesis
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the report counts what fired."""

    def do_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        fault = self.nemesis.draw()
        put, got = self.command == "PUT", self.command == "GET"
        try:
            self._answer_with(fault if self._applies(fault, put, got) else "", body)
        except OSError:
            self.close_connection = True  # the client gave up

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = do_any  # noqa: N815 (http.server's names)

    @staticmethod
    def _applies(fault: str, put: bool, got: bool) -> bool:
        return {"cut": got, "drip": got, "short": put or got, "lie": put, "etag": True}.get(fault, bool(fault))

    def _answer_with(self, fault: str, body: bytes) -> None:
        if fault:
            self.nemesis.fired[fault] += 1
        if fault == "error":
            return self._send(Answer(503, {"Content-Type": "application/xml", "Content-Length": str(len(SLOW_DOWN))}, SLOW_DOWN))
        if fault == "hang":
            self.connection.settimeout(HANG_SECONDS)
            self.rfile.read(1)  # until the client gives up
            raise OSError("hung")
        if fault == "lie":
            return self._send(Answer(200, {"ETag": '"00000000000000000000000000000000"', "Content-Length": "0"}, b""))
        headers = dict(self.headers.items())
        if fault == "short" and self.command == "PUT":
            body = body[:len(body) // 2]
            headers = {name: value for name, value in headers.items() if name.lower() not in ("content-md5", "content-length")}
        answer = self.nemesis.forward(self.command, self.path, headers, body)
        if fault == "reset":
            # linger 0: the close is a reset, not an end
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise OSError("reset")
        if fault == "etag":
            answer = Answer(answer.status, {name: '"ffffffffffffffffffffffffffffffff"' if name.lower() == "etag" else value
                                            for name, value in answer.headers.items()}, answer.body)
        if fault == "short" and self.command == "GET":
            half = answer.body[:len(answer.body) // 2]
            answer = Answer(answer.status, {name: str(len(half)) if name.lower() == "content-length" else value
                                            for name, value in answer.headers.items()}, half)
        return self._send(answer, cut=fault == "cut", drip=fault == "drip")

    def _send(self, answer: Answer, *, cut: bool = False, drip: bool = False) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            for piece in (answer.body[at:at + 1] for at in range(len(answer.body))) if drip else (answer.body,):
                self.wfile.write(piece[:len(piece) // 2] if cut else piece)
                self.wfile.flush()
                time.sleep(DRIP_SECONDS if drip else 0)
        self.wfile.flush()
        self.close_connection = self.close_connection or cut

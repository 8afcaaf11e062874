"""HTTP as it comes off the wire, with a bound on what is not the body.

The server underneath reads a head of any length and copies it anew with every piece: 64 MB of one header kept it from everybody
else for a quarter of a minute.
"""

from __future__ import annotations

import asyncio

import uuid_utils.compat
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.manners import ALWAYS
from api.problems import Problem, problem_response

MAX_HEAD_BYTES = 64 << 10
"""Of the request's line and headers, of what stands between the chunks of a body, and of trailers. Four times what common servers
take; a proof of the device is about 1 KiB."""
HEAD_SECONDS = 20.0
"""From the connection, or the first byte of the next request on it, to the end of the headers."""


class BoundedHttp(HttpToolsProtocol):
    """Answers a head that is too long (431), too slow (408) or none (400) itself, and closes the connection."""

    _since = 0
    """Bytes since the last that belonged to a body, or since the end of the headers."""
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._since += len(data)
        super().data_received(data)
        if self._since > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(Problem("head_too_large", f"Send at most {MAX_HEAD_BYTES >> 10} KiB of headers."))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._timer is None:
            self._start_timer()

    def on_headers_complete(self) -> None:
        self._since = 0
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._since = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._since = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """`msg` is the server's own, and says no more."""
        self._refuse(Problem("bad_http", "Send a request as HTTP/1.1 says: this one cannot be read."))

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self._refuse(Problem("head_too_slow", f"Send the headers within {HEAD_SECONDS:g} seconds."))

    def _refuse(self, problem: Problem) -> None:
        """Unless an answer is under way already: then the connection ends, and no more."""
        self._stop_timer()
        if self.cycle is None or self.cycle.response_complete:
            request_id = f"req_{uuid_utils.compat.uuid7().hex}"
            answer = problem_response(problem, request_id)
            headers = {**dict(answer.headers), **ALWAYS, "Request-Id": request_id, "Connection": "close"}
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            self.transport.write(f"HTTP/1.1 {answer.status_code} \r\n{head}\r\n".encode("latin-1") + bytes(answer.body))
        self.transport.close()

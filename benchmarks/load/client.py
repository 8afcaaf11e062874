"""The client: HTTP/1.1 by hand over connections that are kept, so that it costs little beside what it measures.

It reads while it writes: a refusal that comes before the body is through ends the sending.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from benchmarks.chaos.http import Reply

CHUNK = 256 << 10
"""Bytes handed to the transport at once."""
SECONDS = 60.0
"""Until an answer counts as lost."""
MAX_IDLE = 256
BROKEN = (OSError, EOFError, TimeoutError, ValueError, IndexError)
"""What an exchange may end with besides an answer: nobody knows then what was done."""


class Client:
    """One deployment. Not thread-safe; many requests at once."""

    def __init__(self, url: str, secret: str) -> None:
        """url: http(s)://HOST[:PORT]. Raises ValueError for another."""
        parsed = urlsplit(url)
        if parsed.scheme not in ("http", "https") or not parsed.hostname or parsed.path not in ("", "/"):
            raise ValueError("the URL must be http(s)://HOST[:PORT]")
        self._host = parsed.hostname
        self._tls = ssl.create_default_context() if parsed.scheme == "https" else None
        self._port = parsed.port or (443 if self._tls else 80)
        self._fixed = f"Host: {parsed.netloc}\r\nAuthorization: Bearer {secret}\r\n"
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.opened = 0
        """Connections, in all."""

    async def request(self, method: str, path: str, headers: Mapping[str, str] | None = None,
                      pieces: Sequence[bytes] = ()) -> Reply:
        """The answer. Raises one of `BROKEN`. A kept connection that its server has closed meanwhile is tried anew once."""
        size = sum(map(len, pieces))
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = f"{method} {path} HTTP/1.1\r\n{self._fixed}Content-Length: {size}\r\n{more}\r\n".encode()
        async with asyncio.timeout(SECONDS):
            while self._idle:
                kept = self._idle.pop()
                if not kept[0].at_eof():
                    with suppress(OSError, EOFError):
                        return await self._exchange(kept, head, pieces)
            self.opened += 1
            return await self._exchange(await asyncio.open_connection(self._host, self._port, ssl=self._tls), head, pieces)

    async def _exchange(self, connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], head: bytes,
                        pieces: Sequence[bytes]) -> Reply:
        reader, writer = connection
        answer = asyncio.ensure_future(_read(reader))
        whole = False
        try:
            writer.write(head)
            with suppress(ConnectionError):  # refused and closed while we were sending: the answer may be there all the same
                whole = await _write(writer, pieces, answer)
            reply = await answer
        finally:
            answer.cancel()
            if not (whole and answer.done() and not answer.cancelled() and answer.exception() is None):
                writer.close()
        if reply.headers.get("connection", "").lower() == "close" or len(self._idle) >= MAX_IDLE:
            writer.close()
        elif whole:
            self._idle.append(connection)
        return reply

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


async def _write(writer: asyncio.StreamWriter, pieces: Sequence[bytes], answer: asyncio.Future[Reply]) -> bool:
    """Whether all went out before the answer came."""
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), CHUNK):
            if answer.done():
                return False
            writer.write(view[start:start + CHUNK])
            await writer.drain()
    return True


async def _read(reader: asyncio.StreamReader) -> Reply:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:]) if name}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Reply(int(lines[0].split()[1]), headers, body)

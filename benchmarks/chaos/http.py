"""The smallest client that serves: one request a connection, no retries of its own, so that it is known what was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SECONDS = 15.0
"""Until an answer counts as lost."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


async def request(port: int, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
    """Raises OSError, EOFError or TimeoutError where no whole answer came: then nobody knows what was done."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    text = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{head}\r\n"
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(text.encode() + body)
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:]) if name}
            return Reply(int(lines[0].split()[1]), found, await reader.readexactly(int(found.get("content-length", "0"))))
        finally:
            writer.close()


def multipart(parts: Mapping[str, bytes]) -> tuple[str, bytes]:
    """Content-Type and body of a form."""
    boundary = "chaos-boundary-7c1f"
    begin = f"--{boundary}\r\nContent-Disposition: form-data; "
    pieces = [f'{begin}name="{name}"; filename="{name}"\r\n\r\n'.encode() + data + b"\r\n" for name, data in parts.items()]
    return f"multipart/form-data; boundary={boundary}", b"".join(pieces) + f"--{boundary}--\r\n".encode()

"""How the load learns of verdicts: told by webhook, or by asking the listing, which costs one row a support and no evidence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from benchmarks.load.client import BROKEN, Client

OnVerdict = Callable[[str, str, float], None]
"""Id, outcome, and the loop's time at which it was known."""
PAGE = 200
"""The most that a page of the listing holds."""
POLL_SECONDS = 0.5
MAX_PAGES = 25
"""A look: so many newest supports. Older ones that still wait are found when they have come within reach, or never."""


@asynccontextmanager
async def by_webhook(client: Client, on_verdict: OnVerdict) -> AsyncIterator[None]:
    """A receiver on loopback, registered while the block runs. Signatures are not checked: the demo and the tests do that."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with suppress(*BROKEN):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                size = int(head.partition("content-length:")[2].partition("\r\n")[0])
                told = json.loads(await reader.readexactly(size))["data"]
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                on_verdict(told["support"], told["outcome"], loop.time())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    wanted = json.dumps({"url": url, "events": ["support.decided"]}).encode()
    made = await client.request("POST", "/v1/webhooks", {"Content-Type": "application/json"}, (wanted,))
    if made.status != 201:
        raise RuntimeError(f"no webhook: {made.status} {made.body[:200]!r}")
    try:
        yield
    finally:
        await client.request("DELETE", f"/v1/webhooks/{made.json()['id']}")
        server.close()


@asynccontextmanager
async def by_listing(client: Client, on_verdict: OnVerdict, waiting: Callable[[], str | None]) -> AsyncIterator[None]:
    """Asks twice a second while the block runs. waiting: the oldest id without a verdict (ids sort by age), or None."""

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(POLL_SECONDS)
            oldest, cursor = waiting(), ""
            for _ in range(MAX_PAGES if oldest is not None else 0):
                try:
                    page = (await client.request("GET", f"/v1/supports?limit={PAGE}{cursor}")).json()
                except BROKEN:
                    break
                for one in page.get("data", ()):
                    if one["verdict"] is not None:
                        on_verdict(one["id"], one["verdict"], loop.time())
                if not page.get("next_cursor") or page["data"][-1]["id"] <= str(oldest):
                    break
                cursor = f"&cursor={page['next_cursor']}"

    asking = asyncio.ensure_future(ask())
    try:
        yield
    finally:
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking

"""`GET /v1/supports/{id}/events`: server-sent events of a support's changes, from one connection of a bounded number."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from anyio import sleep, to_thread
from fastapi.responses import StreamingResponse
from sqlalchemy import Engine
from starlette.types import Receive, Scope, Send

from api.problems import Problem
from api.supports.views import standing_json
from pipeline.domain.support import State
from pipeline.errors import ApoyoError
from pipeline.records.listing import find_standing
from pipeline.telemetry import logger

POLL_SECONDS = 0.25
"""How soon a change is told; one row is read by its key."""
HEARTBEAT_SECONDS = 15.0
"""Below the minute after which proxies close what is silent."""
LIFETIME_SECONDS = 600.0
"""A review may last days: the client comes back with Last-Event-ID, and webhooks tell what nobody waits for."""
LAST = frozenset({State.ACCEPTED, State.REJECTED, State.FINAL})
"""After these neither worker nor citizen does anything more; the stream ends."""


class Streams:
    """How many streams this process holds. Used from the event loop only."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.open = 0

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Raises `Problem` (`busy`)."""
        if self.open >= self._most:
            raise Problem("busy", "Too many streams are open here: ask for the support itself, or again after Retry-After.")
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1


class EventStream(StreamingResponse):
    """Counted as long as it is being sent, however it ends."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[str], streams: Streams) -> None:
        super().__init__(events, headers={"X-Accel-Buffering": "no"})
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.admit():
            await super().__call__(scope, receive, send)


async def changes(
    engine: Engine, support_id: str, owner: str | None, seen: str | None, closing: threading.Event
) -> AsyncIterator[str]:
    """The support's standing at once (unless `seen` is its version), then after every change that is found. Ends after a last
    state, after `LIFETIME_SECONDS`, when the database does not answer, and when the process is `closing`."""
    end = time.monotonic() + LIFETIME_SECONDS
    told_at = time.monotonic()
    while True:
        try:
            standing = await to_thread.run_sync(find_standing, engine, support_id, owner)
        except ApoyoError as error:
            logger("api").warning("stream_ended", code=error.code)
            return
        now = time.monotonic()
        if str(standing.version) != seen:
            seen, told_at = str(standing.version), now
            yield f"id: {seen}\nevent: state\ndata: {json.dumps(standing_json(standing))}\n\n"
        elif now - told_at >= HEARTBEAT_SECONDS:
            told_at = now
            yield ": still here\n\n"
        if standing.state in LAST or now >= end or closing.is_set():
            return
        await sleep(POLL_SECONDS)

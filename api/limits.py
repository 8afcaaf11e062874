"""Bounds that hold before work is done: bytes of a body, bytes in flight, requests in a time.

State is that of one process. Several API processes each have their share; the ingress bounds their sum.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.requests import Request

from api.problems import Problem
from pipeline.settings import MIB

BODY_SECONDS = 60.0
"""A body of 25 MiB at 3.5 Mbit/s. The client is a backend, not a phone; slower is a fault or an attack."""
WINDOW_SECONDS = 60
MAX_KEYS = 10_000
RETRIES = range(1, 6)


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left to one key. `resets_in`: seconds to the end of the window."""

    limit: int
    remaining: int
    resets_in: int

    def headers(self) -> dict[str, str]:
        """draft-ietf-httpapi-ratelimit-headers."""
        return {"RateLimit-Policy": f'"client";q={self.limit};w={WINDOW_SECONDS}',
                "RateLimit": f'"client";r={self.remaining};t={self.resets_in}'}


class RateLimiter:
    """Counts requests by key in windows of `WINDOW_SECONDS`. Keys that were not seen for longest are forgotten first."""

    def __init__(self, limit: int, now: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._now = now
        self._used: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def look(self, key: str) -> Quota:
        """How the key stands; counts nothing."""
        window, left = divmod(self._now(), WINDOW_SECONDS)
        seen, used = self._used.get(key, (int(window), 0))
        used = used if seen == int(window) else 0
        return Quota(self._limit, max(0, self._limit - used), max(1, round(WINDOW_SECONDS - left)))

    def take(self, key: str) -> Quota:
        """Count one request. Raises `Problem` (`too_many_requests`) where none is left."""
        before = self.look(key)
        if before.remaining == 0:
            raise Problem("too_many_requests", "Wait as long as Retry-After says, then go on more slowly.",
                          headers={"Retry-After": str(before.resets_in)})
        self._used[key] = (int(self._now() // WINDOW_SECONDS), self._limit - before.remaining + 1)
        self._used.move_to_end(key)
        if len(self._used) > MAX_KEYS:
            self._used.popitem(last=False)
        return Quota(self._limit, before.remaining - 1, before.resets_in)


class BodyGate:
    """Lets bodies in while there is room for them. Used from the event loop only, so plain numbers need no lock.

    The process takes up to about two and a half times `max_in_flight`: a part is copied once when it is whole, and once more
    when it is sealed.
    """

    def __init__(self, max_body: int, max_in_flight: int) -> None:
        self._max_body = max_body
        self._max_in_flight = max_in_flight
        self.in_flight = 0

    @contextmanager
    def admit(self, request: Request) -> Iterator[AsyncIterator[bytes]]:
        """The chunks of the body, which is refused by its declared length before a byte is read, or as it grows.

        The room is held until the block ends: sealing and storing still hold the bytes. Raises `Problem`
        (`body_too_large`, `busy`).
        """
        admitted = _Admitted(self)
        try:
            declared = request.headers.get("content-length")
            if declared is not None:
                admitted.grow(int(declared))
            yield admitted.chunks(request, counted=declared is not None)
        finally:
            self.in_flight -= admitted.held

    def take(self, held: int, more: int) -> None:
        if held + more > self._max_body:
            raise Problem("body_too_large", f"Send at most {self._max_body / MIB:g} MiB in all: photographs of 2,000 to "
                                            "4,000 pixels on the long side, JPEG quality 85 to 92, are enough.")
        if self.in_flight + more > self._max_in_flight:
            raise Problem("busy", "Other requests are being received: send the same request again after Retry-After.")
        self.in_flight += more


class StoreGate:
    """How many requests may be hashed, sealed and stored at one time. Used from the event loop only.

    Past it requests are refused at once, before their sender is looked up: what is refused costs little, so under any overload
    those within go on at their pace. Whoever sends slowly takes no place here.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.inside = 0

    def demand_room(self) -> None:
        """Raises `Problem` (`busy`). Retry-After varies, so that those who were refused together do not come back together."""
        if self.inside >= self._limit:
            raise Problem("busy", "More is being stored than can be: send the same request again after Retry-After.",
                          headers={"Retry-After": str(secrets.choice(RETRIES))})

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Raises `Problem` (`busy`)."""
        self.demand_room()
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


async def room_to_store(request: Request) -> None:
    """As the first dependency of a route that stores. Raises `Problem` (`busy`)."""
    request.app.state.services.storing.demand_room()


class _Admitted:
    """The room that one request holds."""

    def __init__(self, gate: BodyGate) -> None:
        self._gate = gate
        self.held = 0

    def grow(self, size: int) -> None:
        self._gate.take(self.held, size)
        self.held += size

    async def chunks(self, request: Request, counted: bool) -> AsyncIterator[bytes]:
        async for chunk in request.stream():
            if not counted:
                self.grow(len(chunk))
            yield chunk

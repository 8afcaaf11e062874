"""Bounds that hold before work is done: bytes of a body, bytes in flight, requests in a time.

State is that of one process. Several API processes each have their share; the ingress bounds their sum.
"""

from __future__ import annotations

import asyncio
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
QUICK_SECONDS = 1.0
"""From the door to the end of the body: a backend in the same network sends 25 MiB in a fifth of it."""


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
    """How many requests may be on their way from the door to their answer. Used from the event loop only.

    Past it requests are refused at the door (`api.doorman`), before anything else is done for them: what is refused costs
    little, so under any overload those within go on at their pace. Whoever sends slowly loses the place, not the request.
    """

    def __init__(self, limit: int, quick_seconds: float = QUICK_SECONDS) -> None:
        self._limit, self._quick_seconds = limit, quick_seconds
        self.inside = 0

    @contextmanager
    def place(self) -> Iterator[Place]:
        """A place for the block. Raises `Problem` (`busy`)."""
        place = Place(self)
        place.take()
        too_slow = asyncio.get_running_loop().call_later(self._quick_seconds, place.leave)
        try:
            yield place
        finally:
            too_slow.cancel()
            place.leave()

    @property
    def full(self) -> bool:
        return self.inside >= self._limit

    def take(self) -> None:
        """Raises `Problem` (`busy`)."""
        if self.full:
            raise busy()
        self.inside += 1


def busy() -> Problem:
    return Problem("busy", "More is being stored than can be: send the same request again after Retry-After.")


class Place:
    """One request's place in a `StoreGate`."""

    def __init__(self, gate: StoreGate) -> None:
        self._gate = gate
        self._held = self._storing = False

    def take(self) -> None:
        if not self._held:
            self._gate.take()
            self._held = True

    def leave(self) -> None:
        """Not while it stores: then nothing is slow but ourselves."""
        if self._held and not self._storing:
            self._held = False
            self._gate.inside -= 1

    @contextmanager
    def storing(self) -> Iterator[None]:
        """The body is there: keep the place until the block ends, or take one anew. Raises `Problem` (`busy`)."""
        self.take()
        self._storing = True
        try:
            yield
        finally:
            self._storing = False


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

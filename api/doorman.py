"""The first that a request meets: refuses what cannot be stored now, before routing, authentication or a byte of the body."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import uuid_utils.compat
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from api.limits import RETRIES, RateLimiter, StoreGate, busy
from api.manners import ALWAYS, peer
from api.problems import problem_response
from pipeline.telemetry import REQUEST_SECONDS

METHODS = ("POST", "PUT")
"""Of the routes that store: no other request is compared with them."""
_ID = "ID"


class Doorman:
    """ASGI middleware, outside everything else. Gives each request of `routes` a place in `gate`, as `place` in its state, until
    it is answered; refuses it (503, Retry-After) where none is free.

    The refusal is made ahead, since under overload there are many. A client that waits for `100 Continue` before it sends a body
    is spared the sending.
    """

    def __init__(self, app: ASGIApp, gate: StoreGate, limiter: RateLimiter, routes: Sequence[BaseRoute]) -> None:
        self._app, self._gate, self._limiter, self._routes = app, gate, limiter, routes
        made = problem_response(busy(), _ID)
        self._before, _, self._after = bytes(made.body).partition(_ID.encode())
        self._headers = [(name, value) for name, value in made.raw_headers if name not in (b"content-length", b"retry-after")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._route(scope) if scope["type"] == "http" and scope["method"] in METHODS else None
        if route is None:
            await self._app(scope, receive, send)
        elif self._gate.full:
            await self._refuse(scope, route, send)
        else:
            with self._gate.place() as place:
                scope.setdefault("state", {})["place"] = place
                await self._app(scope, receive, send)

    def _route(self, scope: Scope) -> BaseRoute | None:
        return next((route for route in self._routes if route.matches(scope)[0] is Match.FULL), None)

    async def _refuse(self, scope: Scope, route: BaseRoute, send: Send) -> None:
        """Retry-After varies, so that those who were refused together do not come back together."""
        begun = time.perf_counter()
        request_id = f"req_{uuid_utils.compat.uuid7().hex}".encode()
        body = self._before + request_id + self._after
        quota = self._limiter.look(peer(scope)).headers().items()
        headers = [*self._headers, (b"content-length", str(len(body)).encode()), (b"request-id", request_id),
                   (b"retry-after", str(random.choice(RETRIES)).encode()),
                   *((name.lower().encode(), value.encode()) for name, value in {**ALWAYS, **dict(quota)}.items())]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        REQUEST_SECONDS.labels(scope["method"], getattr(route, "path", "other"), 503).observe(time.perf_counter() - begun)

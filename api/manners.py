"""What every answer carries, whoever gives it: Request-Id, RateLimit, no caching; and a last word for what failed."""

from __future__ import annotations

import time

import uuid_utils.compat
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.limits import Quota, RateLimiter
from api.problems import internal, problem_response
from pipeline.telemetry import REQUEST_SECONDS, logger


def peer(scope: Scope) -> str:
    """The key by which an unknown client is counted."""
    return f"peer:{scope['client'][0]}" if scope.get("client") else "peer:unknown"


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})


ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""Of every answer that does not say otherwise."""


def _labels(scope: Scope) -> tuple[str, str]:
    """Method and route as they are counted: what a stranger makes up is `other`, and a route is its template, without ids."""
    route = getattr(scope.get("route"), "path", "other")
    return scope["method"] if scope["method"] in METHODS else "other", route


class Manners:
    """ASGI middleware. Puts `request_id` and `quota` (None until a client is known) into the request's state."""

    def __init__(self, app: ASGIApp, limiter: RateLimiter) -> None:
        self._app = app
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = f"req_{uuid_utils.compat.uuid7().hex}"
        state["quota"] = None
        started = False
        begun = time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                REQUEST_SECONDS.labels(*_labels(scope), message["status"]).observe(time.perf_counter() - begun)
                quota: Quota = state["quota"] or self._limiter.look(peer(scope))
                headers = MutableHeaders(scope=message)
                headers["Request-Id"] = state["request_id"]
                for name, value in ALWAYS.items():
                    headers.setdefault(name, value)
                for name, value in quota.headers().items():
                    headers[name] = value
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            # The last resort: an answer for the client; for the log only the kind and the place, since the message may
            # hold what was sent.
            logger("api").error("unexpected_error", request=state["request_id"], kind=type(error).__name__, place=_place(error))
            if started:
                raise
            await problem_response(internal(), state["request_id"])(scope, receive, send_with_headers)


def _place(error: BaseException) -> str:
    """File and line where it was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"

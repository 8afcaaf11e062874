"""One attempt to tell one event to one receiver: signed as Standard Webhooks says, bounded in time and bytes, no redirects."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpcore
from anyio import current_time, fail_after

from api.webhooks.addresses import ForbiddenAddress, GuardedBackend, Resolve, look_up
from pipeline.clock import Clock, utc_now
from pipeline.records.deliveries import Attempt
from pipeline.records.webhooks import SECRET_PREFIX
from pipeline.settings import DeliverySettings

CONNECTIONS = 8
"""At one receiver at one time."""
KEPT_SECONDS = 10.0
BODY_SECONDS, MAX_BODY = 2.0, 16 << 10
"""What an answer may still say after its status; nobody reads it, it only lets the connection be used again."""


def sign(secrets: Sequence[str], event_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each secret, so that either end of a rotation verifies."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    keys = [base64.b64decode(secret.removeprefix(SECRET_PREFIX)) for secret in secrets]
    return " ".join("v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)


def payload(attempt: Attempt) -> bytes:
    """What is told: the same bytes at every attempt."""
    told = {"type": attempt.kind.value, "timestamp": attempt.created_at.isoformat(), "data": attempt.body}
    return json.dumps(told, separators=(",", ":")).encode()


class Sender:
    """Tells one receiver, by connections that are kept as long as there is something to tell."""

    def __init__(self, pool: httpcore.AsyncConnectionPool, url: str, seconds: float, clock: Clock) -> None:
        self._pool, self._url, self._seconds, self._clock = pool, url, seconds, clock

    async def tell(self, attempt: Attempt, secrets: Sequence[str]) -> str | None:
        """None if the receiver has taken it, else a code that says why not."""
        body, timestamp = payload(attempt), int(self._clock().timestamp())
        headers = {"content-type": "application/json", "user-agent": "apoyo-webhooks/1", "webhook-id": attempt.event_id,
                   "webhook-timestamp": str(timestamp), "webhook-signature": sign(secrets, attempt.event_id, timestamp, body)}
        try:
            status = await self._post(body, list(headers.items()))
        except ForbiddenAddress:
            return "address_forbidden"
        except (TimeoutError, httpcore.TimeoutException):
            return "timeout"
        except (httpcore.ConnectError, ssl.SSLError):
            return "connect_failed"
        except (httpcore.NetworkError, httpcore.ProtocolError):
            return "connection_broken"
        return None if 200 <= status < 300 else f"status_{status}"

    async def _post(self, body: bytes, headers: list[tuple[str, str]]) -> int:
        """The answer's status. It counts whatever becomes of the rest of the answer."""
        status = size = 0
        try:
            with fail_after(self._seconds) as scope:
                async with self._pool.stream("POST", self._url, headers=headers, content=body) as answer:
                    status, scope.deadline = answer.status, current_time() + BODY_SECONDS
                    async for chunk in answer.aiter_stream():
                        size += len(chunk)
                        if size > MAX_BODY:
                            break
        except (TimeoutError, httpcore.NetworkError, httpcore.ProtocolError):
            if status == 0:
                raise
        return status


@asynccontextmanager
async def sender(
    url: str, settings: DeliverySettings, tls: ssl.SSLContext, clock: Clock = utc_now, resolve: Resolve = look_up
) -> AsyncIterator[Sender]:
    """A sender to this URL while the block runs. tls: made once, for to read every root certificate takes a while."""
    backend = GuardedBackend(settings.allow_loopback, resolve)
    async with httpcore.AsyncConnectionPool(
            ssl_context=tls, max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS,
            keepalive_expiry=KEPT_SECONDS, network_backend=backend) as pool:
        yield Sender(pool, url, settings.attempt_seconds, clock)

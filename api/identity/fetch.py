"""What is asked of a provider: one JSON object, over TLS, bounded in time and bytes, with no redirect followed."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from pipeline.errors import Unavailable
from pipeline.telemetry import PROVIDER_REQUESTS

SECONDS = 5.0
"""From the connection to the last byte of the answer; a citizen waits for it."""
MAX_BYTES = 256 << 10
"""Google's key set has about 2 KiB."""


class Answer:
    """Status, headers in small letters, and the JSON of the body (empty where the status is no 200)."""

    def __init__(self, status: int, headers: Mapping[str, str], body: Mapping[str, Any]) -> None:
        self.status, self.headers, self.body = status, headers, body


class Fetcher:
    """Asks providers. `tls`: made once, for to read every root certificate takes a while."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls or ssl.create_default_context()

    async def get(self, provider: str, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Raises `Unavailable` (`provider_unavailable`) where nothing usable came; a refusal of the provider's is an answer."""
        try:
            answer = await self._get(url, headers or {})
        except (httpx.HTTPError, ssl.SSLError, ValueError) as error:
            PROVIDER_REQUESTS.labels(provider, "failed").inc()
            raise Unavailable(f"no usable answer: {type(error).__name__}", code="provider_unavailable") from None
        failed = answer.status == 429 or answer.status >= 500 or 300 <= answer.status < 400
        PROVIDER_REQUESTS.labels(provider, "failed" if failed else "answered").inc()
        if failed:
            raise Unavailable(f"status {answer.status}", code="provider_unavailable")
        return answer

    async def _get(self, url: str, headers: Mapping[str, str]) -> Answer:
        async with (httpx.AsyncClient(verify=self._tls, timeout=SECONDS, follow_redirects=False, trust_env=False) as client,
                    client.stream("GET", url, headers={"Accept": "application/json", **headers}) as answer):
            data = bytearray()
            async for chunk in answer.aiter_bytes():
                data += chunk
                if len(data) > MAX_BYTES:
                    raise ValueError("too much")
            body = json.loads(data) if answer.status_code == 200 else {}
            if not isinstance(body, dict):
                raise ValueError("no object")
            return Answer(answer.status_code, dict(answer.headers), body)

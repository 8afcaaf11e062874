"""A provider's public keys, kept as long as it says, asked for again when a new one shows up, and never used past their time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import anyio

from api.identity import jose
from api.identity.fetch import Answer, Fetcher
from pipeline.errors import BadToken, Unavailable

LEAST_SECONDS, MOST_SECONDS = 300, 24 * 3600
"""Bounds on what a provider says of how long its keys may be kept; Google says some hours."""
DEFAULT_SECONDS = 3600
REFETCH_SECONDS = 60.0
"""A key that is not known is asked for at most so often: tokens with made-up `kid`s cost the provider nothing."""
RETRY_SECONDS = 5.0
"""After a failure."""
MAX_KEYS = 50
_MAX_AGE = re.compile(r"max-age=([0-9]{1,9})")


class KeySet:
    """The keys of one provider by their `kid`. For one event loop."""

    def __init__(self, provider: str, url: str, fetcher: Fetcher, now: Callable[[], float] = time.monotonic) -> None:
        self._provider, self._url, self._fetcher, self._now = provider, url, fetcher, now
        self._keys: Mapping[str, jose.PublicKey] = {}
        self._until = self._may_ask = float("-inf")
        self._lock = anyio.Lock()

    async def find(self, kid: str) -> jose.PublicKey:
        """Raises `BadToken` (`provider_token_refused`) for a key that the provider does not have, `Unavailable` where that is not
        known now: nothing is accepted on old keys."""
        if self._now() < self._until and kid in self._keys:
            return self._keys[kid]
        async with self._lock:  # of those that wait here, the first asks for all
            if not (self._now() < self._until and kid in self._keys):
                await self._renew()
        if kid in self._keys:
            return self._keys[kid]
        raise BadToken("the provider has no such key", code="provider_token_refused")

    async def _renew(self) -> None:
        now, fresh = self._now(), self._now() < self._until
        if now < self._may_ask:
            if fresh:
                return
            raise Unavailable("the provider's keys could not be had a moment ago", code="provider_unavailable")
        self._may_ask = now + RETRY_SECONDS
        try:
            answer = await self._fetcher.get(self._provider, self._url)
            keys = _keys(answer.body)
        except Unavailable:
            if fresh:
                return
            raise
        self._keys, self._until, self._may_ask = keys, now + _lifetime(answer), now + REFETCH_SECONDS


def _lifetime(answer: Answer) -> float:
    said = _MAX_AGE.search(answer.headers.get("cache-control", ""))
    return min(max(int(said.group(1)), LEAST_SECONDS), MOST_SECONDS) if said else DEFAULT_SECONDS


def _keys(body: Mapping[str, Any]) -> Mapping[str, jose.PublicKey]:
    """The signing keys of a JWK set; of other kinds, a provider may have as many as it likes. Raises `Unavailable` for none."""
    listed = body.get("keys")
    found: dict[str, jose.PublicKey] = {}
    for jwk in listed[:MAX_KEYS] if isinstance(listed, list) else []:
        if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or jwk.get("use", "sig") != "sig":
            continue
        try:
            found[jwk["kid"]] = jose.rsa_key(jwk) if jwk.get("kty") == "RSA" else jose.ec_key(jwk)
        except BadToken:
            continue
    if not found:
        raise Unavailable("no usable key in the provider's set", code="provider_unavailable")
    return found

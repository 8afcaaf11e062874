"""Who vouches for an account's mail: Google and Facebook by OpenID Connect, X by its API, a stand-in for tests.

The address comes from here and from nowhere else. It is a personal datum: it is sealed at once, and no error or log names it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from api.identity import jose
from api.identity.fetch import Fetcher
from api.identity.key_set import KeySet
from pipeline.clock import Clock
from pipeline.errors import BadInput, BadToken, Unavailable
from pipeline.settings import IdentitySettings

SKEW_SECONDS = 60
"""How far a provider's clock and ours may be apart."""
MAX_AGE_SECONDS = 3600
"""Of a token: the sign-in is part of asking for the code. Google's live for an hour."""
MAX_TOKEN = 8 << 10
GOOGLE_ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})
FACEBOOK_ISSUERS = frozenset({"https://www.facebook.com", "https://limited.facebook.com"})
"""The first until its keys moved to the second host; the keys are those of the setting either way."""
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,8}\Z")
"""What a mail server takes without quoting; nothing that could begin another header line."""
_ACCESS_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{8,4096}\Z")


class IdentityProvider(Protocol):
    async def verify(self, token: str) -> str:
        """The verified address of the account. Raises `BadToken` (`provider_token_refused`, `provider_email_missing`),
        `Unavailable` (`provider_unavailable`)."""


@dataclass(frozen=True, slots=True)
class OpenIdProvider:
    """Takes ID tokens of one issuer for our applications. `says_verified`: the issuer says so by `email_verified`; one that does
    not hands out confirmed addresses alone, and the code's mail proves the address anyway."""

    issuers: frozenset[str]
    audiences: frozenset[str]
    keys: KeySet
    clock: Clock
    says_verified: bool = True

    async def verify(self, token: str) -> str:
        try:
            parsed = jose.parse(token)
        except BadToken as error:
            raise refused(f"not an ID token: {error.detail}") from None
        kid = parsed.header.get("kid")
        if not isinstance(kid, str) or "crit" in parsed.header:
            raise refused("its header must name a key by `kid` and nothing critical")
        key = await self.keys.find(kid)
        try:
            jose.verify(parsed, key)
        except BadToken as error:
            raise refused(error.detail) from None
        self._demand_meant_for_us(parsed.claims)
        if self.says_verified and parsed.claims.get("email_verified") is not True:
            raise BadToken("the provider has not verified the account's address", code="provider_email_missing")
        return address(parsed.claims.get("email"))

    def _demand_meant_for_us(self, claims: Mapping[str, Any]) -> None:
        now = self.clock().timestamp()
        audience = claims.get("aud")
        audience = audience[0] if isinstance(audience, list) and len(audience) == 1 else audience
        times: list[Any] = [claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)]
        if claims.get("iss") not in self.issuers:
            raise refused("another issuer's")
        if not isinstance(audience, str) or audience not in self.audiences:
            raise refused("for another application")
        if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in times):
            raise refused("`exp` and `iat` must be times")
        expires, issued, begins = times
        if not (now - SKEW_SECONDS < expires and max(issued, begins) < now + SKEW_SECONDS
                and now - MAX_AGE_SECONDS - SKEW_SECONDS < issued):
            raise refused("expired, too old or not valid yet")


@dataclass(frozen=True, slots=True)
class XProvider:
    """Asks X whose access token it is. X does not say for which application the token was made: what keeps a token of another one
    from being of use is that the code goes to the account's own mail."""

    api_url: str
    fetcher: Fetcher

    async def verify(self, token: str) -> str:
        if not _ACCESS_TOKEN.match(token):
            raise refused("not an access token")
        answer = await self.fetcher.get("x", f"{self.api_url}/2/users/me?user.fields=confirmed_email",
                                        {"Authorization": f"Bearer {token}"})
        if answer.status in (401, 403):
            raise refused("the provider does not take it")
        data = answer.body.get("data")
        if answer.status != 200 or not isinstance(data, dict):
            raise Unavailable(f"status {answer.status}", code="provider_unavailable")
        return address(data.get("confirmed_email"))


class Providers:
    """Those that are set up here, by name."""

    def __init__(self, settings: IdentitySettings, clock: Clock, fetcher: Fetcher | None = None) -> None:
        fetcher = fetcher or Fetcher()
        self._known: dict[str, IdentityProvider] = {}
        if settings.google_audiences:
            self._known["google"] = OpenIdProvider(GOOGLE_ISSUERS, frozenset(settings.google_audiences),
                                                   KeySet("google", settings.google_keys_url, fetcher), clock)
        if settings.facebook_audiences:
            keys = KeySet("facebook", settings.facebook_keys_url, fetcher)
            self._known["facebook"] = OpenIdProvider(FACEBOOK_ISSUERS, frozenset(settings.facebook_audiences), keys, clock,
                                                     says_verified=False)
        if settings.x_api_url:
            self._known["x"] = XProvider(settings.x_api_url, fetcher)
        if settings.stand_in_url:
            self._known["stand_in"] = OpenIdProvider(frozenset({settings.stand_in_url}), frozenset({"apoyo"}),
                                                     KeySet("stand_in", f"{settings.stand_in_url}/keys", fetcher), clock)

    async def verify(self, provider: str, token: str) -> str:
        """The verified address. Raises as a provider does, and `BadInput` (`provider_unknown`)."""
        if provider not in self._known:
            raise BadInput(f"set up here: {', '.join(sorted(self._known)) or 'none'}", code="provider_unknown")
        if len(token) > MAX_TOKEN:
            raise refused("too long")
        return await self._known[provider].verify(token)


def address(value: Any) -> str:
    """Raises `BadToken` (`provider_email_missing`) for what no mail can be sent to."""
    if not isinstance(value, str) or not _EMAIL.match(value):
        raise BadToken("the account has no address that mail can be sent to, or the application did not ask for it",
                       code="provider_email_missing")
    return value


def refused(detail: str) -> BadToken:
    return BadToken(detail, code="provider_token_refused")

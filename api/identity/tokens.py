"""The token of an activated phone: short-lived, bound to the phone's key (RFC 9449, 6), signed by ES256.

Whoever holds it without that key holds nothing: the app's backend, or anybody with our public keys, asks for a proof beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from api.identity import jose
from pipeline.blobs.sealing import Keyring
from pipeline.clock import Clock
from pipeline.errors import BadToken

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""FIPS 186-5: a private key lies between 0 and this."""
AUDIENCE, TYP = "apoyo", "at+jwt"
AHEAD_SECONDS = 60
"""How far the clocks of two processes of ours may be apart: a token by one that runs far ahead would live too long."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    token: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class ReadToken:
    activation_id: str
    device: str


def _refused(detail: str) -> BadToken:
    return BadToken(detail, code="device_token_refused")


class TokenIssuer:
    """Signs with a key that every process of the deployment derives from the key-encryption key: none is kept apart."""

    def __init__(self, issuer: str, seconds: int, keyring: Keyring, clock: Clock) -> None:
        scalar = int.from_bytes(keyring.derived("device tokens"), "big") % (P256_ORDER - 1) + 1  # 512 bits: no number is favoured
        self._key = ec.derive_private_key(scalar, ec.SECP256R1())
        self._kid = jose.thumbprint(self._key.public_key())
        self._issuer, self._seconds, self._clock = issuer, seconds, clock

    def issue(self, activation_id: str, device: str) -> IssuedToken:
        now = int(self._clock().timestamp())
        claims = {"iss": self._issuer, "aud": AUDIENCE, "sub": activation_id, "iat": now, "exp": now + self._seconds,
                  "cnf": {"jkt": device}}
        return IssuedToken(jose.sign({"typ": TYP, "kid": self._kid}, claims, self._key), self._seconds)

    def read(self, text: str) -> ReadToken:
        """One of ours, that is not over. Raises `BadToken` (`device_token_refused`)."""
        try:
            token = jose.parse(text)
            jose.verify(token, self._key.public_key())
        except BadToken as error:
            raise _refused(error.detail) from None
        claims, bound = token.claims, token.claims.get("cnf")
        device = bound.get("jkt") if isinstance(bound, dict) else None
        if dict(token.header) != {"typ": TYP, "alg": "ES256", "kid": self._kid} or not isinstance(device, str):
            raise _refused("not a token of an activation")
        if (claims.get("iss"), claims.get("aud")) != (self._issuer, AUDIENCE):
            raise _refused("for another service")
        expires, now = claims.get("exp"), self._clock().timestamp()
        if not isinstance(expires, int) or isinstance(expires, bool) or not now < expires <= now + self._seconds + AHEAD_SECONDS:
            raise _refused("over, or of a time to come: ask for the next one at …/token")
        return ReadToken(str(claims.get("sub")), device)

    def key_set(self) -> dict[str, list[dict[str, str]]]:
        """The public keys, as JWKS."""
        return {"keys": [{**jose.public_jwk(self._key.public_key()), "kid": self._kid, "use": "sig", "alg": "ES256"}]}

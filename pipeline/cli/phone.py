"""A phone as the app makes it: a key of its own, and a proof by it for each request."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec

from api.identity import jose
from api.identity.device_proof import HEADER


class Phone:
    """`url`: the API's public URL."""

    def __init__(self, url: str) -> None:
        self._key, self._url = ec.generate_private_key(ec.SECP256R1()), url

    @property
    def thumbprint(self) -> str:
        return jose.thumbprint(self._key.public_key())

    def proof(self, path: str, parts: Mapping[str, bytes]) -> dict[str, str]:
        """The header by which the phone vouches for a POST of these parts."""
        claims = {"jti": secrets.token_urlsafe(12), "htm": "POST", "htu": f"{self._url}{path}", "iat": int(time.time()),
                  "parts": {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()}}
        return {HEADER: jose.sign({"typ": "dpop+jwt", "jwk": jose.public_jwk(self._key.public_key())}, claims, self._key)}

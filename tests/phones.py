"""A phone that makes proofs, by the words of RFC 9449 and with nothing of the product's own; and, where asked to, wrong ones."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

BASE = "http://127.0.0.1:8080"
"""What the application calls itself where no public URL is set."""


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def packed(value: Any) -> str:
    return b64(value if isinstance(value, bytes) else json.dumps(value).encode())


def sha256s(parts: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()}


class Phone:
    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())

    @property
    def jwk(self) -> dict[str, str]:
        numbers = self.key.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": b64(numbers.x.to_bytes(32, "big")), "y": b64(numbers.y.to_bytes(32, "big"))}

    @property
    def thumbprint(self) -> str:
        """RFC 7638: the required members in the order of their names, without blanks."""
        jwk = self.jwk
        text = f'{{"crv":"P-256","kty":"EC","x":"{jwk["x"]}","y":"{jwk["y"]}"}}'
        return b64(hashlib.sha256(text.encode()).digest())

    def sign(self, header: Any, claims: Any) -> str:
        signed = f"{packed(header)}.{packed(claims)}"
        r, s = decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def proof(self, path: str, sent: Mapping[str, bytes] | None = None, *, method: str = "POST", header: Mapping[str, Any] | None = None,
              without: str = "", **claims: Any) -> str:
        """A right proof for this request, but for what `header` and `claims` say otherwise, and `without` one claim."""
        told = {"jti": secrets.token_urlsafe(12), "htm": method, "htu": f"{BASE}{path}", "iat": int(time.time()),
                **({} if sent is None else {"parts": sha256s(sent)}), **claims}
        told = {name: claim for name, claim in told.items() if claim is not None}
        told.pop(without, None)
        return self.sign({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk, **(header or {})}, told)

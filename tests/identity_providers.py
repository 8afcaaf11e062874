"""A provider on loopback: an OpenID key set and X's one route, with keys that can be turned and answers that can fail."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.phones import b64, packed
from tests.receivers import serving

EMAIL = "ana.perez@correo.example"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def rsa_jwk(kid: str, key: rsa.RSAPrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "e": b64(b"\1\0\1"), "n": b64(numbers.n.to_bytes(256, "big"))}


@dataclass
class Provider:
    url: str = ""
    keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=lambda: {"key-1": new_key()})
    asked: list[str] = field(default_factory=list)
    body: bytes | None = None
    """What is answered instead of the keys."""
    status: int = 200
    max_age: int = 3600
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of X, by access token."""

    def token(self, *, kid: str = "key-1", key: rsa.RSAPrivateKey | None = None, header: dict[str, Any] | None = None, without: str = "",
              **claims: Any) -> str:
        """An ID token as Google makes them, but for what is said otherwise."""
        now = int(time.time())
        told = {"iss": self.url, "aud": "apoyo", "sub": "117", "iat": now, "exp": now + 3600, "email": EMAIL, "email_verified": True, **claims}
        told.pop(without, None)
        signed = f"{packed({'typ': 'JWT', 'alg': 'RS256', 'kid': kid, **(header or {})})}.{packed(told)}"
        return f"{signed}.{b64((key or self.keys['key-1']).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


@contextmanager
def provider() -> Iterator[Provider]:
    known = Provider()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            known.asked.append(self.path)
            status, body = known.status, known.body
            if body is None and self.path.startswith("/2/users/me"):
                user = known.users.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
                status, body = (status, json.dumps({"data": user}).encode()) if user is not None else (401, b"{}")
            elif body is None:
                body = json.dumps({"keys": [rsa_jwk(kid, key) for kid, key in known.keys.items()]}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Cache-Control", f"public, max-age={known.max_age}")
            self.send_header("Content-Length", str(len(body)))
            if status in (301, 302):
                self.send_header("Location", f"{known.url}/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known.url = f"http://127.0.0.1:{server.server_port}"
    with serving(server):
        yield known

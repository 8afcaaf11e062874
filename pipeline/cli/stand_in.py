"""A stand-in for Google, Facebook or X, on loopback: it signs in whoever asks, and vouches for the address that it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from api.identity import jose
from api.identity.tokens import AUDIENCE

LIFE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class StandIn:
    """`url`: its issuer's name; its keys are at `url`/keys."""

    url: str
    key: ec.EllipticCurvePrivateKey
    kid: str

    def sign_in(self, email: str) -> str:
        """The ID token that a citizen's app would get after signing in."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "1", "iat": now, "exp": now + LIFE_SECONDS, "email": email,
                  "email_verified": True}
        return jose.sign({"typ": "JWT", "kid": self.kid}, claims, self.key)


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Listens while the block runs."""
    key = ec.generate_private_key(ec.SECP256R1())
    kid = jose.thumbprint(key.public_key())
    keys = json.dumps({"keys": [{**jose.public_jwk(key.public_key()), "kid": kid, "use": "sig"}]}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(keys)

        def log_message(self, *_: Any) -> None:
            """The demo's steps are the only thing that is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, name="stand-in", daemon=True).start()
        try:
            yield StandIn(f"http://127.0.0.1:{server.server_port}", key, kid)
        finally:
            server.shutdown()

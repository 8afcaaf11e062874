"""`apoyo bench proofs`: what one device proof costs the API: read, signature, target, time, parts; without the database."""

from __future__ import annotations

import secrets
import statistics
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from api.identity import jose
from api.identity.device_proof import DeviceProofs
from api.limits import RateLimiter
from pipeline.blobs.sealing import KEY_BYTES, Keyring
from pipeline.clock import utc_now
from pipeline.settings import IdentitySettings

URL, PATH = "https://apoyo.example", "/v1/supports"
PARTS = dict.fromkeys(("front", "back", "selfie", "signature", "support"), "0" * 64)


def run_proofs(count: int) -> dict[str, Any]:
    """Verify `count` proofs, each by a key of its own, and say what each took of one core, in milliseconds."""
    devices = DeviceProofs(URL, IdentitySettings(), Keyring(secrets.token_bytes(KEY_BYTES)), utc_now,
                           RateLimiter(count))
    texts = [_proof() for _ in range(count)]
    took = []
    for text in texts:
        before = time.thread_time()
        devices.read(text, "POST", PATH).accept(PARTS)
        took.append((time.thread_time() - before) * 1000)
    took.sort()
    summary = {"proofs": count, "bytes": len(texts[0]), "cpu_ms": {
        "median": round(statistics.median(took), 4), "p99": round(took[int(count * 0.99)], 4), "most": round(took[-1], 4)}}
    return {"summary": summary, "rows": [round(one, 4) for one in took]}


def _proof() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    claims = {"jti": secrets.token_urlsafe(12), "htm": "POST", "htu": f"{URL}{PATH}", "iat": int(time.time()), "parts": PARTS}
    return jose.sign({"typ": "dpop+jwt", "jwk": jose.public_jwk(key.public_key())}, claims, key)

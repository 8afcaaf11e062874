"""`Apoyo-Device-Proof`: the phone's own word for a request, a DPoP JWT (RFC 9449) by a key that never leaves its keystore.

The app's backend hands it on as it came. It is judged in two steps: what it says by itself before the body is read (`claimed`),
and time and content once the body is there (`accept`), since a repeated request is answered as the first was, however late.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from api.identity import jose
from api.limits import RateLimiter
from api.problems import DEVICE_CHALLENGE, Problem
from pipeline.blobs.sealing import Keyring
from pipeline.clock import Clock
from pipeline.errors import BadToken
from pipeline.records.device_proofs import DeviceProof
from pipeline.settings import IdentitySettings

HEADER, NONCE_HEADER = "Apoyo-Device-Proof", "Apoyo-Device-Nonce"
NONCE_CHALLENGE = 'DPoP algs="ES256", error="use_dpop_nonce"'
AHEAD_SECONDS = 60
"""How far a phone's clock may run ahead; one that is further off is set right by a nonce."""
NONCE_SECONDS = 300
"""How long a nonce is the current one; the one before it is taken too."""
_HEADER_MEMBERS = frozenset({"typ", "alg", "jwk"})
_KEY_MEMBERS = frozenset({"kty", "crv", "x", "y", "kid", "use", "alg"})
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})
_CLAIMS = frozenset({"jti", "htm", "htu", "iat", "nonce", "ath", "parts"})
_JTI = re.compile(r"[!-~]{8,128}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
MAX_PARTS = 8


@dataclass(frozen=True, slots=True)
class Claimed:
    """A proof whose signature and target hold. `parts`: SHA-256 in hex by the part's name.  `token`: digest of
    the token that it goes with (`ath`)."""

    device: str
    jti: str
    issued_at: int
    nonce: str | None
    parts: Mapping[str, str]
    token: str | None
    proofs: DeviceProofs = field(repr=False)

    def accept(self, parts: Mapping[str, str]) -> DeviceProof:
        """What is to be spent with what it proves. Raises `BadToken`, `Problem` (`device_proof_…`, `device_nonce_required`)."""
        self.proofs.demand_fresh(self)
        if self.parts != parts:
            raise BadToken("name in `parts` each part that is sent, and no other, with the SHA-256 of its bytes in hex",
                           code="device_proof_parts")
        return DeviceProof(self.device, hashlib.sha256(f"{self.device}|{self.jti}".encode()).hexdigest())


class DeviceProofs:
    """Judges proofs for one public URL. What was used stands in the database; here is only how often each phone asks."""

    def __init__(self, public_url: str, settings: IdentitySettings, keyring: Keyring, clock: Clock, limiter: RateLimiter) -> None:
        self._url, self._settings, self._keyring, self._clock = public_url, settings, keyring, clock
        self._limiter = limiter

    def claimed(self, request: Request) -> Claimed | None:
        """The request's proof, or None where it has none. Raises `BadToken`, `Problem` (`too_many_requests`)."""
        values = request.headers.getlist(HEADER)
        if not values:
            return None
        if len(values) > 1:
            raise BadToken(f"send one {HEADER}", code="device_proof_malformed")
        claimed = self.read(values[0], request.method, request.url.path)
        self._limiter.take(claimed.device)  # after its signature: nobody uses up another's
        return claimed

    def read(self, value: str, method: str, path: str) -> Claimed:
        """A proof for this method and path. Raises `BadToken` (`device_proof_malformed`, `…_algorithm`, `…_key`, `…_signature`,
        `…_target`)."""
        try:
            token = jose.parse(value)
            key = _key(token.header)
            jose.verify(token, key)
        except BadToken as error:
            raise BadToken(error.detail, code=f"device_proof_{error.code}") from None
        claims = _claims(token.claims)
        if (claims["htm"], claims["htu"]) != (method, f"{self._url}{path}"):
            raise BadToken(f"let `htm` be the method and `htu` {self._url} with the route's path and no query",
                           code="device_proof_target")
        return Claimed(jose.thumbprint(key), claims["jti"], claims["iat"], claims.get("nonce"), claims.get("parts", {}),
                       claims.get("ath"), self)

    def demand_fresh(self, claimed: Claimed) -> None:
        """By the nonce where there is one, which no phone's clock can get wrong; else by `iat`."""
        now = int(self._clock().timestamp())
        if claimed.nonce is not None:
            if not any(hmac.compare_digest(claimed.nonce, self._nonce(now - age)) for age in (0, NONCE_SECONDS)):
                raise self._nonce_wanted("the nonce is not a current one: use that of this answer's header")
        elif self._settings.require_nonce:
            raise self._nonce_wanted("make the proof with the nonce of this answer's header")
        elif not now - self._settings.proof_seconds <= claimed.issued_at <= now + AHEAD_SECONDS:
            raise self._time_wrong()

    def nonce(self) -> str:
        """The current one, the same in every process of this deployment."""
        return self._nonce(int(self._clock().timestamp()))

    def _nonce(self, at: int) -> str:
        return self._keyring.search_digest(f"device nonce|{at // NONCE_SECONDS}")[:32]

    def _nonce_wanted(self, detail: str) -> Problem:
        return Problem("device_nonce_required", f"Of the device's proof: {detail} {NONCE_HEADER}.",
                       headers={"WWW-Authenticate": NONCE_CHALLENGE, NONCE_HEADER: self.nonce()})

    def _time_wrong(self) -> Problem:
        return Problem("device_proof_time", f"Of the device's proof: `iat` must be at most {self._settings.proof_seconds} "
                       f"seconds old, or let it carry the nonce of this answer's header {NONCE_HEADER}.",
                       headers={"WWW-Authenticate": DEVICE_CHALLENGE, NONCE_HEADER: self.nonce()})


def _key(header: Mapping[str, Any]) -> Any:
    """The key that the proof is by. Raises `BadToken`."""
    if header.get("typ") != "dpop+jwt" or set(header) != _HEADER_MEMBERS:
        raise jose.malformed("let the header hold `typ` (dpop+jwt), `alg` and `jwk` and nothing else")
    if header["alg"] != "ES256":
        raise BadToken("sign with ES256", code="algorithm")
    jwk = header["jwk"]
    if not isinstance(jwk, dict) or set(jwk) & _PRIVATE or not set(jwk) <= _KEY_MEMBERS:
        raise BadToken("let `jwk` be the public key alone: a private one is to be given up at once", code="key")
    return jose.ec_key(jwk)


def _claims(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    """Raises `BadToken` (`device_proof_malformed`)."""
    texts = [claims.get(name, "") for name in ("htm", "htu", "nonce", "ath")]
    iat, jti, parts = claims.get("iat"), claims.get("jti"), claims.get("parts", {})
    named = isinstance(parts, dict) and len(parts) <= MAX_PARTS and all(
        isinstance(one, str) and _SHA256.match(one) for one in parts.values())
    if (not set(claims) <= _CLAIMS or not all(isinstance(text, str) for text in texts) or not named
            or isinstance(iat, bool) or not isinstance(iat, int) or not isinstance(jti, str) or not _JTI.match(jti)
            or not {"htm", "htu"} <= set(claims)):
        raise BadToken("send `jti` (8 to 128 visible characters, always new), `htm`, `htu`, `iat` (whole seconds), and `parts` "
                       "with the SHA-256 of each part in hex; besides only `nonce` and `ath`", code="device_proof_malformed")
    return claims

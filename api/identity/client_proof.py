"""A client known by its key: an assertion that it signed (RFC 7523, 3), or the certificate of its TLS connection (RFC 8705, 2.2).

An assertion is the Bearer token of one request: signed for this API, for minutes, and used once. A certificate is told by the
proxy that ended TLS, in the header of RFC 9440, and believed from the addresses that the settings name alone.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from starlette.requests import Request

from api.identity import jose
from pipeline.clock import Clock
from pipeline.errors import BadToken
from pipeline.records.client_keys import KeyKind, find_key
from pipeline.records.clients import Client
from pipeline.records.device_proofs import DeviceProof, spend_alone
from pipeline.records.storage import Storage

CERTIFICATE_HEADER = "Client-Cert"
LONGEST_SECONDS = 300
"""From `iat` to `exp`, at most: an assertion that leaks is of use for minutes, where it was not used yet."""
AHEAD_SECONDS = 60
"""How far a client's clock may run ahead."""
MAX_CERTIFICATE = 16 << 10
"""Characters of the header: certificates have one to three thousand."""
_JTI = re.compile(r"[!-~]{8,128}\Z")
_KID = re.compile(r"[0-9a-f]{64}\Z")
_HEADER_MEMBERS = frozenset({"alg", "kid", "typ"})
_CLAIMS = frozenset({"iss", "sub", "aud", "iat", "exp", "jti"})


class ClientProofs:
    """Judges both for one public URL. Synchronous: asks the database."""

    def __init__(self, public_url: str, proxies: Sequence[str], storage: Storage, clock: Clock) -> None:
        """proxies: addresses or networks of those that end TLS and ask for certificates."""
        self._url, self._storage, self._clock = public_url, storage, clock
        self._proxies = [ipaddress.ip_network(one) for one in proxies]

    def by_assertion(self, text: str) -> Client:
        """Who signed it, for this one request. Raises `BadToken`: malformed, of a key that is nobody's, not for us, old, used."""
        token = jose.parse(text)
        kid = token.header.get("kid")
        if not set(token.header) <= _HEADER_MEMBERS or not isinstance(kid, str) or not _KID.match(kid):
            raise jose.malformed("let the header hold `alg` and `kid`, the key's id as `apoyo clients list` names it")
        found = find_key(self._storage.engine, KeyKind.SIGNING, kid)
        if found is None:
            raise BadToken("`kid` is no client's key", code="key")
        client, pem = found
        key = load_pem_public_key(pem.encode())
        if not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey):
            raise BadToken("the key is of a kind that is not taken", code="key")
        jose.verify(token, key)
        self._demand_claims(token.claims, client)
        use = hashlib.sha256(f"client|{client.id}|{token.claims['jti']}".encode()).hexdigest()
        try:
            spend_alone(self._storage.engine, DeviceProof(client.id, use))
        except BadToken:
            raise BadToken("sign a new assertion for each request: this one was used", code="replayed") from None
        return client

    def _demand_claims(self, claims: Mapping[str, Any], client: Client) -> None:
        """Raises `BadToken` (`malformed`, `subject`, `audience`, `time`)."""
        times, jti = [claims.get("iat"), claims.get("exp")], claims.get("jti")
        if set(claims) != _CLAIMS or not isinstance(jti, str) or not _JTI.match(jti) \
                or not all(isinstance(moment, int) and not isinstance(moment, bool) for moment in times):
            raise jose.malformed("let the claims be `iss`, `sub`, `aud`, `iat`, `exp` (whole seconds) and `jti` (8 to 128 "
                                 "visible characters, always new)")
        if claims["iss"] != client.id or claims["sub"] != client.id:
            raise BadToken("let `iss` and `sub` be the id of the client whose key signs", code="subject")
        if claims["aud"] not in (self._url, [self._url]):
            raise BadToken(f"let `aud` be {self._url}", code="audience")
        issued, ends = (int(moment) for moment in times if moment is not None)
        now = int(self._clock().timestamp())
        if not (issued <= now + AHEAD_SECONDS and now < ends <= issued + LONGEST_SECONDS):
            raise BadToken(f"sign it now, and let it end within {LONGEST_SECONDS} seconds", code="time")

    def certificate_of(self, request: Request) -> str | None:
        """What a proxy that is believed says of the connection's certificate: the header's value; None where there is none."""
        values = request.headers.getlist(CERTIFICATE_HEADER)
        return values[0] if len(values) == 1 and request.client is not None and self._is_believed(request.client.host) else None

    def _is_believed(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._proxies)

    def by_certificate(self, value: str) -> Client:
        """Whose certificate it is. Raises `BadToken` (`malformed`, `key`, `time`)."""
        data = _byte_sequence(value)
        found = find_key(self._storage.engine, KeyKind.CERTIFICATE, hashlib.sha256(data).hexdigest())
        if found is None:
            raise BadToken("the certificate is no client's", code="key")
        client, pem = found
        certificate = x509.load_pem_x509_certificate(pem.encode())
        if not certificate.not_valid_before_utc <= self._clock() <= certificate.not_valid_after_utc:
            raise BadToken("the certificate is not valid today", code="time")
        return client


def _byte_sequence(value: str) -> bytes:
    """A byte sequence of a structured field (RFC 8941, 3.3.5). Raises `BadToken` (`malformed`)."""
    if len(value) > MAX_CERTIFICATE or len(value) < 2 or value[0] != ":" or value[-1] != ":":
        raise jose.malformed(f"{CERTIFICATE_HEADER} holds one certificate as RFC 9440 says, {MAX_CERTIFICATE} characters at most")
    try:
        return base64.b64decode(value[1:-1], validate=True)
    except ValueError:
        raise jose.malformed(f"{CERTIFICATE_HEADER} is not base64") from None

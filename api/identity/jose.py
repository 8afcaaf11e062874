"""JSON Web Tokens in the one form that is taken here: compact, signed, small, and without anything that asks to be fetched.

Strict where libraries are lenient: base64url without padding and in its one spelling, no member twice, no `crit`, no key that a
token names itself (a device proof apart, whose key is what it proves). The algorithm is the key's and never the token's choice.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from pipeline.errors import BadToken

MAX_BYTES = 8 << 10
"""Of a whole token: providers' have about 1 KiB, and proxies take headers of 8 KiB at most."""
MAX_BRACKETS = 64
"""Objects or lists in one segment: ours have two, and deep nesting costs the reader of JSON its stack."""
P256_BYTES = 32
RSA_BITS = range(2048, 8193)
"""RFC 7518, 3.3, and what still verifies in a millisecond."""
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+\Z")
_COORDINATE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart; nothing in it is to be believed before `verify`."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes


def parse(text: str) -> Token:
    """Take a compact JWS apart. Raises `BadToken` (`malformed`) for everything that is not exactly one."""
    if len(text) > MAX_BYTES or not text.isascii():
        raise malformed(f"send at most {MAX_BYTES} ASCII characters")
    segments = text.split(".")
    if len(segments) != 3:
        raise malformed("send a compact JWS: three parts with a dot between them")
    header, claims, signature = map(decode, segments)
    return Token(_object(header), _object(claims), text.rpartition(".")[0].encode(), signature)


def decode(segment: str) -> bytes:
    """base64url without padding, in its one spelling. Raises `BadToken` (`malformed`)."""
    if not _SEGMENT.match(segment) or len(segment) % 4 == 1:
        raise malformed("use base64url without padding (RFC 7515, 2)")
    data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if encode(data) != segment:  # the bits that no byte needs must be zero, or one token had several spellings
        raise malformed("use base64url in its one spelling")
    return data


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def digest(data: bytes) -> str:
    """SHA-256 as tokens carry it."""
    return encode(hashlib.sha256(data).digest())


def verify(token: Token, key: PublicKey) -> None:
    """Raises `BadToken`: `algorithm` where the header names another than this key's, `signature` where it does not hold."""
    if token.header.get("alg") != algorithm_of(key):
        raise BadToken(f"sign with {algorithm_of(key)}: it is the key's", code="algorithm")
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(_der(token.signature), token.signed, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(token.signature, token.signed)
        else:
            key.verify(token.signature, token.signed, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        raise BadToken("the signature is not of this key over these bytes", code="signature") from None


def algorithm_of(key: PublicKey) -> str:
    """As RFC 7518, 3.1 and RFC 8037, 3.1 name it. Of elliptic curves P-256 alone gets here."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "EdDSA"
    return "ES256" if isinstance(key, ec.EllipticCurvePublicKey) else "RS256"


def sign(header: Mapping[str, Any], claims: Mapping[str, Any], key: ec.EllipticCurvePrivateKey) -> str:
    """A compact JWS by ES256."""
    signed = f"{_packed({**header, 'alg': 'ES256'})}.{_packed(claims)}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{encode(r.to_bytes(P256_BYTES, 'big') + s.to_bytes(P256_BYTES, 'big'))}"


def ec_key(jwk: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    """A P-256 key of its two coordinates. Raises `BadToken` (`key`)."""
    x, y = jwk.get("x"), jwk.get("y")
    if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256" or not (_is_coordinate(x) and _is_coordinate(y)):
        raise BadToken("use an EC key on P-256 with x and y of 32 bytes each", code="key")
    try:
        across, up = (int.from_bytes(decode(str(one)), "big") for one in (x, y))
        return ec.EllipticCurvePublicNumbers(across, up, ec.SECP256R1()).public_key()
    except (ValueError, BadToken):  # not a point of the curve
        raise BadToken("x and y are not a point of P-256", code="key") from None


def rsa_key(jwk: Mapping[str, Any]) -> rsa.RSAPublicKey:
    """An RSA key of its modulus and exponent. Raises `BadToken` (`key`)."""
    n, e = jwk.get("n"), jwk.get("e")
    if jwk.get("kty") != "RSA" or not isinstance(n, str) or not isinstance(e, str):
        raise BadToken("use an RSA key of n and e", code="key")
    try:
        modulus, exponent = (int.from_bytes(decode(one), "big") for one in (n, e))
        if modulus.bit_length() not in RSA_BITS or exponent not in (3, 65537):
            raise ValueError
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except (ValueError, BadToken):
        raise BadToken("the RSA key is too small, too large or of an unusual exponent", code="key") from None


def public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """The members that RFC 7638 makes the thumbprint of."""
    numbers = key.public_numbers()
    return {"crv": "P-256", "kty": "EC", "x": encode(numbers.x.to_bytes(P256_BYTES, "big")),
            "y": encode(numbers.y.to_bytes(P256_BYTES, "big"))}


def thumbprint(key: ec.EllipticCurvePublicKey) -> str:
    """RFC 7638, SHA-256."""
    return digest(json.dumps(public_jwk(key), sort_keys=True, separators=(",", ":")).encode())


def malformed(detail: str) -> BadToken:
    return BadToken(detail, code="malformed")


def _is_coordinate(value: Any) -> bool:
    return isinstance(value, str) and _COORDINATE.match(value) is not None


def _der(signature: bytes) -> bytes:
    """The signature as `cryptography` takes it. JWS has r and s side by side (RFC 7518, 3.4). Raises ValueError."""
    if len(signature) != 2 * P256_BYTES:
        raise ValueError
    return encode_dss_signature(int.from_bytes(signature[:P256_BYTES], "big"), int.from_bytes(signature[P256_BYTES:], "big"))


def _packed(value: Mapping[str, Any]) -> str:
    return encode(json.dumps(value, separators=(",", ":"), sort_keys=True).encode())


def _object(data: bytes) -> dict[str, Any]:
    if max(data.count(b"{"), data.count(b"[")) > MAX_BRACKETS:
        raise malformed("send claims of ordinary shape")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise malformed("header and claims must be JSON objects in UTF-8 that name no member twice") from None
    if not isinstance(value, dict):
        raise malformed("header and claims must be JSON objects")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member twice")
    return found


def _no_constant(_name: str) -> Any:
    raise ValueError("NaN and infinities are no JSON")

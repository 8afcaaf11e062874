"""Keys by which clients are known besides their secrets: public keys that verify what they sign, and certificates.

Only what is public is kept. A client may have several, so that one replaces another without a gap.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from sqlalchemy import Engine, bindparam, insert, select, update

from pipeline.clock import from_millis
from pipeline.errors import BadInput, Conflict, NotFound
from pipeline.records import audit
from pipeline.records.clients import Client, Role, demand_active
from pipeline.records.engine import reading, writing
from pipeline.records.tables import client_keys, clients, now_ms

LEAST_RSA_BITS = 2048
"""RFC 7518, 3.3."""


class KeyKind(StrEnum):
    """What the key is for: to verify a signed assertion, or to be shown in a TLS handshake."""

    SIGNING = "signing"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class PublicPart:
    """What is kept of a key. id: SHA-256 in hex of the key (SubjectPublicKeyInfo) or of the certificate, as DER."""

    kind: KeyKind
    id: str
    pem: str


@dataclass(frozen=True, slots=True)
class ListedKey:
    key: PublicPart
    client_id: str
    added_at: datetime


def read_public_part(data: bytes) -> PublicPart:
    """Of a PEM file. Raises `BadInput` (`client_key_unusable`): no public key or certificate, or one of another kind."""
    if b"PRIVATE KEY" in data:
        raise BadInput("that is a private key: give the public one alone (`openssl pkey -in KEY -pubout`), and make another pair "
                       "if it left its place", code="client_key_unusable")
    try:
        if b"BEGIN CERTIFICATE" in data:
            certificate = x509.load_pem_x509_certificate(data)
            _demand_usable(certificate.public_key())
            return PublicPart(KeyKind.CERTIFICATE, hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
                              certificate.public_bytes(Encoding.PEM).decode())
        key = load_pem_public_key(data)
    except ValueError:
        raise BadInput("give a PEM file with one public key or one certificate", code="client_key_unusable") from None
    _demand_usable(key)
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PublicPart(KeyKind.SIGNING, hashlib.sha256(der).hexdigest(),
                      key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def _demand_usable(key: object) -> None:
    usable = isinstance(key, ed25519.Ed25519PublicKey) or (
        isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)) or (
        isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_RSA_BITS)
    if not usable:
        raise BadInput(f"use a key on Ed25519 or P-256, or an RSA key of {LEAST_RSA_BITS} bits at least",
                       code="client_key_unusable")


def add_key(engine: Engine, client_id: str, key: PublicPart) -> None:
    """Raises `NotFound` (`client_not_found`), `Conflict` (`client_revoked`, `client_key_known`)."""
    with writing(engine) as connection:
        demand_active(connection, client_id)
        if connection.execute(select(client_keys.c.id).where(client_keys.c.id == key.id)).first() is not None:
            raise Conflict("the key is or was some client's: make another", code="client_key_known")
        connection.execute(insert(client_keys).values(
            id=key.id, client_id=client_id, kind=key.kind.value, pem=key.pem, added_at=now_ms()))
        audit.append(connection, actor="operator", action="client.key_added", subject_id=client_id, detail={"key": key.id})


def remove_key(engine: Engine, client_id: str, key_id: str) -> None:
    """It opens nothing from the next request on, and never again. Raises `NotFound` (`client_key_not_found`)."""
    with writing(engine) as connection:
        gone = connection.execute(update(client_keys).where(
            client_keys.c.id == key_id, client_keys.c.client_id == client_id, client_keys.c.removed_at.is_(None))
            .values(removed_at=now_ms()))
        if gone.rowcount != 1:
            raise NotFound("the client has no such key: `apoyo clients list` names them", code="client_key_not_found")
        audit.append(connection, actor="operator", action="client.key_removed", subject_id=client_id, detail={"key": key_id})


def list_keys(engine: Engine) -> list[ListedKey]:
    """Those in use, oldest first."""
    with reading(engine) as connection:
        rows = connection.execute(
            select(client_keys).where(client_keys.c.removed_at.is_(None)).order_by(client_keys.c.added_at)).all()
    return [ListedKey(PublicPart(KeyKind(row.kind), row.id, row.pem), row.client_id, from_millis(row.added_at)) for row in rows]


def find_key(engine: Engine, kind: KeyKind, key_id: str) -> tuple[Client, str] | None:
    """Whose key it is, and its PEM; None where it is nobody's, was removed, or its client was revoked."""
    with reading(engine) as connection:
        row = connection.execute(_KEY, {"kind": kind.value, "key": key_id}).one_or_none()
    return None if row is None else (Client(row.client_id, row.name, Role(row.role)), row.pem)


_KEY = (select(client_keys.c.client_id, client_keys.c.pem, clients.c.name, clients.c.role)
        .join(clients, clients.c.id == client_keys.c.client_id)
        .where(client_keys.c.id == bindparam("key"), client_keys.c.kind == bindparam("kind"), client_keys.c.removed_at.is_(None),
               clients.c.disabled_at.is_(None)))

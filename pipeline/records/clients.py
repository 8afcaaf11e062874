"""Who may speak to the API, each by a secret of 256 random bits of which only a digest is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import uuid_utils.compat
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from pipeline.blobs.files import read_or_make_secret
from pipeline.records import audit
from pipeline.records.engine import reading, writing
from pipeline.records.tables import clients, now_ms

PREFIX = "apoyo_"
"""Lets a leaked secret be recognised by scanners."""


class Role(StrEnum):
    """A backend sends supports and sees its own; an officer of the Mesa de Control sees all, and decides."""

    BACKEND = "backend"
    OFFICER = "officer"


@dataclass(frozen=True, slots=True)
class Client:
    id: str
    name: str
    role: Role = Role.BACKEND


def new_secret() -> str:
    """256 random bits. A digest without salt or stretching is enough for these: there is nothing to guess."""
    return PREFIX + secrets.token_urlsafe(32)


def add_client(engine: Engine, name: str, secret: str, role: Role = Role.BACKEND) -> Client:
    """Raises IntegrityError where the secret is in use."""
    client = Client(str(uuid_utils.compat.uuid7()), name, role)
    with writing(engine) as connection:
        connection.execute(insert(clients).values(
            id=client.id, name=name, secret_sha256=_digest(secret), created_at=now_ms(), role=role.value))
        audit.append(connection, actor="system", action="client.added", subject_id=client.id, detail={"role": role.value})
    return client


def ensure_first_client(engine: Engine, secret_file: Path) -> Client:
    """The client whose secret lies in `secret_file` (mode 0600); both are made if need be. Safe from several processes."""
    secret = read_or_make_secret(secret_file, new_secret)
    known = authenticate(engine, secret)
    if known is not None:
        return known
    try:
        return add_client(engine, "first", secret)
    except IntegrityError:  # another process was quicker
        known = authenticate(engine, secret)
        if known is None:
            raise
        return known


def authenticate(engine: Engine, secret: str) -> Client | None:
    """Who holds this secret; None for nobody. Time does not depend on how much of it is right: it is looked up by its digest."""
    digest = _digest(secret)
    with reading(engine) as connection:
        row = connection.execute(
            select(clients).where(clients.c.secret_sha256 == digest, clients.c.disabled_at.is_(None))).one_or_none()
    if row is None or not hmac.compare_digest(row.secret_sha256, digest):
        return None
    return Client(row.id, row.name, Role(row.role))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

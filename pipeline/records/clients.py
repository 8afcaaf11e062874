"""Who may speak to the API, each by a secret of 256 random bits of which only a digest is kept; and what each role may do."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import uuid_utils.compat
from sqlalchemy import Connection, Engine, Row, and_, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from pipeline.blobs.files import read_or_make_secret
from pipeline.clock import from_millis
from pipeline.errors import Conflict, NotFound
from pipeline.records import audit
from pipeline.records.engine import reading, writing
from pipeline.records.tables import clients, deliveries, now_ms, webhooks

PREFIX = "apoyo_"
"""Lets a leaked secret be recognised by scanners."""


class Role(StrEnum):
    """A backend sends supports and sees its own; an officer of the Mesa de Control sees all, and decides; an auditor reads the
    trail and no support; an operator sees how much waits where, and erases."""

    BACKEND = "backend"
    OFFICER = "officer"
    AUDITOR = "auditor"
    OPERATOR = "operator"


class Scope(StrEnum):
    """What a route asks for."""

    SEND = "supports.send"
    READ = "supports.read"
    LIST = "supports.list"
    DECIDE = "supports.decide"
    ACTIVATE = "activations"
    HOOKS = "webhooks"
    RULES = "processes.read"
    TRAIL = "audit.read"
    ERASE = "supports.erase"
    RECEIPTS = "receipts.read"


SCOPES: Mapping[Role, frozenset[Scope]] = {
    Role.BACKEND: frozenset({Scope.SEND, Scope.READ, Scope.LIST, Scope.ACTIVATE, Scope.HOOKS, Scope.RULES,
                             Scope.RECEIPTS}),
    Role.OFFICER: frozenset({Scope.READ, Scope.LIST, Scope.DECIDE, Scope.RULES}),
    Role.AUDITOR: frozenset({Scope.LIST, Scope.RULES, Scope.TRAIL, Scope.RECEIPTS}),
    Role.OPERATOR: frozenset({Scope.LIST, Scope.RULES, Scope.ERASE, Scope.RECEIPTS}),
}
"""Only a support itself holds what a citizen sent: lists and the trail are ids and codes."""


@dataclass(frozen=True, slots=True)
class Client:
    id: str
    name: str
    role: Role = Role.BACKEND

    def may(self, scope: Scope) -> bool:
        return scope in SCOPES[self.role]


@dataclass(frozen=True, slots=True)
class ListedClient:
    """`overlap_until`: while a secret that was replaced still opens."""

    client: Client
    created_at: datetime
    revoked_at: datetime | None
    overlap_until: datetime | None


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


def list_clients(engine: Engine) -> list[ListedClient]:
    """All that ever were, oldest first."""
    with reading(engine) as connection:
        rows = connection.execute(select(clients, now_ms().label("now")).order_by(clients.c.created_at, clients.c.id)).all()
    return [ListedClient(
        Client(row.id, row.name, Role(row.role)), from_millis(row.created_at),
        None if row.disabled_at is None else from_millis(row.disabled_at),
        from_millis(row.previous_until) if (row.previous_until or 0) > row.now else None) for row in rows]


def rotate_client(engine: Engine, client_id: str, secret: str, overlap_seconds: float) -> datetime:
    """A new secret; the one before it opens until the moment that is returned, and one before that no more.

    Raises `NotFound` (`client_not_found`), `Conflict` (`client_revoked`).
    """
    with writing(engine) as connection:
        row = demand_active(connection, client_id)
        now = connection.execute(select(now_ms())).scalar_one()
        until = now + int(overlap_seconds * 1000)
        connection.execute(update(clients).where(clients.c.id == client_id).values(
            secret_sha256=_digest(secret), previous_sha256=row.secret_sha256, previous_until=until))
        audit.append(connection, actor="operator", action="client.rotated", subject_id=client_id, detail={"until": until})
    return from_millis(until)


def revoke_client(engine: Engine, client_id: str) -> None:
    """No secret of it opens any more, from the next request on. What it sent stays; its webhooks are removed.

    Raises `NotFound` (`client_not_found`), `Conflict` (`client_revoked`).
    """
    with writing(engine) as connection:
        demand_active(connection, client_id)
        connection.execute(update(clients).where(clients.c.id == client_id).values(disabled_at=now_ms(), previous_until=None))
        theirs = select(webhooks.c.id).where(webhooks.c.client_id == client_id)
        connection.execute(update(webhooks).where(webhooks.c.client_id == client_id, webhooks.c.deleted_at.is_(None)).values(
            deleted_at=now_ms(), sealed=b"", wrapped=b""))
        connection.execute(update(deliveries).where(
            deliveries.c.target.in_(theirs), deliveries.c.delivered_at.is_(None), deliveries.c.dead_at.is_(None),
        ).values(dead_at=now_ms(), last_error="client_revoked"))
        audit.append(connection, actor="operator", action="client.revoked", subject_id=client_id, detail={})


def demand_active(connection: Connection, client_id: str) -> Row[tuple[object, ...]]:
    """The client's row, held till the transaction ends. Raises `NotFound` (`client_not_found`), `Conflict` (`client_revoked`)."""
    row = connection.execute(select(clients).where(clients.c.id == client_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound("no such client: `apoyo clients list` names them", code="client_not_found")
    if row.disabled_at is not None:
        raise Conflict("the client was revoked: add another", code="client_revoked")
    return row


def ensure_first_client(engine: Engine, secret_file: Path) -> Client | None:
    """The client whose secret lies in `secret_file` (mode 0600); both are made if need be. Safe from several processes.

    None where the file is older than this start, nobody's now, and there are clients: a secret that was revoked or replaced
    does not come back by a restart.
    """
    made = not secret_file.exists()
    secret = read_or_make_secret(secret_file, new_secret)
    known = authenticate(engine, secret)
    if known is not None:
        return known
    if not (made or _is_first(engine)):
        return authenticate(engine, secret)  # who made the file may have added its client since the first look
    try:
        return add_client(engine, "first", secret)
    except IntegrityError:  # another process was quicker
        return authenticate(engine, secret)


def authenticate(engine: Engine, secret: str) -> Client | None:
    """Who holds this secret; None for nobody. Time does not depend on how much of it is right: it is looked up by its digest."""
    digest = _digest(secret)
    overlapping = and_(clients.c.previous_sha256 == digest, clients.c.previous_until > now_ms())
    with reading(engine) as connection:
        row = connection.execute(select(clients).where(
            or_(clients.c.secret_sha256 == digest, overlapping), clients.c.disabled_at.is_(None))).one_or_none()
    if row is None or not any(hmac.compare_digest(kept or "", digest) for kept in (row.secret_sha256, row.previous_sha256)):
        return None
    return Client(row.id, row.name, Role(row.role))


def _is_first(engine: Engine) -> bool:
    """Whether there is no client at all yet."""
    with reading(engine) as connection:
        return connection.execute(select(clients.c.id).limit(1)).first() is None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

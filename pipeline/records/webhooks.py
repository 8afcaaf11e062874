"""Webhooks as rows: where a client wants to be told, of what, and the secrets by which it knows us."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import uuid_utils.compat
from sqlalchemy import Connection, Row, Select, func, insert, select, update

from pipeline.blobs.sealing import Keyring, SupportKey, WrappedKey
from pipeline.clock import from_millis
from pipeline.errors import Conflict, NotFound
from pipeline.records import audit
from pipeline.records.deliveries import hand_on_to_those_there
from pipeline.records.engine import reading, writing
from pipeline.records.outbox import EventKind
from pipeline.records.storage import Storage
from pipeline.records.tables import deliveries, now_ms, webhooks

SECRET_PREFIX, SECRET_BYTES = "whsec_", 32
"""Standard Webhooks: 24 to 64 random bytes, in base64 after this prefix."""
OVERLAP_MS = 24 * 3600 * 1000
"""How long a secret still signs beside the one that replaced it: a day to put the new one in place."""
MOST = 10
"""Webhooks of one client: each costs connections of its own."""


@dataclass(frozen=True, slots=True)
class Webhook:
    id: str
    client_id: str
    url: str
    events: frozenset[EventKind]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Tally:
    """How a webhook's deliveries stand. `last_error`: a code, of the last attempt that failed and was not made good since."""

    waiting: int
    delivered: int
    dead: int
    last_error: str | None


def add_webhook(storage: Storage, client_id: str, url: str, events: frozenset[EventKind]) -> tuple[Webhook, str]:
    """The webhook and its secret. Raises `Conflict` (`too_many_webhooks`)."""
    webhook_id, secret = str(uuid_utils.compat.uuid7()), new_secret()
    key, wrapped = storage.keyring.new_key(webhook_id)
    with writing(storage.engine) as connection:
        if connection.execute(select(func.count()).select_from(_of(client_id).subquery())).scalar_one() >= MOST:
            raise Conflict(f"a client has at most {MOST} webhooks", code="too_many_webhooks")
        hand_on_to_those_there(connection, client_id)
        row = connection.execute(insert(webhooks).values(
            id=webhook_id, client_id=client_id, url=url, events=json.dumps(sorted(events)), kek_id=wrapped.kek_id,
            wrapped=wrapped.wrapped, sealed=_sealed(key, 1, [(secret, None)]), secret_version=1, created_at=now_ms(),
        ).returning(webhooks)).one()
        audit.append(connection, actor=client_id, action="webhook.added", subject_id=webhook_id, detail={})
    return _webhook(row), secret


def list_webhooks(storage: Storage, client_id: str) -> list[Webhook]:
    """A client's, oldest first."""
    with reading(storage.engine) as connection:
        return [_webhook(row) for row in connection.execute(_of(client_id).order_by(webhooks.c.id))]


def get_webhook(storage: Storage, client_id: str, webhook_id: str) -> tuple[Webhook, Tally]:
    """One, and how its deliveries stand. Raises `NotFound` (`webhook_not_found`), also for another client's."""
    of_it = deliveries.c.target == webhook_id
    with reading(storage.engine) as connection:
        row = _present(connection, _of(client_id).where(webhooks.c.id == webhook_id))
        delivered, dead, rows = connection.execute(select(
            func.count(deliveries.c.delivered_at), func.count(deliveries.c.dead_at), func.count()).where(of_it)).one()
        error = connection.execute(
            select(deliveries.c.last_error).where(of_it, deliveries.c.last_error.is_not(None))
            .order_by(deliveries.c.due_at.desc()).limit(1)).scalar_one_or_none()
    return _webhook(row), Tally(rows - delivered - dead, delivered, dead, error)


def remove_webhook(storage: Storage, client_id: str, webhook_id: str) -> None:
    """Nothing is sent there any more, and its secrets are gone. Raises `NotFound`."""
    with writing(storage.engine) as connection:
        _locked(connection, client_id, webhook_id)
        connection.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(
            deleted_at=now_ms(), sealed=b"", wrapped=b""))
        connection.execute(update(deliveries).where(
            deliveries.c.target == webhook_id, deliveries.c.delivered_at.is_(None), deliveries.c.dead_at.is_(None),
        ).values(dead_at=now_ms(), last_error="webhook_removed"))
        audit.append(connection, actor=client_id, action="webhook.removed", subject_id=webhook_id, detail={})


def rotate_secret(storage: Storage, client_id: str, webhook_id: str) -> tuple[str, datetime]:
    """A new secret, and until when the one before it signs beside it. Raises `NotFound`."""
    with writing(storage.engine) as connection:
        row = _locked(connection, client_id, webhook_id)
        now = connection.execute(select(now_ms())).scalar_one()
        key = _key(storage.keyring, row)
        newest = _opened(key, row)[0][0]
        secret, version = new_secret(), row.secret_version + 1
        connection.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(
            sealed=_sealed(key, version, [(secret, None), (newest, now + OVERLAP_MS)]), secret_version=version))
        audit.append(connection, actor=client_id, action="webhook.rotated", subject_id=webhook_id, detail={"version": version})
    return secret, from_millis(now + OVERLAP_MS)


def signing_secrets(storage: Storage, webhook_id: str) -> list[str]:
    """Those that sign now, the newest first. Raises `NotFound` where the webhook was removed meanwhile."""
    with reading(storage.engine) as connection:
        row = _present(connection, select(webhooks, now_ms().label("now")).where(
            webhooks.c.id == webhook_id, webhooks.c.deleted_at.is_(None)))
    return [secret for secret, until in _opened(_key(storage.keyring, row), row) if until is None or until > row.now]


def new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _of(client_id: str) -> Select[Any]:
    return select(webhooks).where(webhooks.c.client_id == client_id, webhooks.c.deleted_at.is_(None))


def _locked(connection: Connection, client_id: str, webhook_id: str) -> Row[Any]:
    return _present(connection, _of(client_id).where(webhooks.c.id == webhook_id).with_for_update())


def _present(connection: Connection, query: Select[Any]) -> Row[Any]:
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("no such webhook", code="webhook_not_found")
    return row


def _webhook(row: Row[Any]) -> Webhook:
    return Webhook(row.id, row.client_id, row.url, frozenset(EventKind(kind) for kind in json.loads(row.events)),
                   from_millis(row.created_at))


def _key(keyring: Keyring, row: Row[Any]) -> SupportKey:
    return keyring.unwrap(row.id, WrappedKey(row.kek_id, row.wrapped))


def _sealed(key: SupportKey, version: int, kept: Sequence[tuple[str, int | None]]) -> bytes:
    return key.seal("secrets", version, json.dumps(kept).encode())


def _opened(key: SupportKey, row: Row[Any]) -> list[tuple[str, int | None]]:
    return [(secret, until) for secret, until in json.loads(key.open("secrets", row.secret_version, row.sealed))]

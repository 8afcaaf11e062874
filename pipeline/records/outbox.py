"""Events to be told to the app's backend: written with what they tell, delivered later (api/deliver)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum

import uuid_utils.compat
from sqlalchemy import Connection, insert

from pipeline.records.bell import Channel, ring
from pipeline.records.tables import now_ms, outbox


class EventKind(StrEnum):
    RECEIVED = "support.received"
    DECIDED = "support.decided"
    FINAL = "support.final"
    ERASED = "support.erased"
    TEST = "webhook.test"
    DEAD = "webhook.dead"
    CODE = "activation.code"


ABOUT_SUPPORTS = frozenset({EventKind.RECEIVED, EventKind.DECIDED, EventKind.FINAL, EventKind.ERASED})
"""Those that a webhook may ask for."""


_EVENT = insert(outbox).values(created_at=now_ms())


def append(connection: Connection, kind: EventKind, subject_id: str, body: Mapping[str, str | int | list[str]]) -> str:
    """Add one event within the caller's transaction: its id. `body`: ids and codes only."""
    event_id = str(uuid_utils.compat.uuid7())
    connection.execute(_EVENT, {"id": event_id, "kind": kind.value, "subject_id": subject_id,
                                "body": json.dumps(dict(body), sort_keys=True)})
    ring(connection, Channel.EVENTS)
    return event_id

"""Events to be told to the app's backend: written with what they tell, delivered later (api/deliver)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum

import uuid_utils.compat
from sqlalchemy import Connection, insert

from pipeline.records.tables import now_ms, outbox


class EventKind(StrEnum):
    RECEIVED = "support.received"
    DECIDED = "support.decided"
    FINAL = "support.final"


def append(connection: Connection, kind: EventKind, subject_id: str, body: Mapping[str, str | int | list[str]]) -> None:
    """Add one event within the caller's transaction. `body`: ids and codes only."""
    connection.execute(insert(outbox).values(
        id=str(uuid_utils.compat.uuid7()), kind=kind.value, subject_id=subject_id, body=json.dumps(dict(body), sort_keys=True),
        created_at=now_ms()))

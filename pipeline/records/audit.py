"""The trail of what was done: a chain of hashes over ids and codes. Whoever changes or drops a row breaks it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, insert, select, update

from pipeline.clock import from_millis
from pipeline.records.engine import reading, writing
from pipeline.records.tables import audit, audit_head, now_ms

BEGINNING, AT_ONCE = "0" * 64, 1000
Detail = Mapping[str, str | int]
"""Ids, codes and counts. Never a name, a key of a citizen, or a text read from a card."""


def append(connection: Connection, *, actor: str, action: str, subject_id: str, detail: Detail) -> None:
    """Add one row within the caller's transaction, so that the trail tells it if and only if it happened."""
    head = connection.execute(_NEXT).one()
    row = {"seq": head.seq, "at": head.at, "actor": actor, "action": action, "subject_id": subject_id,
           "detail": json.dumps(dict(detail), sort_keys=True), "previous": head.hash}
    row["hash"] = _digest(row)
    connection.execute(_ROW, row)
    connection.execute(_HEAD, {"head": row["hash"]})


_NEXT = (update(audit_head).where(audit_head.c.id == 1).values(seq=audit_head.c.seq + 1)
         .returning(audit_head.c.seq, audit_head.c.hash, now_ms().label("at")))
_ROW = insert(audit)
_HEAD = update(audit_head).where(audit_head.c.id == 1).values(hash=bindparam("head"))


@dataclass(frozen=True, slots=True)
class Entry:
    """One row as it is kept. `detail`: the JSON text that was hashed."""

    seq: int
    at_ms: int
    actor: str
    action: str
    subject_id: str
    detail: str
    previous: str
    hash: str

    @property
    def at(self) -> datetime:
        return from_millis(self.at_ms)


def list_entries(engine: Engine, after: int, limit: int) -> list[Entry]:
    """Up to `limit` rows past the number `after`, oldest first."""
    with reading(engine) as connection:
        rows = connection.execute(select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(limit))
        return [Entry(row.seq, row.at, row.actor, row.action, row.subject_id, row.detail, row.previous, row.hash) for row in rows]


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain at a moment. Kept off the machine, it tells whether the chain was cut or written anew since."""

    seq: int
    hash: str


def head(engine: Engine) -> Head:
    with reading(engine) as connection:
        row = connection.execute(select(audit_head.c.seq, audit_head.c.hash)).one()
        return Head(row.seq, row.hash)


def note_look(engine: Engine, actor: str, subject_id: str) -> None:
    """A person looks at what a citizen sent: told before it is shown, so that no look is without its row."""
    with writing(engine) as connection:
        append(connection, actor=actor, action="support.looked_at", subject_id=subject_id, detail={})


def first_broken(engine: Engine, kept: Head | None = None) -> int | None:
    """The number of the first row that does not follow from the one before (one past the last if the tail is cut), or None.

    kept: a head from outside, which the chain must lead through. Without one, whoever may write to the database can cut the
    tail together with the head's row, or write everything anew from some row on. Reads row by row: memory does not grow.
    """
    with reading(engine) as connection:
        previous, expected = BEGINNING, 1
        for row in connection.execution_options(yield_per=AT_ONCE).execute(select(audit).order_by(audit.c.seq)).mappings():
            if row["seq"] != expected or row["previous"] != previous or row["hash"] != _digest(row):
                return expected
            if kept is not None and kept.seq == expected and kept.hash != row["hash"]:
                return expected
            previous, expected = row["hash"], expected + 1
        if kept is not None and kept.seq >= expected:
            return expected
        end = connection.execute(select(audit_head.c.seq, audit_head.c.hash)).one()
        return None if (end.seq, end.hash) == (expected - 1, previous) else expected


def _digest(row: Mapping[Any, Any]) -> str:
    told = [row[name] for name in ("seq", "at", "actor", "action", "subject_id", "detail", "previous")]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()

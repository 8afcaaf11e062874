"""Holds: supports that an authority wants kept, whatever their retention says and whoever asks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, delete, insert, select, update

from pipeline.clock import from_millis
from pipeline.errors import BadInput
from pipeline.records import audit
from pipeline.records.engine import reading, writing
from pipeline.records.supports import lock_support
from pipeline.records.tables import holds, now_ms

REASON = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,49}")
"""A code: it stands in the trail, which holds no person's name."""


@dataclass(frozen=True, slots=True)
class Hold:
    support_id: str
    reason: str
    placed_at: datetime


def place(engine: Engine, support_id: str, reason: str) -> None:
    """Hold a support; another reason replaces the former. Raises `BadInput` (`bad_hold_reason`), `NotFound`, `Erased`."""
    if not REASON.fullmatch(reason):
        raise BadInput("a hold's reason is a code of up to 50 letters, digits and _ . / -", code="bad_hold_reason")
    with writing(engine) as connection:
        lock_support(connection, support_id)
        changed = connection.execute(update(holds).where(holds.c.support_id == support_id).values(reason=reason))
        if changed.rowcount == 0:
            connection.execute(insert(holds).values(support_id=support_id, reason=reason, placed_at=now_ms()))
        audit.append(connection, actor="operator", action="support.held", subject_id=support_id, detail={"reason": reason})


def release(engine: Engine, support_id: str) -> bool:
    """Let it go; whether it was held."""
    with writing(engine) as connection:
        gone = connection.execute(delete(holds).where(holds.c.support_id == support_id)).rowcount == 1
        if gone:
            audit.append(connection, actor="operator", action="support.released", subject_id=support_id, detail={})
        return gone


def held(engine: Engine) -> list[Hold]:
    """All that are held, oldest support first."""
    with reading(engine) as connection:
        return [Hold(row.support_id, row.reason, from_millis(row.placed_at))
                for row in connection.execute(select(holds).order_by(holds.c.support_id))]

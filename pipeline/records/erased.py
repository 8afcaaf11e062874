"""Whether a support is one that was erased: asked wherever a support's row is read."""

from __future__ import annotations

from sqlalchemy import Connection, select

from pipeline.domain.support import State
from pipeline.errors import Erased
from pipeline.records.tables import erasures


def demand_not_erased(connection: Connection, support_id: str, state: State) -> None:
    """Raises `Erased`, with the receipt's id."""
    if state is State.ERASED:
        raise Erased(str(connection.execute(
            select(erasures.c.receipt_id).where(erasures.c.support_id == support_id)).scalar_one()))

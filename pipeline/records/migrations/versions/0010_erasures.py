"""Erasures with their receipts, and holds."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID, MOMENT = sa.String(36), sa.BigInteger()


def _column(name: str, kind: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, **{"nullable": False, **options})


def upgrade() -> None:
    op.create_table(
        "erasures", _column("support_id", ID), _column("receipt_id", ID), _column("erased_at", MOMENT),
        _column("device", sa.String(64), nullable=True), _column("receipt", sa.Text()), _column("kept_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("support_id", name="pk_erasures"),
        sa.UniqueConstraint("receipt_id", name="uq_erasures_receipt_id"),
        sa.ForeignKeyConstraint(["support_id"], ["supports.id"], name="fk_erasures_support_id"))
    op.create_index("ix_erasures_kept_at", "erasures", ["kept_at"])
    op.create_table(
        "holds", _column("support_id", ID), _column("reason", sa.String(50)), _column("placed_at", MOMENT),
        sa.PrimaryKeyConstraint("support_id", name="pk_holds"),
        sa.ForeignKeyConstraint(["support_id"], ["supports.id"], name="fk_holds_support_id"))

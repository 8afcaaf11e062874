"""Webhooks, and one delivery for each event and target."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID, MOMENT = sa.String(36), sa.BigInteger()


def _column(name: str, kind: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, **{"nullable": False, **options})


def upgrade() -> None:
    op.create_table(
        "webhooks", _column("id", ID), _column("client_id", ID), _column("url", sa.String(2000)), _column("events", sa.Text()),
        _column("kek_id", sa.String(32)), _column("wrapped", sa.LargeBinary()), _column("sealed", sa.LargeBinary()),
        _column("secret_version", sa.Integer()), _column("created_at", MOMENT), _column("deleted_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name="fk_webhooks_client_id"))
    op.create_index("ix_webhooks_client_id", "webhooks", ["client_id"])
    op.create_table(
        "deliveries", _column("id", ID), _column("event_id", ID), _column("target", ID), _column("created_at", MOMENT),
        _column("due_at", MOMENT), _column("attempts", sa.Integer()), _column("fence", sa.Integer()),
        _column("delivered_at", MOMENT, nullable=True), _column("dead_at", MOMENT, nullable=True),
        _column("last_error", sa.String(100), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(["event_id"], ["outbox.id"], name="fk_deliveries_event_id"),
        sa.UniqueConstraint("target", "event_id", name="uq_deliveries_target_event_id"))
    op.create_index("ix_deliveries_delivered_at_dead_at_target_due_at", "deliveries",
                    ["delivered_at", "dead_at", "target", "due_at"])

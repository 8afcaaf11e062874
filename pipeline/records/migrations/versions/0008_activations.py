"""Activations."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID, MOMENT = sa.String(36), sa.BigInteger()


def _column(name: str, kind: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, **{"nullable": False, **options})


def upgrade() -> None:
    op.create_table(
        "activations", _column("id", ID), _column("client_id", ID), _column("device", sa.String(43)),
        _column("provider", sa.String(20)), _column("account", sa.String(64)), _column("process", sa.String(200)),
        _column("as_of", sa.String(10)), _column("state", sa.String(20)), _column("reasons", sa.Text()),
        _column("kek_id", sa.String(32)), _column("wrapped", sa.LargeBinary()), _column("sealed_email", sa.LargeBinary()),
        _column("sealed_front", sa.LargeBinary()), _column("sends", sa.Integer()), _column("attempts", sa.Integer()),
        _column("created_at", MOMENT), _column("updated_at", MOMENT), _column("expires_at", MOMENT),
        _column("sent_at", MOMENT, nullable=True), _column("confirmed_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_activations"),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name="fk_activations_client_id"))
    op.create_index("ix_activations_account_created_at", "activations", ["account", "created_at"])
    op.create_index("ix_activations_device_created_at", "activations", ["device", "created_at"])
    op.create_index("ix_activations_expires_at", "activations", ["expires_at"])

"""Rounds: an officer's role and decision, and for which round a request was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("clients", sa.Column("role", sa.String(20), nullable=False, server_default="backend"))
    op.add_column("idempotency", sa.Column("round", sa.Integer(), nullable=False, server_default="1"))
    op.create_table(
        "decisions", sa.Column("support_id", sa.String(36), nullable=False), sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("ruling", sa.String(20), nullable=False), sa.Column("ground", sa.String(50), nullable=False),
        sa.Column("officer_id", sa.String(36), nullable=False), sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("support_id", name="pk_decisions"),
        sa.ForeignKeyConstraint(["support_id"], ["supports.id"], name="fk_decisions_support_id"),
        sa.ForeignKeyConstraint(["officer_id"], ["clients.id"], name="fk_decisions_officer_id"))

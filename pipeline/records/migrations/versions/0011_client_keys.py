"""Clients' public keys and certificates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_keys",
        sa.Column("id", sa.String(64), nullable=False), sa.Column("client_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False), sa.Column("pem", sa.Text(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False), sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_client_keys"),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name="fk_client_keys_client_id"))
    op.create_index("ix_client_keys_client_id", "client_keys", ["client_id"])

"""The key of the device that sent a support, and the proofs that were used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "device_proofs", sa.Column("id", sa.String(64), nullable=False), sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_device_proofs"))
    op.create_index("ix_device_proofs_expires_at", "device_proofs", ["expires_at"])
    op.add_column("supports", sa.Column("device", sa.String(43), nullable=True))

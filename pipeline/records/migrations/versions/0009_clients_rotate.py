"""A client's secret may be replaced, with some time in which both open."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("clients", sa.Column("previous_sha256", sa.String(64), nullable=True))
    op.add_column("clients", sa.Column("previous_until", sa.BigInteger(), nullable=True))
    op.create_index("ix_clients_previous_sha256", "clients", ["previous_sha256"])

"""By whom a support was gathered, as a keyed digest, so that one sender's supports are found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("fingerprints", sa.Column("sender", sa.String(64), nullable=True))
    op.create_index("ix_fingerprints_sender", "fingerprints", ["sender", "seq"])

"""The backend's trace, kept with the support."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("supports", sa.Column("traceparent", sa.String(55), nullable=True))

"""The backend's trace, kept with the activation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("activations", sa.Column("traceparent", sa.String(55), nullable=True))

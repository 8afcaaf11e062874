"""Pages of supports: a client's own, and those that wait in a state."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_supports_client_id_received_at", "supports")
    op.create_index("ix_supports_client_id_id", "supports", ["client_id", "id"])
    op.create_index("ix_supports_state_id", "supports", ["state", "id"])

"""Fingerprints in an order that indexes follow, cards by keyed digest, files by digest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    head = op.create_table("reuse_head", sa.Column("id", sa.Integer(), nullable=False),
                           sa.Column("seq", sa.BigInteger(), nullable=False), sa.PrimaryKeyConstraint("id", name="pk_reuse_head"))
    op.bulk_insert(head, [{"id": 1, "seq": 0}])
    op.create_index("ix_parts_sha256", "parts", ["sha256"])
    op.drop_table("fingerprints")  # hashes of another kind: a worker's next round makes them anew
    op.create_table(
        "fingerprints", sa.Column("support_id", sa.String(36), nullable=False), sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True), sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("card", sa.String(64), nullable=True), sa.Column("neighbours", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("support_id", "round", name="pk_fingerprints"),
        sa.UniqueConstraint("seq", name="uq_fingerprints_seq"),
        sa.ForeignKeyConstraint(["support_id"], ["supports.id"], name="fk_fingerprints_support_id"))
    op.create_index("ix_fingerprints_card", "fingerprints", ["card"])

"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID, SHA, MOMENT = sa.String(36), sa.String(64), sa.BigInteger()


def _column(name: str, kind: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, **{"nullable": False, **options})


def _supports_fk(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["support_id"], ["supports.id"], name=f"fk_{table}_support_id")


def upgrade() -> None:
    _clients_and_supports()
    _parts_and_keys()
    _jobs()
    _results()
    _trail()


def _clients_and_supports() -> None:
    op.create_table(
        "clients", _column("id", ID), _column("name", sa.String(100)), _column("secret_sha256", SHA),
        _column("created_at", MOMENT), _column("disabled_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_clients"),
        sa.UniqueConstraint("secret_sha256", name="uq_clients_secret_sha256"))
    op.create_table(
        "supports", _column("id", ID), _column("client_id", ID), _column("process", sa.String(200)),
        _column("policy_version", sa.String(200)), _column("as_of", sa.String(10)), _column("state", sa.String(20)),
        _column("round", sa.Integer()), _column("version", sa.Integer()), _column("received_at", MOMENT),
        _column("updated_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_supports"),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name="fk_supports_client_id"))
    op.create_index("ix_supports_client_id_received_at", "supports", ["client_id", "received_at"])
    op.create_table(
        "idempotency", _column("client_id", ID), _column("key", sa.String(200)), _column("request_sha256", SHA),
        _column("support_id", ID), _column("created_at", MOMENT),
        sa.PrimaryKeyConstraint("client_id", "key", name="pk_idempotency"),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name="fk_idempotency_client_id"))


def _parts_and_keys() -> None:
    op.create_table(
        "parts", _column("support_id", ID), _column("part", sa.String(20)), _column("version", sa.Integer()),
        _column("sha256", SHA), _column("size", sa.BigInteger()), _column("blob_key", sa.String(200)),
        sa.PrimaryKeyConstraint("support_id", "part", "version", name="pk_parts"),
        sa.UniqueConstraint("blob_key", name="uq_parts_blob_key"), _supports_fk("parts"))
    op.create_table(
        "support_keys", _column("support_id", ID), _column("kek_id", sa.String(32)), _column("wrapped", sa.LargeBinary()),
        _column("created_at", MOMENT),
        sa.PrimaryKeyConstraint("support_id", name="pk_support_keys"), _supports_fk("support_keys"))


def _jobs() -> None:
    op.create_table(
        "jobs", _column("id", ID), _column("kind", sa.String(20)), _column("subject_id", ID), _column("round", sa.Integer()),
        _column("enqueued_at", MOMENT), _column("claimable_at", MOMENT), _column("attempts", sa.Integer()),
        _column("fence", sa.Integer()), _column("worker", sa.String(100), nullable=True),
        _column("last_error", sa.String(100), nullable=True), _column("done_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("kind", "subject_id", "round", name="uq_jobs_kind_subject_id_round"))
    op.create_index("ix_jobs_kind_done_at_claimable_at_enqueued_at", "jobs",
                    ["kind", "done_at", "claimable_at", "enqueued_at"])


def _results() -> None:
    op.create_table(
        "verdicts", _column("support_id", ID), _column("round", sa.Integer()), _column("outcome", sa.String(20)),
        _column("reasons", sa.Text()), _column("policy_version", sa.String(200)), _column("fence", sa.Integer()),
        _column("decided_at", MOMENT), _column("sealed", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("support_id", "round", name="pk_verdicts"), _supports_fk("verdicts"))
    op.create_table(
        "fingerprints", _column("support_id", ID), _column("round", sa.Integer()), _column("sealed", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("support_id", "round", name="pk_fingerprints"), _supports_fk("fingerprints"))


def _trail() -> None:
    op.create_table(
        "outbox", _column("id", ID), _column("kind", sa.String(50)), _column("subject_id", ID), _column("body", sa.Text()),
        _column("created_at", MOMENT), _column("delivered_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"))
    op.create_index("ix_outbox_delivered_at_created_at", "outbox", ["delivered_at", "created_at"])
    op.create_table(
        "audit", _column("seq", sa.BigInteger(), autoincrement=False), _column("at", MOMENT), _column("actor", sa.String(100)),
        _column("action", sa.String(50)), _column("subject_id", ID), _column("detail", sa.Text()), _column("previous", SHA),
        _column("hash", SHA), sa.PrimaryKeyConstraint("seq", name="pk_audit"))
    head = op.create_table(
        "audit_head", _column("id", sa.Integer()), _column("seq", sa.BigInteger()), _column("hash", SHA),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"))
    op.bulk_insert(head, [{"id": 1, "seq": 0, "hash": "0" * 64}])

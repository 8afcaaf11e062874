"""The tables, in SQLAlchemy Core. Moments are milliseconds since 1970 UTC by the database's clock (`now_ms`).

No column holds a personal datum: what a citizen sent, what was read from it and what was concluded lies sealed, here
as bytes (`verdicts.sealed`, `fingerprints.sealed`) or in the blob store, under the support's own key in `support_keys`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    or_,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

METADATA = MetaData(naming_convention={
    "ix": "ix_%(column_0_N_label)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s",
})
_ID = String(36)
"""A UUIDv7 as text: ids sort by age."""


class now_ms(FunctionElement[int]):  # noqa: N801 (reads as an SQL function)
    """Milliseconds since 1970 by the database's clock, so that workers' clocks do not matter."""

    type = BigInteger()
    name = "now_ms"
    inherit_cache = True


@compiles(now_ms, "sqlite")
def _sqlite(_element: Any, _compiler: Any, **_: Any) -> str:
    # Julian day 2440587.5 is 1970-01-01T00:00Z; a double holds it to well below a millisecond.
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"


@compiles(now_ms, "postgresql")
def _postgresql(_element: Any, _compiler: Any, **_: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


def has_come(moment: ColumnElement[int], longest_seconds: float | ColumnElement[float]) -> ColumnElement[bool]:
    """`moment` is over; or it lies further ahead than anything waits, since the clock was set back after it was written."""
    return or_(moment <= now_ms(), moment > now_ms() + 1000 * longest_seconds)


clients = Table(
    "clients", METADATA,
    Column("id", _ID, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("secret_sha256", String(64), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
    Column("role", String(20), nullable=False, server_default="backend"),
    Column("previous_sha256", String(64), index=True),
    Column("previous_until", BigInteger),
)

client_keys = Table(
    "client_keys", METADATA,
    Column("id", String(64), primary_key=True),
    Column("client_id", _ID, ForeignKey("clients.id"), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("pem", Text, nullable=False),
    Column("added_at", BigInteger, nullable=False),
    Column("removed_at", BigInteger),
)
"""Public halves alone. One that was removed stays, so that it does not come back."""

processes = Table(
    "processes", METADATA,
    Column("id", _ID, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
    Column("applied_at", BigInteger, nullable=False),
)
"""The newest version is in force; older ones stay, for supports were judged by them. `body`: JSON, as it was written."""

supports = Table(
    "supports", METADATA,
    Column("id", _ID, primary_key=True),
    Column("client_id", _ID, ForeignKey(clients.c.id), nullable=False),
    Column("process", String(200), nullable=False),
    Column("policy_version", String(200), nullable=False),
    Column("as_of", String(10), nullable=False),
    Column("state", String(20), nullable=False),
    Column("round", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("applicant", _ID),
    Column("device", String(43)),
    Column("traceparent", String(55)),
    Index("ix_supports_client_id_id", "client_id", "id"),
    Index("ix_supports_state_id", "state", "id"),
)

"""`policy_version`: in force when it came in; each verdict has its own. `applicant`: the operator's id, where the process lists
them. `device`: the thumbprint of the phone's key, where it proved itself. `traceparent`: the backend's, where it sent one."""

device_proofs = Table(
    "device_proofs", METADATA,
    Column("id", String(64), primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
"""Devices' proofs that were used. `id`: a digest of key and `jti`."""

parts = Table(
    "parts", METADATA,
    Column("support_id", _ID, ForeignKey(supports.c.id), primary_key=True),
    Column("part", String(20), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("blob_key", String(200), nullable=False, unique=True),
    Column("sealed_sha256", String(64)),
    Index("ix_parts_sha256", "sha256"),
)
"""`version` is the round the part belongs to: a round's capture is the newest version of each part up to it. One more than the
support's round: a retake that waits for the other parts that were asked for. `sealed_sha256`: of a part that a client sealed and
put into the store itself; all else that the row says of it is the client's word until a worker has looked."""

uploads = Table(
    "uploads", METADATA,
    Column("id", _ID, primary_key=True),
    Column("client_id", _ID, ForeignKey("clients.id"), nullable=False),
    Column("kek_id", String(32), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("parts", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Index("ix_uploads_client_id_expires_at", "client_id", "expires_at"),
)
"""Supports whose pictures are on their way past the API; `id`: the support's, should it be committed, which deletes the row.
`parts`: JSON of what `parts` rows will say."""

collected_blobs = Table(
    "collected_blobs", METADATA,
    Column("blob_key", String(200), primary_key=True),
    Column("collected_at", BigInteger, nullable=False),
)
"""Blobs without a row that are being, or have been, deleted: whoever would commit a part that names one is refused."""

support_keys = Table(
    "support_keys", METADATA,
    Column("support_id", _ID, ForeignKey(supports.c.id), primary_key=True),
    Column("kek_id", String(32), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
"""To delete a row is to erase the support: nothing sealed under its key can be opened again."""

jobs = Table(
    "jobs", METADATA,
    Column("id", _ID, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("subject_id", _ID, nullable=False),
    Column("round", Integer, nullable=False),
    Column("enqueued_at", BigInteger, nullable=False),
    Column("claimable_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("worker", String(100)),
    Column("last_error", String(100)),
    Column("done_at", BigInteger),
    UniqueConstraint("kind", "subject_id", "round"),
    Index("ix_jobs_kind_done_at_claimable_at_enqueued_at", "kind", "done_at", "claimable_at", "enqueued_at"),
)
"""`claimable_at`: from when a claim may take the row: since it came in, or once the lease on it has run out."""

verdicts = Table(
    "verdicts", METADATA,
    Column("support_id", _ID, ForeignKey(supports.c.id), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("outcome", String(20), nullable=False),
    Column("reasons", Text, nullable=False),
    Column("policy_version", String(200), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""The primary key is the promise: one machine verdict a round. `reasons`: a JSON list of "code:subject"."""

fingerprints = Table(
    "fingerprints", METADATA,
    Column("support_id", _ID, ForeignKey(supports.c.id), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("sealed", LargeBinary),
    Column("seq", BigInteger, nullable=False, unique=True),
    Column("card", String(64)),
    Column("neighbours", LargeBinary),
    Column("sender", String(64)),
    Index("ix_fingerprints_card", "card"),
    Index("ix_fingerprints_sender", "sender", "seq"),
)
"""Written before the verdict, in the order of `seq`, which indexes follow. `card`: keyed digest of the card's numbers.
`sender`: of the process and the phone, or the gatherer, that it came by.
`neighbours`: sealed, what the look-up found. An erased support keeps its row without any of them, so that indexes hear of it."""

reuse_head = Table(
    "reuse_head", METADATA,
    Column("id", Integer, primary_key=True),
    Column("seq", BigInteger, nullable=False),
)
"""One row: the newest `fingerprints.seq`. To hold it is to hold every registration."""

idempotency = Table(
    "idempotency", METADATA,
    Column("client_id", _ID, ForeignKey(clients.c.id), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("request_sha256", String(64), nullable=False),
    Column("support_id", _ID, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("round", Integer, nullable=False, server_default="1"),
)
"""`round`: what the request was for, so that a repetition is answered with the same words."""

decisions = Table(
    "decisions", METADATA,
    Column("support_id", _ID, ForeignKey(supports.c.id), primary_key=True),
    Column("round", Integer, nullable=False),
    Column("ruling", String(20), nullable=False),
    Column("ground", String(50), nullable=False),
    Column("officer_id", _ID, ForeignKey(clients.c.id), nullable=False),
    Column("decided_at", BigInteger, nullable=False),
)
"""An officer's word about a support, after the verdict of `round`; one, and it stands."""

outbox = Table(
    "outbox", METADATA,
    Column("id", _ID, primary_key=True),
    Column("kind", String(50), nullable=False),
    Column("subject_id", _ID, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("delivered_at", BigInteger),
    Index("ix_outbox_delivered_at_created_at", "delivered_at", "created_at"),
)
"""Events to tell, written in the transaction that makes them true. `body`: JSON of ids and codes only. `delivered_at`: since when
`deliveries` holds a row for each who asked for it."""

erasures = Table(
    "erasures", METADATA,
    Column("support_id", _ID, ForeignKey(supports.c.id), primary_key=True),
    Column("receipt_id", _ID, nullable=False, unique=True),
    Column("erased_at", BigInteger, nullable=False),
    Column("device", String(64)),
    Column("receipt", Text, nullable=False),
    Column("kept_at", BigInteger, index=True),
)
"""What was erased. `receipt`: the signed JSON. `device`: keyed digest of the phone that sent the support, which may ask
again. `kept_at`: since when the receipt lies in the blob store too, where a restored database finds it."""

holds = Table(
    "holds", METADATA,
    Column("support_id", _ID, ForeignKey(supports.c.id), primary_key=True),
    Column("reason", String(50), nullable=False),
    Column("placed_at", BigInteger, nullable=False),
)
"""Supports that an authority wants kept: nothing erases them until released. `reason`: a code, such as a file's number."""

webhooks = Table(
    "webhooks", METADATA,
    Column("id", _ID, primary_key=True),
    Column("client_id", _ID, ForeignKey(clients.c.id), nullable=False, index=True),
    Column("url", String(2000), nullable=False),
    Column("events", Text, nullable=False),
    Column("kek_id", String(32), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("secret_version", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
)
"""Where a client wants to be told. `sealed`: its signing secrets, under a key of its own; empty once deleted."""

deliveries = Table(
    "deliveries", METADATA,
    Column("id", _ID, primary_key=True),
    Column("event_id", _ID, ForeignKey(outbox.c.id), nullable=False),
    Column("target", _ID, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("delivered_at", BigInteger),
    Column("dead_at", BigInteger),
    Column("last_error", String(100)),
    UniqueConstraint("target", "event_id"),
    Index("ix_deliveries_delivered_at_dead_at_target_due_at", "delivered_at", "dead_at", "target", "due_at"),
)
"""One event to one target: a webhook's id, or "mail", the operator's. `due_at`: the next attempt, or the lease's end."""

activations = Table(
    "activations", METADATA,
    Column("id", _ID, primary_key=True),
    Column("client_id", _ID, ForeignKey(clients.c.id), nullable=False),
    Column("device", String(43), nullable=False),
    Column("provider", String(20), nullable=False),
    Column("account", String(64), nullable=False),
    Column("process", String(200), nullable=False),
    Column("as_of", String(10), nullable=False),
    Column("state", String(20), nullable=False),
    Column("reasons", Text, nullable=False),
    Column("kek_id", String(32), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("sealed_email", LargeBinary, nullable=False),
    Column("sealed_front", LargeBinary, nullable=False),
    Column("sends", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("sent_at", BigInteger),
    Column("confirmed_at", BigInteger),
    Column("traceparent", String(55)),
    Index("ix_activations_account_created_at", "account", "created_at"),
    Index("ix_activations_device_created_at", "device", "created_at"),
)
"""`account`: keyed digest of the address. The front is in the row because it lives for a second: it comes and goes in one
transaction each, and no copy of it is left in a store. Empty bytes: dropped."""

audit_head = Table(
    "audit_head", METADATA,
    Column("id", Integer, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)
"""One row: the end of the chain. Taking it is what puts writers in order on every database."""

audit = Table(
    "audit", METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("action", String(50), nullable=False),
    Column("subject_id", _ID, nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

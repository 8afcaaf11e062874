"""Proofs that were used: each once, whatever process it is sent to. Spent in the transaction that does what it proves.

So a proof is spent if and only if what it was made for has happened, and a request that failed may be sent again with it. Where
the database does not answer, nothing is accepted.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.errors import BadToken
from pipeline.records.engine import reading, writing
from pipeline.records.tables import device_proofs, now_ms

KEPT_MS = 25 * 3600 * 1000
"""A day and an hour: no clock of ours that is set back makes a forgotten proof young again. A proof is young for minutes."""
PRUNED = 20
"""Old rows that go with each new one: more go than come, so that the table shrinks after any flood."""


@dataclass(frozen=True, slots=True)
class DeviceProof:
    """A verified proof. `device`: the RFC 7638 thumbprint of its key.  `use`: SHA-256 of key and `jti`, that may be used once."""

    device: str
    use: str


def demand_unspent(engine: Engine, proof: DeviceProof) -> None:
    """Before anything is stored for it. Raises `BadToken` (`device_proof_replayed`)."""
    with reading(engine) as connection:
        if connection.execute(select(device_proofs.c.id).where(device_proofs.c.id == proof.use)).first() is not None:
            raise _replayed()


def spend(connection: Connection, proof: DeviceProof) -> None:
    """Within the caller's transaction; of two at once the second waits. Raises `BadToken` (`device_proof_replayed`)."""
    new = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    added = connection.execute(
        new(device_proofs).values(id=proof.use, expires_at=now_ms() + KEPT_MS).on_conflict_do_nothing()
        .returning(device_proofs.c.id))
    if added.first() is None:
        raise _replayed()
    old = (select(device_proofs.c.id).where(device_proofs.c.expires_at < now_ms()).order_by(device_proofs.c.expires_at)
           .limit(PRUNED).with_for_update(skip_locked=True))
    connection.execute(delete(device_proofs).where(device_proofs.c.id.in_(old.scalar_subquery())))


def spend_alone(engine: Engine, proof: DeviceProof) -> None:
    """Where what it proves writes nothing else. Raises `BadToken` (`device_proof_replayed`)."""
    with writing(engine) as connection:
        spend(connection, proof)


def _replayed() -> BadToken:
    return BadToken("make a new proof for each request: this one was used", code="device_proof_replayed")

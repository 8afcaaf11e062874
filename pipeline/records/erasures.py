"""Erasing a support: its key is destroyed, and all that could be found by or told of it goes with it, in one transaction.

Sealed bytes that still lie somewhere (blobs that were not deleted in time, copies of the database) are noise from then on. An
older copy of the database has the wrapped key again: so the receipt is also put into the blob store, outside of what is restored,
and `apply_again` erases by it what came back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uuid_utils.compat
from sqlalchemy import Connection, Engine, Row, bindparam, delete, exists, insert, select, text, update

from pipeline import faults
from pipeline.clock import from_millis
from pipeline.domain.support import State
from pipeline.errors import BadInput, Conflict, NotFound, Unavailable
from pipeline.records import audit, outbox
from pipeline.records.engine import BUSY_SECONDS, reading, writing
from pipeline.records.leases import JobKind
from pipeline.records.receipts import Cause, Receipt, read_receipt
from pipeline.records.reuse import forget
from pipeline.records.storage import Storage
from pipeline.records.tables import (
    erasures,
    holds,
    idempotency,
    jobs,
    now_ms,
    parts,
    support_keys,
    supports,
    verdicts,
)
from pipeline.telemetry import ERASURES, logger

LEDGER = "erasures"
"""The folder of the blob store that receipts lie in."""
NEVER_THE_SAME = ""
"""In the place of a request's digest: it was made from the pictures."""
PAGE = 500
WIPE_WAIT_MS = 250
"""Some times what a read here takes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which support, why, and by whom (a client's id, or a word such as "operator"). client_id, device: only if this backend
    and this phone sent it. version: only if nothing changed since it was that."""

    support_id: str
    cause: Cause
    actor: str
    client_id: str | None = None
    device: str | None = None
    version: int | None = None


def erase(storage: Storage, asked: Asked) -> str:
    """Destroy the support's key and everything by which it is found: the signed receipt, as JSON, durable outside the database.

    Asked again: the same receipt. A worker that holds the support ends with its lease lost, and writes nothing. Raises
    `NotFound`, `Conflict` (`support_held`), `Unavailable` (ask again: what was done is done once).
    """
    if asked.device is not None:
        demand_sent_by(storage, asked.support_id, asked.client_id, asked.device)
    with writing(storage.engine) as connection:
        signed, blob_keys = _erase(connection, storage, asked)
    faults.point("erase.committed")
    _keep(storage, asked.support_id, signed)
    for key in blob_keys:
        _discard(storage, key)
    _wipe_log(storage.engine)
    return signed


def _erase(connection: Connection, storage: Storage, asked: Asked, known: str | None = None) -> tuple[str, list[str]]:
    """Within the caller's transaction. known: the receipt that a restored database does not remember."""
    # Jobs before the support, as a finish does it: a worker's later write finds its lease gone.
    connection.execute(update(jobs).where(
        jobs.c.kind == JobKind.SUPPORT.value, jobs.c.subject_id == asked.support_id, jobs.c.done_at.is_(None),
    ).values(done_at=now_ms(), worker=None, last_error="erased"))
    row = connection.execute(select(supports).where(supports.c.id == asked.support_id).with_for_update()).one_or_none()
    if row is None or asked.client_id not in (None, row.client_id):
        raise NotFound("no such support", code="support_not_found")
    if row.state == State.ERASED.value:
        again = connection.execute(select(erasures.c.receipt).where(erasures.c.support_id == asked.support_id))
        return str(again.scalar_one()), []
    if asked.version not in (None, row.version):
        raise Conflict("it changed meanwhile", code="round_moved")
    if known is None and connection.execute(select(exists().where(holds.c.support_id == row.id))).scalar_one():
        raise Conflict("an authority wants it kept", code="support_held")
    key = connection.execute(select(support_keys).where(support_keys.c.support_id == row.id)).one_or_none()
    blob_keys = list(connection.execute(select(parts.c.blob_key).where(parts.c.support_id == row.id)).scalars())
    now = int(connection.execute(select(now_ms())).scalar_one())
    receipt = read_receipt(known) if known is not None else Receipt(
        id=str(uuid_utils.compat.uuid7()), support=row.id, erased_at=from_millis(now).isoformat(), cause=asked.cause,
        kek_id="" if key is None else key.kek_id,
        wrapped_key_sha256="" if key is None else hashlib.sha256(key.wrapped).hexdigest(), parts=len(blob_keys))
    signed = known or storage.receipts.sign(receipt)
    _take_away(connection, row.id)
    connection.execute(insert(erasures).values(
        support_id=row.id, receipt_id=receipt.id, erased_at=now, receipt=signed, kept_at=None if known is None else now,
        device=None if row.device is None else storage.keyring.search_digest(f"device|{row.device}")))
    told: dict[str, str | int] = {"receipt": receipt.id, "cause": receipt.cause.value}
    outbox.append(connection, outbox.EventKind.ERASED, row.id, {"support": row.id, **told})
    audit.append(connection, actor=asked.actor, action="support.erased" if known is None else "support.erased_again",
                 subject_id=row.id, detail=told)
    ERASURES.labels(receipt.cause.value).inc()
    return signed, blob_keys


def _take_away(connection: Connection, support_id: str) -> None:
    connection.execute(update(supports).where(supports.c.id == support_id).values(
        state=State.ERASED.value, device=None, version=supports.c.version + 1, updated_at=now_ms()))
    connection.execute(update(verdicts).where(verdicts.c.support_id == support_id).values(sealed=b""))
    connection.execute(update(idempotency).where(idempotency.c.support_id == support_id).values(request_sha256=NEVER_THE_SAME))
    for table in (parts, support_keys, holds):
        connection.execute(delete(table).where(table.c.support_id == support_id))
    forget(connection, support_id)


def _keep(storage: Storage, support_id: str, signed: str) -> None:
    """Put the receipt where no restored database takes it away. Raises `Unavailable`: then whoever asks again does it."""
    storage.blobs.put_if_absent(f"{LEDGER}/{support_id}.json", signed.encode())
    with writing(storage.engine) as connection:
        connection.execute(update(erasures).where(erasures.c.support_id == support_id, erasures.c.kept_at.is_(None))
                           .values(kept_at=now_ms()))


def keep_the_rest(storage: Storage) -> int:
    """Put the receipts that a process that died did not; how many."""
    with reading(storage.engine) as connection:
        rows = connection.execute(select(erasures.c.support_id, erasures.c.receipt)
                                  .where(erasures.c.kept_at.is_(None)).limit(PAGE)).all()
    for row in rows:
        _keep(storage, row.support_id, row.receipt)
    return len(rows)


def kept_receipts(storage: Storage) -> Iterator[str]:
    """Every signed receipt in the blob store, oldest support first."""
    for blob in storage.blobs.list(LEDGER):
        yield storage.blobs.get(blob.key).decode("utf-8", "replace")


def receipts_in(place: Path) -> list[str]:
    """Signed receipts from a file of one a line, or from a folder of one a file. Raises `BadInput` (`no_receipts`)."""
    try:
        if place.is_dir():
            return [file.read_text() for file in sorted(place.glob("*.json"))]
        return [line for line in place.read_text().splitlines() if line]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{place} cannot be read: {type(error).__name__}", code="no_receipts") from error


@dataclass(frozen=True, slots=True)
class AppliedAgain:
    """`erased`: supports that had come back.  `refused`: receipts that are not believed."""

    erased: int
    refused: int


def apply_again(storage: Storage, receipts: Iterable[str]) -> AppliedAgain:
    """Erase what these receipts say was erased and what this database, restored from an older copy, has again.

    A receipt is believed if it is signed by this installation's key, or names the very wrapped key that lies here (which nobody
    can who has not seen it): so a store that somebody else writes to erases nothing. Raises `Unavailable`.
    """
    own, erased, refused = storage.receipts.public(), 0, 0
    for signed in receipts:
        try:
            receipt = read_receipt(signed)
        except BadInput as error:
            logger("erasures").error("receipt refused", code=error.code)
            refused += 1
            continue
        with writing(storage.engine) as connection:
            row = _present(connection, receipt.support)
            if row is None:
                continue
            if _is_of(signed, own) or hashlib.sha256(row.wrapped).hexdigest() == receipt.wrapped_key_sha256:
                _, blob_keys = _erase(connection, storage, Asked(receipt.support, receipt.cause, "system"), signed)
                erased += 1
            else:
                logger("erasures").error("receipt refused", support=receipt.support, code="receipt_other_key")
                blob_keys, refused = [], refused + 1
        storage.blobs.put_if_absent(f"{LEDGER}/{receipt.support}.json", signed.encode())
        for key in blob_keys:
            _discard(storage, key)
    _wipe_log(storage.engine)
    return AppliedAgain(erased, refused)


def _present(connection: Connection, support_id: str) -> Row[Any, Any] | None:
    return connection.execute(select(support_keys.c.support_id, support_keys.c.wrapped)
                              .where(support_keys.c.support_id == support_id)).one_or_none()


def _is_of(signed: str, own: str) -> bool:
    try:
        read_receipt(signed, own)
    except BadInput:
        return False
    return True


def find_receipt(engine: Engine, receipt_id: str, client_id: str | None) -> str:
    """The signed receipt, as JSON. client_id: only of this client's supports. Raises `NotFound` (`receipt_not_found`)."""
    with reading(engine) as connection:
        row = connection.execute(
            select(erasures.c.receipt, supports.c.client_id).join(supports, supports.c.id == erasures.c.support_id)
            .where(erasures.c.receipt_id == receipt_id)).one_or_none()
    if row is None or client_id not in (None, row.client_id):
        raise NotFound("no such receipt", code="receipt_not_found")
    return str(row.receipt)


def demand_sent_by(storage: Storage, support_id: str, client_id: str | None, device: str) -> None:
    """Whether the support, erased or not, is this phone's of this client. One statement and one digest, whatever is found: how
    long it takes does not tell another's from none. Raises `NotFound`."""
    digest = storage.keyring.search_digest(f"device|{device}")
    with reading(storage.engine) as connection:
        row = connection.execute(_SENDER, {"support": support_id}).one_or_none()
    if row is None or client_id not in (None, row.client_id) or (
            (row.device, row.erased_device) not in ((device, None), (None, digest))):
        raise NotFound("no such support", code="support_not_found")


_SENDER = (select(supports.c.client_id, supports.c.device, erasures.c.device.label("erased_device"))
           .outerjoin(erasures, erasures.c.support_id == supports.c.id).where(supports.c.id == bindparam("support")))


def _discard(storage: Storage, key: str) -> None:
    """Best effort: what is left has no key and no row, and is the collector's."""
    try:
        storage.blobs.delete(key)
    except Unavailable as error:
        logger("erasures").warning("orphan_left", code=error.code)


def _wipe_log(engine: Engine) -> None:
    """SQLite's log still holds the pages as they were: it is written back and cut. A reader under way puts it off until the next
    erasure or `apoyo collect`: writers wait meanwhile, so it is not waited for long."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute(f"PRAGMA busy_timeout={WIPE_WAIT_MS}")
            try:
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                driver.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")


def scrub(engine: Engine) -> None:
    """What a database keeps of deleted rows until it needs the room is written over. Daily, by `apoyo collect`."""
    _wipe_log(engine)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM support_keys, fingerprints, verdicts"))

"""Rows and blobs held against each other: what one has and the other lacks is named, and what nothing names is collected.

Only two things are ever changed. A blob that no row names and that is older than a grace is deleted: its request was never
acknowledged. A support that waits for a verdict without a job gets one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import islice

from sqlalchemy import Engine, collate, delete, exists, insert, select, text

from pipeline.blobs.api import StoredBlob
from pipeline.blobs.sealing import SEALED_BYTES
from pipeline.clock import from_millis
from pipeline.domain.support import State
from pipeline.errors import BadUpload, Corrupt, Misconfigured, NotFound
from pipeline.records import audit
from pipeline.records.engine import database_now, reading, writing
from pipeline.records.erasures import LEDGER
from pipeline.records.leases import JobKind, enqueue
from pipeline.records.storage import Storage, load_part, open_key
from pipeline.records.supports import StoredPart, get_support, new_support_id, stored_part
from pipeline.records.tables import collected_blobs, jobs, now_ms, parts, supports
from pipeline.records.uploads import planned

PAGE = 1_000
"""Rows read, and blobs given up, in one transaction."""
GRACE = timedelta(hours=24)
"""A request ends within minutes. A day leaves room to notice a database that was restored to an older state than its blobs."""
WRITE = timedelta(hours=1)
"""Far above what one write of a blob takes: what it has put beside is not taken from it at any grace."""
REMEMBERED = timedelta(days=30)
"""How long a blob that was given up is refused: no process of an API lives that long within one request."""
MANY, MANY_SHARE = 100, 0.1
"""More than a tenth of all blobs, and more than so many, without a row: that is no leftovers, that is a lost database."""


class Kind(StrEnum):
    MISSING = "missing"
    """A row names a blob that is not there: the support goes to a person."""
    DAMAGED = "damaged"
    """The blob is not what its row says: the support goes to a person."""
    ORPHAN = "orphan"
    """A blob that neither a row names nor an open upload will."""
    WAITING = "without_job"
    """A support that waits for a verdict that nobody would write."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. `subject`: a blob's key, or a support's id where there is no job."""

    kind: Kind
    subject: str


def reconcile(storage: Storage, *, deep: bool = False) -> Iterator[Finding]:
    """Everything that rows and blobs do not agree on, in the order of the keys; memory does not grow with their number.

    deep: also open each blob and compare it with its row's checksum. Raises `Unavailable`.
    """
    rows, blobs = _named(storage.engine), _blobs(storage)
    row, blob = next(rows, None), next(blobs, None)
    while row is not None or blob is not None:
        if blob is None or (row is not None and row[1].blob_key < blob.key):
            assert row is not None
            if not storage.blobs.exists(row[1].blob_key):  # it may have come after the listing had passed its place
                yield Finding(Kind.MISSING, row[1].blob_key)
            row = next(rows, None)
        elif row is None or blob.key < row[1].blob_key:
            if not _is_named(storage.engine, blob.key):
                yield Finding(Kind.ORPHAN, blob.key)
            blob = next(blobs, None)
        else:
            if blob.size != row[1].size + SEALED_BYTES or (deep and not _opens(storage, *row)):
                yield Finding(Kind.DAMAGED, blob.key)
            row, blob = next(rows, None), next(blobs, None)
    yield from (Finding(Kind.WAITING, support_id) for support_id, _ in _without_job(storage.engine))


def mend(engine: Engine) -> int:
    """Give a job to each support that waits without one; how many."""
    found = _without_job(engine)
    for support_id, round_ in found:
        with writing(engine) as connection:
            enqueue(connection, new_support_id(), JobKind.SUPPORT, support_id, round_)
            audit.append(connection, actor="system", action="support.job_mended", subject_id=support_id, detail={"round": round_})
    return len(found)


def collect(storage: Storage, *, grace: timedelta = GRACE, however_many: bool = False) -> int:
    """Delete the blobs that no row names and that are older than `grace`; how many.

    Safe at any grace beside requests under way: see `_give_up`. Raises `Misconfigured` (`too_many_orphans`) unless
    `however_many`, `Unavailable`.
    """
    before = from_millis(database_now(storage.engine)) - grace
    if not however_many:
        _demand_few(storage)
    old = (blob.key for blob in _blobs(storage) if blob.modified_at <= before)
    count = 0
    while page := list(islice(old, PAGE)):
        for key in _give_up(storage.engine, page):
            storage.blobs.delete(key)
            count += 1
    storage.blobs.sweep(before - WRITE)
    with writing(storage.engine) as connection:
        connection.execute(delete(collected_blobs).where(
            collected_blobs.c.collected_at < now_ms() - int(REMEMBERED.total_seconds() * 1000)))
    return count


def _give_up(engine: Engine, keys: list[str]) -> list[str]:
    """Those of these that no row names, now written down as given up.

    A request puts its blobs first and commits the rows that name them later, perhaps much later. Whoever is second sees the
    first: no part is inserted while this holds its lock; one that was inserted before is waited for and then seen here; one
    that comes after finds its key given up, and its request is answered with an error (`records.supports.insert_parts`).
    """
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE parts IN SHARE MODE"))  # SQLite lets one write at a time anyway
        named = set(connection.execute(select(parts.c.blob_key).where(parts.c.blob_key.in_(keys))).scalars())
        named |= planned(connection, keys)  # after the parts: a commit is either seen there, or waits with its plan still here
        known = set(connection.execute(
            select(collected_blobs.c.blob_key).where(collected_blobs.c.blob_key.in_(keys))).scalars())
        free = [key for key in keys if key not in named]
        new = [key for key in free if key not in known]
        if new:
            now = connection.execute(select(now_ms())).scalar_one()
            connection.execute(insert(collected_blobs), [{"blob_key": key, "collected_at": now} for key in new])
            audit.append(connection, actor="system", action="blobs.collected", subject_id="", detail={"blobs": len(new)})
        return free


def _demand_few(storage: Storage) -> None:
    total = orphans = 0
    blobs = _blobs(storage)
    while page := list(islice(blobs, PAGE)):
        total += len(page)
        keys = [blob.key for blob in page]
        with reading(storage.engine) as connection:
            named = set(connection.execute(select(parts.c.blob_key).where(parts.c.blob_key.in_(keys))).scalars())
            orphans += len(keys) - len(named | planned(connection, keys))
    if orphans > MANY and orphans > MANY_SHARE * total:
        raise Misconfigured(f"{orphans} of {total} blobs have no row: if the database was restored to an older state, these are "
                            "supports; look at `apoyo reconcile` first", code="too_many_orphans")


def _blobs(storage: Storage) -> Iterator[StoredBlob]:
    """All that rows name, or should: not the receipts of erasures, which are there for a database that has forgotten them."""
    return (blob for blob in storage.blobs.list() if not blob.key.startswith(f"{LEDGER}/"))


def _named(engine: Engine) -> Iterator[tuple[str, StoredPart]]:
    """Every part with its support's id, by blob key, page by page. Bytes' order, whatever the database's language."""
    key = collate(parts.c.blob_key, "C") if engine.dialect.name == "postgresql" else parts.c.blob_key
    last = ""
    while True:
        with reading(engine) as connection:
            page = connection.execute(select(parts).where(key > last).order_by(key).limit(PAGE)).all()
        if not page:
            return
        for row in page:
            yield row.support_id, stored_part(row)
        last = page[-1].blob_key


def _is_named(engine: Engine, key: str) -> bool:
    with reading(engine) as connection:
        named = connection.execute(select(parts.c.blob_key).where(parts.c.blob_key == key)).first() is not None
        return named or bool(planned(connection, [key]))


def _opens(storage: Storage, support_id: str, part: StoredPart) -> bool:
    try:
        load_part(storage.blobs, open_key(storage, get_support(storage.engine, support_id)), part)
    except (Corrupt, NotFound):
        return False
    except BadUpload:  # it lies there as the client put it, and a worker says so
        return True
    return True


def _without_job(engine: Engine) -> list[tuple[str, int]]:
    """Supports that wait for a verdict, with their round, and have no job that is still to be done."""
    has_job = exists().where(jobs.c.kind == JobKind.SUPPORT.value, jobs.c.subject_id == supports.c.id,
                             jobs.c.round == supports.c.round)
    waiting = supports.c.state.in_([State.RECEIVED.value, State.PROCESSING.value])
    with reading(engine) as connection:
        return [(row.id, row.round) for row in connection.execute(
            select(supports.c.id, supports.c.round).where(waiting, ~has_job).order_by(supports.c.id).limit(PAGE))]

"""Rows' wrapped keys and the key-encryption keys that they name: counted, and wrapped anew. What they seal is never touched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import Engine, Table, func, select, update

from pipeline.blobs.keks import KeyProvider, WrappedKey
from pipeline.errors import Corrupt, Misconfigured
from pipeline.records import audit
from pipeline.records.engine import reading, writing
from pipeline.records.storage import Storage
from pipeline.records.tables import activations, support_keys, uploads, webhooks

BATCH = 500
"""Rows wrapped anew in one transaction: some 20 ms of the writer's lock."""
DROPPED = b""
"""In the place of the wrapped key of a webhook or an activation that is over."""
TABLES: tuple[Table, ...] = (support_keys, webhooks, activations, uploads)


def count_by_key(engine: Engine) -> Counter[str]:
    """How many wrapped keys each key-encryption key opens."""
    counts: Counter[str] = Counter()
    with reading(engine) as connection:
        for table in TABLES:
            rows = connection.execute(select(table.c.kek_id, func.count().label("keys"))
                                      .where(table.c.wrapped != DROPPED).group_by(table.c.kek_id))
            for row in rows:
                counts[row.kek_id] += row.keys
    return counts


def opens(keys: KeyProvider, engine: Engine, kek_id: str) -> bool:
    """Whether a wrapped key of this key-encryption key opens here: tried with one of each table."""
    with reading(engine) as connection:
        samples = [row for table in TABLES for row in connection.execute(
            select(table.c.kek_id, table.c.wrapped).where(table.c.kek_id == kek_id, table.c.wrapped != DROPPED).limit(1))]
    try:
        for row in samples:
            keys.unwrap(WrappedKey(row.kek_id, row.wrapped))
    except (Corrupt, Misconfigured):
        return False
    return True


def rewrap_all(storage: Storage) -> Iterator[int]:
    """Wrap by the current key what another wrapped: how many so far, after each batch. Begun anew it goes on where it was.

    Raises `Corrupt`, `Misconfigured` where a row's key does not open: the batches before are done. What is erased meanwhile stays
    erased: only a row that still holds the very bytes that were read is changed.
    """
    done = 0
    for table in TABLES:
        (key,) = table.primary_key.columns
        while True:
            current = storage.keyring.kek_id  # asked anew: should it turn meanwhile, what follows is wrapped by the newer one
            stale = (table.c.kek_id != current, table.c.wrapped != DROPPED)
            with writing(storage.engine) as connection:
                named = select(key.label("id"), table.c.kek_id, table.c.wrapped)
                rows = connection.execute(named.where(*stale).limit(BATCH)).all()
                for row in rows:
                    new = storage.keyring.rewrap(WrappedKey(row.kek_id, row.wrapped))
                    connection.execute(update(table).where(key == row.id, table.c.wrapped == row.wrapped).values(
                        kek_id=new.kek_id, wrapped=new.wrapped))
                if rows:
                    audit.append(connection, actor="operator", action="keys.rewrapped", subject_id="",
                                 detail={"table": table.name, "rows": len(rows), "kek": current})
            if not rows:
                break
            done += len(rows)
            yield done

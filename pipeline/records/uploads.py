"""Supports whose pictures a client puts into the store itself: planned, then committed (`records.supports`) or forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, delete, func, insert, select

from pipeline.blobs.sealing import WrappedKey
from pipeline.clock import from_millis
from pipeline.errors import Conflict
from pipeline.records.engine import reading, writing
from pipeline.records.supports import StoredPart, upload_not_found
from pipeline.records.tables import now_ms, uploads

FORGOTTEN = 500
"""Rows of plans that are over, deleted in one transaction."""


@dataclass(frozen=True, slots=True)
class Upload:
    """id: the support's, should it be committed.  parts: as the client announced them, at places of ours."""

    id: str
    client_id: str
    parts: tuple[StoredPart, ...]
    key: WrappedKey


def insert_upload(engine: Engine, upload: Upload, life: timedelta, most: int) -> datetime:
    """Until when it may be committed. Raises `Conflict` (`too_many_uploads`) where the client has `most` open ones.

    Requests at the same moment may each be the last: the bound is on what lies about, not a count to the one.
    """
    with writing(engine) as connection:
        _forget_some(connection)
        is_open = uploads.c.expires_at > now_ms()
        held = connection.execute(select(func.count()).where(uploads.c.client_id == upload.client_id, is_open)).scalar_one()
        if held >= most:
            raise Conflict("as many uploads are open as one client may have", code="too_many_uploads")
        now = connection.execute(select(now_ms())).scalar_one()
        expires = now + int(life.total_seconds() * 1000)
        connection.execute(insert(uploads).values(
            id=upload.id, client_id=upload.client_id, kek_id=upload.key.kek_id, wrapped=upload.key.wrapped,
            parts=json.dumps([asdict(part) for part in upload.parts]), created_at=now, expires_at=expires))
    return from_millis(expires)


def find_upload(engine: Engine, upload_id: str, client_id: str) -> Upload:
    """One that may still be committed. Raises `NotFound` (`upload_not_found`) for one that was, is over, or is another's."""
    with reading(engine) as connection:
        row = connection.execute(select(uploads).where(
            uploads.c.id == upload_id, uploads.c.client_id == client_id, uploads.c.expires_at > now_ms())).one_or_none()
    if row is None:
        raise upload_not_found()
    return Upload(row.id, row.client_id, tuple(StoredPart(**part) for part in json.loads(row.parts)),
                  WrappedKey(row.kek_id, row.wrapped))


def planned(connection: Connection, keys: Iterable[str]) -> set[str]:
    """Those of these blobs' keys that an open upload's commit would name."""
    of = {key: key.split("/")[1] for key in keys if key.count("/") == 2}
    found = set(connection.execute(
        select(uploads.c.id).where(uploads.c.id.in_(set(of.values())), uploads.c.expires_at > now_ms())).scalars())
    return {key for key, upload_id in of.items() if upload_id in found}


def forget_uploads(engine: Engine) -> int:
    """Delete the plans that time has ended; how many. Their blobs, if they came, are the collector's. For a daily run; each new
    plan deletes some too."""
    total = 0
    while True:
        with writing(engine) as connection:
            count = _forget_some(connection)
        total += count
        if count < FORGOTTEN:
            return total


def _forget_some(connection: Connection) -> int:
    old = select(uploads.c.id).where(uploads.c.expires_at <= now_ms()).order_by(uploads.c.expires_at).limit(FORGOTTEN)
    free = old.with_for_update(skip_locked=True).scalar_subquery()
    return connection.execute(delete(uploads).where(uploads.c.id.in_(free))).rowcount

"""Supports whose pictures a client puts into the store itself: planned, then committed (`records.supports`) or forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select

from pipeline.blobs.sealing import WrappedKey
from pipeline.clock import from_millis
from pipeline.errors import Conflict
from pipeline.records.engine import reading, writing
from pipeline.records.supports import StoredPart, upload_not_found
from pipeline.records.tables import now_ms, uploads


@dataclass(frozen=True, slots=True)
class Upload:
    """id: the support's, should it be committed.  parts: as the client announced them, at places of ours."""

    id: str
    client_id: str
    parts: tuple[StoredPart, ...]
    key: WrappedKey


# Made once: to make a statement anew takes most of the time that it takes.
_MOST = 500
"""Rows of plans that are over, deleted in one transaction."""
_OVER = (select(uploads.c.id).where(uploads.c.expires_at <= now_ms()).order_by(uploads.c.expires_at).limit(_MOST)
         .with_for_update(skip_locked=True))
_FORGET = delete(uploads).where(uploads.c.id.in_(_OVER.scalar_subquery()))
_HELD = select(func.count()).where(uploads.c.client_id == bindparam("client"), uploads.c.expires_at > now_ms())
_NEW = insert(uploads).values(created_at=now_ms(), expires_at=now_ms() + bindparam("life")).returning(uploads.c.expires_at)
_OPEN = select(uploads).where(uploads.c.id == bindparam("upload"), uploads.c.client_id == bindparam("client"),
                              uploads.c.expires_at > now_ms())


def insert_upload(engine: Engine, upload: Upload, life: timedelta, most: int) -> datetime:
    """Until when it may be committed. Raises `Conflict` (`too_many_uploads`) where the client has `most` open ones.

    Requests at the same moment may each be the last: the bound is on what lies about, not a count to the one.
    """
    with writing(engine) as connection:
        connection.execute(_FORGET)
        if connection.execute(_HELD, {"client": upload.client_id}).scalar_one() >= most:
            raise Conflict("as many uploads are open as one client may have", code="too_many_uploads")
        return from_millis(connection.execute(_NEW, {
            "id": upload.id, "client_id": upload.client_id, "kek_id": upload.key.kek_id, "wrapped": upload.key.wrapped,
            "parts": json.dumps([asdict(part) for part in upload.parts]), "life": int(life.total_seconds() * 1000)}).scalar_one())


def find_upload(engine: Engine, upload_id: str, client_id: str) -> Upload:
    """One that may still be committed. Raises `NotFound` (`upload_not_found`) for one that was, is over, or is another's."""
    with reading(engine) as connection:
        row = connection.execute(_OPEN, {"upload": upload_id, "client": client_id}).one_or_none()
    if row is None:
        raise upload_not_found()
    return Upload(row.id, row.client_id, tuple(StoredPart(**part) for part in json.loads(row.parts)),
                  WrappedKey(row.kek_id, row.wrapped))


def planned(connection: Connection, keys: Iterable[str]) -> set[str]:
    """Those of these blobs' keys that lie in the folder of an open upload."""
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
            count = connection.execute(_FORGET).rowcount
        total += count
        if count < _MOST:
            return total

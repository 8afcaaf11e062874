"""Makers of rows for the tests of records: a client, a support, a verdict."""

from __future__ import annotations

import hashlib
import secrets
from datetime import date
from pathlib import Path

from sqlalchemy import Engine

from pipeline.domain.verdict import Outcome, Reason, Subject
from pipeline.records.clients import add_client, new_secret
from pipeline.records.storage import INFO, Storage, open_storage, store_part
from pipeline.records.supports import Finished, IdempotencyKey, NewSupport, insert_support, new_support_id
from pipeline.settings import StorageSettings

PICTURES = {"front": b"front bytes", "back": b"back bytes", "selfie": b"selfie bytes", "signature": b"signature bytes"}


def storage_in(place: Path | StorageSettings) -> Storage:
    """Opened there; a path means SQLite and a folder under it."""
    return open_storage(place if isinstance(place, StorageSettings) else StorageSettings(data_dir=place))


def client_in(engine: Engine) -> str:
    return add_client(engine, "test", new_secret()).id


def new_support(storage: Storage, client_id: str, *, key: str | None = None, request: bytes = b"request",
                as_of: date = date(2026, 11, 24)) -> NewSupport:
    """A support whose parts are durable, ready to be inserted."""
    support_id = new_support_id()
    open_key, wrapped = storage.keyring.new_key(support_id)
    parts = tuple(store_part(storage.blobs, open_key, part, 1, data) for part, data in {**PICTURES, INFO: b"{}"}.items())
    return NewSupport(
        id=support_id, client_id=client_id, process="demo", policy_version="demo-1", as_of=as_of, parts=parts, key=wrapped, applicant=None,
        idempotency=IdempotencyKey(key or secrets.token_hex(8), hashlib.sha256(request).hexdigest()))


def insert_one(storage: Storage, client_id: str) -> str:
    support_id, created = insert_support(storage.engine, new_support(storage, client_id))
    assert created
    return support_id


def finished(outcome: Outcome = Outcome.RETAKE, sealed: bytes = b"sealed") -> Finished:
    return Finished(outcome, (Reason("back.blurred", Subject.BACK, "sharpness 0.1"),), "demo-1", sealed)

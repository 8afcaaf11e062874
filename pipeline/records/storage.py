"""Rows, sealed bytes and keys together: what a process of the service opens at its start, and how parts are kept.

A part is sealed under the support's key and put into the blob store before the row that names it is committed; what is
read back must have the size and SHA-256 that the row says.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Engine

from pipeline import faults
from pipeline.blobs.api import BlobStore
from pipeline.blobs.files import make_folders, read_secret
from pipeline.blobs.folder import FolderStore
from pipeline.blobs.keks import KeyProvider, LocalKeys
from pipeline.blobs.key_service import KeyService
from pipeline.blobs.s3 import S3Store, place_of
from pipeline.blobs.sealing import Keyring, SupportKey
from pipeline.domain.capture import Part
from pipeline.domain.upload import check_upload
from pipeline.errors import BadInput, BadUpload, Conflict, Corrupt, NotFound
from pipeline.records.engine import open_engine, upgrade
from pipeline.records.receipts import ReceiptKey
from pipeline.records.supports import StoredPart, SupportRecord, get_support
from pipeline.settings import StorageSettings, variable

INFO = "info"
"""The part that holds the support's own words (the JSON of `support`): sealed like the pictures, for it names people."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Everything durable. Thread-safe; not to be carried into another process."""

    engine: Engine
    blobs: BlobStore
    keyring: Keyring
    receipts: ReceiptKey


def open_storage(settings: StorageSettings) -> Storage:
    """Open, and make what is missing: folder, key file, tables. Raises `Misconfigured` or `Unavailable`."""
    make_folders(settings.data_dir)
    file = settings.database_password_file
    password = None if file is None else read_secret(file, "the database's password")
    engine = open_engine(settings.database_url, password)
    upgrade(engine)
    return Storage(engine, open_blobs(settings), Keyring(open_keys(settings)), ReceiptKey(settings.receipt_key_file))


def open_keys(settings: StorageSettings) -> KeyProvider:
    """Of the key service, else from the variable of the environment that is named, else from the file. Raises `Misconfigured`,
    `Unavailable`."""
    if settings.key_service_url:
        return KeyService(settings.key_service_url, settings.key_service_key, settings.key_service_token_file,
                          settings.key_service_ca_file)
    if settings.key_variable:
        return LocalKeys(partial(variable, settings.key_variable), f"the variable {settings.key_variable}")
    return LocalKeys.in_file(settings.key_file)


def open_blobs(settings: StorageSettings) -> BlobStore:
    """The bucket if an S3 endpoint is set, else the folder. Raises `Misconfigured` or `Unavailable`."""
    if not settings.s3_endpoint:
        return FolderStore(settings.blob_dir)
    keys = {"access": read_secret(settings.s3_access_key_file, "the S3 access key's file"),
            "secret": read_secret(settings.s3_secret_key_file, "the S3 secret key's file")}
    return S3Store.open(place_of(settings.s3_endpoint, settings.s3_bucket, settings.s3_region, keys,
                                 settings.s3_public_endpoint))


def name_part(key: SupportKey, part: str, version: int, data: bytes, sha256: str | None = None) -> StoredPart:
    """A place for one part, where nothing is yet. sha256: of `data`, in hex, where it is known already."""
    digest = sha256 or hashlib.sha256(data).hexdigest()
    return StoredPart(part, version, digest, len(data), new_place(key.support_id, part, version))


def folder_of(support_id: str) -> str:
    """Where a support's parts lie. The tail of a UUIDv7 is random: even folders."""
    return f"{support_id[-2:]}/{support_id}"


def new_place(support_id: str, part: str, version: int) -> str:
    """A blob's key. The last word keeps what a broken-off request left from being in the way."""
    return f"{folder_of(support_id)}/{part}.{version}.{secrets.token_hex(4)}"


def put_parts(blobs: BlobStore, key: SupportKey, named: Sequence[StoredPart], contents: Mapping[str, bytes]) -> None:
    """Seal the parts and make them durable at their places, together. After an error some may be there: the caller deletes them.

    Raises `Unavailable`; `Conflict` where something lies at a place.
    """
    for _ in named:
        faults.point("blob.before_put")
    sealed = {one.blob_key: key.seal(one.part, one.version, contents[one.part]) for one in named}
    if not blobs.put_all_if_absent(sealed):
        raise Conflict("a part is stored already", code="part_exists")
    for _ in named:
        faults.point("blob.after_put")


def store_part(blobs: BlobStore, key: SupportKey, part: str, version: int, data: bytes,
               sha256: str | None = None) -> StoredPart:
    """One part alone, as `name_part` and `put_parts`."""
    named = name_part(key, part, version, data, sha256)
    put_parts(blobs, key, (named,), {part: data})
    return named


def load_part(blobs: BlobStore, key: SupportKey, stored: StoredPart) -> bytes:
    """Fetch, open and check one part. Raises `Corrupt` for missing, damaged, swapped or old bytes; `Unavailable`; `BadUpload` for
    what a client put into the store itself, and what the door does not let in or is not what was announced."""
    try:
        sealed = blobs.get(stored.blob_key)
    except NotFound:
        raise Corrupt(f"{stored.part} v{stored.version} is not in the store", code="part_missing") from None
    if stored.sealed_sha256 is None:
        return _open_part(key, stored, sealed)
    if hashlib.sha256(sealed).hexdigest() != stored.sealed_sha256:
        raise Corrupt(f"{stored.part} v{stored.version} is not what was put there", code="part_differs")
    try:
        data = _open_part(key, stored, sealed)
    except Corrupt as error:  # the store kept it well: it came so
        raise BadUpload(f"`{stored.part}` is not what was announced: {error.detail}", code="upload_differs") from error
    check_upload(Part(stored.part), data)
    return data


def _open_part(key: SupportKey, stored: StoredPart, sealed: bytes) -> bytes:
    data = key.open(stored.part, stored.version, sealed)
    if len(data) != stored.size or hashlib.sha256(data).hexdigest() != stored.sha256:
        raise Corrupt(f"{stored.part} v{stored.version} is not what was sent", code="part_differs")
    return data


def load_parts(storage: Storage, record: SupportRecord) -> Mapping[str, bytes]:
    """All parts of the current capture, by name; without those that came past the API and that its door would have refused.

    Raises `Corrupt`; also where the key was erased.
    """
    key = open_key(storage, record)
    loaded = {}
    for part in record.parts:
        with suppress(BadUpload):
            loaded[part.part] = load_part(storage.blobs, key, part)
    return loaded


def open_key(storage: Storage, record: SupportRecord) -> SupportKey:
    """The support's key. Raises `Corrupt` (`key_erased` where it is gone for good)."""
    if record.key is None:
        raise Corrupt("the support was erased", code="key_erased")
    return storage.keyring.unwrap(record.id, record.key)


def open_verdict(storage: Storage, record: SupportRecord) -> bytes | None:
    """The JSON of the current round's result as the worker wrote it, or None while it is pending. Raises `Corrupt`."""
    if record.verdict is None:
        return None
    return open_key(storage, record).open("verdict", record.verdict.round, record.verdict.sealed)


def judged_support(storage: Storage, support_id: str) -> tuple[SupportRecord, dict[str, Any]]:
    """A support, and the resource of its current round as the worker wrote it.

    Raises `NotFound`; `BadInput` (`not_judged_yet`) where it has no verdict; `Corrupt` (`key_erased` where it was erased).
    """
    record = get_support(storage.engine, support_id)
    sealed = open_verdict(storage, record)
    if sealed is None:
        raise BadInput("it has no verdict yet: it is judged when its turn comes", code="not_judged_yet")
    return record, json.loads(sealed)

"""Uploads past the API: where each part goes is planned here, and signed; the bytes never come by."""

from __future__ import annotations

import base64
from datetime import timedelta

from api.uploads.schemas import AnnouncedPart, PartAddress, PartAddresses, PlannedUpload, UploadBody
from pipeline.blobs.api import DirectStore
from pipeline.blobs.sealing import SEALED_BYTES
from pipeline.blobs.signed_put import SignedPut
from pipeline.domain.capture import Part
from pipeline.errors import Conflict
from pipeline.records.storage import Storage, new_place
from pipeline.records.supports import FIRST_ROUND, StoredPart, new_support_id
from pipeline.records.uploads import Upload, insert_upload


class Uploads:
    """Synchronous. Thread-safe."""

    def __init__(self, storage: Storage, seconds: int, most: int) -> None:
        """seconds: for which an upload is open.  most: that a client may have open."""
        self._storage = storage
        self._life = timedelta(seconds=seconds)
        self._most = most

    def plan(self, client_id: str, wanted: UploadBody) -> PlannedUpload:
        """Addresses for what was announced. Raises `Conflict` (`too_many_uploads`,
        `direct_upload_unavailable`), `Unavailable`."""
        store = self._storage.blobs
        if not isinstance(store, DirectStore):
            raise Conflict("pictures are kept in a folder here", code="direct_upload_unavailable")
        upload_id = new_support_id()
        parts = {part: _placed(upload_id, part, getattr(wanted.parts, part.value)) for part in Part}
        addresses = {part.value: _address(store.signed_put(
            one.blob_key, one.size + SEALED_BYTES, str(one.sealed_sha256), self._life)) for part, one in parts.items()}
        key = self._storage.keyring.adopt(base64.urlsafe_b64decode(f"{wanted.key}="))
        upload = Upload(upload_id, client_id, tuple(parts.values()), key)
        expires = insert_upload(self._storage.engine, upload, self._life, self._most)
        return PlannedUpload(id=upload_id, expires_at=expires, parts=PartAddresses.model_validate(addresses))


def _placed(upload_id: str, part: Part, told: AnnouncedPart) -> StoredPart:
    place = new_place(upload_id, part.value, FIRST_ROUND)
    return StoredPart(part.value, FIRST_ROUND, told.sha256, told.size, place, told.sealed_sha256)


def _address(signed: SignedPut) -> PartAddress:
    return PartAddress(url=signed.url, headers=dict(signed.headers))

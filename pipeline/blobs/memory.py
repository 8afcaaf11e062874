"""A blob store in memory, for tests and for runs that keep nothing."""

from __future__ import annotations

import threading

from pipeline.blobs.api import checked_key
from pipeline.errors import NotFound


class MemoryStore:
    """A `BlobStore` that ends with its process."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def put_if_absent(self, key: str, data: bytes) -> bool:
        with self._lock:
            if checked_key(key) in self._blobs:
                return False
            self._blobs[key] = data
            return True

    def get(self, key: str) -> bytes:
        try:
            return self._blobs[checked_key(key)]
        except KeyError:
            raise NotFound("no such blob", code="blob_not_found") from None

    def delete(self, key: str) -> None:
        self._blobs.pop(checked_key(key), None)

    def exists(self, key: str) -> bool:
        return checked_key(key) in self._blobs

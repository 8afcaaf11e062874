"""A blob store in memory, for tests and for runs that keep nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from pipeline.blobs.api import StoredBlob, checked_key
from pipeline.errors import NotFound


class MemoryStore:
    """A `BlobStore` that ends with its process."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._times: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def put_if_absent(self, key: str, data: bytes) -> bool:
        with self._lock:
            if checked_key(key) in self._blobs:
                return False
            self._blobs[key] = data
            self._times[key] = datetime.now(UTC)
            return True

    def put_all_if_absent(self, values: Mapping[str, bytes]) -> bool:
        return all(self.put_if_absent(key, data) for key, data in values.items())

    def get(self, key: str) -> bytes:
        try:
            return self._blobs[checked_key(key)]
        except KeyError:
            raise NotFound("no such blob", code="blob_not_found") from None

    def delete(self, key: str) -> None:
        self._blobs.pop(checked_key(key), None)

    def exists(self, key: str) -> bool:
        return checked_key(key) in self._blobs

    def list(self, under: str = "") -> Iterator[StoredBlob]:
        start = f"{checked_key(under)}/" if under else ""
        with self._lock:
            found = [StoredBlob(key, len(data), self._times[key]) for key, data in sorted(self._blobs.items())
                     if key.startswith(start)]
        return iter(found)

    def sweep(self, before: datetime) -> int:
        del before
        return 0

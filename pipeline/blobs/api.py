"""The seam of the blob store: bytes by a key of ours. One table of contract tests runs over every implementation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from pipeline.blobs.signed_put import SignedPut

KEY = re.compile(r"[a-z0-9][a-z0-9_-]*([./][a-z0-9][a-z0-9_-]*)*")
"""Keys are made by us alone; the grammar leaves no way out of the store's folder."""


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """What lies in a store. modified_at: by the store's clock, with its zone."""

    key: str
    size: int
    modified_at: datetime


class BlobStore(Protocol):
    """Stores whole values, once. Thread-safe. Every call may raise `Unavailable`; a key outside the grammar, ValueError."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """True: written, whole and durable. False: something is there already, and stays."""
        ...

    def put_all_if_absent(self, values: Mapping[str, bytes]) -> bool:
        """Each as by `put_if_absent`. True: all durable. False, or an error: some may be there, and the caller deletes them."""
        ...

    def get(self, key: str) -> bytes:
        """Raises `NotFound`."""
        ...

    def delete(self, key: str) -> None:
        """Absent is well."""
        ...

    def exists(self, key: str) -> bool: ...

    def list(self, under: str = "") -> Iterator[StoredBlob]:
        """Everything that is there (in the folder `under`), in the order of the keys' bytes; what is put meanwhile may be among
        it."""
        ...

    def sweep(self, before: datetime) -> int:
        """Remove what writes that were interrupted before `before` left beside the values; how many."""
        ...


@runtime_checkable
class DirectStore(Protocol):
    """A `BlobStore` that also takes bytes from somebody else, at an address that we signed."""

    def signed_put(self, key: str, size: int, sha256: str, life: timedelta) -> SignedPut:
        """For one put of just `size` bytes of this SHA-256 (hex), where nothing is yet; the store refuses any other.

        Raises `Conflict` (`direct_upload_unavailable`) for a store that does not compare the checksum, `Unavailable`.
        """
        ...


def checked_key(key: str) -> str:
    if not KEY.fullmatch(key):
        raise ValueError("not a key of this store's grammar")
    return key

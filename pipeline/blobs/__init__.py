"""Bytes at rest: a store by key (`api`, `folder`, `s3`, `memory`), and the seals on what lies there (`sealing`)."""

from pipeline.blobs.api import BlobStore, StoredBlob
from pipeline.blobs.folder import FolderStore
from pipeline.blobs.memory import MemoryStore
from pipeline.blobs.sealing import Keyring, SupportKey, WrappedKey

__all__ = ["BlobStore", "FolderStore", "Keyring", "MemoryStore", "StoredBlob", "SupportKey", "WrappedKey"]

"""The blob store of one machine: a folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from pipeline.blobs.api import StoredBlob, checked_key
from pipeline.blobs.files import make_folders, put_files_if_absent, sync_folder, temporaries
from pipeline.errors import NotFound, Unavailable


class FolderStore:
    """A `BlobStore`: one private file a key; a value is seen whole or not at all."""

    def __init__(self, root: Path) -> None:
        self._root = root
        with _translated():
            make_folders(root)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        return self.put_all_if_absent({key: data})

    def put_all_if_absent(self, values: Mapping[str, bytes]) -> bool:
        files = {self._path(key): data for key, data in values.items()}
        with _translated():
            if not put_files_if_absent(files):
                return False
            if any(path.stat().st_size != len(data) for path, data in files.items()):
                raise Unavailable("the folder kept fewer bytes than were written", code="blob_short")
        return True

    def get(self, key: str) -> bytes:
        with _translated():
            try:
                return self._path(key).read_bytes()
            except FileNotFoundError:
                raise NotFound("no such blob", code="blob_not_found") from None

    def delete(self, key: str) -> None:
        path = self._path(key)
        with _translated():
            if path.exists():
                path.unlink(missing_ok=True)
                sync_folder(path.parent)

    def exists(self, key: str) -> bool:
        with _translated():
            return self._path(key).exists()

    def list(self, under: str = "") -> Iterator[StoredBlob]:
        folder = self._path(under) if under else self._root
        with _translated():
            if folder.exists():
                yield from self._list(folder)

    def _list(self, folder: Path) -> Iterator[StoredBlob]:
        """A folder sorts as its name with the slash that follows in the key."""
        with os.scandir(folder) as entries:
            found = sorted((f"{entry.name}/" if entry.is_dir() else entry.name, entry) for entry in entries
                           if not entry.name.startswith("."))
        for name, entry in found:
            if name.endswith("/"):
                yield from self._list(Path(entry.path))
                continue
            try:
                seen = entry.stat()
            except FileNotFoundError:
                continue  # deleted meanwhile
            yield StoredBlob(Path(entry.path).relative_to(self._root).as_posix(), seen.st_size,
                             datetime.fromtimestamp(seen.st_mtime, UTC))

    def sweep(self, before: datetime) -> int:
        count = 0
        with _translated():
            for path in temporaries(self._root):
                with suppress(FileNotFoundError):  # its write ended meanwhile
                    if path.lstat().st_mtime < before.timestamp():
                        path.unlink()
                        count += 1
        return count

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise Unavailable(f"the blob folder failed: {errno.errorcode.get(error.errno or 0, 'unknown')}",
                          code="storage_full" if full else "storage_unavailable") from error

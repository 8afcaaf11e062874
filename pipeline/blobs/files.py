"""Small files that must be whole, durable and private: written beside, flushed, and put in place in one step."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from io import RawIOBase
from pathlib import Path

from pipeline.errors import Misconfigured

PRIVATE_FILE, PRIVATE_DIR = 0o600, 0o700
TEMPORARY = ".tmp"


def put_file_if_absent(path: Path, data: bytes) -> bool:
    """Durably write `data` to `path` unless it is there: True if written, and then on the disk; False if it was there."""
    return put_files_if_absent({path: data})


def put_files_if_absent(files: Mapping[Path, bytes]) -> bool:
    """Durably write each file unless it is there: True if all were written; False where one was there, and others may be written.

    Temp file in the same folder, fsync, hard link (which fails where the name is taken: no overwrite, no race), fsync of
    the folder; each step for all files before the next, so that the disk is waited for once rather than for each. Raises
    OSError; a failed fsync is never tried again, since the kernel may have dropped the pages.
    """
    beside: dict[Path, Path] = {}
    with ExitStack() as opened:
        try:
            descriptors = []
            for path, data in files.items():
                make_folders(path.parent)
                beside[path] = path.with_name(f".{path.name}.{secrets.token_hex(8)}{TEMPORARY}")
                descriptor = os.open(beside[path], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
                file = opened.enter_context(os.fdopen(descriptor, "wb", buffering=0))
                write_all(file, data)
                descriptors.append(descriptor)
            for descriptor in descriptors:
                os.fsync(descriptor)
            try:
                for path, temporary in beside.items():
                    os.link(temporary, path)
            except FileExistsError:
                return False
        finally:
            for temporary in beside.values():
                temporary.unlink(missing_ok=True)
    for folder in {path.parent for path in files}:
        sync_folder(folder)
    return True


def write_all(file: RawIOBase, data: bytes) -> None:
    """A raw file may take less than it is given (write(2))."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) or 0:]


def temporaries(root: Path) -> Iterator[Path]:
    """The files that writes under way, or cut short, have beside their targets."""
    return root.rglob(f".*{TEMPORARY}")


def make_folders(path: Path) -> None:
    """Make `path` and its parents, private, each durably named in its parent."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=PRIVATE_DIR, exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_or_make_secret(path: Path, make: Callable[[], str]) -> str:
    """The secret text in `path`, which is made (mode 0600) if absent. Raises `Misconfigured` where others can read it.

    A file of another owner is one that was mounted: the group may read it then, since that is how this process can.
    """
    if not path.exists():
        put_file_if_absent(path, (make() + "\n").encode())
    found = path.stat()
    if found.st_mode & (0o077 if found.st_uid == os.getuid() else 0o007):
        raise Misconfigured(f"{path} can be read by others: chmod 600 it", code="secret_not_private")
    secret = path.read_text().strip()
    if not secret:
        raise Misconfigured(f"{path} is empty: delete it to have a new one made", code="secret_empty")
    return secret


def replace_secret(path: Path, secret: str) -> None:
    """Another secret in the place of the one in `path`, whole and durable at every moment. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}{TEMPORARY}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def read_secret(path: Path | None, what: str) -> str:
    """The secret text in a file that the operator made (as a mounted one). Raises `Misconfigured` that names `what`."""
    try:
        secret = path.read_text().strip() if path is not None else ""
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{what} cannot be read: {type(error).__name__}", code="secret_unreadable") from error
    if path is None or not secret:
        raise Misconfigured(f"{what} is not set or empty", code="secret_empty")
    if path.stat().st_mode & 0o007:
        raise Misconfigured(f"{what} can be read by everybody: chmod 640 {path}", code="secret_not_private")
    return secret

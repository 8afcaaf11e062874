"""Copies of the embedded pair (SQLite and the folder), taken while it runs, and brought back into an empty place.

The database is copied first, as of one moment, then the blobs that it names: all of them are there, since blobs are put before
their rows. Keys are left out unless asked for: whoever holds them and a copy reads everything.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from pipeline.blobs.files import PRIVATE_FILE, make_folders, put_file_if_absent, put_files_if_absent, sync_folder
from pipeline.blobs.folder import FolderStore
from pipeline.errors import Conflict, Corrupt, Misconfigured, NotFound
from pipeline.records.erasures import LEDGER
from pipeline.records.receipts import read_receipt
from pipeline.settings import StorageSettings

MOST_AT_ONCE, BYTES_AT_ONCE = 128, 32 << 20
"""Files written before the disk is waited for: an eighth of the 1,024 a process may have open by default; and their memory."""
DATABASE, BLOBS, KEY, SUMS = "apoyo.sqlite3", "blobs", "kek", "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class Copied:
    """missing: blobs that rows name and that were not there; `apoyo reconcile` names them."""

    supports: int
    blobs: int
    missing: int


def back_up(settings: StorageSettings, target: Path, *, with_key: bool = False) -> Copied:
    """Copy all into `target`, a new folder. It is whole once `SHA256SUMS` is there, which comes last (`sha256sum -c` reads it).

    Raises `Misconfigured` where storage is not the embedded pair, `Conflict` where `target` holds something.
    """
    source = _database_of(settings)
    if target.exists() and any(target.iterdir()):
        raise Conflict(f"{target} is not empty: name a new folder", code="target_not_empty")
    make_folders(target)
    _copy_database(source, target / DATABASE)
    store, blobs, missing = FolderStore(settings.blob_dir), 0, 0
    unfinished = target / f"{SUMS}.part"
    with unfinished.open("w") as sums:
        for batch in _batches(_named(target / DATABASE), store.get):
            found = {target / BLOBS / key: data for key, data in batch.items() if data is not None}
            if not put_files_if_absent(found):
                raise Conflict(f"another writes into {target} too", code="target_not_empty")
            missing += len(batch) - len(found)
            blobs += len(found)
            sums.writelines(f"{_sum(path)}  {path.relative_to(target)}\n" for path in found)  # as it lies there now
        if with_key and (settings.key_service_url or settings.key_variable):
            raise Misconfigured("there is no key file to put in: the keys come from elsewhere", code="keys_not_in_file")
        if with_key:
            put_file_if_absent(target / KEY, settings.key_file.read_bytes())
            sums.write(f"{_sum(target / KEY)}  {KEY}\n")
        sums.write(f"{_sum(target / DATABASE)}  {DATABASE}\n")
        sums.flush()
        os.fsync(sums.fileno())
    unfinished.rename(target / SUMS)
    sync_folder(target)
    return Copied(_count(target / DATABASE), blobs, missing)


def restore(source: Path, settings: StorageSettings, receipts: Iterable[str] = ()) -> Copied:
    """Bring a copy back into the place that `settings` name, which must be empty. Every file is compared with its sum first.

    receipts: of what was erased since; they lie in the store before there is a database, so that a restore that is cut short here
    cannot leave one that has forgotten them. Raises `Misconfigured` (also where `source` is no whole copy), `BadInput` (a receipt
    that does not hold), `Conflict` (`target_not_empty`), `Corrupt` (`backup_damaged`).
    """
    signed = {read_receipt(one).support: one for one in receipts}
    target = _database_of(settings)
    if target.exists() or (settings.blob_dir.exists() and any(settings.blob_dir.iterdir())):
        raise Conflict(f"{settings.data_dir} holds supports already: name an empty APOYO_STORAGE__DATA_DIR",
                       code="target_not_empty")
    if not (source / SUMS).is_file():
        raise Misconfigured(f"{source} has no {SUMS}: it is no whole backup", code="backup_incomplete")
    for wanted, name in _sums(source):
        if not (source / name).is_file() or _sum(source / name) != wanted:
            raise Corrupt(f"{name} is not what was backed up", code="backup_damaged")
    store, blobs = FolderStore(settings.blob_dir), 0
    for support_id, one in signed.items():
        store.put_if_absent(f"{LEDGER}/{support_id}.json", one.encode())
    names = [name for _, name in _sums(source)]
    if KEY in names:
        put_file_if_absent(settings.key_file, (source / KEY).read_bytes())
    keys = (name.removeprefix(f"{BLOBS}/") for name in names if name not in (KEY, DATABASE))
    for batch in _batches(keys, lambda key: (source / BLOBS / key).read_bytes()):
        if not store.put_all_if_absent({key: data for key, data in batch.items() if data is not None}):
            raise Conflict(f"another writes into {settings.blob_dir} too", code="target_not_empty")
        blobs += len(batch)
    _copy_database(source / DATABASE, target)  # last: before it there is no service
    return Copied(_count(target), blobs, sum(not store.exists(key) for key in _named(target)))


def _batches(keys: Iterable[str], get: Callable[[str], bytes]) -> Iterator[dict[str, bytes | None]]:
    """So many that the disk is waited for once for all of them, and so few that they are not much memory. None: not there."""
    batch: dict[str, bytes | None] = {}
    size = 0
    for key in keys:
        try:
            batch[key] = get(key)
        except NotFound:
            batch[key] = None
        size += len(batch[key] or b"")
        if len(batch) == MOST_AT_ONCE or size >= BYTES_AT_ONCE:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch


def _sums(source: Path) -> Iterator[tuple[str, str]]:
    with (source / SUMS).open() as lines:
        for line in lines:
            wanted, _, name = line.rstrip("\n").partition("  ")
            yield wanted, name


def _database_of(settings: StorageSettings) -> Path:
    url = make_url(settings.database_url)
    if url.get_backend_name() != "sqlite" or settings.s3_endpoint or not url.database:
        raise Misconfigured("only SQLite with a folder is copied here: PostgreSQL and S3 stores have tools of their own, see "
                            "docs/operations.md", code="not_embedded")
    return Path(url.database)


def _copy_database(source: Path, target: Path) -> None:
    """As of one moment, while others write. The copy needs no WAL beside it."""
    if not source.is_file():
        raise Misconfigured(f"there is no database at {source}", code="nothing_to_back_up")
    make_folders(target.parent)
    target.touch(mode=PRIVATE_FILE)
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as live, \
            closing(sqlite3.connect(target)) as copy:
        live.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        copy.execute("PRAGMA synchronous=FULL")
        if copy.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            raise Corrupt("the copied database fails SQLite's integrity check", code="backup_damaged")


def _named(database: Path) -> Iterator[str]:
    with closing(sqlite3.connect(database)) as connection:
        for (key,) in connection.execute("SELECT DISTINCT blob_key FROM parts ORDER BY blob_key"):
            yield str(key)


def _count(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT count(*) FROM supports").fetchone()[0])


def _sum(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()

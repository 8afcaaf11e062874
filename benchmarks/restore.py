"""`python -m benchmarks.restore [--supports N]` (`make restore-drill`): docs/operations.md's drill at size, by its own commands.

Supports with pictures of random bytes are laid into an empty place; then: a copy; more supports come, some are erased, the
receipts are taken away; database and store are lost; the copy comes back, without what was erased; rows and blobs are held
against each other. What each takes is told; exit code 1 where something is not as it must be. Nothing is judged: a verdict is
one more row.
"""

from __future__ import annotations

import argparse
import hashlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.report import write
from pipeline.blobs.files import PRIVATE_DIR
from pipeline.cli.upkeep import GAPS
from pipeline.records.clients import add_client, new_secret
from pipeline.records.storage import INFO, Storage, name_part, open_storage
from pipeline.records.supports import IdempotencyKey, NewSupport, insert_support, new_support_id
from pipeline.settings import Settings, StorageSettings, child_environment

SUPPORTS, LATER, ERASED = 10_000, 50, 20
PART_BYTES = {"front": 64 << 10, "back": 64 << 10, "selfie": 64 << 10, "signature": 8 << 10}
"""Small, so that the drill fits a disk at hand: what is measured are files, rows and flushes."""
MOST_SECONDS = 600.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.restore", description=__doc__)
    parser.add_argument("--supports", type=int, default=SUPPORTS)
    parser.add_argument("--folder", type=Path, help="where there is room for two copies; default: the system's temporary folder")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="apoyo-restore-", dir=wanted.folder) as folder:
        result = drill(Path(folder), wanted.supports)
    for step, seconds in result["seconds"].items():
        print(f"{step:12} {seconds:7.1f} s")
    print(f"raw: {write('restore', result)}; " + ("; ".join(result["wrong"]) or "all is as it must be"))
    return int(bool(result["wrong"]))


def drill(folder: Path, supports: int, between: Callable[[Path], None] = lambda _place: None) -> dict[str, Any]:
    """Seconds of each step, and what was wrong. between: done to the restored place before it is looked through."""
    place, new, copy, receipts = (folder / name for name in ("place", "new", "copy", "receipts"))
    took: dict[str, float] = {}
    settings = StorageSettings(data_dir=place)
    storage = open_storage(settings)
    client = add_client(storage.engine, "drill", new_secret()).id
    ids = list(_laid_in(storage, settings.blob_dir, client, supports))
    took["backup"] = _timed(lambda: _apoyo(place, "backup", str(copy)))
    list(_laid_in(storage, settings.blob_dir, client, LATER))
    _apoyo(place, "erase", *ids[:ERASED])
    _apoyo(place, "receipts", "export", "--out", str(receipts))
    storage.engine.dispose()
    shutil.copytree(place / "keys", new / "keys")  # which lie elsewhere, as docs/operations.md says
    shutil.rmtree(place)
    took["restore"] = _timed(lambda: _apoyo(new, "restore", str(copy), "--erasures", str(receipts)))
    between(new)
    said = ""

    def reconcile() -> None:
        nonlocal said
        said = _apoyo(new, "reconcile", "--deep", "--jsonl")

    took["reconcile"] = _timed(reconcile)
    back = open_storage(StorageSettings(data_dir=new))
    with back.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT state, count(*) FROM supports GROUP BY state")
        rows = {str(row[0]): int(row[1]) for row in found}
    wrong = [f"of {supports} supports there are {rows}"] if rows != {"received": supports - ERASED, "erased": ERASED} else []
    wrong += [f"reconcile names {len(said.splitlines())} gaps, such as {said.splitlines()[0]}"] if said else []
    total = took["restore"] + took["reconcile"]
    wrong += [f"{total:.0f} s until all was back and looked through"] if total > MOST_SECONDS else []
    return {"supports": supports, "erased_since": ERASED, "came_since": LATER, "part_bytes": sum(PART_BYTES.values()),
            "seconds": {name: round(seconds, 1) for name, seconds in took.items()}, "wrong": wrong}


def _laid_in(storage: Storage, blobs: Path, client: str, count: int) -> Iterator[str]:
    """Ids of supports whose parts are sealed as the intake seals them. Not flushed: that is no part of the drill."""
    for _ in range(count):
        support_id = new_support_id()
        key, wrapped = storage.keyring.new_key(support_id)
        contents = {part: secrets.token_bytes(size) for part, size in PART_BYTES.items()} | {INFO: b"{}"}
        parts = tuple(name_part(key, part, 1, data) for part, data in contents.items())
        for named in parts:
            (blobs / named.blob_key).parent.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
            (blobs / named.blob_key).write_bytes(key.seal(named.part, 1, contents[named.part]))
        insert_support(storage.engine, NewSupport(
            id=support_id, client_id=client, process="demo", policy_version="demo-1", as_of=date(2026, 11, 27), parts=parts,
            key=wrapped, applicant=None,
            idempotency=IdempotencyKey(secrets.token_hex(8), hashlib.sha256(support_id.encode()).hexdigest())))
        yield support_id


def _timed(do: Callable[[], object]) -> float:
    began = time.monotonic()
    do()
    return time.monotonic() - began


def _apoyo(data_dir: Path, *arguments: str) -> str:
    """What the command prints. Raises `CalledProcessError`, but for the exit code by which gaps are told."""
    environment = child_environment(Settings(storage=StorageSettings(data_dir=data_dir)))
    done = subprocess.run([sys.executable, "-m", "pipeline.cli.main", *arguments], env=environment, capture_output=True,
                          text=True, check=False)
    if done.returncode not in (0, GAPS):
        raise RuntimeError(f"apoyo {arguments[0]}: {done.stderr[-500:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())

"""The drill: a copy taken while supports come in, brought back elsewhere; databases and stores of different times are told apart."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from benchmarks.restore import ERASED, LATER, drill
from pipeline.errors import Erased
from pipeline.records.backup import MOST_AT_ONCE
from pipeline.records.storage import Storage, load_parts, open_storage
from pipeline.records.supports import get_support
from pipeline.settings import Settings, StorageSettings, child_environment
from tests.contract.record_makers import PICTURES, client_in, insert_one

ROOT = Path(__file__).parents[2]


def apoyo(folder: Path, *arguments: object, code: int = 0) -> str:
    settings = Settings(storage=StorageSettings(data_dir=folder))
    done = subprocess.run([sys.executable, "-m", "pipeline.cli.main", *map(str, arguments)], cwd=ROOT, env=child_environment(settings),
                          capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout + done.stderr


def filled(folder: Path, count: int) -> tuple[Storage, list[str]]:
    storage = open_storage(StorageSettings(data_dir=folder))
    client = client_in(storage.engine)
    return storage, [insert_one(storage, client) for _ in range(count)]


def test_a_copy_taken_under_load_is_whole_and_comes_back(tmp_path: Path) -> None:
    storage, before = filled(tmp_path / "live", 10)
    client, over = client_in(storage.engine), threading.Event()
    during: list[str] = []

    def load() -> None:
        while not over.is_set():
            during.append(insert_one(storage, client))

    loading = threading.Thread(target=load)
    loading.start()
    said = apoyo(tmp_path / "live", "backup", tmp_path / "copy", "--with-key")
    over.set()
    loading.join()
    assert "0 blobs were not there" in said

    apoyo(tmp_path / "new", "restore", tmp_path / "copy", "--without-erasures")
    assert apoyo(tmp_path / "new", "reconcile", "--deep") == "0 missing, 0 damaged, 0 orphan, 0 without_job\n"
    restored = open_storage(StorageSettings(data_dir=tmp_path / "new"))
    for one in before:
        assert set(PICTURES.values()) <= set(load_parts(restored, get_support(restored.engine, one)).values())
    apoyo(tmp_path / "new", "restore", tmp_path / "copy", "--without-erasures", code=2)


@pytest.mark.parametrize("harm", ["a blob changed", "a blob gone", "cut short"])
def test_a_copy_that_is_not_whole_is_refused_before_anything_is_written(tmp_path: Path, harm: str) -> None:
    filled(tmp_path / "live", 2)
    apoyo(tmp_path / "live", "backup", tmp_path / "copy")
    blob = next(path for path in (tmp_path / "copy" / "blobs").rglob("*") if path.is_file())
    if harm == "a blob changed":
        blob.write_bytes(blob.read_bytes()[:-1] + b"\x00")
    elif harm == "a blob gone":
        blob.unlink()
    else:
        (tmp_path / "copy" / "SHA256SUMS").unlink()
    said = apoyo(tmp_path / "new", "restore", tmp_path / "copy", "--without-erasures", code=2)
    assert ("backup_incomplete" if harm == "cut short" else "backup_damaged") in said
    assert not (tmp_path / "new" / "apoyo.sqlite3").exists()


def test_a_database_and_a_store_of_different_times_give_exactly_the_gaps(tmp_path: Path) -> None:
    storage, old = filled(tmp_path / "live", 3)
    apoyo(tmp_path / "live", "backup", tmp_path / "copy", "--with-key")
    client = client_in(storage.engine)
    new = [insert_one(storage, client) for _ in range(2)]
    storage.engine.dispose()

    older_database = tmp_path / "older-database"
    apoyo(older_database, "restore", tmp_path / "copy", "--without-erasures")
    shutil.copytree(tmp_path / "live" / "blobs", older_database / "blobs", dirs_exist_ok=True)
    lines = apoyo(older_database, "reconcile", code=1).splitlines()
    assert lines[-1] == "0 missing, 0 damaged, 10 orphan, 0 without_job"
    assert {line.split("/")[1] for line in lines[:-1]} == set(new)

    older_store = tmp_path / "older-store"
    shutil.copytree(tmp_path / "live", older_store)
    shutil.rmtree(older_store / "blobs")
    shutil.copytree(tmp_path / "copy" / "blobs", older_store / "blobs")
    lines = apoyo(older_store, "reconcile", code=1).splitlines()
    assert lines[-1] == "10 missing, 0 damaged, 0 orphan, 0 without_job"
    assert {line.split("/")[1] for line in lines[:-1]} == set(new)
    assert not {line.split("/")[1] for line in lines[:-1]} & set(old)


def test_what_was_erased_after_the_copy_does_not_come_back_with_it(tmp_path: Path) -> None:
    """Fifty of sixty, by receipts alone; the copy has every wrapped key, and the key that opens them."""
    _, ids = filled(tmp_path / "live", 60)
    gone, kept = ids[:50], ids[50:]
    apoyo(tmp_path / "live", "backup", tmp_path / "copy", "--with-key")
    receipts = apoyo(tmp_path / "live", "erase", *gone)
    (tmp_path / "answers").write_text(receipts)
    assert apoyo(tmp_path / "live", "receipts", "verify", tmp_path / "answers").count("\tholds\t") == 50
    assert "50 receipts" in apoyo(tmp_path / "live", "receipts", "export", "--out", tmp_path / "receipts")

    said = apoyo(tmp_path / "new", "restore", tmp_path / "copy", code=2)
    assert "erasures_not_named" in said and not (tmp_path / "new" / "apoyo.sqlite3").exists()
    said = apoyo(tmp_path / "new", "restore", tmp_path / "copy", "--erasures", tmp_path / "receipts")
    assert "50 supports were erased again; 0 receipts refused" in said
    restored = open_storage(StorageSettings(data_dir=tmp_path / "new"))
    for one in gone:
        with pytest.raises(Erased):
            get_support(restored.engine, one)
    assert all(load_parts(restored, get_support(restored.engine, one)) for one in kept)
    assert apoyo(tmp_path / "new", "reconcile", "--deep") == "0 missing, 0 damaged, 0 orphan, 0 without_job\n"

    without = tmp_path / "without"  # what the receipts are for
    apoyo(without, "restore", tmp_path / "copy", "--without-erasures")
    assert load_parts(open_storage(StorageSettings(data_dir=without)), get_support(open_storage(StorageSettings(data_dir=without)).engine, gone[0]))
    shutil.copytree(tmp_path / "live" / "blobs" / "erasures", without / "blobs" / "erasures")
    assert "50 supports that had come back were erased again" in apoyo(without, "collect")
    with pytest.raises(Erased):
        get_support(open_storage(StorageSettings(data_dir=without)).engine, gone[0])


def test_the_drill_at_size_in_small_and_over_several_batches(tmp_path: Path) -> None:
    """Each batch of blobs comes back: more of them than are written at once."""
    supports = 2 * MOST_AT_ONCE // 5
    result = drill(tmp_path, supports)
    assert result["wrong"] == []
    assert sum(path.is_file() for path in (tmp_path / "copy" / "blobs").rglob("*")) == 5 * supports  # and none of the later ones
    assert (result["erased_since"], result["came_since"]) == (ERASED, LATER)


def test_the_drill_tells_what_was_lost(tmp_path: Path) -> None:
    def lose(place: Path) -> None:
        next(path for path in (place / "blobs").rglob("front*") if path.is_file()).unlink()

    assert "1 gaps" in " ".join(drill(tmp_path, ERASED + 2, lose)["wrong"])

"""One table of promises, every blob store."""

from __future__ import annotations

import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.chaos.servers import S3Server
from pipeline.blobs import BlobStore, FolderStore, MemoryStore
from pipeline.blobs.s3 import S3Store
from pipeline.errors import NotFound, Unavailable
from tests.contract.s3_places import place_in


@pytest.fixture(params=["folder", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("s3")
        server.empty()
        return S3Store.open(place_in(server))
    return FolderStore(tmp_path / "blobs") if request.param == "folder" else MemoryStore()


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 4000], ids=["empty", "one", "1 MB"])
def test_what_was_put_is_got(store: BlobStore, data: bytes) -> None:
    assert not store.exists("ab/one.1")
    assert store.put_if_absent("ab/one.1", data) is True
    assert store.exists("ab/one.1")
    assert store.get("ab/one.1") == data


def test_a_second_put_changes_nothing_and_says_so(store: BlobStore) -> None:
    first = b"first"
    assert store.put_if_absent("k", first)
    assert store.put_if_absent("k", b"second") is False
    assert store.put_if_absent("k", first) is False
    assert store.get("k") == b"first"


def test_of_many_puts_at_once_one_wins_whole(store: BlobStore) -> None:
    values = [bytes([number]) * 200_000 for number in range(16)]
    won: list[int] = []
    threads = [threading.Thread(target=lambda n=n: store.put_if_absent("race", values[n]) and won.append(n)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.get("race") == values[won[0]]


def test_deleted_is_gone_and_deleting_twice_is_well(store: BlobStore) -> None:
    store.put_if_absent("gone", b"x")
    store.delete("gone")
    store.delete("gone")
    assert not store.exists("gone")
    with pytest.raises(NotFound):
        store.get("gone")
    assert store.put_if_absent("gone", b"again")


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../up", "a/../b", "a//b", ".hidden", "a/.b", "A", "ñ", "a\n", "a/"])
def test_a_key_outside_the_grammar_is_refused(store: BlobStore, key: str) -> None:
    for call in (store.get, store.delete, store.exists, lambda k: store.put_if_absent(k, b"")):
        with pytest.raises(ValueError):
            call(key)


def test_what_is_there_is_listed_with_its_size_and_age(store: BlobStore) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)  # S3 tells whole seconds
    for key in ("ab/one.1", "ab/one.2", "cd/ef/two.1"):
        store.put_if_absent(key, key.encode())
    found = {blob.key: blob for blob in store.list()}
    assert {key: blob.size for key, blob in found.items()} == {"ab/one.1": 8, "ab/one.2": 8, "cd/ef/two.1": 11}
    assert all(before <= blob.modified_at <= datetime.now(UTC) for blob in found.values())
    store.delete("ab/one.1")
    assert {blob.key for blob in store.list()} == {"ab/one.2", "cd/ef/two.1"}


def test_one_folder_is_listed_alone(store: BlobStore) -> None:
    for key in ("ab/one.1", "abc/one.1", "b/one.1"):
        store.put_if_absent(key, b"x")
    assert [[blob.key for blob in store.list(under)] for under in ("ab", "abc", "none")] == [["ab/one.1"], ["abc/one.1"], []]


def test_folder_sweeps_what_an_interrupted_write_left_once_it_is_old(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "blobs")
    store.put_if_absent("ab/one.1", b"x")
    left = tmp_path / "blobs" / "ab" / ".two.1.00ff.tmp"
    left.write_bytes(b"cut short")
    assert [blob.key for blob in store.list()] == ["ab/one.1"]
    assert store.sweep(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert left.exists()
    assert store.sweep(datetime.now(UTC) + timedelta(hours=1)) == 1
    assert (left.exists(), store.get("ab/one.1")) == (False, b"x")


def test_folder_leaves_only_private_whole_files(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "blobs")
    store.put_if_absent("ab/cd/one.1", b"x")
    store.put_if_absent("ab/cd/one.1", b"y")
    files = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["one.1"]
    assert files[0].stat().st_mode & 0o777 == 0o600
    assert all(path.stat().st_mode & 0o777 == 0o700 for path in (tmp_path / "blobs").rglob("*") if path.is_dir())


def test_folder_that_cannot_flush_says_unavailable_and_shows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path / "blobs")

    def failing(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", failing)
    with pytest.raises(Unavailable) as caught:
        store.put_if_absent("one", b"x")
    assert caught.value.code == "storage_full"
    assert not store.exists("one")
    assert list((tmp_path / "blobs").iterdir()) == []


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is flushed and named from now on, in order."""
    seen: list[str] = []
    real_sync, real_link = os.fsync, os.link

    def sync(descriptor: int) -> None:
        seen.append("sync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
        real_sync(descriptor)

    def link(source: Path, target: Path) -> None:
        seen.append("name")
        real_link(source, target)

    monkeypatch.setattr("os.fsync", sync)
    monkeypatch.setattr("os.link", link)
    return seen


def test_folder_flushes_the_file_before_it_is_named_and_the_folder_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path / "blobs")
    seen = watched(monkeypatch)
    store.put_if_absent("one", b"x")
    assert seen == ["sync file", "name", "sync folder"]


def test_several_are_put_together_or_say_that_one_was_there(store: BlobStore) -> None:
    values = {f"ab/one/part-{number}.1": bytes([number]) * 1000 * number for number in range(5)}
    assert store.put_all_if_absent(values) is True
    assert {key: store.get(key) for key in values} == values
    assert store.put_all_if_absent({"ab/two/part.1": b"new", "ab/one/part-3.1": b"other"}) is False
    assert store.get("ab/one/part-3.1") == values["ab/one/part-3.1"]
    assert store.put_all_if_absent({}) is True


def test_folder_flushes_all_files_before_any_is_named_and_their_folder_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path / "blobs")
    store.put_if_absent("ab/first.1", b"x")
    seen = watched(monkeypatch)
    store.put_all_if_absent({"ab/one.1": b"x", "ab/two.1": b"y"})
    assert seen == ["sync file", "sync file", "name", "name", "sync folder"]

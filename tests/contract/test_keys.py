"""Key-encryption keys: another takes the former's place, and nothing but wrapped keys changes; without it nothing opens."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from pipeline.blobs.files import replace_secret
from pipeline.blobs.keks import KeyProvider, KeySet, LocalKeys, kek_id
from pipeline.blobs.sealing import Keyring
from pipeline.errors import Corrupt, Misconfigured
from pipeline.records import audit, tables
from pipeline.records.engine import reading, writing
from pipeline.records.erasures import Asked, erase
from pipeline.records.keys import count_by_key, opens, rewrap_all
from pipeline.records.receipts import Cause
from pipeline.records.storage import Storage, load_parts, open_key, open_keys, open_verdict
from pipeline.records.supports import get_support
from pipeline.records.webhooks import add_webhook, remove_webhook, signing_secrets
from pipeline.settings import StorageSettings, WorkerSettings
from pipeline.worker import Worker
from tests.contract.judges import judge
from tests.contract.record_makers import client_in, insert_one, storage_in
from tests.key_services import transit
from tests.system.test_backup import apoyo

OLD = bytes(range(32))


Turned = tuple[KeyProvider, Callable[[], None]]


@contextmanager
def by_file(folder: Path) -> Iterator[Turned]:
    path = folder / "kek-of-the-test"
    yield LocalKeys.in_file(path), lambda: replace_secret(path, KeySet.parse(path.read_text(), "").with_new().text())


@contextmanager
def by_service(folder: Path) -> Iterator[Turned]:
    with transit(folder) as service:
        yield service.client(), service.turn


@pytest.fixture(params=[by_file, by_service])
def turned(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Turned]:
    with request.param(tmp_path) as found:
        yield found


def test_a_rotation_changes_wrapped_keys_alone(storage: Storage, turned: Turned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.records.keys.BATCH", 2)
    provider, turn = turned
    storage = replace(storage, keyring=Keyring(provider))
    client = client_in(storage.engine)
    hook = add_webhook(storage, client, "https://hook.example/", frozenset())[0]
    removed = add_webhook(storage, client, "https://hook.example/2", frozenset())[0]
    remove_webhook(storage, client, removed.id)
    ids = [insert_one(storage, client) for _ in range(5)]
    assert Worker(storage, judge(), WorkerSettings(), "w").run_once() == 1
    judged = get_support(storage.engine, ids[0])
    before = (open_verdict(storage, judged), storage.keyring.search_digest("x"), signing_secrets(storage, hook.id))
    sealed = {blob.key: storage.blobs.get(blob.key) for blob in storage.blobs.list()}
    old = provider.current

    turn()
    assert provider.current != old
    new = insert_one(storage, client)
    assert count_by_key(storage.engine) == {old: 6, provider.current: 1}, "five supports and a webhook; one that came since"
    steps = rewrap_all(storage)
    next(steps)
    assert load_parts(storage, get_support(storage.engine, ids[-1])), "midway all opens"
    erase(storage, Asked(ids[1], Cause.ASKED, "operator"))
    assert [next(steps)] and list(steps) is not None
    assert list(rewrap_all(storage)) == [], "done; begun anew there is nothing to do"
    assert count_by_key(storage.engine) == {provider.current: 6}
    assert {key: data for key, data in sealed.items() if ids[1] not in key}.items() <= {
        blob.key: storage.blobs.get(blob.key) for blob in storage.blobs.list()}.items(), "no sealed byte was touched"
    assert (open_verdict(storage, get_support(storage.engine, ids[0])), storage.keyring.search_digest("x"),
            signing_secrets(storage, hook.id)) == before
    for one in (*ids[2:], new):
        assert load_parts(storage, get_support(storage.engine, one))
    assert audit.first_broken(storage.engine) is None


def test_the_former_file_opens_nothing_after_the_rotation(storage: Storage, client: str, pair: StorageSettings) -> None:
    """What a copy of the former key is worth then; and what a copy of the database from before is worth without it."""
    one = insert_one(storage, client)
    former, record = pair.key_file.read_text(), get_support(storage.engine, one)
    replace_secret(pair.key_file, KeySet.parse(former, "").with_new().text())
    list(rewrap_all(storage))
    replace_secret(pair.key_file, KeySet.parse(pair.key_file.read_text(), "").without(KeySet.parse(former, "").current).text())
    assert load_parts(storage, get_support(storage.engine, one))
    with_former = replace(storage, keyring=Keyring(bytes.fromhex(former.strip())))
    started_now = replace(storage, keyring=Keyring.open(pair.key_file))
    for held, row in ((with_former, get_support(storage.engine, one)), (started_now, record)):
        with pytest.raises(Misconfigured):
            open_key(held, row)


def test_a_running_process_sees_another_key_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    running, other = Keyring.open(path), Keyring.open(path)
    first = running.kek_id
    replace_secret(path, KeySet.parse(path.read_text(), "").with_new().text())
    key, wrapped = running.new_key("id")
    assert wrapped.kek_id != first
    assert other.unwrap("id", wrapped).open("front", 1, key.seal("front", 1, b"x")) == b"x", "one that only reads, too"


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, f"{'00' * 32}\n{'11' * 32}", f"{'00' * 32}\nfind {'11' * 32}", f"search {'11' * 32}",
                                  f"{'00' * 32}\nsearch 11"])
def test_a_text_that_holds_no_keys_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        KeySet.parse(text, "the file")
    assert caught.value.code == "bad_key_file"
    assert not text or "11" not in caught.value.detail


def test_what_is_looked_up_by_is_as_it_was_before_there_were_several() -> None:
    """Digests that older versions wrote are found: HMAC-SHA256 under HMAC-SHA256 of the one key."""
    search = hmac.digest(OLD, b"apoyo search key", "sha256")
    assert Keyring(OLD).search_digest("card") == hmac.digest(search, b"card", "sha256").hex()
    keys = KeySet.parse(OLD.hex(), "").with_new()
    assert (keys.search, list(keys.keys)[1]) == (search, kek_id(OLD))
    assert KeySet.parse(keys.text(), "") == keys


def test_keys_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = StorageSettings(data_dir=tmp_path, key_variable="APOYO_TEST_KEK")
    with pytest.raises(Misconfigured):
        open_keys(settings)
    monkeypatch.setenv("APOYO_TEST_KEK", OLD.hex())
    assert storage_in(settings).keyring.kek_id == kek_id(OLD)
    assert not (tmp_path / "keys" / "kek").exists()


def test_a_key_that_is_lost_or_damaged_is_named_by_the_check(storage: Storage, client: str, pair: StorageSettings) -> None:
    one, other = insert_one(storage, client), insert_one(storage, client)
    held = LocalKeys.in_file(pair.key_file)
    assert opens(held, storage.engine, held.current)
    assert not opens(LocalKeys.of(OLD), storage.engine, held.current)
    with writing(storage.engine) as connection:
        connection.execute(update(tables.support_keys).values(wrapped=bytes(40)))
    assert not opens(held, storage.engine, held.current)
    with pytest.raises(Corrupt):
        load_parts(storage, get_support(storage.engine, one))
    with reading(storage.engine) as connection:
        assert connection.execute(select(tables.support_keys.c.support_id)).scalars().all() == [one, other]


def test_the_drill_by_command(tmp_path: Path) -> None:
    """Rotation, the loss of the key, and its return from a copy."""
    data = tmp_path / "data"
    storage = storage_in(data)
    client = client_in(storage.engine)
    ids = [insert_one(storage, client) for _ in range(3)]
    old = storage.keyring.kek_id
    assert f"{old}\tcurrent\t3 wrapped\topens" in apoyo(data, "keys", "check")
    apoyo(data, "keys", "new")
    assert "key_in_use" in apoyo(data, "keys", "retire", old, code=2)
    assert "done: 3 keys" in apoyo(data, "keys", "rotate")
    assert "key_in_use" in apoyo(data, "keys", "retire", old, code=2), "the new one is minutes old"
    apoyo(data, "keys", "retire", old, "--now")
    assert old not in apoyo(data, "keys", "check")
    assert all(load_parts(storage, get_support(storage.engine, one)) for one in ids)

    file, copy = data / "keys" / "kek", tmp_path / "copy"
    file.rename(copy)
    apoyo(data, "keys", "check", code=1)  # a new file was made, and opens nothing
    file.unlink()
    copy.rename(file)
    assert "3 wrapped\topens" in apoyo(data, "keys", "check")
    assert load_parts(storage_in(data), get_support(storage.engine, ids[0]))

"""Keys that a service keeps: what it wraps it opens, nothing is done without it, and its loss is a wait and no verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.blobs.keks import WrappedKey
from pipeline.blobs.key_service import KeyService
from pipeline.blobs.sealing import Keyring
from pipeline.domain.support import State
from pipeline.errors import ApoyoError, Corrupt, Misconfigured, Unavailable
from pipeline.records.keys import count_by_key
from pipeline.records.storage import Storage, load_parts, open_keys, open_storage
from pipeline.records.supports import get_support
from pipeline.settings import Settings, StorageSettings, WorkerSettings
from pipeline.worker import Worker
from tests.contract.judges import judge
from tests.contract.record_makers import client_in, insert_one
from tests.key_services import TOKEN, Transit, transit

KEY = bytes(range(32))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Transit]:
    folder = tmp_path / "service"
    folder.mkdir()
    with transit(folder) as known:
        yield known


def test_what_is_wrapped_opens_here_and_in_another_process(service: Transit) -> None:
    one, other = service.client(), service.client()
    wrapped = one.wrap(KEY)
    assert wrapped.kek_id == one.current == "service-v1"
    assert KEY not in wrapped.wrapped and other.unwrap(wrapped) == KEY
    service.turn()
    assert one.wrap(KEY).kek_id == other.current == "service-v2"
    assert one.unwrap(wrapped) == KEY, "the former version opens"


def test_what_is_looked_up_by_does_not_turn(service: Transit) -> None:
    before = service.client()
    service.turn()
    after = service.client()
    assert (before.search(b"x"), before.derived(b"x")) == (after.search(b"x"), after.derived(b"x"))
    assert len(after.search(b"x")) == 32 and len(after.derived(b"x")) == 64
    assert before.search(b"x") != before.search(b"y")


@pytest.mark.parametrize(("change", "error", "code"), [
    (lambda w: WrappedKey("service-v2", w.wrapped), Corrupt, "key_broken"),
    (lambda w: WrappedKey(w.kek_id, w.wrapped[:-8] + b"AAAAAAA="), Corrupt, "key_broken"),
    (lambda w: WrappedKey(w.kek_id, b"\xff" * 40), Corrupt, "key_broken"),
    (lambda w: WrappedKey("service-v9", w.wrapped.replace(b"v1", b"v9")), Corrupt, "key_broken"),
    (lambda w: WrappedKey("0123456789abcdef", w.wrapped), Misconfigured, "wrong_key_file")])
def test_what_was_damaged_or_is_another_s_does_not_open(service: Transit, change: object, error: type[Exception], code: str) -> None:
    held = service.client()
    with pytest.raises(error) as caught:
        held.unwrap(change(held.wrap(KEY)))  # type: ignore[operator]
    assert isinstance(caught.value, ApoyoError) and caught.value.code == code


def test_a_version_that_was_ended_opens_nothing(service: Transit) -> None:
    held = service.client()
    old = held.wrap(KEY)
    service.turn()
    service.oldest = 2
    with pytest.raises(Misconfigured) as caught:
        held.unwrap(old)
    assert caught.value.code == "wrong_key_file"


@pytest.mark.parametrize(("status", "body", "code"), [
    (500, b"", "key_service_unavailable"), (503, b'{"errors": ["sealed"]}', "key_service_unavailable"), (429, b"", "key_service_unavailable"),
    (403, b"", "key_service_refused"), (404, b"", "key_service_refused"), (302, b"", "key_service_unavailable"),
    (200, b"", "key_service_unavailable"), (200, b"[]", "key_service_unavailable"), (200, b'{"data": {}}', "key_service_unavailable"),
    (200, b'{"data": {"ciphertext": "plain", "plaintext": "?"}}', "key_service_unavailable"),
    (200, b" " * 70_000, "key_service_unavailable")])
def test_whatever_is_no_clear_answer_is_a_wait(service: Transit, status: int, body: bytes, code: str) -> None:
    held = service.client()
    wrapped = held.wrap(KEY)
    service.status, service.body = status, body
    for call in (lambda: held.wrap(KEY), lambda: held.unwrap(wrapped), service.client):
        with pytest.raises(Unavailable) as caught:
            call()
        assert caught.value.code == code and caught.value.retryable
        assert TOKEN not in caught.value.detail


def test_a_key_of_another_length_is_none(service: Transit) -> None:
    held = service.client()
    with pytest.raises(Corrupt):
        held.unwrap(held.wrap(b"short"))


def test_a_token_that_was_renewed_is_used_without_a_restart(service: Transit) -> None:
    held = service.client()
    service.token_file.write_text("a former one")
    with pytest.raises(Unavailable, match="token"):
        held.wrap(KEY)
    service.token_file.write_text(TOKEN)
    assert held.unwrap(held.wrap(KEY)) == KEY


@pytest.mark.parametrize("url", ["", "bao.example/v1/transit", "http://bao.example:8200/v1/transit", "http://10.0.0.7/v1/transit", "ftp://localhost/"])
def test_no_key_goes_over_an_open_line(url: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        KeyService(url, "apoyo", tmp_path / "token")
    assert caught.value.code == "bad_key_service"


def settings_of(service: Transit, folder: Path) -> StorageSettings:
    return StorageSettings(data_dir=folder, key_service_url=service.url, key_service_token_file=service.token_file)


def test_the_drill_the_service_is_away_and_comes_back(service: Transit, tmp_path: Path) -> None:
    """Nothing is taken or judged meanwhile, no support is given up, and no key lies on this machine."""
    settings = settings_of(service, tmp_path / "data")
    storage = open_storage(settings)
    client = client_in(storage.engine)
    one = insert_one(storage, client)
    worker = Worker(storage, judge(), WorkerSettings(max_attempts=1), "w")
    service.status = 503
    with pytest.raises(Unavailable):
        insert_one(storage, client)
    with pytest.raises(Unavailable):
        load_parts(storage, get_support(storage.engine, one))
    with pytest.raises(Unavailable):
        open_storage(settings)
    worker.run_once()
    waits = get_support(storage.engine, one)
    assert waits.rounds == () and waits.state is State.PROCESSING, "whatever attempts it may have"
    service.status = None
    assert load_parts(storage, get_support(storage.engine, one))
    assert count_by_key(storage.engine) == {"service-v1": 1}
    assert not settings.key_file.exists()


def test_a_file_s_keys_are_not_the_service_s(service: Transit, storage: Storage, client: str, tmp_path: Path) -> None:
    one = insert_one(storage, client)
    by_service = replace(storage, keyring=Keyring(open_keys(settings_of(service, tmp_path))))
    with pytest.raises(Misconfigured):
        load_parts(by_service, get_support(storage.engine, one))


def test_the_setting_is_read_from_the_environment(service: Transit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APOYO_STORAGE__KEY_SERVICE_URL", service.url)
    monkeypatch.setenv("APOYO_STORAGE__KEY_SERVICE_TOKEN_FILE", str(service.token_file))
    assert isinstance(open_keys(Settings.load().storage), KeyService)

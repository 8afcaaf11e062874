"""Erasing: nothing of a support can be read or found again, whoever had it in hand; and a signed receipt says so."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import delete, select, update

from pipeline.domain.capture import Capture
from pipeline.domain.reuse import Limits
from pipeline.domain.support import State
from pipeline.errors import BadInput, Conflict, Erased, NotFound, Unavailable
from pipeline.records import audit, tables
from pipeline.records.engine import reading, writing
from pipeline.records.erasures import (
    LEDGER,
    AppliedAgain,
    Asked,
    apply_again,
    erase,
    find_receipt,
    keep_the_rest,
    kept_receipts,
    scrub,
)
from pipeline.records.holds import held, place, release
from pipeline.records.receipts import Cause, read_receipt
from pipeline.records.storage import Storage, load_parts, open_key
from pipeline.records.supports import get_support, insert_support
from pipeline.records.upkeep import collect, reconcile
from pipeline.reuse import FollowingIndex
from pipeline.settings import WorkerSettings
from pipeline.worker import Worker
from tests.contract.judges import judge
from tests.contract.record_makers import client_in, insert_one, new_support, storage_in
from tests.unit.good_support import calibration


def asked(support_id: str, **changed: Any) -> Asked:
    return Asked(**{"support_id": support_id, "cause": Cause.ASKED, "actor": "operator", **changed})


def work(storage: Storage, before: Callable[[Capture], None] = lambda _capture: None) -> int:
    return Worker(storage, judge(before), WorkerSettings(), "w").run_once()


def wrapped_of(storage: Storage, support_id: str) -> bytes:
    with reading(storage.engine) as connection:
        return bytes(connection.execute(select(tables.support_keys.c.wrapped).where(
            tables.support_keys.c.support_id == support_id)).scalar_one())


def rows_about(storage: Storage, support_id: str) -> dict[str, int]:
    """Rows that name the support, by table."""
    with reading(storage.engine) as connection:
        return {table.name: len(connection.execute(select(table).where(table.c.support_id == support_id)).all())
                for table in (tables.parts, tables.support_keys, tables.fingerprints, tables.verdicts, tables.erasures)}


def test_nothing_is_left_to_read_or_to_find(storage: Storage, client: str) -> None:
    gone, other = insert_one(storage, client), insert_one(storage, client)
    assert work(storage) + work(storage) == 2
    wrapped, digests = wrapped_of(storage, gone), {part.sha256 for part in get_support(storage.engine, gone).parts}
    sealed = {blob.key: storage.blobs.get(blob.key) for blob in storage.blobs.list() if gone in blob.key}
    signed = erase(storage, asked(gone))

    assert rows_about(storage, gone) == {"parts": 0, "support_keys": 0, "fingerprints": 1, "verdicts": 1, "erasures": 1}
    with reading(storage.engine) as connection:
        prints = connection.execute(select(tables.fingerprints).where(tables.fingerprints.c.support_id == gone)).one()
        assert (prints.sealed, prints.card, prints.neighbours) == (None, None, None)
        assert connection.execute(select(tables.verdicts.c.sealed).where(tables.verdicts.c.support_id == gone)).scalar_one() == b""
    told = read_receipt(signed, storage.receipts.public())
    assert (told.support, told.cause, told.parts) == (gone, Cause.ASKED, 5)
    assert (told.kek_id, told.wrapped_key_sha256) == (storage.keyring.kek_id, hashlib.sha256(wrapped).hexdigest())
    assert len(sealed) == 5 and not any(storage.blobs.exists(one) for one in sealed)
    assert not digests & set(_all_text(storage)), "no digest of what was sent"
    with pytest.raises(Erased) as caught:
        get_support(storage.engine, gone)
    assert caught.value.detail == told.id
    assert json.loads(find_receipt(storage.engine, told.id, client)) == json.loads(signed)
    assert list(reconcile(storage, deep=True)) == [], "the receipt in the store is no leftover"
    assert load_parts(storage, get_support(storage.engine, other)), "the neighbour is whole"
    assert audit.first_broken(storage.engine) is None


def _all_text(storage: Storage) -> set[str]:
    with reading(storage.engine) as connection:
        return {value for table in tables.METADATA.tables.values() for row in connection.execute(select(table))
                for value in row if isinstance(value, str)} - _other_digests(storage)


def _other_digests(storage: Storage) -> set[str]:
    """The other support sent the same bytes: its parts name them still."""
    with reading(storage.engine) as connection:
        return set(connection.execute(select(tables.parts.c.sha256)).scalars())


def test_asked_again_it_is_the_same_receipt_however_many_ask_at_once(storage: Storage, client: str) -> None:
    one = insert_one(storage, client)
    with ThreadPoolExecutor(8) as pool:
        signed = set(pool.map(lambda _: erase(storage, asked(one)), range(8)))
    assert len(signed) == 1
    with reading(storage.engine) as connection:
        told = connection.execute(select(tables.outbox.c.body).where(tables.outbox.c.kind == "support.erased")).scalars().all()
        trail = connection.execute(select(tables.audit).where(tables.audit.c.action == "support.erased")).all()
    assert len(told) == len(trail) == 1


@pytest.mark.parametrize("change", [{"support_id": "0192f000-0000-7000-8000-000000000000"}, {"client_id": "another"}, {"device": "x" * 43}])
def test_what_is_not_there_or_another_s_stays(storage: Storage, client: str, change: dict[str, str]) -> None:
    one = insert_one(storage, client)
    with pytest.raises(NotFound):
        erase(storage, asked(**{"support_id": one, **change}))
    assert load_parts(storage, get_support(storage.engine, one))


@pytest.mark.parametrize("when", ["examined", "finished"])
def test_a_worker_that_holds_the_support_ends_and_writes_nothing(storage: Storage, client: str, when: str) -> None:
    one = insert_one(storage, client)
    if when == "examined":
        assert work(storage, lambda _: erase(storage, asked(one)) and None) == 1
    else:
        over = threading.Event()
        eraser = threading.Thread(target=lambda: (over.wait(10), erase(storage, asked(one))))
        eraser.start()
        assert work(storage, lambda _: over.set()) == 1
        eraser.join()
    counts = rows_about(storage, one)
    assert (counts["parts"], counts["support_keys"], counts["erasures"]) == (0, 0, 1)
    with reading(storage.engine) as connection:
        assert connection.execute(select(tables.verdicts.c.sealed).where(tables.verdicts.c.sealed != b"")).all() == []
        assert connection.execute(select(tables.fingerprints).where(
            tables.fingerprints.c.sealed.is_not(None) | tables.fingerprints.c.card.is_not(None))).all() == []
    assert work(storage) == 0, "nobody takes it again"


def test_a_round_that_began_meanwhile_is_closed(storage: Storage, client: str) -> None:
    one = insert_one(storage, client)
    erase(storage, asked(one))
    with writing(storage.engine) as connection:
        connection.execute(update(tables.jobs).values(done_at=None))
    assert (work(storage), work(storage)) == (1, 0)


def test_every_index_forgets(storage: Storage, client: str) -> None:
    indexes = [FollowingIndex(storage, Limits.of(calibration())) for _ in range(2)]
    one, other = insert_one(storage, client), insert_one(storage, client)
    assert work(storage) + work(storage) == 2
    assert [index.follow() for index in indexes] == [2, 2]
    erase(storage, asked(one))
    assert [index.follow() for index in indexes] == [1, 1]
    assert FollowingIndex(storage, Limits.of(calibration())).follow() == 1
    assert get_support(storage.engine, other).verdict is not None


def test_a_hold_keeps_it_until_it_is_released(storage: Storage, client: str) -> None:
    one = insert_one(storage, client)
    place(storage.engine, one, "JDC-12/2026")
    with pytest.raises(Conflict) as caught:
        erase(storage, asked(one))
    assert caught.value.code == "support_held"
    assert [(hold.support_id, hold.reason) for hold in held(storage.engine)] == [(one, "JDC-12/2026")]
    assert work(storage) == 1, "work goes on"
    assert (release(storage.engine, one), release(storage.engine, one)) == (True, False)
    erase(storage, asked(one))
    with pytest.raises(BadInput):
        place(storage.engine, one, "asked for by María")


def test_the_same_request_again_is_told_that_it_was_erased(storage: Storage, client: str) -> None:
    erase(storage, asked(insert_support(storage.engine, new_support(storage, client, key="same"))[0]))
    with pytest.raises(Erased):
        insert_support(storage.engine, new_support(storage, client, key="same"))


class Failing:
    """A store that fails at some calls."""

    def __init__(self, inner: Any, *failing: str) -> None:
        self._inner, self._failing = inner, failing

    def __getattr__(self, name: str) -> Any:
        if name in self._failing:
            return self._fail
        return getattr(self._inner, name)

    def _fail(self, *_arguments: object) -> None:
        raise Unavailable("no answer", code="storage_unavailable")


def test_a_store_that_fails_leaves_no_key_and_the_rest_is_made_up_for(storage: Storage, client: str) -> None:
    first, second = insert_one(storage, client), insert_one(storage, client)
    erase(replace(storage, blobs=Failing(storage.blobs, "delete")), asked(first))
    with pytest.raises(Unavailable):
        erase(replace(storage, blobs=Failing(storage.blobs, "put_if_absent")), asked(second))
    assert rows_about(storage, second)["support_keys"] == 0, "the key is gone all the same"
    assert [read_receipt(one).support for one in kept_receipts(storage)] == [first]
    assert (keep_the_rest(storage), keep_the_rest(storage)) == (1, 0)
    assert {read_receipt(one).support for one in kept_receipts(storage)} == {first, second}
    left = sum(1 for blob in storage.blobs.list() if not blob.key.startswith(LEDGER))
    assert left == 10
    taken = 0
    while taken < left:  # a blob may be younger than the database's millisecond
        taken += collect(storage, grace=timedelta(0), however_many=True)
    assert {blob.key for blob in storage.blobs.list()} == {f"{LEDGER}/{one}.json" for one in (first, second)}




def test_what_a_restored_database_has_again_is_erased_again_by_the_receipts(storage: Storage, client: str) -> None:
    ids = [insert_one(storage, client) for _ in range(3)]
    keys = {one: wrapped_of(storage, one) for one in ids}
    signed = {one: erase(storage, asked(one)) for one in ids[:2]}
    with writing(storage.engine) as connection:
        connection.execute(delete(tables.erasures))
        connection.execute(update(tables.supports).values(state=State.ACCEPTED.value))
        for one in ids[:2]:
            connection.execute(tables.support_keys.insert().values(
                support_id=one, kek_id=storage.keyring.kek_id, wrapped=keys[one], created_at=1))
    assert open_key(storage, get_support(storage.engine, ids[0])), "before: it opens again"
    assert apply_again(storage, kept_receipts(storage)) == AppliedAgain(2, 0)
    assert apply_again(storage, kept_receipts(storage)) == AppliedAgain(0, 0)
    for one in ids[:2]:
        with pytest.raises(Erased) as caught:
            get_support(storage.engine, one)
        assert caught.value.detail == read_receipt(signed[one]).id, "the receipt that was given"
    assert load_parts(storage, get_support(storage.engine, ids[2]))


def test_a_receipt_that_somebody_else_put_into_the_store_erases_nothing(storage: Storage, client: str) -> None:
    gone, there = insert_one(storage, client), insert_one(storage, client)
    real = json.loads(erase(storage, asked(gone)))
    changed = {**real, "receipt": {**real["receipt"], "support": there}}
    assert apply_again(storage, [json.dumps(changed), forged_for(real, there), "no receipt"]) == AppliedAgain(0, 3)
    assert load_parts(storage, get_support(storage.engine, there))


def forged_for(receipt: dict[str, Any], support_id: str) -> str:
    own = Ed25519PrivateKey.generate()
    told = {**receipt["receipt"], "support": support_id}
    message = b"apoyo erasure receipt 1\n" + json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    return json.dumps({"receipt": told, "key": own.public_key().public_bytes_raw().hex(), "signature": own.sign(message).hex()})


def test_a_receipt_is_checked_with_nothing_of_ours(storage: Storage, client: str) -> None:
    signed = json.loads(erase(storage, asked(insert_one(storage, client))))
    message = b"apoyo erasure receipt 1\n" + json.dumps(signed["receipt"], sort_keys=True, separators=(",", ":")).encode()
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(signed["key"])).verify(bytes.fromhex(signed["signature"]), message)


@pytest.mark.parametrize(("change", "code"), [
    (lambda one: one["receipt"].update(erased_at="2020-01-01T00:00:00+00:00"), "receipt_broken"),
    (lambda one: one["receipt"].update(more="x"), "receipt_malformed"), (lambda one: one.pop("signature"), "receipt_malformed"),
    (lambda one: one.update(signature="00" * 64), "receipt_broken"), (lambda one: one.update(key="11" * 32), "receipt_other_key"),
    (lambda one: one["receipt"].update(cause="because"), "receipt_malformed")])
def test_a_receipt_that_was_changed_is_refused(tmp_path: Path, change: Callable[[dict[str, Any]], None], code: str) -> None:
    storage = storage_in(tmp_path)
    signed = json.loads(erase(storage, asked(insert_one(storage, client_in(storage.engine)))))
    change(signed)
    with pytest.raises(BadInput) as caught:
        read_receipt(json.dumps(signed), storage.receipts.public())
    assert caught.value.code == code


def test_the_database_s_file_and_log_do_not_hold_the_destroyed_key(tmp_path: Path) -> None:
    storage = storage_in(tmp_path)
    client = client_in(storage.engine)
    ids = [insert_one(storage, client) for _ in range(5)]
    keys = [wrapped_of(storage, one) for one in ids]

    def found() -> list[bool]:
        data = b"".join(path.read_bytes() for path in tmp_path.glob("apoyo.sqlite3*"))
        return [key in data for key in keys]

    assert found() == [True] * 5
    for one in ids[:3]:
        erase(storage, asked(one))
    assert found() == [False] * 3 + [True] * 2


def test_what_a_reader_under_way_puts_off_the_next_erasure_does(tmp_path: Path) -> None:
    storage = storage_in(tmp_path)
    client = client_in(storage.engine)
    first, second = insert_one(storage, client), insert_one(storage, client)
    with reading(storage.engine) as connection:
        connection.execute(select(tables.support_keys)).all()
        wrapped = wrapped_of(storage, first)
        erase(storage, asked(first))
        assert insert_one(storage, client)
    erase(storage, asked(second))
    assert wrapped not in b"".join(path.read_bytes() for path in tmp_path.glob("apoyo.sqlite3*"))


def test_scrubbing_is_safe_on_each_database(storage: Storage, client: str) -> None:
    erase(storage, asked(insert_one(storage, client)))
    kept = insert_one(storage, client)
    scrub(storage.engine)
    assert load_parts(storage, get_support(storage.engine, kept))

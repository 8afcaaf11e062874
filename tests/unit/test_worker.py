"""The worker as a plain class: what each kind of failure does to a support, and that each gets its one verdict."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from pipeline.domain.capture import Capture
from pipeline.domain.support import State
from pipeline.domain.verdict import Outcome
from pipeline.errors import BadPicture, LeaseLost, Unavailable
from pipeline.records import tables
from pipeline.records.engine import reading, writing
from pipeline.records.leases import JobKind, claim
from pipeline.records.rounds import Retake, insert_retake
from pipeline.records.storage import Storage, open_key, open_verdict, store_part
from pipeline.records.supports import IdempotencyKey, SupportRecord, finish, get_support
from pipeline.settings import WorkerSettings
from pipeline.worker import Heartbeat, Worker
from tests.contract.judges import judge
from tests.contract.record_makers import PICTURES, client_in, finished, insert_one, storage_in

SETTINGS = WorkerSettings(count=1, lease_seconds=60, heartbeat_seconds=1, poll_seconds=0.01)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return storage_in(tmp_path)


@pytest.fixture
def support_id(storage: Storage) -> str:
    return insert_one(storage, client_in(storage.engine))


def worker(storage: Storage, before: Callable[[Capture], None] = lambda _capture: None, **changes: Any) -> Worker:
    return Worker(storage, judge(before), SETTINGS.model_copy(update=changes), "w")


def job(storage: Storage) -> Any:
    with reading(storage.engine) as connection:
        return connection.execute(select(tables.jobs)).one()


def make_claimable(storage: Storage) -> None:
    with writing(storage.engine) as connection:
        connection.execute(update(tables.jobs).values(claimable_at=0))


def resource(storage: Storage, record: SupportRecord) -> dict[str, Any]:
    opened = open_verdict(storage, record)
    assert opened is not None
    return dict(json.loads(opened))


def raising(error: BaseException) -> Callable[[Capture], None]:
    def before(_capture: Capture) -> None:
        raise error
    return before


def test_a_support_is_opened_examined_decided_and_finished(storage: Storage, support_id: str) -> None:
    seen: list[Capture] = []
    assert worker(storage, seen.append).run_once() == 1
    assert [(one.front, one.back, one.selfie, one.signature) for one in seen] == [tuple(PICTURES.values())]
    record = get_support(storage.engine, support_id)
    assert (record.state, record.verdict and record.verdict.outcome) == (State.ACCEPTED, Outcome.ACCEPTED)
    told = resource(storage, record)
    assert (told["id"], told["verdict"], told["status"], told["as_of"]) == (support_id, "accepted", "accepted", "2026-11-24")
    assert worker(storage).run_once() == 0


def test_a_retaken_round_is_judged_by_the_new_part_and_the_kept_ones(storage: Storage, support_id: str) -> None:
    (lease,) = claim(storage.engine, JobKind.SUPPORT, "w", 60)
    finish(storage.engine, lease, finished(Outcome.RETAKE))
    record = get_support(storage.engine, support_id)
    part = store_part(storage.blobs, open_key(storage, record), "back", 2, b"new back bytes")
    insert_retake(storage.engine, Retake(support_id, record.client_id, part, IdempotencyKey("again", "0" * 64)))
    seen: list[Capture] = []
    assert worker(storage, seen.append).run_once() == 1
    assert [(one.front, one.back, one.selfie) for one in seen] == [(PICTURES["front"], b"new back bytes", PICTURES["selfie"])]
    record = get_support(storage.engine, support_id)
    assert [(one.round, one.outcome) for one in record.rounds] == [(1, Outcome.RETAKE), (2, Outcome.ACCEPTED)]
    assert resource(storage, record)["round"] == 2


def test_fingerprints_are_kept_sealed_under_the_supports_key(storage: Storage, support_id: str) -> None:
    worker(storage).run_once()
    record = get_support(storage.engine, support_id)
    with reading(storage.engine) as connection:
        kept = connection.execute(select(tables.fingerprints.c.sealed)).scalar_one()
    assert set(json.loads(open_key(storage, record).open("fingerprints", 1, kept))) == {
        "part_sha256", "perceptual", "face", "card_key", "background"}


def test_nothing_that_was_read_lies_open_in_the_database(storage: Storage, support_id: str, tmp_path: Path) -> None:
    worker(storage).run_once()
    shown = json.dumps(resource(storage, get_support(storage.engine, support_id))).encode()
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for canary in (b"VELAZQUEZ", b"MARGARITA", b"1836577177"):
        assert canary in shown
        assert canary not in kept


@pytest.mark.parametrize(("error", "code"), [
    (BadPicture("x"), "bad_picture"), (RuntimeError("María"), "unexpected.RuntimeError"),
    (MemoryError(), "unexpected.MemoryError")])
def test_an_error_counts_and_after_three_the_support_goes_to_a_person(
        storage: Storage, support_id: str, error: Exception, code: str) -> None:
    seen = []
    for _ in range(3):
        assert worker(storage, raising(error)).run_once() == 1
        seen.append((job(storage).attempts, job(storage).last_error))
        make_claimable(storage)
    assert seen == [(1, code), (2, code), (3, code)]
    opened: list[Capture] = []
    assert worker(storage, opened.append).run_once() == 1
    assert opened == []
    record = get_support(storage.engine, support_id)
    assert record.verdict is not None
    assert (record.state, record.verdict.reasons) == (State.IN_REVIEW, ("support.processing_failed:support",))
    told = resource(storage, record)
    assert {check["outcome"] for check in told["checks"]} == {"not_executed"}


def test_a_dependency_that_does_not_answer_costs_no_attempt(storage: Storage, support_id: str) -> None:
    for _ in range(5):
        worker(storage, raising(Unavailable("down"))).run_once()
        make_claimable(storage)
    assert job(storage).attempts == 0
    worker(storage).run_once()
    assert get_support(storage.engine, support_id).state is State.ACCEPTED


def swap_out(storage: Storage, key: str) -> None:
    storage.blobs.delete(key)
    storage.blobs.put_if_absent(key, b"AP1" + bytes(60))


@pytest.mark.parametrize("damage", [swap_out, lambda storage, key: storage.blobs.delete(key)], ids=["other bytes", "missing"])
def test_damaged_parts_are_never_judged(storage: Storage, support_id: str, damage: Callable[[Storage, str], None]) -> None:
    damage(storage, next(part.blob_key for part in get_support(storage.engine, support_id).parts if part.part == "selfie"))
    opened: list[Capture] = []
    worker(storage, opened.append).run_once()
    record = get_support(storage.engine, support_id)
    assert opened == []
    assert record.state is State.IN_REVIEW
    assert resource(storage, record)["reasons"][0]["code"] == "support.processing_failed"


def test_a_broken_key_still_ends_with_a_person(storage: Storage, support_id: str) -> None:
    with writing(storage.engine) as connection:
        connection.execute(update(tables.support_keys).values(wrapped=bytes(40)))
    worker(storage).run_once()
    record = get_support(storage.engine, support_id)
    assert (record.state, record.verdict and record.verdict.sealed) == (State.IN_REVIEW, b"")


def test_a_worker_that_was_overtaken_writes_nothing(storage: Storage, support_id: str) -> None:
    def overtaken(_capture: Capture) -> None:
        make_claimable(storage)
        (lease,) = claim(storage.engine, JobKind.SUPPORT, "other", 60)
        assert lease.attempt == 2

    assert worker(storage, overtaken).run_once() == 1
    assert get_support(storage.engine, support_id).verdict is None
    assert (job(storage).worker, job(storage).done_at) == ("other", None)


def test_a_slow_verification_is_kept_by_its_heartbeat(storage: Storage, support_id: str) -> None:
    stolen: list[Any] = []

    def slow(_capture: Capture) -> None:
        time.sleep(0.8)
        stolen.extend(claim(storage.engine, JobKind.SUPPORT, "other", 60))

    worker(storage, slow, lease_seconds=0.5, heartbeat_seconds=0.1).run_once()
    assert stolen == []
    assert get_support(storage.engine, support_id).state is State.ACCEPTED


def test_past_the_hard_deadline_the_heartbeat_stops(storage: Storage, support_id: str) -> None:
    stolen: list[Any] = []

    def hung(_capture: Capture) -> None:
        time.sleep(1.2)
        stolen.extend(claim(storage.engine, JobKind.SUPPORT, "other", 60))

    worker(storage, hung, lease_seconds=0.4, heartbeat_seconds=0.1, hard_deadline_seconds=0.3).run_once()
    assert [lease.attempt for lease in stolen] == [2]
    assert get_support(storage.engine, support_id).verdict is None


def test_an_unknown_process_is_the_installations_fault_and_ends_with_a_person(storage: Storage, support_id: str) -> None:
    with writing(storage.engine) as connection:
        connection.execute(update(tables.supports).values(process="gone"))
    for _ in range(4):
        worker(storage).run_once()
        make_claimable(storage)
    assert get_support(storage.engine, support_id).state is State.IN_REVIEW


def test_a_support_that_vanished_is_dropped(storage: Storage, support_id: str) -> None:
    def erase(_capture: Capture) -> None:
        with writing(storage.engine) as connection:
            connection.execute(delete(tables.jobs))

    assert worker(storage, erase).run_once() == 1
    assert get_support(storage.engine, support_id).verdict is None


def test_run_finishes_what_it_holds_and_stops(storage: Storage, support_id: str) -> None:
    stop = threading.Event()
    worker(storage, lambda _capture: stop.set()).run(stop)
    assert get_support(storage.engine, support_id).state is State.ACCEPTED


def test_run_goes_on_when_the_database_comes_back(storage: Storage, support_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, real, calls = threading.Event(), claim, []

    def flaky(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise Unavailable("down")
        return real(*args, **kwargs)

    monkeypatch.setattr("pipeline.worker.claim", flaky)
    monkeypatch.setattr("pipeline.worker.RETRY_SECONDS", 0.01)
    worker(storage, lambda _capture: stop.set()).run(stop)
    assert get_support(storage.engine, support_id).state is State.ACCEPTED


@pytest.mark.parametrize(("error", "goes_on"), [(LeaseLost("x"), False), (Unavailable("x"), True)])
def test_a_heartbeat_ends_when_the_lease_is_lost_and_goes_on_when_the_database_is_away(error: Exception, goes_on: bool) -> None:
    called: list[int] = []

    def beat() -> None:
        called.append(1)
        raise error

    with Heartbeat(beat, every=0.01, limit=10):
        time.sleep(0.5)
    assert (len(called) > 1) is goes_on
    assert called

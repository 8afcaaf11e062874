"""Rows and blobs in step: damage is found and judged by nobody, leftovers go, nothing that is needed goes with them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from pipeline.domain.capture import Capture
from pipeline.domain.verdict import Outcome
from pipeline.errors import Misconfigured, Unavailable
from pipeline.records import tables
from pipeline.records.engine import reading, writing
from pipeline.records.storage import Storage, load_parts
from pipeline.records.supports import get_support, insert_support
from pipeline.records.upkeep import Finding, Kind, collect, mend, reconcile
from pipeline.settings import WorkerSettings
from pipeline.worker import Worker
from tests.contract.judges import judge
from tests.contract.record_makers import client_in, insert_one, new_support

NOW = timedelta(0)


def replace(storage: Storage, key: str, data: bytes) -> None:
    storage.blobs.delete(key)
    assert storage.blobs.put_if_absent(key, data)


def key_of(storage: Storage, support_id: str, part: str) -> str:
    return next(stored.blob_key for stored in get_support(storage.engine, support_id).parts if stored.part == part)


def flip(storage: Storage, mine: str, _other: str) -> None:
    data = bytearray(storage.blobs.get(mine))
    data[random.Random(mine).randrange(len(data))] ^= 1
    replace(storage, mine, bytes(data))


def swap(storage: Storage, mine: str, other: str) -> None:
    replace(storage, mine, storage.blobs.get(other))


DAMAGE: dict[str, tuple[Kind, Callable[[Storage, str, str], None]]] = {
    "a bit flipped": (Kind.DAMAGED, flip),
    "the end cut off": (Kind.DAMAGED, lambda storage, mine, _: replace(storage, mine, storage.blobs.get(mine)[:-1])),
    "emptied": (Kind.DAMAGED, lambda storage, mine, _: replace(storage, mine, b"")),
    "another citizen's in its place": (Kind.DAMAGED, swap),
    "gone": (Kind.MISSING, lambda storage, mine, _: storage.blobs.delete(mine)),
}


@pytest.mark.parametrize("part", ["front", "info"])
@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_named_and_goes_to_a_person_unexamined(storage: Storage, case: str, part: str) -> None:
    kind, damage = DAMAGE[case]
    client = client_in(storage.engine)
    hurt, other = insert_one(storage, client), insert_one(storage, client)
    key = key_of(storage, hurt, part)
    damage(storage, key, key_of(storage, other, part))
    assert list(reconcile(storage, deep=True)) == [Finding(kind, key)]

    seen: list[Capture] = []
    worker = Worker(storage, judge(seen.append), WorkerSettings(), "w")
    assert [worker.run_once(), worker.run_once(), worker.run_once()] == [1, 1, 0]
    verdicts = {one: get_support(storage.engine, one).verdict for one in (hurt, other)}
    assert len(seen) == 1, "the damaged one was not examined"
    assert verdicts[hurt] is not None and verdicts[other] is not None
    assert (verdicts[hurt].outcome, verdicts[hurt].reasons) == (Outcome.REVIEW, ("support.processing_failed:support",))
    assert verdicts[other].outcome is Outcome.ACCEPTED


def test_an_old_version_in_the_place_of_a_new_one_does_not_open(storage: Storage) -> None:
    client = client_in(storage.engine)
    one = insert_one(storage, client)
    key = storage.keyring.unwrap(one, get_support(storage.engine, one).key)  # type: ignore[arg-type]
    replace(storage, key_of(storage, one, "front"), key.seal("front", 2, b"front bytes"))
    assert [finding.kind for finding in reconcile(storage, deep=True)] == [Kind.DAMAGED]


def test_all_is_well_and_what_no_row_names_is_told_and_collected_when_it_is_old(storage: Storage) -> None:
    client = client_in(storage.engine)
    kept = [insert_one(storage, client) for _ in range(3)]
    assert list(reconcile(storage, deep=True)) == []
    left = [part.blob_key for part in new_support(storage, client).parts]
    assert list(reconcile(storage)) == [Finding(Kind.ORPHAN, key) for key in sorted(left)]
    assert collect(storage) == 0, "younger than the grace"
    assert collect(storage, grace=NOW) == len(left)
    assert list(reconcile(storage, deep=True)) == []
    assert collect(storage, grace=NOW) == 0
    assert all(load_parts(storage, get_support(storage.engine, one)) for one in kept)


def test_a_request_that_commits_after_its_blobs_were_given_up_is_refused_and_leaves_nothing(storage: Storage) -> None:
    client = client_in(storage.engine)
    slow = new_support(storage, client, key="slow")
    taken, end = 0, time.monotonic() + 5
    while taken < 5 and time.monotonic() < end:  # a blob may be younger than the database's millisecond
        taken += collect(storage, grace=NOW)
    assert taken == 5
    with pytest.raises(Unavailable) as caught:
        insert_support(storage.engine, slow)
    assert caught.value.code == "blobs_collected"
    with reading(storage.engine) as connection:
        assert connection.execute(select(tables.supports)).all() == []
        assert connection.execute(select(tables.idempotency)).all() == []
    again, created = insert_support(storage.engine, new_support(storage, client, key="slow"))
    assert created, "the same key works when it is sent again"
    assert load_parts(storage, get_support(storage.engine, again))


def test_the_collector_never_takes_what_a_slow_request_commits(storage: Storage) -> None:
    """Requests that stall between their blobs and their rows, beside a collector without any grace."""
    client, over = client_in(storage.engine), threading.Event()
    collected: list[int] = []

    def keep_collecting() -> None:
        while not over.is_set():
            collected.append(collect(storage, grace=NOW))

    def request(number: int) -> str | None:
        try:
            new = new_support(storage, client)
        except Unavailable as error:  # without grace a blob goes before its size was confirmed: refused, never acknowledged
            assert error.code == "storage_unavailable"
            return None
        if number % 12 == 0:  # however slow the store: the collector begins and ends a pass while this one stalls
            passes, end = len(collected), time.monotonic() + 30
            while len(collected) < passes + 2 and time.monotonic() < end:
                time.sleep(0.01)
        elif number % 3 == 0:
            time.sleep(random.Random(number).uniform(0, 0.1))
        try:
            return insert_support(storage.engine, new)[0]
        except Unavailable as error:
            assert error.code == "blobs_collected"
            return None

    collector = threading.Thread(target=keep_collecting)
    collector.start()
    with ThreadPoolExecutor(4) as pool:
        committed = [one for one in pool.map(request, range(60)) if one is not None]
    over.set()
    collector.join()
    assert sum(collected) > 0, "the collector was at work"
    for one in committed:
        assert load_parts(storage, get_support(storage.engine, one))
    collect(storage, grace=NOW)
    assert list(reconcile(storage, deep=True)) == []


def test_a_lost_database_is_not_taken_for_leftovers(storage: Storage) -> None:
    client = client_in(storage.engine)
    for _ in range(21):
        new_support(storage, client)
    with pytest.raises(Misconfigured) as caught:
        collect(storage, grace=NOW)
    assert caught.value.code == "too_many_orphans"
    assert collect(storage, grace=NOW, however_many=True) == 105


def test_a_support_without_a_job_gets_one(storage: Storage) -> None:
    one = insert_one(storage, client_in(storage.engine))
    with writing(storage.engine) as connection:
        connection.execute(delete(tables.jobs))
    assert list(reconcile(storage)) == [Finding(Kind.WAITING, one)]
    assert [mend(storage.engine), mend(storage.engine)] == [1, 0]
    assert Worker(storage, judge(), WorkerSettings(), "w").run_once() == 1
    assert get_support(storage.engine, one).verdict is not None

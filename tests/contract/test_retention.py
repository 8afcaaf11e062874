"""Retention: what a process keeps no longer is erased, and nothing else; what is done long since is removed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from pipeline.domain.support import State
from pipeline.errors import BadInput, Erased
from pipeline.records import tables
from pipeline.records.deliveries import claim_deliveries, hand_on, settle_delivered
from pipeline.records.engine import reading, writing
from pipeline.records.erasures import kept_receipts
from pipeline.records.holds import place, release
from pipeline.records.outbox import EventKind
from pipeline.records.processes import read_process_file
from pipeline.records.receipts import Cause, read_receipt
from pipeline.records.retention import Due, Pruned, due, prune, reap
from pipeline.records.storage import Storage, load_parts
from pipeline.records.supports import get_support
from pipeline.records.webhooks import add_webhook
from pipeline.settings import WorkerSettings
from pipeline.worker import Worker
from tests.contract.judges import judge
from tests.contract.record_makers import insert_one
from tests.contract.test_processes import apply, written

DAY_MS = 86_400_000
PROCESS = """
id = "p"
retention_days = 100
[retention]
rejected = 30
"""


def support(storage: Storage, client: str, state: State, days: float, process: str = "p") -> str:
    """One that has stood in the state for so many days."""
    one = insert_one(storage, client)
    with writing(storage.engine) as connection:
        now = connection.execute(select(tables.now_ms())).scalar_one()
        connection.execute(update(tables.supports).where(tables.supports.c.id == one).values(
            state=state.value, process=process, updated_at=now - int(days * DAY_MS)))
    return one


def gone(storage: Storage, support_id: str) -> bool:
    try:
        return not load_parts(storage, get_support(storage.engine, support_id))
    except Erased:
        return True


CASES = [(State.ACCEPTED, 99.9, False), (State.ACCEPTED, 100.1, True), (State.REJECTED, 29.9, False), (State.REJECTED, 30.1, True),
         (State.RETAKE_WANTED, 101, True), (State.FINAL, 101, True), (State.IN_REVIEW, 1000, False), (State.RECEIVED, 1000, False),
         (State.PROCESSING, 1000, False)]


def test_each_state_is_kept_as_long_as_its_process_says(storage: Storage, client: str, tmp_path: Path) -> None:
    apply(storage, tmp_path, PROCESS)
    kept = {support(storage, client, state, days): expected for state, days, expected in CASES}
    others = support(storage, client, State.ACCEPTED, 5000, process="demo")
    assert {(one.state, one.count, one.held) for one in due(storage.engine)} == {
        (State.ACCEPTED, 1, 0), (State.REJECTED, 1, 0), (State.RETAKE_WANTED, 1, 0), (State.FINAL, 1, 0)}
    assert not any(gone(storage, one) for one in kept), "to look changes nothing"
    assert list(reap(storage, 100))[-1] == 4
    assert {one: gone(storage, one) for one in kept} == kept
    assert not gone(storage, others)
    assert (due(storage.engine), list(reap(storage, 100))) == ([], [])
    assert {read_receipt(one).cause for one in kept_receipts(storage)} == {Cause.RETENTION}
    with reading(storage.engine) as connection:
        told = connection.execute(select(tables.audit.c.detail).where(tables.audit.c.action == "retention.reaped")).scalars().all()
    assert '{"days": 30, "process": "p", "state": "rejected", "supports": 1}' in told


def test_what_is_held_stays_and_a_run_is_bounded(storage: Storage, client: str, tmp_path: Path) -> None:
    apply(storage, tmp_path, PROCESS)
    ids = [support(storage, client, State.ACCEPTED, 200) for _ in range(4)]
    place(storage.engine, ids[0], "FILE-1")
    assert due(storage.engine) == [Due("p", State.ACCEPTED, 100, 3, 1)]
    assert list(reap(storage, 2)) == [2]
    assert [gone(storage, one) for one in ids] == [False, True, True, False]
    assert list(reap(storage, 100)) == [1]
    release(storage.engine, ids[0])
    assert list(reap(storage, 100)) == [1]


@pytest.mark.parametrize(("closes", "expected"), [("2020-01-01", True), ("2999-01-01", False)])
def test_the_days_may_run_from_the_process_s_end(storage: Storage, client: str, tmp_path: Path, closes: str, expected: bool) -> None:
    apply(storage, tmp_path, f'id = "p"\ncloses = {closes}\nretention_days = 100\nretention_from = "close"\n')
    one = support(storage, client, State.ACCEPTED, 200)
    list(reap(storage, 100))
    assert gone(storage, one) is expected


@pytest.mark.parametrize("text", ['[retention]\nreceived = 3', "[retention]\naccepted = 0", 'retention_from = "birth"', 'retention_from = "close"'])
def test_a_rule_that_makes_no_sense_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput):
        read_process_file(written(tmp_path, f'id = "p"\n{text}\n'))


def test_what_is_done_long_since_is_removed_and_nothing_that_waits(storage: Storage, client: str) -> None:
    add_webhook(storage, client, "https://hook.example/", frozenset({EventKind.DECIDED, EventKind.RECEIVED}))
    first = insert_one(storage, client)
    assert Worker(storage, judge(), WorkerSettings(), "w").run_once() == 1
    assert hand_on(storage.engine, 0) == 2
    insert_one(storage, client)
    assert hand_on(storage.engine, 0) == 1
    with reading(storage.engine) as connection:
        (target,) = set(connection.execute(select(tables.deliveries.c.target)).scalars())
    (attempt,) = claim_deliveries(storage.engine, target, 1, 10, 60)
    assert settle_delivered(storage.engine, attempt)
    _older(storage, timedelta(days=10))
    assert prune(storage.engine, 11) == Pruned(0, 0, 0)
    assert prune(storage.engine, 9, dry_run=True) == Pruned(1, 1, 0)
    assert prune(storage.engine, 9) == Pruned(1, 1, 1)
    assert prune(storage.engine, 9) == Pruned(0, 0, 0)
    with reading(storage.engine) as connection:
        left = {table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (tables.jobs, tables.deliveries, tables.outbox)}
    assert left == {"jobs": 1, "deliveries": 2, "outbox": 2}, "a job that waits, and two deliveries with their events"
    assert get_support(storage.engine, first).verdict is not None


def _older(storage: Storage, by: timedelta) -> None:
    ms = int(by.total_seconds() * 1000)
    with writing(storage.engine) as connection:
        for column in (tables.jobs.c.done_at, tables.deliveries.c.delivered_at, tables.outbox.c.delivered_at):
            connection.execute(update(column.table).where(column.is_not(None)).values({column: column - ms}))

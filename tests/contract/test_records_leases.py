"""What a lease promises: one holder at a time, in order, lost when it runs out, and a stale token writes nothing."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import func, select, update

from pipeline.domain.support import State
from pipeline.domain.verdict import Outcome
from pipeline.errors import LeaseLost
from pipeline.records import tables
from pipeline.records.engine import database_now, reading, writing
from pipeline.records.leases import Backlog, JobKind, Lease, backlog, claim, heartbeat, release, ripe_kinds
from pipeline.records.storage import Storage
from pipeline.records.supports import finish, get_support
from tests.contract.record_makers import client_in, finished, insert_one, storage_in

SUPPORT = JobKind.SUPPORT
LONG = 50.0
STALE = {
    "heartbeat": lambda storage, lease: heartbeat(storage.engine, lease, LONG),
    "release": lambda storage, lease: release(storage.engine, lease),
    "finish": lambda storage, lease: finish(storage.engine, lease, finished(Outcome.REJECTED)),
}


def take(storage: Storage, worker: str = "w", seconds: float = LONG, limit: int = 1) -> list[Lease]:
    return claim(storage.engine, SUPPORT, worker, seconds, limit=limit)


def run_out(storage: Storage) -> None:
    """What time does to every lease: its end lies in the past."""
    with writing(storage.engine) as connection:
        connection.execute(update(tables.jobs).values(claimable_at=tables.now_ms() - 1))


def test_work_is_given_out_oldest_first_and_once(storage: Storage, client: str) -> None:
    ids = [insert_one(storage, client) for _ in range(5)]
    first = take(storage, limit=2)
    second = take(storage, limit=9)
    assert [lease.subject_id for lease in first + second] == ids
    assert take(storage) == []


def test_an_activation_is_not_a_support(storage: Storage, client: str) -> None:
    insert_one(storage, client)
    assert claim(storage.engine, JobKind.ACTIVATION, "w", LONG) == []


@pytest.mark.parametrize("hours", [1, 24])
def test_a_clock_that_was_set_back_holds_nothing(storage: Storage, client: str, hours: float) -> None:
    """The holder's end, or a wait's, was written by the clock of before; who holds it still is refused as always."""
    insert_one(storage, client)
    (lease,) = take(storage)
    with writing(storage.engine) as connection:
        connection.execute(update(tables.jobs).values(claimable_at=tables.jobs.c.claimable_at + int(hours * 3_600_000)))
    assert ripe_kinds(storage.engine) == [SUPPORT]
    (again,) = take(storage, "other")
    assert again.token == lease.token + 1
    with pytest.raises(LeaseLost):
        finish(storage.engine, lease, finished(Outcome.ACCEPTED))


def test_the_lease_ends_by_the_clock_of_the_database(storage: Storage, client: str) -> None:
    insert_one(storage, client)
    before = database_now(storage.engine)
    (lease,) = take(storage, seconds=5)
    assert before + 5000 <= lease.deadline <= database_now(storage.engine) + 5000


def test_an_expired_lease_is_claimable_with_a_higher_token_and_the_attempt_counted(storage: Storage, client: str) -> None:
    insert_one(storage, client)
    (old,) = take(storage, "a")
    assert take(storage, "b") == []
    run_out(storage)
    (new,) = take(storage, "b")
    assert (new.token, new.attempt, new.subject_id) == (old.token + 1, 2, old.subject_id)


@pytest.mark.parametrize("call", STALE)
def test_a_stale_token_is_refused(storage: Storage, client: str, call: str) -> None:
    support_id = insert_one(storage, client)
    (old,) = take(storage, "a")
    run_out(storage)
    (new,) = take(storage, "b")
    with pytest.raises(LeaseLost):
        STALE[call](storage, old)
    assert get_support(storage.engine, support_id).verdict is None
    finish(storage.engine, new, finished(Outcome.ACCEPTED))
    with pytest.raises(LeaseLost):
        STALE[call](storage, old)
    with pytest.raises(LeaseLost):
        STALE[call](storage, new)
    record = get_support(storage.engine, support_id)
    assert record.verdict is not None
    assert (record.verdict.outcome, record.verdict.fence) == (Outcome.ACCEPTED, new.token)


def test_whoever_was_late_but_not_replaced_may_still_finish(storage: Storage, client: str) -> None:
    insert_one(storage, client)
    (lease,) = take(storage)
    run_out(storage)
    finish(storage.engine, lease, finished(Outcome.ACCEPTED))
    assert take(storage) == []


@pytest.mark.parametrize("call", STALE)
def test_what_was_released_is_no_longer_held(storage: Storage, client: str, call: str) -> None:
    insert_one(storage, client)
    (lease,) = take(storage)
    release(storage.engine, lease)
    with pytest.raises(LeaseLost):
        STALE[call](storage, lease)


@pytest.mark.parametrize(("counts", "attempt"), [(True, 2), (False, 1)])
def test_release_says_whether_the_attempt_counts(storage: Storage, client: str, counts: bool, attempt: int) -> None:
    insert_one(storage, client)
    (lease,) = take(storage)
    release(storage.engine, lease, error="code", counts=counts)
    (again,) = take(storage)
    assert (again.attempt, again.token) == (attempt, lease.token + 1)


def test_what_is_released_to_wait_is_not_claimable_before(storage: Storage, client: str) -> None:
    insert_one(storage, client)
    (lease,) = take(storage)
    release(storage.engine, lease, wait_seconds=LONG)
    assert take(storage) == []
    run_out(storage)
    assert len(take(storage)) == 1


def test_a_heartbeat_keeps_the_lease(storage: Storage, client: str) -> None:
    insert_one(storage, client)
    (lease,) = take(storage, seconds=0)
    heartbeat(storage.engine, lease, LONG)
    assert take(storage, "b") == []


def test_past_the_third_attempt_it_is_given_out_as_exhausted(storage: Storage, client: str) -> None:
    insert_one(storage, client)
    seen = []
    for _ in range(5):
        seen += [(lease.attempt, lease.exhausted) for lease in take(storage)]
        run_out(storage)
    assert seen == [(1, False), (2, False), (3, False), (4, True), (5, True)]


def test_a_support_with_its_verdict_in_another_round_is_left_alone(storage: Storage, client: str) -> None:
    support_id = insert_one(storage, client)
    (lease,) = take(storage)
    with writing(storage.engine) as connection:
        connection.execute(update(tables.supports).values(round=2))
    with pytest.raises(LeaseLost):
        finish(storage.engine, lease, finished(Outcome.ACCEPTED))
    with reading(storage.engine) as connection:
        assert connection.execute(select(func.count()).select_from(tables.verdicts)).scalar_one() == 0
        assert connection.execute(select(tables.jobs.c.done_at)).scalar_one() is None
    assert get_support(storage.engine, support_id).state is State.PROCESSING


def test_the_backlog_is_what_has_no_end_yet_and_how_old_it_is(storage: Storage, client: str) -> None:
    assert backlog(storage.engine, SUPPORT) == Backlog(0, 0)
    for _ in range(2):
        insert_one(storage, client)
    with writing(storage.engine) as connection:
        connection.execute(update(tables.jobs).values(enqueued_at=tables.now_ms() - 5000))
    (lease,) = take(storage)
    waiting = backlog(storage.engine, SUPPORT)
    assert waiting.count == 2
    assert 5 <= waiting.oldest_seconds < 60
    finish(storage.engine, lease, finished(Outcome.ACCEPTED))
    assert backlog(storage.engine, SUPPORT).count == 1


def test_workers_that_race_never_hold_the_same(storage: Storage, client: str) -> None:
    ids = {insert_one(storage, client) for _ in range(24)}

    def work(worker: int) -> list[str]:
        done = []
        while leases := take(storage, f"w{worker}", limit=2):
            for lease in leases:
                finish(storage.engine, lease, finished(Outcome.ACCEPTED))
                done.append(lease.subject_id)
        return done

    with ThreadPoolExecutor(4) as pool:
        done = [support_id for part in pool.map(work, range(4)) for support_id in part]
    assert len(done) == 24
    assert set(done) == ids


class Leasing(RuleBasedStateMachine):
    """Workers in any order against a model: who holds what, who is stale, and how many verdicts there may be."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.storage = storage_in(Path(self.folder.name))
        self.client = client_in(self.storage.engine)
        self.leases: list[Lease] = []
        self.holder: dict[str, int] = {}
        self.open: dict[str, bool] = {}
        self.done: dict[str, int] = {}
        self.released: set[tuple[str, int]] = set()

    @initialize(count=st.integers(1, 3))
    def supports(self, count: int) -> None:
        self.open = {insert_one(self.storage, self.client): True for _ in range(count)}

    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        ripe = [support_id for support_id in sorted(self.open) if self.open[support_id]]
        taken = take(self.storage, limit=limit)
        assert [lease.subject_id for lease in taken] == ripe[:limit]
        for lease in taken:
            assert lease.token > self.holder.get(lease.subject_id, 0)
            self.holder[lease.subject_id], self.open[lease.subject_id] = lease.token, False
        self.leases += taken

    @rule()
    def time_passes(self) -> None:
        run_out(self.storage)
        self.open = {support_id: support_id not in self.done for support_id in self.open}

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), call=st.sampled_from(sorted(STALE)))
    def use(self, data: st.DataObject, call: str) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        held = (self.holder[lease.subject_id] == lease.token and lease.subject_id not in self.done
                and (lease.subject_id, lease.token) not in self.released)
        try:
            STALE[call](self.storage, lease)
        except LeaseLost:
            assert not held
            return
        assert held
        if call == "heartbeat":
            self.open[lease.subject_id] = False
        elif call == "release":
            self.released.add((lease.subject_id, lease.token))
            self.open[lease.subject_id] = True
        else:
            self.done[lease.subject_id], self.open[lease.subject_id] = lease.token, False

    @invariant()
    def one_verdict_each_with_the_token_of_its_holder(self) -> None:
        with reading(self.storage.engine) as connection:
            written = {row.support_id: row.fence for row in connection.execute(select(tables.verdicts))}
        assert written == self.done

    def teardown(self) -> None:
        self.storage.engine.dispose()
        self.folder.cleanup()


Leasing.TestCase.settings = hypothesis_settings(max_examples=15, stateful_step_count=12, deadline=None)
TestLeasing = Leasing.TestCase

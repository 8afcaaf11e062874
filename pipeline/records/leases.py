"""Leases: how a worker takes work, keeps it while it lives, and loses it when it does not (design, decision 5).

A claim hands out rows whose `claimable_at` has passed, oldest first, and moves that moment to the lease's end; so a lease
that ran out is claimable by the same statement, and no reaper is needed. Each claim raises the row's `fence`: whoever holds
an older one is refused by every later write. Attempts are counted at the claim, before anything that may crash.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Engine, Update, bindparam, func, insert, select, update

from pipeline.domain.support import State
from pipeline.errors import LeaseLost
from pipeline.records.bell import Channel, ring
from pipeline.records.engine import reading, writing
from pipeline.records.tables import has_come, jobs, now_ms, supports

LONGEST_SECONDS = 60.0
"""No lease is longer (the settings see to that), nor any wait."""
MAX_ATTEMPTS = 3
"""Design, decision 5: past its third attempt a row goes to a person, unexamined."""
_CLAIMABLE = has_come(jobs.c.claimable_at, LONGEST_SECONDS)


_ANY_RIPE = select(jobs.c.id).where(jobs.c.kind == bindparam("kind"), jobs.c.done_at.is_(None), _CLAIMABLE).limit(1)
"""Made once, as those below: to make a statement anew takes most of the time that it takes."""
_JOB = insert(jobs).values(enqueued_at=now_ms(), claimable_at=now_ms(), attempts=0, fence=0)


class JobKind(StrEnum):
    SUPPORT = "support"
    ACTIVATION = "activation"


_RIPE_KINDS = select(*(
    select(jobs.c.id).where(jobs.c.kind == kind.value, jobs.c.done_at.is_(None), _CLAIMABLE)
    .exists().label(kind.value) for kind in JobKind))


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one job until `deadline` (milliseconds by the database's clock), unless renewed."""

    id: str
    kind: JobKind
    subject_id: str
    round: int
    token: int
    """The fence: later claims of the same job have a higher one."""
    attempt: int
    deadline: int
    exhausted: bool
    """Too many attempts ended without a verdict: finish it as unexamined, do not open it again."""


def enqueue(connection: Connection, job_id: str, kind: JobKind, subject_id: str, round_: int) -> None:
    """Add a job within the caller's transaction: it exists if and only if what it is about does."""
    connection.execute(_JOB, {"id": job_id, "kind": kind.value, "subject_id": subject_id, "round": round_})
    ring(connection, Channel.JOBS)


def ripe_kinds(engine: Engine) -> list[JobKind]:
    """The kinds of which there is a job to claim, in one read: an idle worker asks ten times a second."""
    with reading(engine) as connection:
        row = connection.execute(_RIPE_KINDS).one()
    return [kind for kind in JobKind if getattr(row, kind.value)]


def claim(engine: Engine, kind: JobKind, worker: str, lease_seconds: float, *, limit: int = 1,
          max_attempts: int = MAX_ATTEMPTS) -> list[Lease]:
    """Take up to `limit` jobs, oldest first; empty where there are none. Never ask for more than your free slots."""
    with reading(engine) as connection:  # an idle worker asks ten times a second, and must not take a writer's lock to learn that
        if connection.execute(_ANY_RIPE, {"kind": kind.value}).first() is None:
            return []
    ripe = (select(jobs.c.id)
            .where(jobs.c.kind == kind.value, jobs.c.done_at.is_(None), _CLAIMABLE)
            .order_by(jobs.c.enqueued_at, jobs.c.id).limit(limit).with_for_update(skip_locked=True)
            .cte("ripe"))  # as a common table it is run once: as a subquery PostgreSQL may run it again and lock more rows
    taking = (update(jobs).where(jobs.c.id.in_(select(ripe.c.id)))
              .values(fence=jobs.c.fence + 1, attempts=jobs.c.attempts + 1, worker=worker, claimable_at=_from_now(lease_seconds))
              .returning(jobs))
    with writing(engine) as connection:
        rows = sorted(connection.execute(taking).all(), key=lambda row: (row.enqueued_at, row.id))
        if rows and kind is JobKind.SUPPORT:
            connection.execute(
                update(supports)
                .where(supports.c.id.in_([row.subject_id for row in rows]), supports.c.state == State.RECEIVED.value)
                .values(state=State.PROCESSING.value, version=supports.c.version + 1, updated_at=now_ms()))
    return [Lease(row.id, kind, row.subject_id, row.round, row.fence, row.attempts, row.claimable_at,
                  row.attempts > max_attempts) for row in rows]


def heartbeat(engine: Engine, lease: Lease, lease_seconds: float) -> None:
    """Keep the lease for another `lease_seconds` from now. Raises `LeaseLost`."""
    with writing(engine) as connection:
        _demand_one(connection, _held(lease.id, lease.token).values(claimable_at=_from_now(lease_seconds)))


def release(engine: Engine, lease: Lease, *, error: str | None = None, wait_seconds: float = 0.0, counts: bool = True) -> None:
    """Give the job back, claimable after `wait_seconds`. Raises `LeaseLost`.

    error: a code (never a text of the input).  counts: False where the attempt says nothing about the job: a worker that
    drains, a database that did not answer.
    """
    with writing(engine) as connection:
        _demand_one(connection, _held(lease.id, lease.token).values(
            claimable_at=_from_now(wait_seconds), worker=None, last_error=error,
            attempts=jobs.c.attempts if counts else jobs.c.attempts - 1))


def complete(connection: Connection, lease: Lease) -> None:
    """Mark the job done within the caller's transaction, if the lease's token is still the row's. Raises `LeaseLost`."""
    if connection.execute(_DONE, {"job": lease.id, "token": lease.token}).rowcount != 1:
        raise LeaseLost("somebody else holds the job, or it is done")


def close(engine: Engine, lease: Lease) -> None:
    """Mark the job done without a verdict: what it was about was erased. Raises `LeaseLost`."""
    with writing(engine) as connection:
        complete(connection, lease)


def demand_held(connection: Connection, lease: Lease) -> None:
    """Raises `LeaseLost` where the lease's token is not the row's any more, within the caller's transaction."""
    if connection.execute(_STILL_HELD, {"job": lease.id, "token": lease.token}).one_or_none() is None:
        raise LeaseLost("somebody else holds the job, or it is done")


def demand_waiting(connection: Connection, lease: Lease) -> None:
    """Hold the support's row, so that it is not erased before the caller's transaction ends. Raises `LeaseLost` where it was."""
    row = connection.execute(_STATE, {"support": lease.subject_id}).one_or_none()
    if row is None or row.state == State.ERASED.value:
        raise LeaseLost("the support was erased")


@dataclass(frozen=True, slots=True)
class Backlog:
    """Jobs without an end: how many, and how long the oldest has been waiting (0 if none, NaN if not known)."""

    count: float
    oldest_seconds: float


def backlog(engine: Engine, kind: JobKind) -> Backlog:
    """What silent workers cannot hide: no error tells that nothing is verified, the age of the oldest job does."""
    with reading(engine) as connection:
        row = connection.execute(
            select(func.count().label("jobs"), (now_ms() - func.min(jobs.c.enqueued_at)).label("age"))
            .where(jobs.c.kind == kind.value, jobs.c.done_at.is_(None))).one()
    return Backlog(row.jobs, max(0, row.age or 0) / 1000)


def _held(job: str | BindParameter[str], token: int | BindParameter[int]) -> Update:
    """The one condition under which the holder of a lease may write."""
    return update(jobs).where(jobs.c.id == job, jobs.c.fence == token, jobs.c.worker.is_not(None), jobs.c.done_at.is_(None))


_DONE = _held(bindparam("job"), bindparam("token")).values(done_at=now_ms(), last_error=None)
_STILL_HELD = select(jobs.c.id).where(jobs.c.id == bindparam("job"), jobs.c.fence == bindparam("token"), jobs.c.done_at.is_(None))
_STATE = select(supports.c.state).where(supports.c.id == bindparam("support")).with_for_update()


def _demand_one(connection: Connection, statement: Update) -> None:
    if connection.execute(statement).rowcount != 1:
        raise LeaseLost("somebody else holds the job, or it is done")


def _from_now(seconds: float) -> ColumnElement[Any]:
    return now_ms() + int(seconds * 1000)

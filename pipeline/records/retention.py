"""Retention: what a process says is no longer kept is erased, and rows whose work is done long since are removed.

A support's time runs from its last change, or from the process's end where that is later and `retention_from` says so. What waits
for a verdict, or for a person unless the process says otherwise, has no end; what is held has none either.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, Table, delete, exists, func, select

from pipeline.clock import MEXICO_CITY
from pipeline.domain.process import Process
from pipeline.domain.support import State
from pipeline.errors import Conflict, NotFound
from pipeline.records import audit
from pipeline.records.engine import database_now, reading, writing
from pipeline.records.erasures import Asked, erase
from pipeline.records.processes import list_processes
from pipeline.records.receipts import Cause
from pipeline.records.storage import Storage
from pipeline.records.tables import deliveries, holds, jobs, outbox, supports

BATCH = 200
"""Supports looked up, and rows removed, at one time."""
ACTOR = "reaper"
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Due:
    """How many supports of a process stand in a state for longer than they are kept. `held`: how many of these are held."""

    process: str
    state: State
    days: int
    count: int
    held: int


@dataclass(frozen=True, slots=True)
class _Rule:
    process: str
    state: State
    days: int
    before: int
    """Milliseconds: what changed last before this is due."""


def due(engine: Engine) -> list[Due]:
    """What `reap` would erase now; nothing is changed."""
    is_held = exists().where(holds.c.support_id == supports.c.id)
    found = []
    with reading(engine) as connection:
        for rule in _rules(engine):
            counted = select(func.count()).where(*_falls_under(rule))
            held = connection.execute(counted.where(is_held)).scalar_one()
            count = connection.execute(counted.where(~is_held)).scalar_one()
            if count or held:
                found.append(Due(rule.process, rule.state, rule.days, count, held))
    return found


def reap(storage: Storage, limit: int) -> Iterator[int]:
    """Erase what is due, `limit` supports at most: how many were erased so far, after each batch. Raises `Unavailable`."""
    done = 0
    for rule in _rules(storage.engine):
        while done < limit and (batch := _batch(storage.engine, rule, min(BATCH, limit - done))):
            erased = sum(_erase(storage, support_id, version) for support_id, version in batch)
            if erased:
                with writing(storage.engine) as connection:
                    audit.append(connection, actor=ACTOR, action="retention.reaped", subject_id="", detail={
                        "process": rule.process, "state": rule.state.value, "days": rule.days, "supports": erased})
            done += erased
            yield done
            if erased == 0:
                break  # all of them moved on meanwhile


def _erase(storage: Storage, support_id: str, version: int) -> bool:
    try:
        erase(storage, Asked(support_id, Cause.RETENTION, ACTOR, version=version))
    except (Conflict, NotFound):  # held, or changed, since it was looked up
        return False
    return True


def _rules(engine: Engine) -> list[_Rule]:
    now = database_now(engine)
    return [_Rule(process.id, state, days, now - days * DAY_MS) for process in (one.process for one in list_processes(engine))
            for state in State if (days := process.kept_days(state)) is not None and _begun(process, now - days * DAY_MS)]


def _begun(process: Process, before: int) -> bool:
    """Whether the time may run already, where it runs from the process's end."""
    if process.retention_from == "change" or process.closes is None:
        return True
    end = datetime.combine(process.closes + timedelta(days=1), datetime.min.time(), MEXICO_CITY)
    return end.timestamp() * 1000 <= before


def _falls_under(rule: _Rule) -> list[ColumnElement[bool]]:
    return [supports.c.process == rule.process, supports.c.state == rule.state.value, supports.c.updated_at <= rule.before]


def _batch(engine: Engine, rule: _Rule, limit: int) -> list[tuple[str, int]]:
    free = ~exists().where(holds.c.support_id == supports.c.id)
    with reading(engine) as connection:
        return [(row.id, row.version) for row in connection.execute(
            select(supports.c.id, supports.c.version).where(*_falls_under(rule), free).order_by(supports.c.id).limit(limit))]


@dataclass(frozen=True, slots=True)
class Pruned:
    jobs: int
    deliveries: int
    events: int


def prune(engine: Engine, days: float, *, dry_run: bool = False) -> Pruned:
    """Remove jobs, deliveries and events that came to their end more than `days` ago; an event that is still to be told stays."""
    before = database_now(engine) - int(days * DAY_MS)
    waits = exists().where(deliveries.c.event_id == outbox.c.id)
    over = (jobs.c.done_at < before,)
    told = ((deliveries.c.delivered_at < before) | (deliveries.c.dead_at < before),)
    handed_on = (outbox.c.delivered_at < before, ~waits)
    counts = [_remove(engine, table, conditions, dry_run) for table, conditions in (
        (jobs, over), (deliveries, told), (outbox, handed_on))]
    if any(counts) and not dry_run:
        with writing(engine) as connection:
            audit.append(connection, actor=ACTOR, action="retention.pruned", subject_id="", detail={
                "jobs": counts[0], "deliveries": counts[1], "events": counts[2]})
    return Pruned(*counts)


def _remove(engine: Engine, table: Table, conditions: tuple[ColumnElement[bool], ...], dry_run: bool) -> int:
    """In batches, so that no lock is held long."""
    if dry_run:
        with reading(engine) as connection:
            return int(connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one())
    total = 0
    while True:
        with writing(engine) as connection:
            ids = connection.execute(select(table.c.id).where(*conditions).limit(BATCH)).scalars().all()
            if not ids:
                return total
            total += connection.execute(delete(table).where(table.c.id.in_(ids), *conditions)).rowcount

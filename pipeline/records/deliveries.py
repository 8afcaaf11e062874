"""Deliveries: each event once for each who asked for it, leased for an attempt, tried again later, and dead at last.

At least once, and with the same event id each time: a sender that dies after the receiver's answer and before `settle` sends
it again. As with jobs, a lease that ran out is due by the same statement, and an older fence cannot write.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import uuid_utils.compat
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Float,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from pipeline.clock import from_millis
from pipeline.domain.support import State
from pipeline.domain.verdict import Outcome
from pipeline.records import audit, outbox
from pipeline.records.engine import reading, writing
from pipeline.records.outbox import EventKind
from pipeline.records.tables import deliveries, has_come, now_ms, supports, webhooks
from pipeline.records.tables import outbox as events

MAIL, CODES = "mail", "codes"
"""The targets that are no webhooks: what the operator is told by mail, and citizens' codes; apart, so that a mail to the operator
that waits delays no citizen."""
AT_ONCE = 200
"""Events handed on in one transaction: some milliseconds of the writer's lock."""
_BY_MAIL = {EventKind.DEAD.value: MAIL, EventKind.CODE.value: CODES}
_OPEN = and_(deliveries.c.delivered_at.is_(None), deliveries.c.dead_at.is_(None))


def _due(target: Any) -> ColumnElement[bool]:
    return exists().where(deliveries.c.target == target, _OPEN, has_come(deliveries.c.due_at, bindparam("longest", type_=Float)))


_DUE_WEBHOOKS = select(webhooks.c.id, webhooks.c.url).where(webhooks.c.deleted_at.is_(None), _due(webhooks.c.id))
_DUE_MAILS = select(_due(MAIL), _due(CODES))
"""Made once: to make a statement anew takes most of the time that it takes."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The right to try one delivery once. `number`: this is the how-manieth try; `fence`: of the lease."""

    id: str
    target: str
    event_id: str
    kind: EventKind
    body: dict[str, Any]
    created_at: datetime
    number: int
    fence: int


def hand_on(engine: Engine, retake_wait_seconds: float) -> int:
    """Make the deliveries of events that have none yet: how many events were looked at.

    A verdict that asks for a retake waits `retake_wait_seconds`; if the citizen has taken it again by then, it is told to nobody:
    the next verdict is.
    """
    fresh = _not_handed_on(retake_wait_seconds)
    with reading(engine) as connection:  # often there is nothing, and a writer's lock is not taken to learn that
        if connection.execute(fresh.limit(1)).first() is None:
            return 0
    with writing(engine) as connection:
        return _hand_on(connection, fresh)


def hand_on_to_those_there(connection: Connection, client_id: str) -> None:
    """What happened to this client's supports until now goes to the webhooks that it has now, within the caller's transaction:
    one that is added then is told of what comes after, by no clock. Not what waits for a retake; and no more than `AT_ONCE`,
    for more wait only where no deliverer runs."""
    waits = supports.c.state == State.RETAKE_WANTED.value
    _hand_on(connection, _not_handed_on(0).where(supports.c.client_id == client_id, ~waits))


def _hand_on(connection: Connection, fresh: Select[Any]) -> int:
    found = connection.execute(fresh.limit(AT_ONCE).with_for_update(of=events, skip_locked=True)).all()
    hooks = connection.execute(select(webhooks).where(
        webhooks.c.deleted_at.is_(None), webhooks.c.client_id.in_({row.client_id for row in found}))).all()
    for row in found:
        _add(connection, row.id, _targets(row, hooks))
    connection.execute(update(events).where(events.c.id.in_([row.id for row in found])).values(delivered_at=now_ms()))
    return len(found)


def due_targets(engine: Engine, longest_seconds: float) -> list[tuple[str, str]]:
    """Each target that something is due to, with its URL (empty for mail). longest_seconds: that anything waits."""
    with reading(engine) as connection:
        found = [(row.id, row.url) for row in connection.execute(_DUE_WEBHOOKS, {"longest": longest_seconds})]
        mails = connection.execute(_DUE_MAILS, {"longest": longest_seconds}).one()
        return [*found, *((target, "") for target, is_due in zip((MAIL, CODES), mails, strict=True) if is_due)]


def claim_deliveries(engine: Engine, target: str, limit: int, lease_seconds: float, longest_seconds: float) -> list[Attempt]:
    """Take up to `limit` that are due to the target, the longest due first."""
    ripe = (select(deliveries.c.id).where(deliveries.c.target == target, _OPEN, has_come(deliveries.c.due_at, longest_seconds))
            .order_by(deliveries.c.due_at, deliveries.c.id).limit(limit).with_for_update(skip_locked=True))
    taking = (update(deliveries).where(deliveries.c.id.in_(ripe.scalar_subquery()))
              .values(attempts=deliveries.c.attempts + 1, fence=deliveries.c.fence + 1, due_at=_from_now(lease_seconds))
              .returning(deliveries))
    with writing(engine) as connection:
        rows = connection.execute(taking).all()
        told = {row.id: row for row in connection.execute(select(events).where(events.c.id.in_([row.event_id for row in rows])))}
    return [_attempt(row, told[row.event_id]) for row in sorted(rows, key=lambda row: row.id)]


Also = Callable[[Connection], None]
"""What becomes true with a delivery's end, in the same transaction."""


def settle_delivered(engine: Engine, attempt: Attempt, also: Also = lambda _connection: None) -> bool:
    """It has arrived. False where the lease was no longer held: another attempt settles it, and `also` is not called."""
    with writing(engine) as connection:
        held = _settle(connection, attempt, delivered_at=now_ms(), last_error=None)
        if held:
            also(connection)
        return held


def settle_failed(engine: Engine, attempt: Attempt, error: str, wait_seconds: float | None,
                  also: Also = lambda _connection: None) -> bool:
    """It has not, for the reason `error` (a code): due again after `wait_seconds`, or dead (None), which the operator is told.

    False where the lease was no longer held; else, where it is dead, `also` is called.
    """
    with writing(engine) as connection:
        if wait_seconds is not None:
            return _settle(connection, attempt, due_at=_from_now(wait_seconds), last_error=error)
        held = _settle(connection, attempt, dead_at=now_ms(), last_error=error)
        if held:
            also(connection)
        if held and attempt.target not in (MAIL, CODES):
            outbox.append(connection, EventKind.DEAD, attempt.target, {
                "webhook": attempt.target, "event": attempt.event_id, "type": attempt.kind.value, "error": error})
        return held


def add_test(engine: Engine, client_id: str, webhook_id: str) -> str:
    """An event for one webhook alone, by the way of all others: its id."""
    with writing(engine) as connection:
        event_id = outbox.append(connection, EventKind.TEST, webhook_id, {"webhook": webhook_id})
        connection.execute(update(events).where(events.c.id == event_id).values(delivered_at=now_ms()))
        _add(connection, event_id, [webhook_id])
        audit.append(connection, actor=client_id, action="webhook.tested", subject_id=webhook_id, detail={})
    return event_id


def replay_dead(engine: Engine, client_id: str, webhook_id: str) -> int:
    """Every dead delivery of the webhook is due again, from its first attempt: how many."""
    with writing(engine) as connection:
        revived = connection.execute(
            update(deliveries).where(deliveries.c.target == webhook_id, deliveries.c.dead_at.is_not(None))
            .values(dead_at=None, attempts=0, due_at=now_ms())).rowcount
        audit.append(connection, actor=client_id, action="webhook.replayed", subject_id=webhook_id,
                     detail={"deliveries": revived})
    return revived


def oldest_due_seconds(engine: Engine, target: str | None = None) -> float:
    """For how long the delivery (to this target) that waits longest for its first success has waited; 0 if none waits."""
    waiting = select(now_ms() - func.min(deliveries.c.created_at)).where(_OPEN)
    with reading(engine) as connection:
        age = connection.execute(waiting if target is None else waiting.where(deliveries.c.target == target)).scalar_one()
    return max(0, age or 0) / 1000


def _not_handed_on(retake_wait_seconds: float) -> Select[Any]:
    """Those of a support that wants a retake only when they are older than the wait."""
    young = events.c.created_at.between(_from_now(-retake_wait_seconds), now_ms())
    held = and_(supports.c.state == State.RETAKE_WANTED.value, young)
    return (select(events, supports.c.client_id, supports.c.round)
            .select_from(events.outerjoin(supports, supports.c.id == events.c.subject_id))
            .where(events.c.delivered_at.is_(None), or_(supports.c.id.is_(None), ~held))
            .order_by(events.c.created_at, events.c.id))


def _targets(event: Any, hooks: Iterable[Any]) -> list[str]:
    if event.kind in _BY_MAIL:
        return [_BY_MAIL[event.kind]]
    body = json.loads(event.body)
    if body.get("outcome") == Outcome.RETAKE and event.round > body["round"]:
        return []  # taken again already
    return [hook.id for hook in hooks if hook.client_id == event.client_id and event.kind in json.loads(hook.events)]


def _add(connection: Connection, event_id: str, targets: list[str]) -> None:
    if targets:
        now = connection.execute(select(now_ms())).scalar_one()
        connection.execute(insert(deliveries), [
            {"id": str(uuid_utils.compat.uuid7()), "event_id": event_id, "target": target, "created_at": now,
             "due_at": now, "attempts": 0, "fence": 0} for target in targets])


def _settle(connection: Connection, attempt: Attempt, **values: Any) -> bool:
    return connection.execute(update(deliveries).where(
        deliveries.c.id == attempt.id, deliveries.c.fence == attempt.fence, _OPEN).values(**values)).rowcount == 1


def _attempt(row: Row[Any], event: Row[Any]) -> Attempt:
    return Attempt(row.id, row.target, row.event_id, EventKind(event.kind), json.loads(event.body), from_millis(event.created_at),
                   row.attempts, row.fence)


def _from_now(seconds: float) -> ColumnElement[Any]:
    return now_ms() + literal(int(seconds * 1000))

"""What happens to a support after a verdict: a retake, the citizen's wish for a person, an officer's decision.

Each is one transaction that holds the support's row and checks its state, so that of two that come at once one is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, insert, update
from sqlalchemy.exc import IntegrityError

from pipeline.domain.capture import Part
from pipeline.domain.decision import Decision
from pipeline.domain.support import State
from pipeline.domain.verdict import Outcome
from pipeline.errors import BadToken, Conflict
from pipeline.records import audit, outbox
from pipeline.records.device_proofs import DeviceProof, spend
from pipeline.records.engine import writing
from pipeline.records.leases import JobKind, enqueue
from pipeline.records.supports import (
    IdempotencyKey,
    Repeated,
    StoredPart,
    SupportRecord,
    find_repeated,
    insert_parts,
    known_request,
    lock_support,
    new_support_id,
    remember_request,
)
from pipeline.records.tables import decisions, now_ms, supports, verdicts

WISHED = "support.review_wished"
"""The one reason of a round that the citizen opened by asking for a person."""
NO_FENCE = 0
"""Of a verdict that no worker wrote; workers' fences begin at 1."""


@dataclass(frozen=True, slots=True)
class Retake:
    """One part taken again. It must be durable in the blob store already; its version is the round it was sealed for."""

    support_id: str
    client_id: str
    part: StoredPart
    idempotency: IdempotencyKey
    proof: DeviceProof | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """The citizen wants a person. `sealed`: the resource of `round`, the one that the wish opens."""

    support_id: str
    client_id: str
    round: int
    sealed: bytes = field(repr=False)


def demand_wanted(record: SupportRecord, part: Part) -> None:
    """Raises `Conflict` where this part is not waited for now."""
    if record.state in (State.RECEIVED, State.PROCESSING):
        raise Conflict("the round has no verdict yet", code="verdict_pending")
    if record.state is not State.RETAKE_WANTED:
        raise Conflict(f"the support is {record.state}", code="retake_not_wanted")
    if part not in record.asked:
        raise Conflict("the verdict does not ask for this part", code="side_not_wanted")
    if part not in record.wanted:
        raise Conflict("this part came already", code="side_received")


def demand_same_device(record: SupportRecord, device: str | None) -> None:
    """What one phone began the same phone goes on with, or its proof would say nothing of the whole. Raises `BadToken`."""
    if record.device is None or record.device == device:
        return
    if device is None:
        raise BadToken("this support was sent with a device's proof: send one with each part too", code="device_proof_missing")
    raise BadToken("this support was sent by another device: take the picture again with that one", code="device_proof_other_key")


def insert_retake(engine: Engine, retake: Retake) -> tuple[Repeated, bool]:
    """Commit a part: (what to answer, True). With the last part that was asked for, the next round begins: its job and event
    are in the same transaction.

    The same key with the same request: (the first answer, False), and nothing is written. Raises `Conflict`, `NotFound`.
    """
    try:
        with writing(engine) as connection:
            known = known_request(connection, retake.client_id, retake.idempotency)
            if known is None:
                _insert_retake(connection, retake)
    except IntegrityError:  # PostgreSQL: another request with this key was quicker
        known = find_repeated(engine, retake.client_id, retake.idempotency)
        if known is None:
            raise
    return (Repeated(retake.support_id, retake.part.version), True) if known is None else (known, False)


def _insert_retake(connection: Connection, retake: Retake) -> None:
    part, round_ = Part(retake.part.part), retake.part.version
    remember_request(connection, retake.client_id, retake.idempotency, Repeated(retake.support_id, round_))
    record = lock_support(connection, retake.support_id, retake.client_id)
    demand_same_device(record, None if retake.proof is None else retake.proof.device)
    demand_wanted(record, part)
    _demand_next(record, round_)
    if retake.proof is not None:
        spend(connection, retake.proof)
    insert_parts(connection, record.id, [retake.part])
    complete = record.wanted == (part,)
    changes = {"state": State.RECEIVED.value, "round": round_} if complete else {}
    connection.execute(update(supports).where(supports.c.id == record.id).values(
        **changes, version=supports.c.version + 1, updated_at=now_ms()))
    if complete:
        enqueue(connection, new_support_id(), JobKind.SUPPORT, record.id, round_)
        outbox.append(connection, outbox.EventKind.RECEIVED, record.id, {"support": record.id, "round": round_})
    audit.append(connection, actor=retake.client_id, action="support.retaken", subject_id=record.id,
                 detail={"round": round_, "part": part.value, "complete": int(complete)})


def insert_wish(engine: Engine, wish: Wish) -> None:
    """Open a round that is with a person from its beginning; nothing where the support is with one already.

    Raises `Conflict` (`review_not_offered`) where no retake was asked, `NotFound`.
    """
    with writing(engine) as connection:
        record = lock_support(connection, wish.support_id, wish.client_id)
        if record.state is State.IN_REVIEW:
            return
        demand_retake_asked(record)
        _demand_next(record, wish.round)
        reasons = [f"{WISHED}:support"]
        connection.execute(update(supports).where(supports.c.id == record.id).values(
            state=State.IN_REVIEW.value, round=wish.round, version=supports.c.version + 1, updated_at=now_ms()))
        connection.execute(insert(verdicts).values(
            support_id=record.id, round=wish.round, outcome=Outcome.REVIEW.value, reasons=json.dumps(reasons),
            policy_version=record.policy_version, fence=NO_FENCE, decided_at=now_ms(), sealed=wish.sealed))
        outbox.append(connection, outbox.EventKind.DECIDED, record.id, {
            "support": record.id, "round": wish.round, "outcome": Outcome.REVIEW.value, "reasons": reasons})
        audit.append(connection, actor=wish.client_id, action="support.review_wished", subject_id=record.id,
                     detail={"round": wish.round})


def demand_retake_asked(record: SupportRecord) -> None:
    """Raises `Conflict` (`review_not_offered`) unless the citizen may choose between a retake and a person."""
    if record.state is not State.RETAKE_WANTED:
        raise Conflict(f"the support is {record.state}", code="review_not_offered")


def insert_decision(engine: Engine, support_id: str, officer_id: str, decision: Decision) -> None:
    """Write an officer's decision, which stands. Repeating the same one by the same officer changes nothing.

    Raises `Conflict` (`verdict_pending`, `already_final`), `NotFound`.
    """
    with writing(engine) as connection:
        record = lock_support(connection, support_id)
        if record.state in (State.RECEIVED, State.PROCESSING):
            raise Conflict("the round has no verdict yet", code="verdict_pending")
        if record.decision is not None:
            if (record.decision.decision, record.decision.officer_id) == (decision, officer_id):
                return
            raise Conflict("an officer has decided", code="already_final")
        connection.execute(update(supports).where(supports.c.id == support_id).values(
            state=State.FINAL.value, version=supports.c.version + 1, updated_at=now_ms()))
        connection.execute(insert(decisions).values(
            support_id=support_id, round=record.round, ruling=decision.ruling.value, ground=decision.ground.value,
            officer_id=officer_id, decided_at=now_ms()))
        told = {"round": record.round, "decision": decision.ruling.value, "reason": decision.ground.value}
        outbox.append(connection, outbox.EventKind.FINAL, support_id, {"support": support_id, **told})
        audit.append(connection, actor=officer_id, action="support.final", subject_id=support_id, detail=told)


def _demand_next(record: SupportRecord, round_: int) -> None:
    if round_ != record.round + 1:
        raise Conflict("another round has begun meanwhile", code="round_moved")

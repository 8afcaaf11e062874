"""Supports as rows: taken in whole in one transaction, and finished once a round in another."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import uuid_utils.compat
from sqlalchemy import Connection, Engine, Row, RowMapping, Select, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from pipeline.blobs.sealing import WrappedKey
from pipeline.clock import from_millis
from pipeline.domain.capture import Part
from pipeline.domain.decision import Decision, Ground, Ruling
from pipeline.domain.support import State
from pipeline.domain.verdict import Outcome, Reason
from pipeline.errors import Conflict, LeaseLost, NotFound, Unavailable
from pipeline.records import audit, outbox
from pipeline.records.device_proofs import DeviceProof, spend
from pipeline.records.engine import reading, writing
from pipeline.records.erased import demand_not_erased
from pipeline.records.leases import JobKind, Lease, complete, enqueue
from pipeline.records.tables import (
    collected_blobs,
    decisions,
    fingerprints,
    idempotency,
    now_ms,
    parts,
    support_keys,
    supports,
    uploads,
    verdicts,
)
from pipeline.result import STATE_OF

FIRST_ROUND = 1


@dataclass(frozen=True, slots=True)
class StoredPart:
    """One sealed part. `part`: a `Part`'s name, or "info" (the support's own words). sha256 and size: before sealing.

    sealed_sha256: of the sealed bytes, where a client sealed them and put them into the store; else None.
    """

    part: str
    version: int
    sha256: str
    size: int
    blob_key: str
    sealed_sha256: str | None = None


def stored_part(row: Row[Any]) -> StoredPart:
    """From a row of `parts`."""
    return StoredPart(row.part, row.version, row.sha256, row.size, row.blob_key, row.sealed_sha256)


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The client's key for one request, and the digest of that request by which a repetition is told from a misuse."""

    key: str
    request_sha256: str


@dataclass(frozen=True, slots=True)
class Repeated:
    """What an earlier request with the same key was answered with."""

    support_id: str
    round: int


@dataclass(frozen=True, slots=True)
class NewSupport:
    """What is committed when a support is taken in. Its parts must be durable in the blob store already. uploaded: by the client,
    by an upload of this id, which is spent."""

    id: str
    client_id: str
    process: str
    policy_version: str
    as_of: date
    parts: tuple[StoredPart, ...]
    key: WrappedKey
    applicant: str | None
    idempotency: IdempotencyKey
    proof: DeviceProof | None = None
    traceparent: str | None = None
    uploaded: bool = False


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """`sealed` opens with the support's key at ("verdict", round): the JSON of the resource."""

    round: int
    outcome: Outcome
    reasons: tuple[str, ...]
    policy_version: str
    fence: int
    decided_at: datetime
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """An officer's, after the verdict of `round`."""

    decision: Decision
    round: int
    officer_id: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class SupportRecord:
    """A support as it stands.

    parts: the capture of the current round.  early: parts of the next round, which waits for the others.  verdict: of the
    current round, or None while it is pending.  rounds: every verdict, oldest first.  key: None once erased.  device: the
    thumbprint of the key by which the phone proved every part, or None.
    """

    id: str
    client_id: str
    process: str
    policy_version: str
    applicant: str | None
    as_of: date
    state: State
    round: int
    version: int
    received_at: datetime
    updated_at: datetime
    parts: tuple[StoredPart, ...]
    early: tuple[StoredPart, ...]
    key: WrappedKey | None
    rounds: tuple[StoredVerdict, ...]
    decision: StoredDecision | None
    device: str | None
    traceparent: str | None

    @property
    def verdict(self) -> StoredVerdict | None:
        return next((verdict for verdict in self.rounds if verdict.round == self.round), None)

    @property
    def asked(self) -> tuple[Part, ...]:
        """The parts that the verdict asks for again: those its reasons are about, or all. Empty unless a retake is wanted."""
        if self.state is not State.RETAKE_WANTED or self.verdict is None:
            return ()
        subjects = {reason.partition(":")[2] for reason in self.verdict.reasons}
        return tuple(part for part in Part if part.value in subjects) or tuple(Part)

    @property
    def wanted(self) -> tuple[Part, ...]:
        """Those of `asked` that have not come yet."""
        come = {part.part for part in self.early}
        return tuple(part for part in self.asked if part.value not in come)


@dataclass(frozen=True, slots=True)
class Finished:
    """What a worker concluded. The two sealed values: under the support's key, at ("verdict"|"neighbours", round)."""

    outcome: Outcome
    reasons: tuple[Reason, ...]
    policy_version: str
    sealed_verdict: bytes = field(repr=False)
    sealed_neighbours: bytes | None = field(default=None, repr=False)


def new_support_id() -> str:
    """A UUIDv7: sorts by age, tells nothing else."""
    return str(uuid_utils.compat.uuid7())


def insert_support(engine: Engine, new: NewSupport) -> tuple[str, bool]:
    """Commit a support with its parts, key, job, event and audit row: (its id, True). All of it or nothing.

    The same idempotency key with the same request: (the first one's id, False), and nothing is written; the caller then
    deletes the blobs it made. Raises `Conflict` (`idempotency_mismatch`) for the same key with another request, `BadToken`
    (`device_proof_replayed`), `NotFound` (`upload_not_found`).
    """
    try:
        with writing(engine) as connection:
            known = known_request(connection, new.client_id, new.idempotency)
            if known is None:
                _insert(connection, new)
    except IntegrityError:  # PostgreSQL lets two requests with one key get this far at once: the second waits, then fails
        known = find_repeated(engine, new.client_id, new.idempotency)
        if known is None:
            raise
    return (new.id, True) if known is None else (known.support_id, False)


# Statements that every support needs are made once: to make one anew takes most of the time that it takes.
_NEW = insert(supports).values(state=State.RECEIVED.value, round=FIRST_ROUND, version=1, received_at=now_ms(),
                               updated_at=now_ms())
_SPENT = delete(uploads).where(uploads.c.id == bindparam("upload"), uploads.c.client_id == bindparam("client"),
                               uploads.c.expires_at > now_ms())
_NEW_KEY = insert(support_keys).values(created_at=now_ms())
_NEW_PARTS = insert(parts)
_GIVEN_UP = select(collected_blobs.c.blob_key).where(
    collected_blobs.c.blob_key.in_(bindparam("blob_keys", expanding=True))).limit(1)
_ANSWERED = insert(idempotency).values(created_at=now_ms())
_KNOWN = select(idempotency).where(idempotency.c.client_id == bindparam("client"), idempotency.c.key == bindparam("request"))
_JUDGED = (update(supports)
           .where(supports.c.id == bindparam("support"), supports.c.round == bindparam("judged"),
                  supports.c.state == State.PROCESSING.value)
           .values(state=bindparam("next"), version=supports.c.version + 1, updated_at=now_ms()))
_VERDICT = insert(verdicts).values(decided_at=now_ms())
_NEIGHBOURS = (update(fingerprints)
               .where(fingerprints.c.support_id == bindparam("support"), fingerprints.c.round == bindparam("judged"))
               .values(neighbours=bindparam("sealed_neighbours")))
_SUPPORT = select(supports).where(supports.c.id == bindparam("support"))
_TRACE = select(supports.c.traceparent).where(supports.c.id == bindparam("support"))
_SUPPORT_HELD = _SUPPORT.with_for_update()
_KEY = select(support_keys).where(support_keys.c.support_id == bindparam("support"))
_VERDICTS = select(verdicts).where(verdicts.c.support_id == bindparam("support")).order_by(verdicts.c.round)
_DECISION = select(decisions).where(decisions.c.support_id == bindparam("support"))
_PARTS = select(parts).where(parts.c.support_id == bindparam("support")).order_by(parts.c.part, parts.c.version)


def _insert(connection: Connection, new: NewSupport) -> None:
    remember_request(connection, new.client_id, new.idempotency, Repeated(new.id, FIRST_ROUND))
    if new.uploaded and connection.execute(_SPENT, {"upload": new.id, "client": new.client_id}).rowcount != 1:
        raise upload_not_found()
    connection.execute(_NEW, {
        "id": new.id, "client_id": new.client_id, "process": new.process, "policy_version": new.policy_version,
        "as_of": new.as_of.isoformat(), "applicant": new.applicant, "device": None if new.proof is None else new.proof.device,
        "traceparent": new.traceparent})
    if new.proof is not None:
        spend(connection, new.proof)
    insert_parts(connection, new.id, new.parts)
    connection.execute(_NEW_KEY, {"support_id": new.id, "kek_id": new.key.kek_id, "wrapped": new.key.wrapped})
    enqueue(connection, new_support_id(), JobKind.SUPPORT, new.id, FIRST_ROUND)
    outbox.append(connection, outbox.EventKind.RECEIVED, new.id, {"support": new.id, "round": FIRST_ROUND})
    audit.append(connection, actor=new.client_id, action="support.received", subject_id=new.id,
                 detail={"round": FIRST_ROUND, "parts": len(new.parts)})


def upload_not_found() -> NotFound:
    return NotFound("no such upload, or it was committed, or its time is over", code="upload_not_found")


def insert_parts(connection: Connection, support_id: str, stored: Sequence[StoredPart]) -> None:
    """Raises `Unavailable` where the collector was quicker: the request took so long that its blobs were given up."""
    connection.execute(_NEW_PARTS, [
        {"support_id": support_id, "part": part.part, "version": part.version, "sha256": part.sha256, "size": part.size,
         "blob_key": part.blob_key, "sealed_sha256": part.sealed_sha256} for part in stored])
    # Only now: the insert waits for a collector's lock (records.upkeep), and then what it gave up is to be seen.
    if connection.execute(_GIVEN_UP, {"blob_keys": [part.blob_key for part in stored]}).first() is not None:
        raise Unavailable("the request took longer than unnamed blobs are kept", code="blobs_collected")


def find_repeated(engine: Engine, client_id: str, key: IdempotencyKey) -> Repeated | None:
    """What this key already gave, or None: asked before anything is stored. Raises `Conflict` like `insert_support`."""
    with reading(engine) as connection:
        return known_request(connection, client_id, key)


def remember_request(connection: Connection, client_id: str, key: IdempotencyKey, answer: Repeated) -> None:
    connection.execute(_ANSWERED, {"client_id": client_id, "key": key.key, "request_sha256": key.request_sha256,
                                   "support_id": answer.support_id, "round": answer.round})


def known_request(connection: Connection, client_id: str, key: IdempotencyKey) -> Repeated | None:
    row = connection.execute(_KNOWN, {"client": client_id, "request": key.key}).one_or_none()
    if row is None:
        return None
    if row.request_sha256 == "":
        demand_not_erased(connection, row.support_id, State.ERASED)
    if row.request_sha256 != key.request_sha256:
        raise Conflict("this Idempotency-Key was used for another request", code="idempotency_mismatch")
    return Repeated(row.support_id, row.round)


def finish(engine: Engine, lease: Lease, finished: Finished,
           check: Callable[[Connection], None] = lambda _connection: None) -> None:
    """Write the one verdict of the lease's round, with audit and event, in one transaction.

    check: called within it, to refuse (by raising) a verdict that what came meanwhile makes wrong. Raises `LeaseLost` where
    the token is stale, the round has its verdict, or the support is gone. Nothing is written after either.
    """
    state = STATE_OF[finished.outcome]
    codes = [f"{reason.code}:{reason.subject.value}" for reason in finished.reasons]
    with writing(engine) as connection:
        complete(connection, lease)
        this = {"support": lease.subject_id, "judged": lease.round}
        moved = connection.execute(_JUDGED, {**this, "next": state.value})
        if moved.rowcount != 1:
            raise LeaseLost("the support no longer waits for this round's verdict")
        check(connection)
        connection.execute(_VERDICT, {
            "support_id": lease.subject_id, "round": lease.round, "outcome": finished.outcome.value, "reasons": json.dumps(codes),
            "policy_version": finished.policy_version, "fence": lease.token, "sealed": finished.sealed_verdict})
        if finished.sealed_neighbours is not None:
            connection.execute(_NEIGHBOURS, {**this, "sealed_neighbours": finished.sealed_neighbours})
        outbox.append(connection, outbox.EventKind.DECIDED, lease.subject_id,
                      {"support": lease.subject_id, "round": lease.round, "outcome": finished.outcome.value, "reasons": codes})
        audit.append(connection, actor="worker", action="support.decided", subject_id=lease.subject_id,
                     detail={"round": lease.round, "outcome": finished.outcome.value, "fence": lease.token})


def get_support(engine: Engine, support_id: str, client_id: str | None = None) -> SupportRecord:
    """The support as it stands. With `client_id`, another client's support is as absent as none. Raises `NotFound`, `Erased`."""
    with reading(engine) as connection:
        return _read(connection, _SUPPORT, support_id, client_id)


def lock_support(connection: Connection, support_id: str, client_id: str | None = None) -> SupportRecord:
    """As `get_support`, within the caller's transaction, which nobody's change of the support can come between."""
    return _read(connection, _SUPPORT_HELD, support_id, client_id)


def _read(connection: Connection, query: Select[Any], support_id: str, client_id: str | None) -> SupportRecord:
    row = connection.execute(query, {"support": support_id}).mappings().one_or_none()
    if row is None or client_id not in (None, row["client_id"]):
        raise NotFound("no such support", code="support_not_found")
    demand_not_erased(connection, row["id"], State(row["state"]))
    return _record(connection, row)


def _record(connection: Connection, row: RowMapping) -> SupportRecord:
    this = {"support": row["id"]}
    key = connection.execute(_KEY, this).one_or_none()
    judged = connection.execute(_VERDICTS, this)
    decided = connection.execute(_DECISION, this).one_or_none()
    rows = connection.execute(_PARTS, this)
    stored = [stored_part(part) for part in rows]
    return SupportRecord(
        id=row["id"], client_id=row["client_id"], process=row["process"], policy_version=row["policy_version"],
        applicant=row["applicant"], as_of=date.fromisoformat(row["as_of"]), state=State(row["state"]), round=row["round"],
        version=row["version"],
        received_at=from_millis(row["received_at"]), updated_at=from_millis(row["updated_at"]),
        parts=tuple({part.part: part for part in stored if part.version <= row["round"]}.values()),
        early=tuple(part for part in stored if part.version > row["round"]),
        key=None if key is None else WrappedKey(key.kek_id, key.wrapped),
        rounds=tuple(StoredVerdict(
            one.round, Outcome(one.outcome), tuple(json.loads(one.reasons)), one.policy_version, one.fence,
            from_millis(one.decided_at), one.sealed) for one in judged),
        decision=None if decided is None else StoredDecision(
            Decision(Ruling(decided.ruling), Ground(decided.ground)), decided.round, decided.officer_id,
            from_millis(decided.decided_at)),
        device=row["device"], traceparent=row["traceparent"])


def find_traceparent(engine: Engine, support_id: str) -> str | None:
    """Of a support; None also where there is no such support."""
    with reading(engine) as connection:
        return connection.execute(_TRACE, {"support": support_id}).scalar()

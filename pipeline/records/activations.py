"""Activations as rows: asked for, looked at by a worker, mailed, confirmed. The code itself is in none of them.

A code is made anew from the activation's id and the phone's key, by the keyring, wherever it is wanted: to be mailed, and to be
compared. What is personal (the front until it was looked at, the address until the code was used) lies in the row, sealed under
the activation's own key, and is dropped with that key.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from pipeline.blobs.sealing import Keyring, SupportKey, WrappedKey
from pipeline.clock import from_millis
from pipeline.domain.activation import (
    AWAITS_CODE,
    CODE_DIGITS,
    LIFE_SECONDS,
    MAX_A_DAY,
    MAX_ATTEMPTS,
    MAX_SENDS,
    RESEND_SECONDS,
    ActivationState,
)
from pipeline.domain.verdict import Reason, Subject
from pipeline.errors import BadToken, Conflict, NotFound
from pipeline.records import audit, outbox
from pipeline.records.device_proofs import DeviceProof, spend
from pipeline.records.engine import reading, writing
from pipeline.records.leases import JobKind, Lease, complete, enqueue
from pipeline.records.supports import IdempotencyKey, Repeated, find_repeated, known_request, new_support_id, remember_request
from pipeline.records.tables import activations, now_ms

ROUND = 1
"""Activations have one; the number is their jobs'."""
EMAIL, FRONT, VERSION = "email", "front", 1
"""What is sealed in a row."""
FORGOTTEN = 20
"""Rows that are over and still hold something, which go with each new one."""
SPENT = Reason("activation.attempts_spent", Subject.SUPPORT, f"{MAX_ATTEMPTS} wrong codes")


@dataclass(frozen=True, slots=True)
class NewActivation:
    """account: a keyed digest of the address, by which activations of one account are counted."""

    id: str
    client_id: str
    provider: str
    account: str
    process: str
    as_of: date
    key: WrappedKey
    idempotency: IdempotencyKey
    proof: DeviceProof
    sealed_email: bytes = field(repr=False)
    sealed_front: bytes = field(repr=False)
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class ActivationRecord:
    """As it stands now. `sealed_email`: empty where it is needed no more."""

    id: str
    client_id: str
    device: str
    process: str
    as_of: date
    state: ActivationState
    reasons: tuple[str, ...]
    sends_left: int
    attempts_left: int
    created_at: datetime
    expires_at: datetime
    key: WrappedKey
    traceparent: str | None
    sealed_email: bytes = field(repr=False)

    def open_key(self, keyring: Keyring) -> SupportKey:
        return keyring.unwrap(self.id, self.key)


def code_of(keyring: Keyring, activation_id: str, device: str) -> str:
    """The code: the same at every mail of one activation, and nothing to anybody without the keyring."""
    return f"{int(keyring.search_digest(f'activation code|{activation_id}|{device}'), 16) % 10**CODE_DIGITS:0{CODE_DIGITS}}"


def insert_activation(engine: Engine, new: NewActivation) -> tuple[str, bool]:
    """Commit it with its job: (its id, True); (the first one's id, False) for a repeated request.

    Raises `Conflict` (`idempotency_mismatch`, `activation_limit`), `BadToken` (`device_proof_replayed`).
    """
    try:
        with writing(engine) as connection:
            known = known_request(connection, new.client_id, new.idempotency)
            if known is None:
                _insert(connection, new)
    except IntegrityError:  # PostgreSQL: another request with this key was quicker
        known = find_repeated(engine, new.client_id, new.idempotency)
        if known is None:
            raise
    return (new.id, True) if known is None else (known.support_id, False)


def _insert(connection: Connection, new: NewActivation) -> None:
    remember_request(connection, new.client_id, new.idempotency, Repeated(new.id, ROUND))
    spend(connection, new.proof)
    # Before the count: its lock puts those who count in order, so that no two see the same last place free.
    audit.append(connection, actor=new.client_id, action="activation.received", subject_id=new.id,
                 detail={"provider": new.provider})
    recent = activations.c.created_at > _from_now(-LIFE_SECONDS)
    for of_one in (activations.c.account == new.account, activations.c.device == new.proof.device):
        if connection.execute(select(func.count()).where(recent, of_one)).scalar_one() >= MAX_A_DAY:
            raise Conflict(f"{MAX_A_DAY} activations in a day", code="activation_limit")
    connection.execute(insert(activations).values(
        id=new.id, client_id=new.client_id, device=new.proof.device, provider=new.provider, account=new.account,
        process=new.process, as_of=new.as_of.isoformat(), state=ActivationState.WAITING.value, reasons="[]",
        kek_id=new.key.kek_id, wrapped=new.key.wrapped, sealed_email=new.sealed_email, sealed_front=new.sealed_front, sends=0,
        attempts=0, traceparent=new.traceparent, created_at=now_ms(), updated_at=now_ms(), expires_at=_from_now(LIFE_SECONDS)))
    enqueue(connection, new_support_id(), JobKind.ACTIVATION, new.id, ROUND)
    _forget_some(connection)


def forget_expired(engine: Engine) -> int:
    """Drop what is left of activations that time has ended: of how many. For a daily run; each new activation drops some too."""
    total = 0
    while True:
        with writing(engine) as connection:
            count = _forget_some(connection)
        total += count
        if count < FORGOTTEN:
            return total


def _forget_some(connection: Connection) -> int:
    old = (select(activations.c.id).where(activations.c.expires_at < now_ms(), activations.c.wrapped != b"")
           .order_by(activations.c.expires_at).limit(FORGOTTEN).with_for_update(skip_locked=True))
    return connection.execute(update(activations).where(activations.c.id.in_(old.scalar_subquery())).values(**_FORGET)).rowcount


_FORGET: dict[str, Any] = {"sealed_email": b"", "sealed_front": b"", "wrapped": b""}
"""What is over holds nothing personal."""


def get_activation(engine: Engine, activation_id: str, client_id: str | None = None) -> ActivationRecord:
    """With `client_id`, another client's is as absent as none. Raises `NotFound` (`activation_not_found`)."""
    with reading(engine) as connection:
        return _record(connection.execute(_rows().where(activations.c.id == activation_id)).one_or_none(), client_id)


def find_traceparent(engine: Engine, activation_id: str) -> str | None:
    """None also where there is no such activation."""
    with reading(engine) as connection:
        return connection.execute(select(activations.c.traceparent).where(activations.c.id == activation_id)).scalar()


def load_front(engine: Engine, activation_id: str) -> bytes:
    """The front, still sealed; empty where it was dropped."""
    with reading(engine) as connection:
        return bytes(connection.execute(select(activations.c.sealed_front).where(activations.c.id == activation_id)).scalar_one())


def finish_check(engine: Engine, lease: Lease, reasons: Sequence[Reason]) -> None:
    """What the worker concluded: refused for these reasons, or the code is to be mailed. The front is dropped either way.

    Of an activation that was ended meanwhile the job alone is finished. Raises `LeaseLost`, and nothing is written then.
    """
    codes = [f"{reason.code}:{reason.subject.value}" for reason in reasons]
    state = ActivationState.REFUSED if codes else ActivationState.SENDING
    dropped = _FORGET if codes else {"sealed_front": b""}
    with writing(engine) as connection:
        complete(connection, lease)
        moved = connection.execute(
            update(activations).where(activations.c.id == lease.subject_id, activations.c.state == ActivationState.WAITING.value)
            .values(state=state.value, reasons=json.dumps(codes), updated_at=now_ms(), **dropped))
        if moved.rowcount != 1:
            return
        if not codes:
            _send(connection, lease.subject_id)
        audit.append(connection, actor="worker", action="activation.checked", subject_id=lease.subject_id,
                     detail={"state": state.value, "fence": lease.token})


def resend(engine: Engine, activation_id: str, client_id: str, proof: DeviceProof) -> ActivationRecord:
    """Mail the code once more. Raises `Conflict` (`activation_…`, `resend_too_soon`, `resends_spent`), `BadToken`, `NotFound`."""
    with writing(engine) as connection:
        record, row = _locked(connection, activation_id, client_id, proof)
        _demand_awaits_code(record)
        if record.sends_left == 0:
            raise Conflict(f"{MAX_SENDS} mails were sent", code="resends_spent")
        if row.sent_at + RESEND_SECONDS * 1000 > row.now:
            raise Conflict("the last mail is on its way", code="resend_too_soon")
        spend(connection, proof)
        connection.execute(update(activations).where(activations.c.id == activation_id).values(
            state=ActivationState.SENDING.value, updated_at=now_ms()))
        _send(connection, activation_id)
        audit.append(connection, actor=client_id, action="activation.resent", subject_id=activation_id, detail={})
        return _record(connection.execute(_rows().where(activations.c.id == activation_id)).one(), client_id)


def confirm(engine: Engine, keyring: Keyring, activation_id: str, client_id: str, proof: DeviceProof, code: str) -> int | None:
    """None: the code was right, and the phone is activated. Else how many more may be tried; the activation ends with the last.

    Raises `Conflict` (`activation_…`), `BadToken` for another phone, `NotFound`.
    """
    with writing(engine) as connection:
        record, _ = _locked(connection, activation_id, client_id, proof)
        _demand_awaits_code(record)
        spend(connection, proof)
        right = hmac.compare_digest(code.encode(), code_of(keyring, record.id, record.device).encode())
        left = record.attempts_left - 1
        if right:
            changes: dict[str, Any] = {"state": ActivationState.CONFIRMED.value, "confirmed_at": now_ms(), **_FORGET}
        elif left:
            changes = {"attempts": activations.c.attempts + 1}
        else:
            changes = {"attempts": activations.c.attempts + 1, "state": ActivationState.EXPIRED.value,
                       "reasons": json.dumps([f"{SPENT.code}:{SPENT.subject}"]), **_FORGET}
        connection.execute(update(activations).where(activations.c.id == activation_id).values(updated_at=now_ms(), **changes))
        audit.append(connection, actor=client_id, action="activation.confirmed" if right else "activation.wrong_code",
                     subject_id=activation_id, detail={} if right else {"left": left})
        return None if right else left


def end(engine: Engine, activation_id: str, client_id: str) -> None:
    """The phone is activated no more, whatever it was; twice is as once. No proof is asked for: the phone may be lost.

    Raises `NotFound`.
    """
    with writing(engine) as connection:
        row = connection.execute(_rows().where(activations.c.id == activation_id).with_for_update()).one_or_none()
        if _record(row, client_id).state is ActivationState.ENDED:
            return
        connection.execute(update(activations).where(activations.c.id == activation_id).values(
            state=ActivationState.ENDED.value, updated_at=now_ms(), **_FORGET))
        audit.append(connection, actor=client_id, action="activation.ended", subject_id=activation_id, detail={})


def note_mailed(connection: Connection, activation_id: str, state: ActivationState) -> None:
    """What became of a mail (`code_sent`, `bounced`), in the transaction that settles it; nothing where it is over."""
    connection.execute(
        update(activations).where(activations.c.id == activation_id, activations.c.state == ActivationState.SENDING.value)
        .values(state=state.value, updated_at=now_ms()))


def activated(engine: Engine, client_id: str, device: str | None) -> bool:
    """Whether this phone was activated with this client. device: None where no phone proved itself."""
    if device is None:
        return False
    confirmed = select(activations.c.id).where(
        activations.c.client_id == client_id, activations.c.device == device,
        activations.c.state == ActivationState.CONFIRMED.value)
    with reading(engine) as connection:
        return connection.execute(confirmed.limit(1)).first() is not None


def _send(connection: Connection, activation_id: str) -> None:
    connection.execute(update(activations).where(activations.c.id == activation_id).values(
        sends=activations.c.sends + 1, sent_at=now_ms()))
    outbox.append(connection, outbox.EventKind.CODE, activation_id, {"activation": activation_id})


def _locked(connection: Connection, activation_id: str, client_id: str, proof: DeviceProof) -> tuple[ActivationRecord, Row[Any]]:
    row = connection.execute(_rows().where(activations.c.id == activation_id).with_for_update()).one_or_none()
    record = _record(row, client_id)
    if record.device != proof.device:
        raise BadToken("the code is for the phone that asked for it: sign with that one's key", code="device_proof_other_key")
    assert row is not None
    return record, row


def _demand_awaits_code(record: ActivationRecord) -> None:
    if record.state not in AWAITS_CODE:
        raise Conflict(f"the activation is {record.state}", code=f"activation_{record.state}")


def _rows() -> Select[Any]:
    """Without the front, which is megabytes. A state that time has ended is read as `expired`."""
    return select(*(column for column in activations.c if column.name != "sealed_front"), now_ms().label("now"))


def _record(row: Row[Any] | None, client_id: str | None) -> ActivationRecord:
    if row is None or client_id not in (None, row.client_id):
        raise NotFound("no such activation", code="activation_not_found")
    state = ActivationState(row.state)
    if state in AWAITS_CODE | {ActivationState.WAITING} and row.expires_at <= row.now:
        state = ActivationState.EXPIRED
    return ActivationRecord(
        id=row.id, client_id=row.client_id, device=row.device, process=row.process, as_of=date.fromisoformat(row.as_of),
        state=state, reasons=tuple(json.loads(row.reasons)), sends_left=MAX_SENDS - row.sends,
        attempts_left=MAX_ATTEMPTS - row.attempts,
        created_at=from_millis(row.created_at), expires_at=from_millis(row.expires_at), key=WrappedKey(row.kek_id, row.wrapped),
        traceparent=row.traceparent, sealed_email=row.sealed_email)


def _from_now(seconds: float) -> ColumnElement[Any]:
    return now_ms() + literal(int(seconds * 1000))

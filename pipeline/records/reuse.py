"""Fingerprints as rows: registered before the verdict, in one order that everybody sees, and asked for by exact value.

What the rows alone reveal: that two supports show the same card, or came by one sender (both are keyed by the deployment's
secret, so nobody can try numbers against them) or hold the same file (`parts.sha256`). Hashes of pictures and embeddings lie
sealed under the support's key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from pipeline.blobs.sealing import WrappedKey
from pipeline.domain.capture import Part
from pipeline.domain.reuse import Kind, Neighbour, kind_of
from pipeline.domain.support import State
from pipeline.records.engine import reading, writing
from pipeline.records.leases import Lease, demand_held, demand_waiting
from pipeline.records.tables import fingerprints, parts, reuse_head, support_keys, supports

READ_AT_ONCE = 1000
"""Rows a query while an index follows: some 10 MB."""
MOST_EQUAL = 256
"""Supports that are told of one file or card, the newest: one card came 96,000 times."""
NOT_COUNTED = (State.REJECTED.value, State.RETAKE_WANTED.value)
"""Supports that do not stand: who was refused, or never took the pictures again, may send another. If such a support's next
round comes, it meets the newer one itself."""


@dataclass(frozen=True, slots=True)
class Registered:
    """One row, as an index reads it. sealed, key: None of a support that was erased."""

    seq: int
    support_id: str
    round: int
    process: str
    sealed: bytes | None = field(repr=False)
    key: WrappedKey | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a look-up asks of a neighbour: whose it is, and by which number its card is known."""

    applicant: str | None
    card: str | None


def register(engine: Engine, lease: Lease, sealed: bytes, card: str | None, sender: str | None = None) -> None:
    """Make the fingerprints of the lease's round known to every other support, before anything is looked up.

    Of two copies in flight each is registered before it is judged, so at least the later one sees the other, and the earlier
    one does when it finishes. A repeated attempt replaces the row. Raises `LeaseLost`.
    """
    with writing(engine) as connection:
        demand_held(connection, lease)
        demand_waiting(connection, lease)
        own = (fingerprints.c.support_id == lease.subject_id, fingerprints.c.round == lease.round)
        connection.execute(delete(fingerprints).where(*own))
        connection.execute(insert(fingerprints).values(
            support_id=lease.subject_id, round=lease.round, seq=_next(connection), sealed=sealed, card=card,
            sender=sender))


def forget(connection: Connection, support_id: str) -> None:
    """For the transaction that erases a support: nothing to find it by stays, and indexes that follow drop it."""
    rounds = connection.execute(select(fingerprints.c.round).where(fingerprints.c.support_id == support_id)).scalars().all()
    for round_ in rounds:
        connection.execute(update(fingerprints).where(fingerprints.c.support_id == support_id, fingerprints.c.round == round_)
                           .values(seq=_next(connection), sealed=None, card=None, sender=None, neighbours=None))


def _next(connection: Connection) -> int:
    """The one row is held to the end of the transaction: numbers are seen in their order, and none comes late."""
    return int(connection.execute(update(reuse_head).where(reuse_head.c.id == 1).values(seq=reuse_head.c.seq + 1)
                                  .returning(reuse_head.c.seq)).scalar_one())


def hold_registrations(connection: Connection) -> None:
    """Until the caller's transaction ends nobody registers: what it reads now stays all there is."""
    connection.execute(select(reuse_head.c.seq).where(reuse_head.c.id == 1).with_for_update())


def registered_after(engine: Engine, seq: int) -> Iterator[Registered]:
    """What was registered or erased since, in order."""
    while True:
        with reading(engine) as connection:
            rows = list(read_after(connection, seq))
        yield from rows
        if len(rows) < READ_AT_ONCE:
            return
        seq = rows[-1].seq


def read_after(connection: Connection, seq: int) -> list[Registered]:
    """The next rows within the caller's transaction, `READ_AT_ONCE` at most."""
    return [_registered(row) for row in connection.execute(
        _REGISTERED.where(fingerprints.c.seq > seq).order_by(fingerprints.c.seq).limit(READ_AT_ONCE))]


def registered_by(connection: Connection, sender: str, support_id: str, most: int) -> list[Registered]:
    """The newest fingerprints of the sender's other supports, one row a round."""
    return [_registered(row) for row in connection.execute(
        _REGISTERED.where(fingerprints.c.sender == sender, fingerprints.c.support_id != support_id)
        .order_by(fingerprints.c.seq.desc()).limit(most))]


def count_by(connection: Connection, sender: str, support_id: str, most: int) -> int:
    """How many other supports are the sender's, counted up to `most`."""
    found = (select(fingerprints.c.support_id).where(fingerprints.c.sender == sender, fingerprints.c.support_id != support_id)
             .distinct().limit(most))
    return int(connection.execute(select(func.count()).select_from(found.subquery())).scalar_one())


def registered_of(engine: Engine, support_ids: Collection[str]) -> list[Registered]:
    """The fingerprints of these supports."""
    with reading(engine) as connection:
        return [_registered(row) for row in connection.execute(_REGISTERED.where(fingerprints.c.support_id.in_(support_ids)))]


_REGISTERED = (select(fingerprints.c.seq, fingerprints.c.support_id, fingerprints.c.round, fingerprints.c.sealed,
                      supports.c.process, support_keys.c.kek_id, support_keys.c.wrapped)
               .join(supports, supports.c.id == fingerprints.c.support_id)
               .outerjoin(support_keys, support_keys.c.support_id == fingerprints.c.support_id))


def _registered(row: Row[Any, Any, Any, Any, Any, Any, Any]) -> Registered:
    key = None if row.kek_id is None else WrappedKey(row.kek_id, row.wrapped)
    return Registered(row.seq, row.support_id, row.round, row.process, row.sealed, key)


def exact_neighbours(connection: Connection, support_id: str, process: str | None, digests: Collection[str],
                     card: str | None) -> frozenset[Neighbour]:
    """Other supports that count (see `standing`) and hold a file of one of these digests, judged or not yet, or this card."""
    asked = {"support": support_id} if process is None else {"support": support_id, "process": process}
    same_file, same_card = _same(everywhere=process is None)
    found = set()
    for digest in digests:
        rows = connection.execute(same_file, {**asked, "digest": digest})
        found |= {Neighbour(row.support_id, kind_of(row.part)) for row in rows}
    if card is not None:
        found |= {Neighbour(one, Kind.CARD) for one in connection.execute(same_card, {**asked, "card": card}).scalars()}
    return frozenset(found)


@cache
def _same(*, everywhere: bool) -> tuple[Select[str, str], Select[str]]:
    """Who holds a file of this digest, and who shows this card. Asked some ten times a support: built once."""
    counted = [supports.c.id != bindparam("support"), *_counted(None if everywhere else bindparam("process"))]
    same_file = (select(parts.c.support_id, parts.c.part).join(supports, supports.c.id == parts.c.support_id)
                 .where(parts.c.sha256 == bindparam("digest"), or_(*(parts.c.part == part.value for part in Part)), *counted)
                 .order_by(parts.c.support_id.desc()).limit(MOST_EQUAL))
    same_card = (select(fingerprints.c.support_id).join(supports, supports.c.id == fingerprints.c.support_id)
                 .where(fingerprints.c.card == bindparam("card"), *counted)
                 .order_by(fingerprints.c.support_id.desc()).limit(MOST_EQUAL))
    return same_file, same_card


def standing(connection: Connection, neighbours: Collection[Neighbour], process: str | None) -> dict[str, Standing]:
    """Those of the neighbours' supports that count: of the process (None: of any), not erased, and in force."""
    if not neighbours:
        return {}
    rows = connection.execute(
        select(supports.c.id, supports.c.applicant, fingerprints.c.card)
        .outerjoin(fingerprints, fingerprints.c.support_id == supports.c.id)
        .where(supports.c.id.in_({one.support_id for one in neighbours}), *_counted(process)).order_by(fingerprints.c.round))
    return {row.id: Standing(row.applicant, row.card) for row in rows}


def _counted(process: str | BindParameter[str] | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        *(supports.c.state != state for state in NOT_COUNTED), exists().where(support_keys.c.support_id == supports.c.id)]
    return conditions if process is None else [supports.c.process == process, *conditions]

"""Supports looked at from afar: where one stands, pages of them, and counts. Nothing sealed is opened here."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, Select, and_, func, select

from pipeline.clock import from_millis
from pipeline.domain.folio import ids_of
from pipeline.domain.support import State
from pipeline.domain.verdict import Outcome
from pipeline.errors import NotFound
from pipeline.records.engine import reading
from pipeline.records.erased import demand_not_erased
from pipeline.records.tables import supports, verdicts


@dataclass(frozen=True, slots=True)
class Standing:
    """A support in one line. `verdict`: of the current round, None while it is pending. `reasons`: as "code:subject"."""

    id: str
    state: State
    round: int
    version: int
    process: str
    applicant: str | None
    received_at: datetime
    updated_at: datetime
    verdict: Outcome | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which supports. `owner`: a client's own, None: everybody's. What is None does not narrow."""

    owner: str | None
    state: State | None = None
    process: str | None = None
    applicant: str | None = None
    ids: tuple[str, str] | None = None
    """From one id to another, both included."""


@dataclass(slots=True)
class Count:
    """How many supports of one process and applicant stand where, and how many current verdicts give each reason code."""

    process: str
    applicant: str | None
    states: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)


def find_standing(engine: Engine, support_id: str, owner: str | None) -> Standing:
    """Where one support stands. Raises `NotFound`, also for another client's; `Erased`."""
    with reading(engine) as connection:
        row = connection.execute(_narrowed(_standings(), Wanted(owner)).where(supports.c.id == support_id)).one_or_none()
        if row is not None:
            demand_not_erased(connection, support_id, State(row.state))
    if row is None:
        raise NotFound("no such support", code="support_not_found")
    return _standing(row)


def id_of(engine: Engine, name: str) -> str:
    """A support's id by its folio; an id is its own. Raises `BadInput` (`bad_folio`), `NotFound`."""
    with suppress(ValueError):
        return str(UUID(name))
    found = list_supports(engine, Wanted(None, ids=ids_of(name)), before=None, limit=2)
    if len(found) != 1:
        said = "two supports have this folio: name one by its id" if found else "no such support"
        raise NotFound(said, code="support_not_found")
    return found[0].id


def list_supports(engine: Engine, wanted: Wanted, *, before: str | None, limit: int) -> Sequence[Standing]:
    """Up to `limit` supports, newest first, that are older than the id `before`: what comes in meanwhile shifts no page."""
    query = _narrowed(_standings(), wanted)
    if before is not None:
        query = query.where(supports.c.id < before)
    with reading(engine) as connection:
        return [_standing(row) for row in connection.execute(query.order_by(supports.c.id.desc()).limit(limit))]


def count_supports(engine: Engine, wanted: Wanted) -> list[Count]:
    """By process and applicant, in their order."""
    group = (supports.c.process, supports.c.applicant, supports.c.state, verdicts.c.reasons)
    query = _narrowed(select(*group, func.count().label("supports")).select_from(_with_verdict()), wanted).group_by(*group)
    counts: dict[tuple[str, str], Count] = {}
    with reading(engine) as connection:
        for row in connection.execute(query):
            count = counts.setdefault((row.process, row.applicant or ""), Count(row.process, row.applicant))
            count.states[row.state] += row.supports
            for code in {reason.partition(":")[0] for reason in json.loads(row.reasons or "[]")}:
                count.reasons[code] += row.supports
    return [counts[key] for key in sorted(counts)]


def _with_verdict() -> Any:
    return supports.outerjoin(verdicts, and_(verdicts.c.support_id == supports.c.id, verdicts.c.round == supports.c.round))


def _standings() -> Select[Any]:
    return select(supports, verdicts.c.outcome, verdicts.c.reasons).select_from(_with_verdict())


def _narrowed(query: Select[Any], wanted: Wanted) -> Select[Any]:
    for column, value in ((supports.c.client_id, wanted.owner), (supports.c.state, wanted.state and wanted.state.value),
                          (supports.c.process, wanted.process), (supports.c.applicant, wanted.applicant)):
        if value is not None:
            query = query.where(column == value)
    return query if wanted.ids is None else query.where(supports.c.id.between(*wanted.ids))


def _standing(row: Any) -> Standing:
    return Standing(
        id=row.id, state=State(row.state), round=row.round, version=row.version, process=row.process, applicant=row.applicant,
        received_at=from_millis(row.received_at), updated_at=from_millis(row.updated_at),
        verdict=None if row.outcome is None else Outcome(row.outcome), reasons=tuple(json.loads(row.reasons or "[]")))

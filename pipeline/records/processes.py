"""Processes as data: the built-in `demo`, and those an operator applies, each kept in every version it ever had."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import Connection, Engine, RowMapping, insert, select
from sqlalchemy.exc import IntegrityError

from pipeline.clock import from_millis
from pipeline.domain.card_model import CardModel
from pipeline.domain.process import DEMO_PROCESS, Extension, Notice, Process
from pipeline.domain.verdict import CheckName
from pipeline.errors import BadInput, Conflict, NotFound
from pipeline.records import audit
from pipeline.records.engine import reading, writing
from pipeline.records.tables import now_ms, processes

Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,35}$")]
"""An id that the operator gives: no person's name, since it is told in counts and in the trail."""
Entidad = Annotated[str, Field(pattern=r"^(0[1-9]|[12][0-9]|3[0-2])$")]
Section = Annotated[str, Field(pattern=r"^[0-9]{4}$")]


RetainedState = Literal["accepted", "rejected", "retake_wanted", "in_review", "final"]
AS_WRITTEN = ("extensions", "notices")
"""Lists whose order is the operator's; of all others it says nothing."""


class ExtensionFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    expiry_year: int = Field(ge=2000, le=2100)
    valid_until: date
    state: Entidad | None = None


MOST_COMPARED = 64
"""Of one sender's supports: as many as a look-up compares (`pipeline.reuse`)."""


class NoticeFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Code
    text: str = Field(min_length=1, max_length=50_000)
    since: date | None = None
    until: date | None = None


class ProcessFile(BaseModel):
    """One process as the operator writes it; what is left out is as in `demo`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,35}$")]
    name: str = Field(default="", max_length=200)
    applicants: frozenset[Code] | None = Field(default=None, min_length=1)
    accepted_models: frozenset[CardModel] = Field(default=DEMO_PROCESS.accepted_models, min_length=1)
    required: frozenset[CheckName] = Field(default=DEMO_PROCESS.required, min_length=1)
    states: frozenset[Entidad] | None = Field(default=None, min_length=1)
    sections: frozenset[Section] | None = Field(default=None, min_length=1)
    e_f_issued_from: int = DEMO_PROCESS.e_f_issued_from
    extensions: tuple[ExtensionFile, ...] = ()
    opens: date | None = None
    closes: date | None = None
    reuse_everywhere: bool = DEMO_PROCESS.reuse_everywhere
    background_supports: int = Field(default=DEMO_PROCESS.background_supports, ge=0, le=MOST_COMPARED)
    sender_supports: int = Field(default=DEMO_PROCESS.sender_supports, ge=0, le=10_000)
    max_retakes: int = Field(default=DEMO_PROCESS.max_retakes, ge=0, le=20)
    retention_days: int | None = Field(default=None, ge=1)
    retention: dict[RetainedState, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    retention_from: Literal["change", "close"] = "change"
    activation: bool = DEMO_PROCESS.activation
    notices: tuple[NoticeFile, ...] = Field(default=(), max_length=50)
    other_way: str = Field(default="", max_length=1000)

    @model_validator(mode="after")
    def _sensible(self) -> ProcessFile:
        if self.id == DEMO_PROCESS.id:
            raise ValueError("`demo` is built in: give the process an id of its own")
        if self.opens and self.closes and self.closes < self.opens:
            raise ValueError("`closes` is before `opens`")
        if self.retention_from == "close" and self.closes is None:
            raise ValueError("`retention_from` is the process's end, and `closes` is not said")
        versions = [notice.version for notice in self.notices]
        if len(set(versions)) < len(versions):
            raise ValueError("a notice's version is given twice: a changed text is another version")
        if CheckName.CONSENT in self.required and not self.notices:
            raise ValueError("`consent` is required, and there are no `notices` to agree to")
        for one in self.extensions:
            if one.valid_until < date(one.expiry_year, 12, 31):
                raise ValueError(f"the extension of {one.expiry_year} ends before the year does")
        return self

    def canonical(self) -> str:
        """The same text for the same policy, whatever the order it was written in."""
        written = self.model_dump(mode="json")
        return json.dumps({name: sorted(value) if isinstance(value, list) and name not in AS_WRITTEN else value
                           for name, value in written.items()}, sort_keys=True)

    def process(self, version: str) -> Process:
        values: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        values["extensions"] = tuple(Extension(one.expiry_year, one.valid_until, one.state) for one in self.extensions)
        values["notices"] = tuple(Notice(one.version, one.text, one.since, one.until) for one in self.notices)
        values["retention"] = tuple(sorted(self.retention.items()))
        return Process(version=version, **values)


@dataclass(frozen=True, slots=True)
class AppliedProcess:
    """A version of a process. `applied_at`: None for the built-in one."""

    process: Process
    applied_at: datetime | None


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying a file did: the version in force, and which keys changed (all of a new process; none: it was in force)."""

    version: str
    changed: tuple[str, ...]


def read_process_file(file: Path) -> ProcessFile:
    """One process as TOML. Raises `BadInput` (`bad_process_file`) that names the place and what is wrong there."""
    try:
        return ProcessFile.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        said = f"{'.'.join(map(str, first['loc'])) or 'the process'}: {first['msg']}"
    except (OSError, ValueError) as error:  # TOML's and UTF-8's are of the second kind
        said = str(error)
    except RecursionError:
        said = "it is nested deeper than any process is"
    raise BadInput(f"{file} is no usable process: {said}", code="bad_process_file")


def apply_process(engine: Engine, written: ProcessFile) -> Applied:
    """Put it in force as the next version, from the next verdict on; nothing where it is in force already.

    Raises `Conflict` (`applied_meanwhile`) where another process of ours applied a version at the same moment.
    """
    body = written.canonical()
    try:
        with writing(engine) as connection:
            newest = _newest(connection, written.id)
            if newest is not None and newest["body"] == body:
                return Applied(_version(newest), ())
            number = 1 if newest is None else newest["version"] + 1
            connection.execute(insert(processes).values(id=written.id, version=number, body=body, applied_at=now_ms()))
            audit.append(connection, actor="operator", action="process.applied", subject_id=written.id,
                         detail={"version": number})
    except IntegrityError:
        raise Conflict("another version was applied at the same moment: apply again", code="applied_meanwhile") from None
    before: dict[str, Any] = {} if newest is None else json.loads(newest["body"])
    return Applied(f"{written.id}-{number}", tuple(name for name, value in json.loads(body).items()
                                                   if name not in before or before[name] != value))


def find_process(engine: Engine, process_id: str, version: str | None = None) -> AppliedProcess:
    """The version in force, or the one named. Raises `NotFound` (`process_unknown`)."""
    if process_id == DEMO_PROCESS.id and version in (None, DEMO_PROCESS.version):
        return AppliedProcess(DEMO_PROCESS, None)
    with reading(engine) as connection:
        if version is None:
            row = _newest(connection, process_id)
        else:
            rows = connection.execute(select(processes).where(processes.c.id == process_id)).mappings()
            row = next((one for one in rows if _version(one) == version), None)
    if row is None:
        raise NotFound("no such process", code="process_unknown")
    return _applied(row)


def list_processes(engine: Engine) -> list[AppliedProcess]:
    """Every process in the version that is in force, `demo` first."""
    with reading(engine) as connection:
        rows = connection.execute(select(processes).order_by(processes.c.id, processes.c.version)).mappings()
        newest: Mapping[str, RowMapping] = {row["id"]: row for row in rows}
    return [AppliedProcess(DEMO_PROCESS, None), *map(_applied, newest.values())]


def _newest(connection: Connection, process_id: str) -> RowMapping | None:
    return connection.execute(select(processes).where(processes.c.id == process_id)
                              .order_by(processes.c.version.desc()).limit(1)).mappings().one_or_none()


def _applied(row: RowMapping) -> AppliedProcess:
    return AppliedProcess(ProcessFile.model_validate_json(row["body"]).process(_version(row)), from_millis(row["applied_at"]))


def _version(row: RowMapping) -> str:
    return f"{row['id']}-{row['version']}"

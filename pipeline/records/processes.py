"""Processes as data: the built-in `demo` and those of the operator's file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pipeline.domain.card_model import CardModel
from pipeline.domain.process import DEMO_PROCESS, Extension, Process
from pipeline.domain.verdict import CheckName
from pipeline.errors import Misconfigured

Codes = frozenset[str] | None


class _ExtensionFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    expiry_year: int
    valid_until: date
    state: str | None = None


class _ProcessFile(BaseModel):
    """One process as the operator writes it; what is left out is as in `demo`."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,99}$")
    version: str = Field(min_length=1, max_length=200)
    accepted_models: frozenset[CardModel] = DEMO_PROCESS.accepted_models
    required: frozenset[CheckName] = DEMO_PROCESS.required
    states: Codes = None
    sections: Codes = None
    e_f_issued_from: int = DEMO_PROCESS.e_f_issued_from
    extensions: tuple[_ExtensionFile, ...] = ()

    def process(self) -> Process:
        values: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        values["extensions"] = tuple(Extension(one.expiry_year, one.valid_until, one.state) for one in self.extensions)
        return Process(**values)


def known_processes(file: Path | None) -> Mapping[str, Process]:
    """By id: `demo`, and each of the JSON list in `file`. Raises `Misconfigured` that names the place in the file."""
    processes = {DEMO_PROCESS.id: DEMO_PROCESS}
    if file is None:
        return processes
    try:
        written = TypeAdapter(list[_ProcessFile]).validate_python(json.loads(file.read_text()))
    except (OSError, ValueError) as error:
        first = error.errors(include_url=False)[0] if isinstance(error, ValidationError) else None
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)
        raise Misconfigured(f"the processes in {file} cannot be used: {said}", code="bad_processes_file") from error
    processes.update({one.id: one.process() for one in written})
    return processes

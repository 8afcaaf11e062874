"""What a pack freezes beside the pictures: all that `decide` was given, so that its bytes give one verdict for ever."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.domain.calibration import Calibration
from pipeline.domain.context import Context, RollAnswer
from pipeline.domain.process import Process
from pipeline.domain.reuse import Reuse
from pipeline.domain.support import SupportInfo
from pipeline.errors import BadInput

FORMAT = "apoyo-pack-1"
_SETS = ("accepted_models", "required", "states", "sections", "applicants")
"""Fields of a policy that have no order: written sorted, so that equal packs have equal bytes."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """files: SHA-256 of every file in the pack, by its name.  networks: SHA-256 by name, of the weights that judged."""

    format: str
    id: str
    round: int
    received_at: datetime
    as_of: date
    policy: Process
    reuse: Reuse
    roll: RollAnswer | None
    device: str | None
    activated: bool
    calibration: Calibration
    networks: Mapping[str, str]
    files: Mapping[str, str]

    def context(self, info: SupportInfo) -> Context:
        return Context(info, self.policy, self.calibration, self.as_of, self.reuse, self.roll, self.round, self.device,
                       self.activated)


_ADAPTER = TypeAdapter(Frozen)


def to_bytes(frozen: Frozen) -> bytes:
    """Canonical JSON: what is signed."""
    told: dict[str, Any] = _ADAPTER.dump_python(frozen, mode="json")
    for name in _SETS:
        if told["policy"][name] is not None:
            told["policy"][name] = sorted(told["policy"][name])
    return json.dumps(told, ensure_ascii=False, sort_keys=True, indent=1).encode()


def of_bytes(data: bytes) -> Frozen:
    """Raises `BadInput` for what is no pack of this format."""
    try:
        frozen = _ADAPTER.validate_json(data)
    except ValidationError as error:
        raise BadInput(f"pack.json is not as this version writes it: {error.error_count()} mistakes, the first in "
                       f"{'.'.join(map(str, error.errors()[0]['loc']))}", code="bad_pack") from None
    if frozen.format != FORMAT:
        raise BadInput(f"the pack's format is {frozen.format[:40]!r}, and this version reads {FORMAT}", code="bad_pack")
    return frozen

"""What a verdict depends on besides the evidence: the rules, the day, and what was looked up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pipeline.domain.calibration import Calibration
from pipeline.domain.process import Process
from pipeline.domain.reuse import NOT_LOOKED_UP, Reuse
from pipeline.domain.support import SupportInfo


@dataclass(frozen=True, slots=True)
class RollAnswer:
    """The electoral roll's answer: whether the credential is in force there."""

    in_force: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Context:
    """All values; two equal contexts and equal evidence give equal verdicts."""

    info: SupportInfo
    policy: Process
    calibration: Calibration
    as_of: date
    reuse: Reuse = NOT_LOOKED_UP
    roll: RollAnswer | None = None
    round: int = 1
    """Which set of captures this is; how often a citizen may be asked again is the policy's."""
    device: str | None = None
    """The thumbprint of the key by which the phone proved every part; None where it did not."""
    activated: bool = False
    """That phone was activated: its key goes with a code that was mailed to a verified account."""

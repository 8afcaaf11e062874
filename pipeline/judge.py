"""The two pure halves of the job, and what they are given with every support."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.domain.calibration import Calibration
from pipeline.domain.capture import Capture
from pipeline.domain.context import Context
from pipeline.domain.evidence import Evidence
from pipeline.domain.verdict import Verdict
from pipeline.electoral_roll import ElectoralRoll
from pipeline.networks.api import Networks


@dataclass(frozen=True, slots=True)
class Judge:
    examine: Callable[[Capture, Networks, Calibration], Evidence]
    decide: Callable[[Evidence, Context], Verdict]
    networks: Networks
    calibration: Calibration
    roll: ElectoralRoll

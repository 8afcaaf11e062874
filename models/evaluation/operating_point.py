"""Where suspicion begins: what genuine captures allow, and what of copies is missed there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation.rates import Rate

Scores = NDArray[np.float64]
MOST_ALARMS = 0.01
"""Genuine captures that the threshold may call copies: half of the 2 % that are aimed at, as it has to hold for others."""
LEAST = 0.5
"""Below it a capture looks more like the card than like all copies together: not suspicious, whatever was measured."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """alarms: genuine captures over the threshold (BPCER).  missed: copies not over it, by kind (APCER)."""

    threshold: float
    alarms: Rate
    missed: Mapping[str, Rate]

    def __str__(self) -> str:
        missed = "; ".join(f"{kind} missed {rate}" for kind, rate in self.missed.items())
        return f"genuine captures over it {self.alarms}" + (f"; {missed}" if missed else "")


def threshold_of(genuine: Scores) -> float:
    """The least hundredth, `LEAST` or more, that at most `MOST_ALARMS` of the genuine scores are over. `ValueError` for none."""
    if not len(genuine):
        raise ValueError("a threshold needs genuine captures")
    allowed = int(len(genuine) * MOST_ALARMS)
    return max(LEAST, math.ceil(100 * float(np.sort(genuine)[-1 - allowed])) / 100)


def point_at(threshold: float, genuine: Scores, copies: Mapping[str, Scores]) -> OperatingPoint:
    missed = {kind: Rate(int((scores <= threshold).sum()), len(scores)) for kind, scores in copies.items()}
    return OperatingPoint(threshold, Rate(int((genuine > threshold).sum()), len(genuine)), missed)


def curve(genuine: Scores, copies: Scores, points: int = 60) -> list[tuple[float, float]]:
    """(BPCER, APCER) at thresholds spread over all scores: a DET curve's points, without repetitions."""
    thresholds = np.quantile(np.concatenate([genuine, copies]), np.linspace(0, 1, points))
    pairs = [(float((genuine > limit).mean()), float((copies <= limit).mean())) for limit in thresholds]
    return [(round(false, 5), round(missed, 5)) for false, missed in dict.fromkeys(pairs)]

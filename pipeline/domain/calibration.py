"""Thresholds as values: each with the measurement it comes from. Loaded by `models.registry`, passed to who needs one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Threshold:
    """One operating point.

    value: in the unit that `unit` names.  source: data set, counts and error rate at this value, in a sentence.
    """

    name: str
    value: float
    unit: str
    source: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """All thresholds of one release, by dotted name (`face.match`, `quality.sharpness_min`, …)."""

    thresholds: Mapping[str, Threshold]

    def __getitem__(self, name: str) -> float:
        """The value; `KeyError` for an unknown name is a programming error and must not be caught."""
        return self.thresholds[name].value

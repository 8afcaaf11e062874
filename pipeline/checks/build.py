"""Short ways to say what a check found, and to compare two readings of one value."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from pipeline.domain.calibration import Calibration
from pipeline.domain.evidence import Evidence, FieldReading
from pipeline.domain.verdict import Check, CheckName, CheckOutcome, Reason, Subject


def passed(name: CheckName, score: float | None = None, threshold: float | None = None) -> Check:
    return Check(name, CheckOutcome.PASSED, score, threshold)


def not_executed(name: CheckName) -> Check:
    return Check(name, CheckOutcome.NOT_EXECUTED)


def failed(name: CheckName, code: str, subject: Subject, detail: str,
           score: float | None = None, threshold: float | None = None) -> Check:
    return Check(name, CheckOutcome.FAILED, score, threshold, (Reason(code, subject, detail),))


def uncertain(name: CheckName, code: str, subject: Subject, detail: str,
              score: float | None = None, threshold: float | None = None) -> Check:
    return Check(name, CheckOutcome.UNCERTAIN, score, threshold, (Reason(code, subject, detail),))


class Agreement(Enum):
    """Of two readings. `DIFFER` only where both are confident; a doubtful reading proves nothing."""

    AGREE = "agree"
    DIFFER = "differ"
    DOUBTFUL = "doubtful"
    MISSING = "missing"


def reading(evidence: Evidence, field: str, source: str) -> FieldReading | None:
    """The best reading of a field from one source."""
    return next((one for one in evidence.readings.get(field, ()) if one.source == source), None)


def compare(a: FieldReading | None, b: FieldReading | None, calibration: Calibration,
            same: Callable[[str, str], bool] = str.__eq__) -> Agreement:
    """Whether two readings of one value agree, in the sense of `same`."""
    if a is None or b is None:
        return Agreement.MISSING
    if same(a.value, b.value):
        return Agreement.AGREE
    confident = min(a.confidence, b.confidence) >= calibration["checks.reading_confident"]
    return Agreement.DIFFER if confident else Agreement.DOUBTFUL

"""Where suspicion begins: thresholds and counts worked out by hand."""

from __future__ import annotations

from contextlib import AbstractContextManager
from contextlib import nullcontext as allowed

import numpy as np
import pytest

from models.evaluation.operating_point import curve, point_at, threshold_of

HUNDRED = np.arange(100) / 100


@pytest.mark.parametrize(("genuine", "expected", "error"), [
    (HUNDRED, 0.98, allowed()),  # one of a hundred may be over it: 0.99 is
    (HUNDRED[:99], 0.98, allowed()),  # none of ninety-nine may
    (np.array([0.01, 0.02]), 0.5, allowed()),  # never under the floor
    (np.array([0.1, 0.8411]), 0.85, allowed()),  # upwards to a hundredth
    (np.array([]), None, pytest.raises(ValueError, match="needs genuine")),
])
def test_threshold(genuine: np.ndarray, expected: float, error: AbstractContextManager[None]) -> None:
    with error:
        assert threshold_of(genuine) == pytest.approx(expected)


def test_counts_at_a_threshold() -> None:
    point = point_at(0.5, np.array([0.1, 0.5, 0.6]), {"screen": np.array([0.4, 0.5, 0.51, 0.9])})
    assert (point.alarms.hits, point.alarms.trials) == (1, 3)
    assert (point.missed["screen"].hits, point.missed["screen"].trials) == (2, 4)


def test_a_curve_runs_from_no_alarm_to_none_missed() -> None:
    pairs = curve(np.array([0.1, 0.2, 0.6]), np.array([0.5, 0.7, 0.9]))
    assert pairs[-1] == (0.0, 1.0) and pairs[0][1] == 0.0
    assert pairs == sorted(pairs, key=lambda pair: (-pair[0], pair[1]))

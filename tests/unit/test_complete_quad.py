"""The fourth side of a card from three: against cards projected by a camera of its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stages.complete_quad import complete

FOCAL_SHARE = 0.8
FRAME = (1600, 1200)
RATIO = 85.6 / 53.98


def _card(yaw: float, pitch: float, roll: float, depth: float) -> np.ndarray:
    """Corners of a card as a pinhole sees it, TL TR BR BL."""
    points = np.array([(-RATIO, -1, 0), (RATIO, -1, 0), (RATIO, 1, 0), (-RATIO, 1, 0)], np.float64) / 2
    cy, sy, cp, sp, cr, sr = (f(v) for v in np.radians([yaw, pitch, roll]) for f in (np.cos, np.sin))
    turn = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]]) \
        @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    placed = points @ turn.T + np.array([0.1, -0.05, depth])
    focal = FOCAL_SHARE * max(FRAME)
    return np.array(FRAME) / 2 + focal * placed[:, :2] / placed[:, 2:]


@given(yaw=st.floats(-30, 30), pitch=st.floats(-30, 30), roll=st.floats(-180, 180), depth=st.floats(1.8, 4),
       side=st.integers(0, 3), cut=st.floats(0.05, 0.3))
def test_the_missing_side_comes_back(yaw: float, pitch: float, roll: float, depth: float, side: int, cut: float) -> None:
    card = _card(yaw, pitch, roll, depth)
    torn = card.copy()
    for corner, base in ((side, (side + 3) % 4), ((side + 1) % 4, (side + 2) % 4)):
        torn[corner] += cut * (card[base] - card[corner])
    torn_lengths = np.linalg.norm(torn - np.roll(torn, -1, axis=0), axis=1)
    if torn_lengths[0] + torn_lengths[2] < 1.05 * (torn_lengths[1] + torn_lengths[3]):
        return  # too little left to tell which sides are the long ones
    found = complete(torn, side, FRAME, RATIO, FOCAL_SHARE)
    assert found is not None
    assert np.abs(found - card).max() < 1e-3 * max(FRAME)


def test_without_perspective() -> None:
    flat = np.array([(100, 100), (700, 100), (700, 400), (100, 400)], np.float64)
    found = complete(flat, 0, FRAME, RATIO, FOCAL_SHARE)
    assert found is not None
    assert found == pytest.approx(np.array([(100, 400 - 600 / RATIO), (700, 400 - 600 / RATIO), (700, 400), (100, 400)]), abs=1e-6)

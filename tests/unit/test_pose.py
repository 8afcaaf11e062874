"""Shape: what a pinhole camera sees of a rectangle is recognised as such, and the right lines are told from likely ones by it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stages.combine_sides import combine
from pipeline.stages.geometry import Quad, quad_iou
from pipeline.stages.pose import pose_errors
from tests.unit.test_locate import CARDS, desk, lay

ID_1 = 85.60 / 53.98
FRAME = (2000, 1500)


def pose_error(quad: Quad) -> float:
    return float(pose_errors(quad[None], FRAME, ID_1)[0])


def seen(ratio: float, tilt: float, axis: float, roll: float, focal: float, shift: tuple[float, float]) -> Quad:
    """A rectangle of a height of 1 before a pinhole camera, by OpenCV's own projection. Angles in degrees, focal in pixels."""
    corners = np.array([[-ratio / 2, -0.5, 0], [ratio / 2, -0.5, 0], [ratio / 2, 0.5, 0], [-ratio / 2, 0.5, 0]])
    turn = cv2.Rodrigues(np.radians(tilt) * np.array([np.cos(np.radians(axis)), np.sin(np.radians(axis)), 0.0]))[0]
    spin = cv2.Rodrigues(np.array([0, 0, np.radians(roll)]))[0]
    camera = np.array([[focal, 0, FRAME[0] / 2], [0, focal, FRAME[1] / 2], [0, 0, 1]])
    points, _ = cv2.projectPoints(corners, cv2.Rodrigues(turn @ spin)[0], np.array([*shift, 3.0]), camera, None)
    return np.asarray(points[:, 0], np.float64)


poses = st.fixed_dictionaries({
    "tilt": st.floats(0, 45), "axis": st.floats(0, 360), "roll": st.floats(0, 360), "focal": st.sampled_from([1300.0, 1600.0, 2000.0]),
    "shift": st.tuples(st.floats(-0.5, 0.5), st.floats(-0.4, 0.4)),
})


@given(poses)
def test_a_rectangle_of_the_ratio_has_no_error_however_it_is_seen(pose: dict[str, object]) -> None:
    assert pose_error(seen(ID_1, **pose)) < 0.01  # type: ignore[arg-type]


@given(poses, st.sampled_from([1.0, 88 / 63, 2.2]))
def test_another_ratio_seen_from_the_front_has_its_own_error(pose: dict[str, object], ratio: float) -> None:
    quad = seen(ratio, **(pose | {"tilt": 0.0}))  # type: ignore[arg-type]
    assert pose_error(quad) == pytest.approx(abs(np.log(ratio / ID_1)), abs=0.01)


def test_three_corners_in_line_are_no_rectangle() -> None:
    assert pose_error(np.array([[0, 0], [10, 0], [20, 0], [0, 10]], float)) > 0.5


@pytest.mark.parametrize("name", ["straight", "turned", "tilted"])
def test_lines_that_belong_together_are_put_together(name: str) -> None:
    """From a quad whose lower side lies on a row of print, a tenth of the card too high."""
    view = desk()
    lay(view, CARDS[name])
    small = np.asarray(cv2.resize(view, (500, 375), interpolation=cv2.INTER_AREA), np.uint8)
    truth = (CARDS[name] + 0.5) / 4 - 0.5
    wrong = truth.copy()
    wrong[2], wrong[3] = truth[2] + 0.1 * (truth[1] - truth[2]), truth[3] + 0.1 * (truth[0] - truth[3])
    found = combine(small, wrong, 40, (500, 375), ID_1, 5)
    assert quad_iou(wrong, truth) < 0.92
    assert max(quad_iou(quad, truth) for quad in found) > 0.95

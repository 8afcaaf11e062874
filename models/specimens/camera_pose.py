"""Where the camera stands: a pinhole over the card's plane, and the homographies that follow from it.

Frames: *mm* = millimetres on the upright card, from its top left corner, y downwards; *photo* = pixels of the oriented
photograph, integers at pixel centres. The card's top face lies `CARD_THICKNESS_MM` above the desk, so the two planes
have homographies of their own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.stages.geometry import CARD_MM, Matrix, Quad, transform

CARD_THICKNESS_MM = 0.76
"""ISO/IEC 7810: ID-1 cards are 0.76 mm thick."""
FOCAL_RANGE = (0.68, 0.90)
"""Focal length over the long side of the sensor: phones' main cameras are 24 to 32 mm equivalents of a 36 mm frame."""
_MARGIN = 0.012
"""The least gap between a whole card and the frame's border, as a share of the frame's long side."""


@dataclass(frozen=True, slots=True)
class PoseRange:
    """What a pose is drawn from. Angles in degrees; `share`: the card's long side over the frame side it lies along."""

    share: tuple[float, float]
    tilt: float
    roll: float
    directions: int
    """1: always upright; 4: any quarter turn."""


@dataclass(frozen=True, slots=True)
class Pose:
    """A drawn pose. `card`, `desk`: mm -> photo homographies of the card's face and of the plane that it lies on."""

    width: int
    height: int
    card: Matrix
    desk: Matrix
    share: float
    direction: int
    roll: float
    tilt: float
    tilt_axis: float

    @property
    def corners(self) -> Quad:
        """TL, TR, BR, BL of the card's outline (of its sides' intersections: the corners themselves are rounded)."""
        return transform(self.card, card_outline())

    @property
    def px_per_mm(self) -> float:
        """Photo pixels a millimetre at the card's centre: square root of the homography's area scale there."""
        x, y = CARD_MM[0] / 2, CARD_MM[1] / 2
        around = transform(self.card, np.array([[x - 1, y], [x + 1, y], [x, y - 1], [x, y + 1]]))
        right, down = (around[1] - around[0]) / 2, (around[3] - around[2]) / 2
        return math.sqrt(abs(float(right[0] * down[1] - right[1] * down[0])))


def card_outline() -> Quad:
    """The card's four corners in mm: TL, TR, BR, BL."""
    w, h = CARD_MM
    return np.array([[0, 0], [w, 0], [w, h], [0, h]], dtype=np.float64)


def inverse(matrix: Matrix) -> Matrix:
    """The homography the other way."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def draw_pose(rng: np.random.Generator, frame: tuple[int, int], ranges: PoseRange, *, cut: bool = False) -> Pose:
    """A random pose in a frame of (width, height) pixels.

    The whole card lies inside the frame, unless `cut`: then 12 to 35 % of its length or height run out of it.
    """
    direction = int(rng.integers(ranges.directions))
    roll = float(rng.uniform(-ranges.roll, ranges.roll))
    tilt, axis = float(rng.uniform(0, ranges.tilt)), float(rng.uniform(0, 360))
    share, focal = float(rng.uniform(*ranges.share)), float(rng.uniform(*FOCAL_RANGE)) * max(frame)
    offset = rng.uniform(-1, 1, 2)
    while True:
        pose = _place(frame, share, direction, roll, tilt, axis, focal, np.zeros(2))
        low, high = pose.corners.min(axis=0), pose.corners.max(axis=0)
        margin = _MARGIN * max(frame)
        room = np.array([[margin - low[0], frame[0] - 1 - margin - high[0]], [margin - low[1], frame[1] - 1 - margin - high[1]]])
        if np.all(room[:, 0] <= room[:, 1]):
            break
        share *= 0.97
    # people centre the card roughly: half of the room on either side is used
    middle, reach = room.mean(axis=1), (room[:, 1] - room[:, 0]) / 2
    shift = middle + offset * reach * 0.5
    if cut:
        side = int(rng.integers(4))
        across, extent = side // 2, high - low
        out = float(rng.uniform(0.12, 0.35)) * extent[across]
        shift[across] = (-low[across] - out) if side % 2 == 0 else (frame[across] - 1 - high[across] + out)
    return _place(frame, share, direction, roll, tilt, axis, focal, shift)


def _place(frame: tuple[int, int], share: float, direction: int, roll: float, tilt: float, axis: float, focal: float,
           shift: NDArray[np.float64]) -> Pose:
    """The homographies of one pose; `shift` moves the picture in the frame, as a turn of the principal point would."""
    width, height = frame
    along = width if direction % 2 == 0 else height
    distance = focal * CARD_MM[0] / (share * along)
    spin, lean, phi = math.radians(90 * direction + roll), math.radians(tilt), math.radians(axis)
    turn = np.array([[math.cos(spin), -math.sin(spin), 0], [math.sin(spin), math.cos(spin), 0], [0, 0, 1]])
    u = np.array([math.cos(phi), math.sin(phi), 0])
    skew = np.array([[0, -u[2], u[1]], [u[2], 0, -u[0]], [-u[1], u[0], 0]])
    rotation = (np.eye(3) + math.sin(lean) * skew + (1 - math.cos(lean)) * skew @ skew) @ turn
    camera = np.array([[focal, 0, (width - 1) / 2 + shift[0]], [0, focal, (height - 1) / 2 + shift[1]], [0, 0, 1]])
    centre = np.array([[1, 0, -CARD_MM[0] / 2], [0, 1, -CARD_MM[1] / 2], [0, 0, 1]])

    def plane(depth: float) -> Matrix:
        position = np.array([0, 0, distance]) + rotation[:, 2] * depth
        return np.asarray(camera @ np.column_stack([rotation[:, 0], rotation[:, 1], position]) @ centre, dtype=np.float64)

    return Pose(width, height, plane(0.0), plane(CARD_THICKNESS_MM), share, direction, roll, tilt, axis)

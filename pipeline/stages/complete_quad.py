"""A card's fourth side from its other three: where an ID-1 card must end, seen by a camera like a phone's. Pure geometry.

A side that the background hides is easily taken for something printed inside of the card: the portrait's edge, a code, a line.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.stages.geometry import Quad
from pipeline.stages.rectify import side_lengths

Vector = NDArray[np.float64]


def complete(quad: Quad, side: int, frame: tuple[int, int], ratio: float, focal_share: float) -> Quad | None:
    """`quad` with its side `side` (0 top, 1 right, 2 bottom, 3 left) moved along its neighbours to where the shape demands it.

    quad: (4, 2) pixels, clockwise.  frame: width and height of the whole picture, whose middle is the camera's axis.
    ratio: long over short side; which is which is taken from the quad.  focal_share: the focal length as a share of the
    frame's long side.  None where no such card can be seen.

    The neighbours are images of parallel lines: their vanishing point is the direction that they run in; the opposite side is
    at right angles to it, which tells how deep its second end lies; from there the length follows (Hartley and Zisserman,
    Multiple View Geometry, 2004, chapter 8).
    """
    near, far = quad[(side + 3) % 4], quad[(side + 2) % 4]  # ends of the opposite side, below the ends of `side`
    ends = quad[side], quad[(side + 1) % 4]
    centre, focal = np.array(frame, np.float64) / 2, focal_share * max(frame)
    vanishing = np.cross(np.cross([*near, 1.0], [*ends[0], 1.0]), np.cross([*far, 1.0], [*ends[1], 1.0]))
    direction = np.array([*(vanishing[:2] - centre * vanishing[2]), focal * vanishing[2]])
    direction /= max(float(np.linalg.norm(direction)), 1e-12)
    a, b = np.array([*(near - centre), focal]), np.array([*(far - centre), focal])
    across = float(b @ direction)
    b_depth = 1.0 if abs(across) < 1e-9 * focal else float(a @ direction) / across
    if not 0.2 < b_depth < 5:
        return None
    b = b * b_depth
    lengths = side_lengths(quad)
    long_opposite = lengths[side] + lengths[(side + 2) % 4] >= lengths[(side + 1) % 4] + lengths[(side + 3) % 4]
    length = float(np.linalg.norm(a - b)) * (1 / ratio if long_opposite else ratio)
    step = a + 1e-3 * length * direction
    if float((_seen(step, centre, focal) - near) @ (ends[0] - near)) < 0:
        direction = -direction
    corners = a + length * direction, b + length * direction
    if min(corners[0][2], corners[1][2]) < 0.1 * focal:
        return None
    moved = quad.astype(np.float64)
    moved[side], moved[(side + 1) % 4] = (_seen(corner, centre, focal) for corner in corners)
    return moved


def _seen(point: Vector, centre: Vector, focal: float) -> Vector:
    """Where the camera sees a point."""
    return np.asarray(centre + focal * point[:2] / point[2], dtype=np.float64)

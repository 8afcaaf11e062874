"""Whether four points can be a rectangle of known shape that a camera saw. Pure geometry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FOCAL_SHARES = (0.65, 0.8, 1.0, 1.4, 2.5)
"""Focal length as a share of the picture's long side: main cameras of phones have 0.7 to 1; more is a longer lens, a digital
zoom or a picture that was cropped about its middle."""
Floats = NDArray[np.float64]


def pose_errors(quads: Floats, frame: tuple[int, int], ratio: float) -> Floats:
    """How far each quad is from any view of a rectangle: 0 is exact, 0.1 is a side ratio or a right angle off by a tenth.

    quads: (N, 4, 2) pixels, clockwise.  frame: width and height of the whole picture, whose middle is the camera's axis.
    ratio: long over short side.  Returns (N,); infinite where three corners are in line.

    The first two columns of the homography from a unit square are its sides' directions before projection, up to one factor
    (Zhang, A flexible new technique for camera calibration, 2000): their lengths give the ratio, their angle must be right.
    Of the focal lengths in question the kindest counts.
    """
    across, down = _side_directions(quads - np.array(frame, np.float64) / 2)
    best = np.full(len(quads), np.inf)
    for share in FOCAL_SHARES:
        depth = np.array([1.0, 1.0, share * max(frame)])
        x, y = across * depth, down * depth
        lengths = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            off = np.abs(np.log(lengths[0] / lengths[1])) - np.log(ratio)
            error = np.hypot(off, (x * y).sum(axis=1) / (lengths[0] * lengths[1]))
        best = np.fmin(best, error)
    return best


def _side_directions(quads: Floats) -> tuple[Floats, Floats]:
    """The first two columns, (N, 3) each, of the homographies that take the unit square to the quads (Heckbert, Fundamentals
    of texture mapping, 1989, section 2.2.3). Not finite where a quad has no area."""
    p0, p1, p2, p3 = (quads[:, k] for k in range(4))
    u, v, skew = p1 - p2, p3 - p2, p0 - p1 + p2 - p3
    with np.errstate(divide="ignore", invalid="ignore"):
        area = _cross(u, v)
        g, h = _cross(skew, v) / area, _cross(u, skew) / area
        across = np.concatenate([p1 - p0 + g[:, None] * p1, g[:, None]], axis=1)
        down = np.concatenate([p3 - p0 + h[:, None] * p3, h[:, None]], axis=1)
    return across, down


def _cross(a: Floats, b: Floats) -> Floats:
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], dtype=np.float64)

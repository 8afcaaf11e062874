"""Plane geometry of the card: the fixed frame that every card is rectified to, and maps between frames.

Frames: *photo* = pixels of the oriented photograph at full resolution; *view* = pixels of its decoded reduction;
*card* = pixels of the rectified card (`CARD_WIDTH` x `CARD_HEIGHT`); *mm* = millimetres on the card, from its top left.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain import template

Quad = NDArray[np.float64]  # (4, 2): TL, TR, BR, BL
Matrix = NDArray[np.float64]  # (3, 3) homography

CARD_MM = template.CARD_MM
CORNER_RADIUS_MM = 3.18
PX_PER_MM = 20
"""Scale of the rectified card: a 97-module QR of 20 mm gets 4 pixels a module."""
CARD_WIDTH, CARD_HEIGHT = 1712, 1080


def card_frame() -> Quad:
    """The rectified card's corners in card pixels (pixel centres, so 0 and W-1)."""
    w, h = CARD_WIDTH - 1, CARD_HEIGHT - 1
    return np.array([[0, 0], [w, 0], [w, h], [0, h]], dtype=np.float64)


def homography(source: Quad, target: Quad) -> Matrix:
    """The 3x3 matrix that takes the four `source` points to the four `target` points."""
    return np.asarray(cv2.getPerspectiveTransform(source.astype(np.float32), target.astype(np.float32)), dtype=np.float64)


def transform(matrix: Matrix, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Applies a homography to (N, 2) points."""
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    return mapped[:, :2] / mapped[:, 2:3]


def rotate_corners(quad: Quad, quarter_turns: int) -> Quad:
    """Renames the corners: after `k` turns, what was corner k becomes the top left of the upright card."""
    return np.roll(quad, -quarter_turns, axis=0)


def is_convex(quad: Quad) -> bool:
    """True for a strictly convex quad in clockwise order (image axes: y grows downwards)."""
    a, b = np.roll(quad, -1, axis=0) - quad, np.roll(quad, -2, axis=0) - np.roll(quad, -1, axis=0)
    return bool(np.all(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] > 0))


def quad_iou(a: Quad, b: Quad) -> float:
    """Intersection over union of two convex quads, as in the SmartDoc competition (there after rectifying to the page)."""
    overlap, _ = cv2.intersectConvexConvex(a.astype(np.float32), b.astype(np.float32))
    total = quad_area(a) + quad_area(b) - overlap
    return float(overlap / total) if total > 0 else 0.0


def quad_area(quad: Quad) -> float:
    return float(abs(cv2.contourArea(quad.astype(np.float32))))

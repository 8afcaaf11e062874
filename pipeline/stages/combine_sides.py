"""Quads from every combination of likely lines: where a side's best line is a row of print or a crack in the ground, the right
one is among the next, and the four that belong together show it by their shape."""

from __future__ import annotations

import itertools

import numpy as np

from pipeline.networks.api import Image
from pipeline.stages.geometry import Quad, is_convex, quad_iou
from pipeline.stages.pose import pose_errors
from pipeline.stages.refine import Floats, meet, several_lines

LINES = 6
"""A side; 1,296 combinations."""


def combine(picture: Image, quad: Quad, reach: int, frame: tuple[int, int], ratio: float, most: int) -> list[Quad]:
    """Up to `most` quads, the likeliest first, by edge support and shape; near-duplicates left out.

    picture: (H, W, 3) BGR uint8.  quad: a rough one in its pixels.  reach: how far its sides may be off.  frame: width and
    height of the whole picture in the same pixels.  ratio: long over short side.
    """
    lines, scores = several_lines(picture, quad, reach, LINES)
    chosen = np.array(list(itertools.product(range(LINES), repeat=4)))
    sides = [lines[side, chosen[:, side]] for side in range(4)]
    corners = np.stack([meet(sides[k - 1][:, 0], sides[k - 1][:, 1], sides[k][:, 0], sides[k][:, 1]) for k in range(4)], axis=1)
    support = np.stack([scores[side, chosen[:, side]] for side in range(4)], axis=1)
    sound = np.isfinite(corners).all(axis=(1, 2)) & (support > 0).all(axis=1)
    corners, support = corners[sound], support[sound]
    worth = (0.65 * support.mean(axis=1) + 0.35 * support.min(axis=1)) * shape_worth(pose_errors(corners, frame, ratio))
    worth *= areas(corners) ** OUTERMOST
    found: list[Quad] = []
    for index in np.argsort(-worth):
        if len(found) == most or worth[index] <= 0:
            break
        if is_convex(corners[index]) and all(quad_iou(corners[index], other) < ALIKE for other in found):
            found.append(corners[index])
    return found


POSE_FREE, POSE_SPREAD = 0.05, 0.15
"""The error that costs nothing, and what more costs 1 - 1/e. True corners of drawn captures have 0.071 at most in 276 normal
and 0.101 in 226 hard ones; with one side moved in by 15 %, nine in ten have over 0.1 and 0.086. Pictures that were cropped off
their middle have more, so the loss is gentle."""
OUTERMOST = 0.15
"""Power of the area that a combination's worth is multiplied by: of frames that are seen equally well the outer one is the card's
edge, the inner one is printed."""
ALIKE = 0.97
"""IoU of two combinations above which refining would make one of them."""


def areas(quads: Floats) -> Floats:
    """Of (N, 4, 2) quads, in square pixels (the shoelace formula)."""
    x, y = quads[..., 0], quads[..., 1]
    return np.asarray(np.abs((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1)) / 2, dtype=np.float64)


def shape_worth(errors: Floats) -> Floats:
    """1 where a quad can be a card, towards 0 the less it can. errors: as `pose_errors` gives them."""
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(-((np.maximum(errors - POSE_FREE, 0.0) / POSE_SPREAD) ** 2)), dtype=np.float64)

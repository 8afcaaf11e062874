"""Sub-pixel edges of a card from a rough quad: lines through the straight parts of its sides, corners where they meet.

ID-1 corners are rounded (3.18 mm), so the corner itself is never on the card: each side is a line fitted to its middle
part, and the corner is the lines' intersection. Along the side's normals the colour step is sampled; every line that two
end offsets allow is scored by how many of its places lie on a step (a small Hough transform), so that a printed frame, a
finger or a missing stretch cannot pull it away as it would a least-squares fit; then the winner is fitted robustly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.networks.api import Image
from pipeline.stages.geometry import Quad, is_convex

Floats = NDArray[np.float64]

PLACES = 48
"""Sampled places along a side."""
ENDS = 0.09
"""Share of a side left out at each end: the rounded corner takes 3.18 mm of 53.98 (0.059), and some slack."""
STEP_LEVEL = 7.0
"""Colour step, in grey levels between two pixels apart, at which a place counts half as being on an edge."""
PRIOR = 0.18
"""How much of a full score a line loses at the end of the reach, by shift and by turn: near the rough quad is likelier."""
TUKEY_PX = 1.5
"""Cut-off of Tukey's biweight, in pixels of the picture searched."""
APART = 3
"""Pixels at both ends within which two lines are one."""
WEAK = 0.2
"""Support below which a side stays where the rough quad has it."""


@dataclass(frozen=True, slots=True)
class Refined:
    """quad: (4, 2), same frame and order as the rough quad.  support: (4,) per side (top, right, bottom, left), the share of
    places that lie on a step within a pixel and a half of the side's line."""

    quad: Quad
    support: Floats


def refine(picture: Image, quad: Quad, reach: int) -> Refined:
    """Moves each side to the best supported line within `reach` pixels of its place.

    picture: (H, W, 3) BGR uint8, about 1,000 px wide and lightly smoothed.  quad: (4, 2) pixels of that picture, clockwise.
    """
    steps, normals, starts, ends = _profiles(picture, quad, reach)
    level = STEP_LEVEL + np.median(steps, axis=(1, 2))
    fitted, support = _fit(steps, _best_lines(steps, level, reach), level, reach)
    offsets = np.where(support[:, None] >= WEAK, fitted, 0.0)
    first, second = starts + normals * offsets[:, :1], ends + normals * offsets[:, 1:]
    corners = meet(np.roll(first, 1, axis=0), np.roll(second, 1, axis=0), first, second)
    if not np.isfinite(corners).all() or not is_convex(corners):
        return Refined(quad, support * 0.0)
    return Refined(corners, support)


def _profiles(picture: Image, quad: Quad, reach: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Colour steps (4, PLACES, 2 reach + 1) along the outward normals (4, 2), and each side's two ends (4, 2)."""
    starts, ends = quad, np.roll(quad, -1, axis=0)
    along = ends - starts
    length = np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    normals = np.stack([along[:, 1], -along[:, 0]], axis=1) / length
    share = np.linspace(ENDS, 1 - ENDS, PLACES)
    places = starts[:, None] + along[:, None] * share[None, :, None]
    depth = np.arange(-reach - 1, reach + 2, dtype=np.float64)
    points = (places[:, :, None] + normals[:, None, None] * depth[None, None, :, None]).astype(np.float32)
    flat = points.reshape(4 * PLACES, -1, 2)
    seen = cv2.remap(picture, flat[..., 0], flat[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    away = cv2.absdiff(np.ascontiguousarray(seen[:, 2:]), np.ascontiguousarray(seen[:, :-2]))
    steps = cv2.max(cv2.max(away[:, :, 0], away[:, :, 1]), away[:, :, 2]).astype(np.float64)
    x, y = flat[:, 1:-1, 0], flat[:, 1:-1, 1]
    steps[(x < 0) | (y < 0) | (x > picture.shape[1] - 1) | (y > picture.shape[0] - 1)] = 0.0
    return steps.reshape(4, PLACES, -1), normals, starts, ends


@lru_cache(maxsize=16)
def _table(reach: int) -> tuple[NDArray[np.intp], Floats]:
    """Flat indices (2r+1, 2r+1, PLACES) into a side's steps for every pair of end offsets, and the pairs' prior loss."""
    offset = np.arange(-reach, reach + 1, dtype=np.float64)
    share = np.linspace(ENDS, 1 - ENDS, PLACES)
    depth = offset[:, None, None] * (1 - share) + offset[None, :, None] * share
    column = np.round(depth).astype(np.intp) + reach
    index = column + np.arange(PLACES) * (2 * reach + 1)
    middle, turn = (offset[:, None] + offset[None, :]) / 2, (offset[:, None] - offset[None, :]) / 2
    loss = PRIOR * ((middle / max(reach, 1)) ** 2 + (turn / max(reach, 1)) ** 2)
    return index, loss


def _votes(steps: Floats, level: Floats) -> Floats:
    """How surely an edge runs through each sampled point, 0..1: the crests of the steps, and a little of it beside them."""
    before, behind = np.roll(steps, 1, axis=2), np.roll(steps, -1, axis=2)
    crests = np.where((steps >= before) & (steps >= behind), steps / (steps + level[:, None, None]), 0.0)
    beside = np.maximum(np.roll(crests, 1, axis=2), np.roll(crests, -1, axis=2))
    return np.asarray(np.maximum(crests, 0.7 * beside), dtype=np.float64)


def _best_lines(steps: Floats, level: Floats, reach: int) -> Floats:
    """(4, 2) end offsets of the line that most places of a side agree on."""
    wide = _votes(steps, level)
    index, loss = _table(reach)
    lines = np.empty((4, 2))
    for side in range(4):
        score = wide[side].ravel().take(index).mean(axis=2) - loss
        lines[side] = np.unravel_index(int(score.argmax()), score.shape)
    return lines - reach


def several_lines(picture: Image, quad: Quad, reach: int, count: int) -> tuple[Floats, Floats]:
    """For each side the `count` best supported lines within `reach` pixels, however far off: ends (4, count, 2, 2) in pixels of
    the picture and scores (4, count), 0..1; a score of 0 is no line. What is near is no likelier here than what is far."""
    steps, normals, starts, ends = _profiles(picture, quad, reach)
    votes = _votes(steps, STEP_LEVEL + np.median(steps, axis=(1, 2)))
    index, _ = _table(reach)
    lines, scores = np.zeros((4, count, 2, 2)), np.zeros((4, count))
    for side in range(4):
        score = votes[side].ravel().take(index).mean(axis=2)
        for place in range(count):
            first, second = (int(k) for k in np.unravel_index(int(score.argmax()), score.shape))
            scores[side, place] = score[first, second]
            lines[side, place, 0] = starts[side] + normals[side] * (first - reach)
            lines[side, place, 1] = ends[side] + normals[side] * (second - reach)
            score[max(first - APART, 0):first + APART + 1, max(second - APART, 0):second + APART + 1] = 0.0
    return lines, scores


def _fit(steps: Floats, lines: Floats, level: Floats, reach: int) -> tuple[Floats, Floats]:
    """Robust fits of the lines to the sub-pixel peaks near them: end offsets (4, 2), and the share of places that agree (4,)."""
    share = np.linspace(ENDS, 1 - ENDS, PLACES)
    near = np.round(lines[:, :1] * (1 - share) + lines[:, 1:] * share).astype(np.intp) + reach
    columns = np.clip(near[:, :, None] + np.arange(-2, 3), 1, steps.shape[2] - 2)
    best = np.take_along_axis(columns, np.take_along_axis(steps, columns, 2).argmax(axis=2)[:, :, None], 2)
    left, middle, right = (np.take_along_axis(steps, best + k, 2)[:, :, 0] for k in (-1, 0, 1))
    curve = np.minimum(left - 2 * middle + right, -1e-6)
    depth = best[:, :, 0] - reach + (0.5 * (left - right) / curve).clip(-0.5, 0.5)
    strength = middle / (middle + level[:, None])
    ends = lines.astype(np.float64)
    for _ in range(4):
        error = depth - _along(ends, share)
        weight = strength * np.clip(1 - (error / (TUKEY_PX * 1.5)) ** 2, 0, 1) ** 2
        ends = _weighted_line(depth, weight, share, ends)
    agree = (np.abs(depth - _along(ends, share)) < TUKEY_PX) & (strength > 0.35)
    return ends, agree.mean(axis=1)


def _along(ends: Floats, share: Floats) -> Floats:
    return np.asarray(ends[:, :1] * (1 - share) + ends[:, 1:] * share, dtype=np.float64)


def _weighted_line(depth: Floats, weight: Floats, share: Floats, last: Floats) -> Floats:
    """Least squares of depth over share for four sides at once; the last line stays where hardly anything weighs."""
    total = weight.sum(axis=1)
    safe = np.maximum(total, 1e-9)
    mean_x, mean_y = (weight * share).sum(axis=1) / safe, (weight * depth).sum(axis=1) / safe
    x, y = share - mean_x[:, None], depth - mean_y[:, None]
    spread = (weight * x * x).sum(axis=1)
    slope = (weight * x * y).sum(axis=1) / np.maximum(spread, 1e-9)
    fitted = np.stack([mean_y - slope * mean_x, mean_y + slope * (1 - mean_x)], axis=1)
    usable = (total >= 2.0) & (spread > 1e-3)
    return np.asarray(np.where(usable[:, None], fitted, last), dtype=np.float64)


def meet(a: Floats, b: Floats, c: Floats, d: Floats) -> Floats:
    """Where the lines a-b and c-d cross, row by row of (N, 2); not finite where they are parallel."""
    u, v, gap = b - a, d - c, c - a
    cross = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    cross = np.where(np.abs(cross) < 1e-9, np.nan, cross)
    along = (gap[:, 0] * v[:, 1] - gap[:, 1] * v[:, 0]) / cross
    return np.asarray(a + u * along[:, None], dtype=np.float64)

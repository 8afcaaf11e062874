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
PRIOR = 0.12
"""How much of a full score a line loses at the end of the reach: near the rough quad is likelier."""
TUKEY_PX = 1.5
"""Cut-off of Tukey's biweight, in pixels of the picture searched."""
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
    share = np.linspace(ENDS, 1 - ENDS, PLACES)
    offsets, support = np.zeros((4, 2)), np.zeros(4)
    for side in range(4):
        line = _best_line(steps[side], reach)
        fitted, found = _fit(steps[side], line, share, reach)
        if found >= WEAK:
            offsets[side] = fitted
        support[side] = found
    moved = [(starts[s] + normals[s] * offsets[s, 0], ends[s] + normals[s] * offsets[s, 1]) for s in range(4)]
    corners = np.array([_meet(moved[s - 1], moved[s]) for s in range(4)])
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
    values = seen.reshape(4, PLACES, depth.size, 3).astype(np.float32)
    steps = np.abs(values[:, :, 2:] - values[:, :, :-2]).max(axis=3)
    last = np.array([picture.shape[1] - 1, picture.shape[0] - 1], dtype=np.float32)
    inside = ((flat >= 0) & (flat <= last)).all(axis=2)
    steps *= inside.reshape(4, PLACES, -1)[:, :, 1:-1]
    return steps.astype(np.float64), normals, starts, ends


@lru_cache(maxsize=16)
def _table(reach: int) -> tuple[NDArray[np.intp], Floats]:
    """Flat indices (2r+1, 2r+1, PLACES) into a side's steps for every pair of end offsets, and the pairs' prior loss."""
    offset = np.arange(-reach, reach + 1, dtype=np.float64)
    share = np.linspace(ENDS, 1 - ENDS, PLACES)
    depth = offset[:, None, None] * (1 - share) + offset[None, :, None] * share
    column = np.round(depth).astype(np.intp) + reach
    index = column + np.arange(PLACES) * (2 * reach + 1)
    middle, turn = (offset[:, None] + offset[None, :]) / 2, (offset[:, None] - offset[None, :]) / 2
    loss = PRIOR * ((middle / max(reach, 1)) ** 2 + 0.5 * (turn / max(reach, 1)) ** 2)
    return index, loss


def _best_line(steps: Floats, reach: int) -> tuple[float, float]:
    """End offsets of the line that most places agree on."""
    peak = (steps >= np.roll(steps, 1, axis=1)) & (steps >= np.roll(steps, -1, axis=1))
    level = STEP_LEVEL + np.median(steps)
    votes = np.where(peak, steps / (steps + level), 0.0)
    wide = np.maximum(votes, 0.7 * np.maximum(np.roll(votes, 1, axis=1), np.roll(votes, -1, axis=1)))
    index, loss = _table(reach)
    score = wide.ravel()[index].mean(axis=2) - loss
    first, second = np.unravel_index(int(score.argmax()), score.shape)
    return float(first) - reach, float(second) - reach


def _fit(steps: Floats, line: tuple[float, float], share: Floats, reach: int) -> tuple[Floats, float]:
    """Robust fit of the line to the sub-pixel peaks near it: the two end offsets, and the share of places that agree."""
    near = np.round(line[0] * (1 - share) + line[1] * share).astype(int)
    window = near[:, None] + np.arange(-2, 3) + reach
    padded = np.pad(steps, ((0, 0), (1, 1)))
    columns = np.clip(window + 1, 1, steps.shape[1])
    rows = np.arange(PLACES)
    best = columns[rows, padded[rows[:, None], columns].argmax(axis=1)]
    left, middle, right = padded[rows, best - 1], padded[rows, best], padded[rows, best + 1]
    curve = left - 2 * middle + right
    shift = np.where(curve < -1e-6, 0.5 * (left - right) / np.where(curve < -1e-6, curve, 1.0), 0.0).clip(-0.5, 0.5)
    depth = best - 1 - reach + shift
    strength = middle / (middle + STEP_LEVEL + np.median(steps))
    design = np.stack([1 - share, share], axis=1)
    ends = np.array(line, dtype=np.float64)
    for _ in range(4):
        error = depth - design @ ends
        weight = strength * np.clip(1 - (error / (TUKEY_PX * 1.5)) ** 2, 0, 1) ** 2
        normal = design.T @ (design * weight[:, None])
        if weight.sum() < 2.0 or np.linalg.det(normal) < 1e-6:
            break
        ends = np.linalg.solve(normal, design.T @ (weight * depth))
    agree = (np.abs(depth - design @ ends) < TUKEY_PX) & (strength > 0.35)
    return ends, float(agree.mean())


def _meet(first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> Floats:
    """Where two lines, each through two points, cross; not finite where they are parallel."""
    a, b = first[1] - first[0], second[1] - second[0]
    cross = a[0] * b[1] - a[1] * b[0]
    if abs(cross) < 1e-9:
        return np.array([np.nan, np.nan])
    gap = second[0] - first[0]
    return np.asarray(first[0] + a * (gap[0] * b[1] - gap[1] * b[0]) / cross, dtype=np.float64)

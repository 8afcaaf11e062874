"""Tells a blurred QR's modules apart: which pattern of dark and light, mixed as the blur mixes it, gives what was sampled.

`qr_grid` undoes a blur by one linear filter, and noise grows with what it undoes. Here the mixing itself is learnt (from the
function patterns, which are known, and from a first guess of the rest), and modules are flipped, alone and with their neighbours,
as long as that brings what they would look like nearer to what was seen: iterated conditional modes (Besag, Journal of the Royal
Statistical Society B, 1986), on groups, since a blur confuses neighbours with each other. Neighbouring samples share a part of
their noise; a filter that makes it white lets fine differences, which a blur leaves faint, count as they should.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

PHASES = (-0.25, 0.25)
"""Where a module is sampled, along either axis, in modules from its middle: twice each way tells more of a slope than once."""
QUIET = 2
"""Modules of quiet zone round the code that are sampled too: they are known to be light."""
REACH = 2
"""Modules to each side that a sample may be mixed with."""
TAPS = (2 * REACH + 1) ** 2
MIXING_RIDGE, FILTER_RIDGE = 50.0, 20.0
"""Keep the learnt weights small: beside sums over a thousand modules and more."""
FILTERED, FILTER_ROUNDS, ROUNDS, MOST_STEPS = 4, 12, 4, 80
"""Times that the linear filter is learnt, and its rounds in each; times that the mixing is learnt and modules are flipped, and
steps of flipping in each. Of 48 QRs of hard captures as many were read with more."""
WHITENING = np.array([-0.25, 1.0, -0.25], np.float32)
"""Along both axes. Of 54 QRs of hard captures that one linear filter had left unread, -0.25 read 34, -0.2 as many, -0.3 31."""
CONTRAST = 0.4, 2.5
"""Least and most of the contrast that light falling unevenly leaves, of its mean."""
APART = 9
"""Flips of one step lie further apart than half of this, so that each is as good as it looked."""

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

GROUPS = (
    ((0, 0),),
    ((0, 0), (0, 1)), ((0, 0), (1, 0)), ((0, 0), (1, 1)), ((0, 1), (1, 0)), ((0, 0), (0, 2)), ((0, 0), (2, 0)),
    ((0, 0), (0, 1), (0, 2)), ((0, 0), (1, 0), (2, 0)), ((0, 0), (1, 1), (2, 2)), ((0, 2), (1, 1), (2, 0)),
    ((0, 0), (0, 1), (1, 0)), ((0, 0), (0, 1), (1, 1)), ((0, 0), (1, 0), (1, 1)), ((0, 1), (1, 0), (1, 1)),
    ((0, 0), (0, 1), (1, 0), (1, 1)))
"""Modules (row, column) that are flipped together: one, two or three in a line, three round a corner, a square."""
_SPAN = 2
"""Rows and columns that a group takes beside its first."""


def unmixed(levels: Floats, known: NDArray[np.int8], guess: NDArray[np.int8]) -> NDArray[np.int8]:
    """What the modules are, (n, n): 0 light, 1 dark.

    levels: (4, n + 2 QUIET, n + 2 QUIET) grey levels, at each of `PHASES` by rows, then columns.  known: (n, n) 0, 1, or -1 where
    the code's content decides.  guess: (n, n) 0 or 1, right of most.
    """
    around = ((QUIET, QUIET), (QUIET, QUIET))
    truth = np.pad(known, around, constant_values=0)
    fixed = truth >= 0
    start = np.where(fixed, truth, np.pad(guess, around)) > 0
    modules = np.where(start, 1.0, -1.0).astype(np.float32)
    contrast, soft = np.ones_like(modules), modules
    for _ in range(FILTERED):
        even, contrast = _evened(levels, soft, contrast)
        soft = _filtered(even, soft, fixed, modules)
    middle = levels.mean(axis=0, keepdims=True)
    modules = np.where(soft > 0, 1.0, -1.0).astype(np.float32)
    for _ in range(ROUNDS):
        even, contrast = _evened(middle, soft, contrast)
        flipped = _flipped(even[0], soft, modules, fixed)
        if (flipped == modules).all():
            break
        modules = soft = flipped
    return (modules[QUIET:-QUIET, QUIET:-QUIET] > 0).astype(np.int8)


def _evened(levels: Floats, modules: Floats, contrast: Floats) -> tuple[Floats, Floats]:
    """The levels without the light's own unevenness, and its contrast: level = light + contrast * mixture, the light of second
    order and the contrast of first in the place. `contrast`: the one known so far."""
    count, n = len(levels), len(modules)
    seen, light = levels.reshape(count, -1).T, _slopes(n)
    near = _near(modules, -1.0)
    terms = np.concatenate([near * contrast.reshape(-1, 1), light], axis=1)
    ridge = np.full(terms.shape[1], MIXING_RIDGE, np.float32)
    ridge[TAPS:] = 1e-2
    weights = np.linalg.solve(terms.T @ terms + np.diag(ridge), terms.T @ seen)
    rest = (seen - light @ weights[TAPS:]).T
    mixture = (near @ weights[:TAPS]).T
    slope = (mixture[:, :, None] * light[:, :3]).reshape(-1, 3)
    factors = np.linalg.lstsq(slope, rest.ravel(), rcond=None)[0]
    contrast = np.clip(light[:, :3] @ factors, *CONTRAST).astype(np.float32)
    return (rest / contrast).reshape(levels.shape).astype(np.float32), contrast.reshape(n, n)


@lru_cache(maxsize=4)
def _slopes(n: int) -> Floats:
    """(n * n, 6): the terms up to second order of the place, -1 to 1."""
    y, x = (axis.ravel() for axis in np.mgrid[:n, :n] / (n - 1) * 2 - 1)
    return np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=1).astype(np.float32)


def _near(picture: Floats, beyond: float | None) -> Floats:
    """(n * n, TAPS): each place's neighbours; beyond the edge a number, or the edge's own repeated."""
    n = len(picture)
    padded = np.pad(picture, REACH, mode="edge") if beyond is None else np.pad(picture, REACH, constant_values=beyond)
    return np.stack([padded[row:row + n, column:column + n].ravel() for row in range(2 * REACH + 1)
                     for column in range(2 * REACH + 1)], axis=1)


def _filtered(even: Floats, soft: Floats, fixed: Flags, truth: Floats) -> Floats:
    """The modules, -1 to 1, by the linear filter of all phases' samples that gives best what is known, and what it itself
    decides of the rest. `truth`: right where `fixed`."""
    scaled = even / np.sqrt(np.mean(even * even))
    samples = np.concatenate([_near(phase, None) for phase in scaled] + [np.ones((soft.size, 1), np.float32)], axis=1)
    products = samples.T @ samples + FILTER_RIDGE * np.eye(samples.shape[1], dtype=np.float32)
    for _ in range(FILTER_ROUNDS):
        target = np.where(fixed, truth, np.sign(soft)).ravel()
        guessed = (samples @ np.linalg.solve(products, samples.T @ target)).reshape(soft.shape)
        before, soft = soft, np.where(fixed, truth, np.clip(guessed, -1, 1)).astype(np.float32)
        if ((soft > 0) == (before > 0)).all():
            break
    return soft


def _flipped(even: Floats, soft: Floats, modules: Floats, fixed: Flags) -> Floats:
    """The modules after every flip that brings their mixture nearer to the samples. The mixing is learnt from `soft`."""
    white = np.asarray(cv2.sepFilter2D(even, cv2.CV_32F, WHITENING, WHITENING, borderType=cv2.BORDER_REFLECT), dtype=np.float32)
    near = _near(soft, -1.0)
    products = near.T @ near + FILTER_RIDGE * np.eye(TAPS, dtype=np.float32)
    taps = np.linalg.solve(products, near.T @ white.ravel()).reshape(2 * REACH + 1, -1).astype(np.float32)
    return _descended(white, taps, modules, fixed)


def _mixed(modules: Floats, taps: Floats, beyond: float) -> Floats:
    padded = cv2.copyMakeBorder(modules, REACH, REACH, REACH, REACH, cv2.BORDER_CONSTANT, value=beyond)
    return np.asarray(cv2.filter2D(padded, cv2.CV_32F, taps)[REACH:-REACH, REACH:-REACH], dtype=np.float32)


def _descended(white: Floats, taps: Floats, modules: Floats, fixed: Flags) -> Floats:
    """Flips the best groups that lie apart, until none helps.

    A flip of a module m adds -2 m to the mixture, weighed by the taps. With the error e, the taps t and t ⋆ t, which is t moved
    over itself, the squared error changes by 4 m (e ⋆ t) + 4 (t ⋆ t) at no move, and by 8 m m' (t ⋆ t) at the move from m to m'
    for each pair of a group.
    """
    turned = np.ascontiguousarray(taps[::-1, ::-1])
    wide = cv2.copyMakeBorder(taps, *(2 * REACH,) * 4, cv2.BORDER_CONSTANT, value=0.0)
    shared = np.asarray(cv2.filter2D(wide, cv2.CV_32F, taps))  # of the taps with themselves, moved by up to 2 REACH
    middle = 3 * REACH
    n = len(modules)
    error = white - _mixed(modules, taps, -1.0)
    for _ in range(MOST_STEPS):
        alone = np.where(fixed, np.inf, 4 * modules * _mixed(error, turned, 0.0) + 4 * shared[middle, middle]).astype(np.float32)
        far = np.pad(alone, (0, _SPAN), constant_values=np.inf)
        signs = np.pad(modules, (0, _SPAN))
        best, chosen = np.zeros_like(modules), np.zeros(modules.shape, np.intp)
        for number, group in enumerate(GROUPS):
            cost = np.sum([far[row:row + n, column:column + n] for row, column in group], axis=0)
            for (row, column), (other_row, other_column) in combinations(group, 2):
                weight = 8 * shared[middle + other_row - row, middle + other_column - column]
                cost = cost + weight * signs[row:row + n, column:column + n] * signs[
                    other_row:other_row + n, other_column:other_column + n]
            better = cost < best
            best[better], chosen[better] = cost[better], number
        lowest = cv2.erode(best, np.ones((APART, APART), np.uint8))
        flips = np.zeros_like(modules)
        for row, column in zip(*np.nonzero((best < -1e-3) & (best <= lowest)), strict=True):
            for down, right in GROUPS[chosen[row, column]]:
                flips[row + down, column + right] = -2 * modules[row + down, column + right]
        if not flips.any():
            break
        modules = modules + flips
        error = error - _mixed(flips, taps, 0.0)
    return modules

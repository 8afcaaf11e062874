"""Reads a QR whose place is known from its grid: the patterns that every QR has align it, and teach how to undo its blur.

A reader that thresholds pixels needs modules of some three crisp pixels. Here the modules' centres are sampled. A blurred sample
is a mixture of a module and its neighbours, the same all over the code, so least squares unmixes it: over the function patterns,
which are known, and over its own decisions, which get better by it (a decision-directed equaliser: Lucky, Bell System Technical
Journal, 1966). Function patterns and their places: ISO/IEC 18004.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.evidence import Symbology
from pipeline.networks.api import Image
from pipeline.stages.geometry import homography, transform
from pipeline.stages.qr_unmix import PHASES, QUIET, unmixed
from pipeline.stages.scan_codes import FoundCode, scan

SCALE, MARGIN = 5, 3
"""Pixels a module, and modules of margin, of the picture in which patterns are sought."""
FINDER, RING, ALIGNMENT = 7, 9, 5
"""Modules of a finder pattern, of it with its light border, and of an alignment pattern."""
FINDER_LEAST, ALIGNMENT_LEAST = 0.4, 0.55
"""Correlation at which a pattern counts as seen where it should be."""
FINDER_REACH, ALIGNMENT_REACH = 2.2, 2.0
"""Modules by which it may be off: the given corners, and what the finder patterns leave."""
SOFT = 0.22
"""Sigma of the sampling spot, in modules."""
WINDOW = 11
"""Modules over which light and contrast are taken to be even."""
REACH = 2
"""Modules to each side that a sample may be mixed with."""
MOST_ROUNDS = 30
"""Rounds of the equaliser; it mostly settles in three to ten."""
RIDGE = 20.0
"""Keeps the equaliser's weights small: in squared samples, of some thousand to ten thousand."""
AGREE_LEAST = 0.72
"""Share of the function patterns' modules that must come out right before reading is tried: of 120 hard captures none was read
with fewer, and half come right by chance."""
DRAWN, DRAWN_QUIET = 3, 4
"""Pixels a module, and modules of quiet zone, of the clean code that is read."""

Floats = NDArray[np.float32]
Corners = NDArray[np.float64]


def read_grid(grey: Image, corners: Corners, side: int) -> FoundCode | None:
    """The QR of `side` modules at a place; None where its patterns are not there or its error correction fails.

    grey: (H, W) uint8.  corners: (4, 2) pixels of it, clockwise as the picture shows it, off by two modules at most; which of
    them is the symbol's own top left is found.
    """
    placed = _placed(grey, np.asarray(corners, dtype=np.float64), side)
    if placed is None:
        return None
    picture, to_picture = placed
    known, spots = function_patterns(side), _spots(picture, side)
    soft = np.asarray(cv2.GaussianBlur(picture, (0, 0), SOFT * SCALE), dtype=np.uint8)
    bits = _decided(_darkness(soft, spots[QUIET:-QUIET, QUIET:-QUIET]), known)
    if (bits == known)[known >= 0].mean() < AGREE_LEAST:
        return None
    found = _read(bits, known) or _read(unmixed(_levels(soft, spots), known, bits), known)  # ten times as dear
    return replace(found[0], corners=transform(to_picture, _frame(_outer(side))), modules=side) if found else None


def _read(bits: NDArray[np.int8], known: NDArray[np.int8]) -> list[FoundCode]:
    return scan(_drawn(np.where(known >= 0, known, bits)), (Symbology.QR,))


def _outer(side: int) -> Corners:
    return np.array([[0, 0], [side, 0], [side, side], [0, side]], dtype=np.float64)


def _frame(modules: Corners) -> Corners:
    """Module coordinates (x, y) to pixels of the picture in which patterns are sought."""
    return (modules + MARGIN) * SCALE - 0.5


def _placed(grey: Image, corners: Corners, side: int) -> tuple[Image, Corners] | None:
    """The code at SCALE pixels a module with its finder patterns in place, and the transform from there back to `grey`."""
    outer = _outer(side)
    rough = _warped(grey, homography(_frame(outer), corners), side)
    far = side - FINDER
    # of the four corners the three with a finder pattern, from the one in their middle on
    shifts = [_shift(rough, _ring(RING), (row - 1, column - 1), FINDER_REACH)
              for column, row in ((0, 0), (far, 0), (far, far), (0, far))]
    seen = [shift[2] for shift in shifts]
    bare = int(np.argmin(seen))
    if sorted(seen)[1] < FINDER_LEAST:
        return None
    first = (bare + 2) % 4
    corners, shifts = np.roll(corners, -first, axis=0), [shifts[(first + k) % 4] for k in range(4)]
    turned = homography(_frame(outer), _frame(np.roll(outer, -first, axis=0)))
    back = homography(_frame(outer), corners)
    middle = FINDER / 2
    three: Corners = np.array([[middle, middle], [side - middle, middle], [middle, side - middle]], dtype=np.float64)
    moved = transform(turned, _frame(three)) + np.array([shifts[k][:2] for k in (0, 1, 3)])
    true = transform(np.asarray(np.linalg.inv(turned), dtype=np.float64), moved)
    affine = cv2.getAffineTransform(_frame(three).astype(np.float32), true.astype(np.float32))
    back = back @ np.vstack([affine, [0, 0, 1]])
    return _warped(grey, back, side), back


def _warped(grey: Image, back: Corners, side: int) -> Image:
    size = (side + 2 * MARGIN) * SCALE
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpPerspective(grey, back, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8)


@lru_cache(maxsize=4)
def _ring(side: int) -> Floats:
    """A finder pattern with its border, or an alignment pattern: -1 dark, 1 light, at SCALE pixels a module, slightly blurred."""
    away = np.maximum(*np.abs(np.mgrid[:side, :side] - side // 2))
    modules = np.where(away == {RING: 2, ALIGNMENT: 1}[side], 1, -1)
    modules[away == RING // 2] = 1
    drawn = np.kron(modules, np.ones((SCALE, SCALE))).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(drawn, (0, 0), 0.4 * SCALE), dtype=np.float32)


def _shift(picture: Image, pattern: Floats, place: tuple[int, int], reach: float) -> tuple[float, float, float]:
    """How far from its place (row, column of its first module) a pattern is, in pixels (x, y), and how well it matches there."""
    pad = int(min(reach, MARGIN - 1) * SCALE)
    top, left = ((modules + MARGIN) * SCALE - pad for modules in place)
    window = picture[max(top, 0):top + len(pattern) + 2 * pad, max(left, 0):left + len(pattern) + 2 * pad].astype(np.float32)
    match = cv2.matchTemplate(window, pattern, cv2.TM_CCOEFF_NORMED)
    _, best, _, (x, y) = cv2.minMaxLoc(match)
    return float(x - pad), float(y - pad), float(best)


def _spots(picture: Image, side: int) -> Corners:
    """(side + 2 QUIET, side + 2 QUIET, 2) pixels: the middle of each module, the quiet zone's too, where the alignment patterns
    say that it is (a card is not flat, a lens not straight)."""
    shifts = {centre: _shift(picture, _ring(ALIGNMENT), (centre[0] - 2, centre[1] - 2), ALIGNMENT_REACH)
              for centre in alignment_centres(side)}
    places = [centre for centre, shift in shifts.items() if shift[2] >= ALIGNMENT_LEAST]
    far = side - FINDER / 2
    ends = [(FINDER / 2, FINDER / 2), (FINDER / 2, far), (far, FINDER / 2)]
    at = np.array([*((row + 0.5, column + 0.5) for row, column in places), *ends])
    moved = np.array([*(shifts[place][:2] for place in places), *((0.0, 0.0) for _ in ends)])
    rows, columns = np.mgrid[-QUIET:side + QUIET, -QUIET:side + QUIET] + 0.5
    bend = _smooth(at, moved, np.stack([rows.ravel(), columns.ravel()], axis=1), side)
    return _frame(np.stack([columns, rows], axis=-1)) + bend.reshape(*rows.shape, 2)


def _levels(soft: Image, spots: Corners) -> Floats:
    """(len(PHASES)^2, n, n) grey levels at `spots` moved by each of `PHASES` along rows and columns."""
    moved = (spots + SCALE * np.array([right, down]) for down in PHASES for right in PHASES)
    return np.stack([_at(soft, places) for places in moved])


def _at(picture: Image, places: Corners) -> Floats:
    x, y = (np.ascontiguousarray(places[..., k], dtype=np.float32) for k in (0, 1))
    level = cv2.remap(picture.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(level, dtype=np.float32)


def _darkness(soft: Image, spots: Corners) -> Floats:
    """(side, side): darkness of each module against what lies round it, in deviations."""
    level = _at(soft, spots)
    mean = cv2.blur(level, (WINDOW, WINDOW))
    spread = np.sqrt(np.maximum(cv2.blur(level * level, (WINDOW, WINDOW)) - mean * mean, 4.0))
    return np.asarray((mean - level) / spread, dtype=np.float32)


def _smooth(at: Corners, moved: Corners, wanted: Corners, side: int) -> Corners:
    """Shifts (N, 2) at places, as a polynomial through those given: of second order where there are enough of them. Robust."""
    order = 6 if len(at) >= 10 else 4 if len(at) >= 7 else 3

    def terms(places: Corners) -> Corners:
        y, x = ((places[:, k] - side / 2) / (side / 2) for k in (0, 1))
        return np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=1)[:, :order]

    given, weight = terms(at), np.ones(len(at))
    for _ in range(4):
        factors = np.linalg.lstsq(given * weight[:, None], moved * weight[:, None], rcond=None)[0]
        weight = 1 / (1 + np.abs(moved - given @ factors).max(axis=1) ** 2)
    return np.asarray(terms(wanted) @ factors, dtype=np.float64)


def _decided(samples: Floats, known: NDArray[np.int8]) -> NDArray[np.int8]:
    """What the modules are, 0 light or 1 dark, (side, side): decisions and the weights that they teach, until neither changes."""
    side = len(samples)
    padded = np.pad(samples, REACH, constant_values=-1.0)
    width = 2 * REACH + 1
    mixed = np.stack([padded[row:row + side, column:column + side].ravel() for row in range(width) for column in range(width)]
                     + [np.ones(side * side, np.float32)], axis=1)
    products = mixed.T @ mixed + RIDGE * np.eye(mixed.shape[1], dtype=np.float32)
    fixed, truth = known.ravel() >= 0, np.where(known.ravel() > 0, 1.0, -1.0).astype(np.float32)
    dark = samples.ravel() > 0
    for _ in range(MOST_ROUNDS):
        target = np.where(fixed, truth, np.where(dark, 1.0, -1.0)).astype(np.float32)
        before, dark = dark, mixed @ np.linalg.solve(products, mixed.T @ target) > 0
        if (dark == before).all():
            break
    return dark.astype(np.int8).reshape(side, side)


def _drawn(bits: NDArray[np.int8]) -> Image:
    clean = np.kron(np.where(bits > 0, 0, 255), np.ones((DRAWN, DRAWN))).astype(np.uint8)
    return np.pad(clean, DRAWN_QUIET * DRAWN, constant_values=255)


@lru_cache(maxsize=8)
def alignment_centres(side: int) -> tuple[tuple[int, int], ...]:
    """(row, column) of the alignment patterns' middle modules: evenly spaced by even numbers from the far end back, and 6."""
    version = (side - 17) // 4
    if version < 2:
        return ()
    count = version // 7 + 2
    step = 26 if version == 32 else -(-(side - 13) // (2 * count - 2)) * 2
    lines = [6, *(side - 7 - step * k for k in range(count - 2, -1, -1))]
    corners = {(6, 6), (6, side - 7), (side - 7, 6)}
    return tuple((row, column) for row in lines for column in lines if (row, column) not in corners)


@lru_cache(maxsize=8)
def function_patterns(side: int) -> NDArray[np.int8]:
    """(side, side): 1 dark and 0 light where every QR of this size is the same, -1 elsewhere."""
    known = np.full((side, side), -1, np.int8)
    known[6] = known[:, 6] = (np.arange(side) + 1) % 2
    rows, columns = np.mgrid[:side, :side]
    for row, column in ((3, 3), (3, side - 4), (side - 4, 3)):
        away = np.maximum(np.abs(rows - row), np.abs(columns - column))
        near = away <= FINDER // 2 + 1
        known[near] = (away[near] != 2) & (away[near] <= FINDER // 2)
    for row, column in alignment_centres(side):
        away = np.maximum(np.abs(rows - row), np.abs(columns - column))
        known[away <= 2] = away[away <= 2] != 1
    return known


HALF = 3
"""Finder patterns are sought in the picture at half its size."""
SEEN_LEAST = 0.35
"""Correlation from which a place may be a finder pattern; three that stand as a QR's do confirm each other."""
MOST_FINDERS = 16
SLACK = 0.08
"""How far the three may be off a right angle with equal legs, as a share of a leg, and a leg off what the modules' size asks."""


def find_finders(grey: Image, side: int, modules_px: tuple[float, ...]) -> list[Corners]:
    """Corners (4, 2) of what stands upright in (H, W) grey as QRs of `side` modules, best first; modules of about these sizes."""
    small = np.asarray(cv2.resize(grey, None, fx=1 / HALF, fy=1 / HALF, interpolation=cv2.INTER_AREA), dtype=np.float32)
    found: list[tuple[float, Corners]] = []
    for module in (px / HALF for px in modules_px):
        width = round(RING * module)
        pattern = cv2.resize(_ring(RING), (width, width), interpolation=cv2.INTER_AREA)
        if min(small.shape) <= width:
            continue
        match = np.asarray(cv2.matchTemplate(small, pattern, cv2.TM_CCOEFF_NORMED), dtype=np.float32)
        crest = (match >= SEEN_LEAST) & (match >= cv2.dilate(match, np.ones((width, width), np.uint8)))
        rows, columns = np.nonzero(crest)
        best = np.argsort(-match[rows, columns])[:MOST_FINDERS]
        places: Corners = np.stack([columns[best], rows[best]], axis=1).astype(np.float64) + (width - 1) / 2
        found += _triples(places, match[rows[best], columns[best]], (side - FINDER) * module)
    found.sort(key=lambda one: -one[0])
    kept: list[Corners] = []
    for _, three in found:
        corners = _corners_of((three + 0.5) * HALF - 0.5, side)
        if all(np.linalg.norm(corners.mean(axis=0) - other.mean(axis=0)) > np.ptp(corners[:, 0]) / 4 for other in kept):
            kept.append(corners)
    return kept


def _triples(places: Corners, match: Floats, leg: float) -> list[tuple[float, Corners]]:
    """Sum of matches and (3, 2) places of every three that stand as top left, top right and bottom left of an upright QR."""
    reach = 3 * SLACK * leg  # SLACK for the angle, and the modules' size is known to about a fifth of itself
    found = []
    for i, first in enumerate(places):
        rights = [j for j, other in enumerate(places) if np.abs(other - first - (leg, 0)).max() < reach]
        belows = [j for j, other in enumerate(places) if np.abs(other - first - (0, leg)).max() < reach]
        for j in rights:
            across = places[j] - first
            square = first + np.array([-across[1], across[0]])
            near = [k for k in belows if np.abs(places[k] - square).max() < SLACK * leg]
            found += [(float(match[i] + match[j] + match[k]), np.stack([first, places[j], places[k]])) for k in near]
    return found


def _corners_of(three: Corners, side: int) -> Corners:
    """Outer corners from the middles of the three finder patterns."""
    across, down = ((three[k] - three[0]) / (side - FINDER) for k in (1, 2))
    top_left = three[0] - FINDER / 2 * (across + down)
    return np.stack([top_left, top_left + side * across, top_left + side * (across + down), top_left + side * down])

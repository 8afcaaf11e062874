"""The lines of ruled paper, and the frame around a drawing area: straight, from edge to edge, and none of the signature."""

from __future__ import annotations

from math import cos, pi, radians, sin

import cv2
import numpy as np

from pipeline.networks.api import Array, Image

FOUND_SHARE, COVERED_SHARE = 0.35, 0.8
"""Share of a side that a straight line must collect to be looked at, and that must be covered all along it, pale places too."""
END_SHARE, END_COVERED = 0.04, 0.4
"""The two ends of a line, which must be covered too: it comes from outside the picture and leaves it again."""
INSET_SHARE = 0.05
"""A frame stands no farther from the picture's edges than this share of its sides."""
FRAME_SIDES = 3
ASKEW_DEGREES = 6.0
SLACK = 2
"""Pixels that a line may bend to either side."""
DARKER = 1.6
"""Ink has so many times a line's contrast."""
PARALLEL_SHARE = 0.03
"""Of the width: how much more one line may rise than the strongest."""
MOST_LINES = 3000


def without_ruled_lines(mask: Image, weak: Image, away: Image) -> Image:
    """A photograph's mask (H, W; 255: ink) without them; strokes that cross a line stay whole.

    weak: with paler ink, in which lines hang together better.  away: contrast of each pixel, uint8.
    """
    return _without(mask, _lines(weak), _lines(weak.T), away) if mask.any() else mask


def without_frame(mask: Image) -> Image:
    """A screen drawing's mask without the frame around it; a line that is none stays, since somebody may have drawn it."""
    across, down = _lines(mask, INSET_SHARE), _lines(mask.T, INSET_SHARE)
    sides = {(lines is down, bool(rows.mean() > side / 2))
             for lines, side in ((across, mask.shape[0]), (down, mask.shape[1])) for rows in lines}
    return _without(mask, across, down, mask) if len(sides) >= FRAME_SIDES else mask


def _lines(mask: Image, inset: float | None = None) -> list[Array]:
    """The rows, by column, of straight lines from the left edge to the right; within `inset` of top or bottom, if given."""
    height, width = mask.shape
    held = np.flatnonzero(mask.any(axis=0))
    reach = max(1, round((END_SHARE if inset is None else inset) * width))
    if not held.size or min(height, width) <= 8 * SLACK or held[0] >= reach or held[-1] < width - reach:
        return []
    mask = np.ascontiguousarray(mask)
    found = cv2.HoughLines(mask, 1, pi / 720, round(FOUND_SHARE * width), min_theta=pi / 2 - radians(ASKEW_DEGREES),
                           max_theta=pi / 2 + radians(ASKEW_DEGREES))
    thick = cv2.dilate(mask, np.ones((2 * SLACK + 1, 1), np.uint8)) > 0
    columns, lines = np.arange(width), list[Array]()
    for rho, theta in (() if found is None else found[:MOST_LINES, 0]):
        rows = (rho - columns * cos(theta)) / sin(theta)
        # they come strongest first, each with many that are nearly it; ruled lines are parallel
        if any(abs(float(rows.mean() - other.mean())) <= 3 * SLACK for other in lines):
            continue
        if lines and abs(_rise(rows) - _rise(lines[0])) > PARALLEL_SHARE * width:
            continue
        inside = np.flatnonzero((rows >= 0) & (rows < height))
        if inside.size < FOUND_SHARE * width:
            continue
        if inset is not None and not np.all(np.minimum(rows, height - rows) <= inset * height + 2 * SLACK):
            continue
        covered = thick[rows[inside].astype(int), columns[inside]]
        ends = max(2, round(END_SHARE * width)) if inset is None else 0
        whole = ends == 0 or min(covered[:ends].mean(), covered[-ends:].mean()) >= END_COVERED
        if whole and covered.mean() >= COVERED_SHARE:
            lines.append(rows)
    return lines


def _rise(rows: Array) -> float:
    return float(rows[-1] - rows[0])


def _without(mask: Image, across: list[Array], down: list[Array], away: Image) -> Image:
    if not across and not down:
        return mask
    rows, columns = _band(mask.shape, across), np.ascontiguousarray(_band(mask.T.shape, down).T)
    # ink over a line is darker than the line
    on_lines = away[((rows | columns) & mask) > 0]
    if not on_lines.size:
        return mask
    level = float(np.median(on_lines))
    rows, columns = (np.where(away > DARKER * level, np.uint8(0), band) for band in (rows, columns))
    left = _without_band(mask, rows)
    left = np.ascontiguousarray(_without_band(np.ascontiguousarray(left.T), np.ascontiguousarray(columns.T)).T)
    near = cv2.dilate(rows | columns, np.ones((4 * SLACK + 1, 4 * SLACK + 1), np.uint8))
    return _without_crumbs(left, np.asarray(near, np.uint8))


def _band(shape: tuple[int, ...], lines: list[Array]) -> Image:
    band = np.zeros(shape, np.uint8)
    for rows in lines:
        cv2.line(band, (0, round(float(rows[0]))), (shape[1] - 1, round(float(rows[-1]))), 255, 2 * SLACK + 1)
    return band


def _without_band(mask: Image, band: Image) -> Image:
    """The mask without the ink in the band, where none goes on both above and below."""
    outside = np.where(band > 0, np.uint8(0), mask)
    reach = np.ones((6 * SLACK, 1), np.uint8)
    above = cv2.dilate(outside, reach, anchor=(0, len(reach) - 1))
    below = cv2.dilate(outside, reach, anchor=(0, 0))
    crossing = (band > 0) & (mask > 0) & (above > 0) & (below > 0)
    return np.where(crossing, np.uint8(255), outside)


def _without_crumbs(mask: Image, near: Image) -> Image:
    """Without what a removed line leaves: pieces that lie wholly near one."""
    count, labels = cv2.connectedComponents(mask, connectivity=8)
    keep = np.zeros(count, bool)
    keep[np.unique(labels[near == 0])] = True
    keep[0] = False
    return np.where(keep[labels], np.uint8(255), np.uint8(0))

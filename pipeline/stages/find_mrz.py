"""Where the machine-readable zone is: rows of equal, equally spaced lines of print that share both their ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.networks.api import Image
from pipeline.stages.find_words import HALF, Boxes, LineBox, ink_of, merge_words, word_boxes

LEAST_WIDTH = 0.62
"""Share of the picture's width: thirty symbols at 2.54 mm take 76 mm of a card's 85.6, less what light swallowed."""
TORN = 0.5
"""Share of the least width that a torn line must keep."""
LEAST_RUN = 3.0
"""Lengths of a line's piece that count, in heights: three symbols."""
PITCH_PER_HEIGHT = (1.15, 2.6)
"""Distance of two lines over the height of their digits: ICAO 9303-5 sets 4.23 mm for digits of about 2.7 mm."""


@dataclass(frozen=True, slots=True)
class SlopedLine:
    """One row of print. `slope`: dy/dx of its middle; the box is the ink of its digits at the line's middle."""

    line: LineBox
    slope: float


@dataclass(frozen=True, slots=True)
class MrzBand:
    """The lines, top to bottom, with common ends. score 0..1: how alike in ends, height and distance they are."""

    lines: tuple[SlopedLine, ...]
    score: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 around all lines, in pixels of the picture."""
        top, bottom = self.lines[0], self.lines[-1]
        wide = top.line.x1 - top.line.x0
        rises = abs(top.slope) * wide / 2
        return (top.line.x0, top.line.y0 - rises, top.line.x1, bottom.line.y1 + rises)


TALLER = 1.3
"""The tall signs of a line over most of them, from which the tall ones say how high its digits are."""
FILLERS = 0.55
"""Height of the lowest sign of a line over that of the tallest: outside OCR-B a filler has 0.6 of a digit's."""


def find_mrz_band(card_grey: Image) -> MrzBand | None:
    """Three lines in the lower half of an upright rectified card, (1080, 1712) uint8; None where no such band is."""
    band = find_band(card_grey, 3)
    if band is None:
        return None
    middle = (band.lines[0].line.y0 + band.lines[-1].line.y1) / 2
    return band if middle > card_grey.shape[0] / 2 else None


def find_band(grey: Image, count: int, least_width: float = LEAST_WIDTH) -> MrzBand | None:
    """The best band of `count` lines anywhere in an upright picture whose print is about as large as a card's.

    least_width: of a line, as a share of the picture's width.
    """
    least = least_width * grey.shape[1]
    groups = join_rows([words for words in merge_words(word_boxes(ink_of(grey)), FILLERS) if is_run(words)])
    rows = [row for words in groups if (row := _row(words, TORN * least)) is not None]
    rows.sort(key=lambda row: row.line.y0)
    bands = [band for first in range(len(rows)) if (band := _band(rows, first, count, least)) is not None]
    return max(bands, key=lambda band: band.score, default=None)


def is_run(words: Boxes) -> bool:
    """Whether a group is long enough to be a piece of such a line."""
    return int(words[:, 2].max() - words[0, 0]) >= LEAST_RUN * int((words[:, 3] - words[:, 1]).max())


def join_rows(groups: list[Boxes]) -> list[Boxes]:
    """Pieces of one row as one, however wide the gap: glare and fingers tear a line apart."""
    rows: list[Boxes] = []
    for words in sorted(groups, key=lambda words: int(words[0, 0])):
        height, middle = _height(words), _middle(words)
        for index, row in enumerate(rows):
            alike = 0.7 < height / _height(row) < 1.4
            if alike and abs(middle - _middle(row)) < 0.4 * height and words[0, 0] >= row[:, 2].max():
                rows[index] = np.concatenate([row, words])
                break
        else:
            rows.append(words)
    return rows


def _height(words: Boxes) -> float:
    return float(np.median(words[:, 3] - words[:, 1]))


def _middle(words: Boxes) -> float:
    """Of the row's last words: a line may climb."""
    return float(np.mean(words[-4:, 1] + words[-4:, 3])) / 2


def _row(words: Boxes, least: float) -> SlopedLine | None:
    """A long group of words as one line; None for one shorter than `least` pixels."""
    x0, x1 = int(words[:, 0].min()) * HALF, int(words[:, 2].max()) * HALF
    if x1 - x0 < least:
        return None
    heights, middles = words[:, 3] - words[:, 1], (words[:, 1] + words[:, 3]) / 2
    centres = (words[:, 0] + words[:, 2]) / 2
    height, tall = (float(value) for value in np.percentile(heights, (60, 90)))
    if tall > TALLER * height:  # mostly fillers of a typeface that has them low: a short name's line
        height = tall
    typical = np.abs(heights - height) < 0.35 * height
    slope, middle = _straight(centres[typical], middles[typical], (x0 + x1) / 2 / HALF, words[typical])
    return SlopedLine(LineBox(x0, (middle - height / 2) * HALF, x1, (middle + height / 2) * HALF), slope)


def _straight(x: NDArray[np.float64], y: NDArray[np.float64], at: float, words: Boxes) -> tuple[float, float]:
    """Slope and height at `at` of the line through the words' middles, each weighed by its width."""
    weight = (words[:, 2] - words[:, 0]).astype(np.float64)
    if len(x) < 3 or np.ptp(x) < 0.4 * at:
        return 0.0, float(np.average(y, weights=weight)) if len(y) else 0.0
    slope, offset = np.polyfit(x - at, y, 1, w=np.sqrt(weight))
    residual = np.abs(y - (slope * (x - at) + offset))
    near = residual <= max(2.0, 2 * float(np.median(residual)))
    slope, offset = np.polyfit(x[near] - at, y[near], 1, w=np.sqrt(weight[near]))
    return float(slope), float(offset)


def _band(rows: list[SlopedLine], first: int, count: int, least: float) -> MrzBand | None:
    """The band that starts at a row: each next one at the same distance, at least half of them whole."""
    start = rows[first]
    for second in rows[first + 1:]:
        pitch = second.line.y0 - start.line.y0
        ratio = pitch / start.line.height
        if ratio > 2 * PITCH_PER_HEIGHT[1]:
            break
        found = [_nearest(rows, start, step * pitch) for step in range(count)]
        present = [row for row in found if row is not None]
        whole = sum(row.line.x1 - row.line.x0 >= least for row in present)
        if PITCH_PER_HEIGHT[0] <= ratio <= PITCH_PER_HEIGHT[1] and len(present) == count and 2 * whole >= count:
            return _agreed(present, pitch)
    return None


def _nearest(rows: list[SlopedLine], start: SlopedLine, below: float) -> SlopedLine | None:
    """The row about `below` pixels under the start, of its height, that shares at least one end with it."""
    height, wide = start.line.height, start.line.x1 - start.line.x0
    for row in rows:
        line = row.line
        if (abs(line.y0 - start.line.y0 - below) < 0.35 * height and 0.7 < line.height / height < 1.4
                and min(abs(line.x0 - start.line.x0), abs(line.x1 - start.line.x1)) < 0.06 * wide):
            return row
    return None


def _agreed(rows: list[SlopedLine], pitch: float) -> MrzBand:
    """Common ends, height and slope: what one line lost or gained, the others put right."""
    lines = [row.line for row in rows]
    longest = max(line.x1 - line.x0 for line in lines)
    whole = [line for line in lines if line.x1 - line.x0 > 0.95 * longest]
    x0, x1 = float(np.median([line.x0 for line in whole])), float(np.median([line.x1 for line in whole]))
    height, slope = float(np.median([line.height for line in lines])), float(np.median([row.slope for row in rows]))
    spread = (np.ptp([line.x0 for line in lines]) + np.ptp([line.x1 for line in lines])) / (x1 - x0)
    uneven = max(abs(line.y0 - lines[0].y0 - step * pitch) for step, line in enumerate(lines)) / height
    middles = [(line.y0 + line.y1) / 2 + row.slope * ((x0 + x1) / 2 - (line.x0 + line.x1) / 2)
               for line, row in zip(lines, rows, strict=True)]
    agreed = tuple(SlopedLine(LineBox(x0, middle - height / 2, x1, middle + height / 2), slope) for middle in middles)
    return MrzBand(agreed, float(np.clip(1 - spread - 0.3 * uneven, 0, 1)))

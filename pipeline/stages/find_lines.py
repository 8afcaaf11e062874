"""Where the lines of print are on the upright rectified card. Local contrast and geometry; no network, no template."""

from __future__ import annotations

import numpy as np

from pipeline.networks.api import Image
from pipeline.stages.find_mrz import MrzBand, find_mrz_band
from pipeline.stages.find_words import HALF, MIN_HEIGHT_MM, MM, Boxes, LineBox, ink_of, merge_words, quantile, word_boxes

MAX_LINES = 60
"""More than any model prints; the widest are kept."""

NARROW, NARROW_HEIGHT_MM = 1.5, 1.3
"""A single letter (the sex) is as large as a value; smaller specks are hair, eyes and dust."""

__all__ = ["LineBox", "MrzBand", "find_lines", "find_mrz_band"]


def find_lines(card_grey: Image) -> tuple[LineBox, ...]:
    """Lines of dark print on an upright card, (1080, 1712) uint8; top to bottom, then left to right. At most `MAX_LINES`."""
    ink = ink_of(card_grey)
    words = word_boxes(ink)
    lines = merge_words(words)
    found = [fit for line in lines if (fit := fit_capitals(ink, line)) is not None]
    found.sort(key=lambda line: -(line.x1 - line.x0))
    return tuple(sorted(found[:MAX_LINES], key=lambda line: (line.y0, line.x0)))


def fit_capitals(ink: Image, words: Boxes) -> LineBox | None:
    """The line's box, its top and bottom where most letters have theirs: accents, commas and tails stand out of it."""
    x0, y0, x1, y1 = int(words[0, 0]), int(words[:, 1].min()), int(words[:, 2].max()), int(words[:, 3].max())
    profile = np.count_nonzero(ink[y0:y1, x0:x1], axis=1)
    rows = np.flatnonzero(profile >= 0.3 * quantile(profile, 0.8))
    top, bottom = y0 + int(rows[0]), y0 + int(rows[-1]) + 1
    if bottom - top < (MIN_HEIGHT_MM if x1 - x0 > NARROW * (bottom - top) else NARROW_HEIGHT_MM) * MM:
        return None
    return LineBox(float(x0 * HALF), float(top * HALF), float(x1 * HALF), float(bottom * HALF))

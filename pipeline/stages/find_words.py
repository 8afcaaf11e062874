"""Words of dark print on the rectified card, by local contrast and geometry; lines and MRZs are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.networks.api import Image
from pipeline.stages.geometry import PX_PER_MM

HALF = 2
"""The analysis runs on the card at half size, 10 px a millimetre: the smallest print keeps strokes of 1.5 px."""
MM = PX_PER_MM // HALF
STROKE_MM = 1.3
"""Dark runs wider than this are no strokes: photograph, overprint, bars of the frame."""
LETTER_GAP_MM = 0.5
MIN_HEIGHT_MM, MAX_HEIGHT_MM = 0.75, 4.2
"""Capitals of labels are about 1.1 mm, the largest headings 3.5 mm; blur adds and takes some."""
STACKED_MM = 2.6
"""A component taller than this may be two lines of print."""
WORD_GAP = 1.0
"""Words whose gap is below this share of their height are one line; a label and its value usually stand further apart."""


@dataclass(frozen=True, slots=True)
class LineBox:
    """One line: the ink of its capitals, from their top to the base line, in pixels of the rectified card."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def box(self) -> tuple[float, float, float, float]:
        return self.x0, self.y0, self.x1, self.y1


SAME_BASE = 0.4
"""How far the bases of two neighbours on one line may lie apart, in heights of the taller: tails and commas make up to a
third; a small label that stands beside the upper half of a value is another line."""
ALIKE = 0.72
"""Heights of words of one line, low over tall: accents and tails make up to a quarter, and a label is about 0.6 of its value."""
Boxes = NDArray[np.int32]  # (N, 4): x0, y0, x1, y1 in half-size pixels


def ink_of(card_grey: Image) -> Image:
    """Darkness of strokes against their surroundings at half size, 0..255; zero where it is no more than the pattern's."""
    small = cv2.resize(card_grey, (card_grey.shape[1] // HALF, card_grey.shape[0] // HALF), interpolation=cv2.INTER_AREA)
    side = int(STROKE_MM * MM) | 1
    hat = np.asarray(cv2.morphologyEx(small, cv2.MORPH_BLACKHAT, np.ones((side, side), np.uint8)), dtype=np.uint8)
    return np.asarray(cv2.threshold(hat, ink_threshold(hat), 255, cv2.THRESH_TOZERO)[1], dtype=np.uint8)


def ink_threshold(hat: Image) -> float:
    """Between pattern and print: a share of what the darkest hundredth of the card reaches, never below the noise."""
    histogram = np.bincount(hat[::2, ::2].ravel(), minlength=256)
    darkest = int(np.searchsorted(np.cumsum(histogram), 0.985 * histogram.sum()))
    return max(0.36 * darkest, 12.0)


def word_boxes(ink: Image) -> Boxes:
    """Runs of letters closer than `LETTER_GAP_MM`, by their bounding boxes; what cannot be print is left out."""
    mask = np.asarray(cv2.threshold(ink, 0, 1, cv2.THRESH_BINARY)[1], dtype=np.uint8)
    gap = int(LETTER_GAP_MM * MM)
    joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((1, gap + 1), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8, ltype=cv2.CV_16U)
    stats = stats[1:][stats[1:, 3] >= MIN_HEIGHT_MM * MM]
    w, h, area = stats[:, 2], stats[:, 3], stats[:, 4]
    solid = (area > 0.2 * w * h) & (w >= 0.25 * h)
    boxes = stats[:, :4] + np.pad(stats[:, :2], ((0, 0), (2, 0)))  # x, y, w, h to x0, y0, x1, y1
    single = solid & (h <= MAX_HEIGHT_MM * MM)
    parts = [boxes[:0]]
    for place in np.flatnonzero(solid & (h > STACKED_MM * MM) & (h <= 4 * STACKED_MM * MM) & (w > h)):
        rows = unstack(mask, boxes[place])
        if len(rows) > 1:
            single[place] = False
            parts.append(rows)
    return np.concatenate([boxes[single], *parts]).astype(np.int32)


def unstack(mask: Image, box: NDArray[np.int32]) -> Boxes:
    """The rows of print in a box that an accent or a tail glued together, each with its own left and right end."""
    window = mask[box[1]:box[3], box[0]:box[2]]
    profile = window.sum(axis=1)
    dense = np.concatenate([[0], (profile >= 0.3 * quantile(profile, 0.75)).astype(np.int8), [0]])
    starts, ends = np.flatnonzero(np.diff(dense) == 1), np.flatnonzero(np.diff(dense) == -1)
    rows = []
    for top, bottom in zip(starts, ends, strict=True):
        if MIN_HEIGHT_MM * MM <= bottom - top <= MAX_HEIGHT_MM * MM:
            columns = np.flatnonzero(window[top:bottom].any(axis=0))
            rows.append((box[0] + columns[0], box[1] + top, box[0] + columns[-1] + 1, box[1] + bottom))
    return np.array(rows, dtype=np.int32).reshape(-1, 4)


def quantile(values: NDArray[np.integer[Any]], share: float) -> int:
    """The value below which a share lies; a tenth of the time that NumPy's own takes on few values."""
    return int(np.partition(values, int(share * (len(values) - 1)))[int(share * (len(values) - 1))])


def merge_words(words: Boxes, alike: float = ALIKE) -> list[Boxes]:
    """Groups words of one height that stand on one base line next to each other.  alike: low over tall, at least."""
    lines: list[list[tuple[int, int, int, int]]] = []
    for x0, y0, x1, y1 in sorted(map(tuple, words.tolist())):
        height = y1 - y0
        for line in reversed(lines):
            _, last_y0, last_x1, last_y1 = line[-1]
            other = last_y1 - last_y0
            tall, low = max(height, other), min(height, other)
            overlap = min(y1, last_y1) - max(y0, last_y0)
            if (x0 - last_x1 <= WORD_GAP * tall and overlap >= 0.6 * low and low >= alike * tall
                    and abs(y1 - last_y1) <= SAME_BASE * tall):
                line.append((x0, y0, x1, y1))
                break
        else:
            lines.append([(x0, y0, x1, y1)])
    return [np.array(line, dtype=np.int32) for line in lines]

"""Words of dark print on the rectified card, by local contrast and geometry; lines and MRZs are made of them."""

from __future__ import annotations

from dataclasses import dataclass

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
    mask = (ink > 0).astype(np.uint8)
    gap = int(LETTER_GAP_MM * MM)
    joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((1, gap + 1), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=4, ltype=cv2.CV_16U)
    boxes = stats[1:, :4] + np.pad(stats[1:, :2], ((0, 0), (2, 0)))  # x, y, w, h to x0, y0, x1, y1
    area = stats[1:, 4]
    w, h = stats[1:, 2], stats[1:, 3]
    solid = (area > 0.2 * w * h) & (w >= 0.25 * h) & (h >= MIN_HEIGHT_MM * MM)
    single = boxes[solid & (h <= MAX_HEIGHT_MM * MM)]
    doubtful = boxes[solid & (h > STACKED_MM * MM) & (h <= 4 * STACKED_MM * MM) & (w > h)]
    parts = {tuple(box.tolist()): rows for box in doubtful if len(rows := unstack(mask, box)) > 1}
    kept = [box for box in single if tuple(box.tolist()) not in parts]
    return np.concatenate([np.array(kept, np.int32).reshape(-1, 4), *parts.values()]).astype(np.int32)


def unstack(mask: Image, box: NDArray[np.int32]) -> Boxes:
    """The rows of print in a box that an accent or a tail glued together, each with its own left and right end."""
    window = mask[box[1]:box[3], box[0]:box[2]]
    profile = window.sum(axis=1)
    dense = np.concatenate([[0], (profile >= 0.3 * np.percentile(profile, 75)).astype(np.int8), [0]])
    starts, ends = np.flatnonzero(np.diff(dense) == 1), np.flatnonzero(np.diff(dense) == -1)
    rows = []
    for top, bottom in zip(starts, ends, strict=True):
        if MIN_HEIGHT_MM * MM <= bottom - top <= MAX_HEIGHT_MM * MM:
            columns = np.flatnonzero(window[top:bottom].any(axis=0))
            rows.append((box[0] + columns[0], box[1] + top, box[0] + columns[-1] + 1, box[1] + bottom))
    return np.array(rows, dtype=np.int32).reshape(-1, 4)


def merge_words(words: Boxes) -> list[Boxes]:
    """Groups words of one height that stand on one base line next to each other."""
    order = np.argsort(words[:, 0], kind="stable")
    lines: list[list[NDArray[np.int32]]] = []
    for word in words[order]:
        height = word[3] - word[1]
        for line in reversed(lines):
            last = line[-1]
            tall = max(height, last[3] - last[1])
            low = min(height, last[3] - last[1])
            overlap = min(word[3], last[3]) - max(word[1], last[1])
            if word[0] - last[2] <= WORD_GAP * tall and overlap >= 0.6 * low and low >= 0.6 * tall:
                line.append(word)
                break
        else:
            lines.append([word])
    return [np.stack(line) for line in lines]

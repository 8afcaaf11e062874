"""Before and after PP-OCR's recogniser (PP-OCRv6 small): the slower, general reader that is asked where our own one doubts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from models.registry import weight_path
from pipeline.networks.api import Image, Net, Networks
from pipeline.networks.line_reader import Reading, cut, greedy, pad

HEIGHT = 48
WIDTHS = (320, 480, 640, 928)
"""Closed widths; memory and tuning settle on them."""


INK = 30.0 / HEIGHT
"""Share of the crop's height that capitals fill: about what its training crops have."""


@cache
def alphabet() -> str:
    """The recogniser's characters in the order of its classes, without CTC's blank (class 0); a space is its last."""
    table = weight_path("ppocr_characters").read_text(encoding="utf-8").split("\n")
    return "".join(line if len(line) == 1 else "\N{REPLACEMENT CHARACTER}" for line in table if line)


def crop_for_ppocr(card: Image, box: tuple[float, float, float, float], slope: float = 0.0) -> Image:
    """Cuts a line out of a grey card by the box of its capitals, x0 y0 x1 y1 in card pixels, as the recogniser wants it."""
    x0, y0, x1, y1 = box
    margin, scale = 0.4 * (y1 - y0), HEIGHT * INK / max(y1 - y0, 1.0)
    width = max(round((x1 - x0 + 2 * margin) * scale), HEIGHT)
    return cut(card, (x0 - margin, (y0 + y1) / 2, x1 + margin), HEIGHT, width, scale, slope)


def read_ppocr(crops: Sequence[Image], networks: Networks) -> tuple[Reading, ...]:
    """Reads grey (48, w) uint8 crops, one run for each width that occurs. Input as trained: BGR, (x / 255 - 0.5) / 0.5."""
    readings = []
    for crop in crops:
        width = next((closed for closed in WIDTHS if crop.shape[1] <= closed), WIDTHS[-1])
        grey = pad(crop, width).astype(np.float32) / 127.5 - 1
        batch = np.broadcast_to(grey, (1, 3, HEIGHT, width))
        scores = networks.run(Net.PPOCR_READER, np.ascontiguousarray(batch))[0]
        path = scores[0].argmax(axis=1)
        readings.append(greedy(path, scores[0].max(axis=1), alphabet() + " "))
    return tuple(readings)

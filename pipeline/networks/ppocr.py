"""Before and after PP-OCR's recogniser (PP-OCRv6 small): the slower, general reader that is asked where our own one doubts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from models.registry import weight_path
from pipeline.networks.api import Image, Net, Networks
from pipeline.networks.line_reader import Reading, greedy, pad

HEIGHT = 48
WIDTHS = (320, 480, 640, 928)
"""Closed widths; memory and tuning settle on them."""


@cache
def alphabet() -> str:
    """The recogniser's characters in the order of its classes, without CTC's blank (class 0); a space is its last."""
    table = weight_path("ppocr_characters").read_text(encoding="utf-8").split("\n")
    return "".join(line if len(line) == 1 else "\N{REPLACEMENT CHARACTER}" for line in table if line)


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

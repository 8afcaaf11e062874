"""What years in a wallet do to a card: it fades, yellows, and gets scratched."""

from __future__ import annotations

import math
import random

import cv2
import numpy as np
from numpy.typing import NDArray

_MAX_FADE = 0.16
"""Share of contrast that the most faded specimen loses."""


def wear(image: NDArray[np.uint8], rng: random.Random) -> NDArray[np.uint8]:
    """A worn copy of a (H, W, 3) BGR side; more or less by `rng`."""
    age = rng.random() ** 2
    paper = np.array((236 - 14 * age, 244 - 4 * age, 246), np.float32)
    fade = _MAX_FADE * age
    table = np.arange(256, dtype=np.float32)[:, None] * (1 - fade) + paper * fade
    worn = cv2.LUT(image, np.ascontiguousarray(np.round(table).astype(np.uint8).reshape(1, 256, 3)))
    height, width = worn.shape[:2]
    for _ in range(int(14 * age)):
        x, y, angle = rng.uniform(0, width), rng.uniform(0, height), rng.gauss(0.3, 0.5)
        length = rng.uniform(60, 700)
        end = (round(x + length * math.cos(angle)), round(y + length * math.sin(angle)))
        grey = rng.choice((206, 216, 238, 246))
        cv2.line(worn, (round(x), round(y)), end, (grey, grey, grey), rng.choice((1, 1, 2)), cv2.LINE_AA)
    return np.asarray(worn, dtype=np.uint8)

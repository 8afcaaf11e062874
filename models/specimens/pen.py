"""What a hand leaves: a signature as strokes, and a finger's ridges. Both invented."""

from __future__ import annotations

import math
import random

import cv2
import numpy as np
from numpy.typing import NDArray

_POINTS_A_KNOT = 9
_CAPITALS = (
    ((0.10, 0.55), (0.0, 0.15), (0.22, 0.85), (0.30, 0.5), (0.12, -0.02), (0.36, 0.08)),
    ((0.34, 0.75), (0.24, 0.98), (0.04, 0.6), (0.08, 0.08), (0.28, -0.04), (0.42, 0.12)),
    ((0.36, 0.80), (0.22, 0.95), (0.10, 0.72), (0.26, 0.42), (0.24, 0.08), (0.04, 0.02), (0.12, -0.1), (0.42, 0.05)),
    ((0.0, 0.1), (0.10, 0.9), (0.18, 0.75), (0.22, 0.15), (0.36, 0.92), (0.42, 0.3), (0.46, 0.02), (0.54, 0.1)),
    ((0.02, 0.5), (0.18, 0.95), (0.24, 0.6), (0.06, 0.1), (0.0, -0.05), (0.10, -0.08), (0.40, 0.1)),
    ((0.06, 0.85), (0.08, 0.0), (0.10, 0.8), (0.34, 0.9), (0.30, 0.5), (0.12, 0.44), (0.32, 0.1), (0.44, 0.06)),
)
"""Ways that a first letter may run: knots (x, height over the line) in letter heights."""


def signature_strokes(seed: str) -> tuple[NDArray[np.float64], ...]:
    """A signature as pen strokes, each (N, 2) with x, y in 0..1 of a frame three times as wide as high; y grows downwards.

    The same seed (a person's `citizen_id`) always signs alike, so that the card and the screen can carry one hand.
    """
    rng = random.Random(f"signature {seed}")
    strokes = [_running_hand(rng, letters=rng.randint(4, 9))]
    if rng.random() < 0.4:
        second = _running_hand(rng, letters=rng.randint(3, 6))
        strokes.append(second + np.array((0.82 * strokes[0][:, 0].max(), rng.uniform(-0.05, 0.2))))
    if rng.random() < 0.6:
        strokes.append(_flourish(rng, max(float(stroke[:, 0].max()) for stroke in strokes)))
    together = np.concatenate(strokes)
    low, high = together.min(axis=0), together.max(axis=0)
    return tuple((stroke - low) / (high - low) * (0.94, 0.88) + (0.03, 0.06) for stroke in strokes)


def signature_mask(strokes: tuple[NDArray[np.float64], ...], width: int, height: int, pen_px: float) -> NDArray[np.uint8]:
    """Ink as (height, width) grey uint8, 255 where the pen went; the pen thins where it runs fast."""
    mask = np.zeros((height, width), np.uint8)
    for stroke in strokes:
        points = stroke * (width - 1, height - 1)
        speed = np.hypot(*np.diff(points, axis=0).T)
        typical = float(np.median(speed)) or 1.0
        for start, end, fast in zip(points[:-1], points[1:], speed, strict=True):
            thickness = max(1, round(pen_px * (1.25 - 0.35 * min(2.0, float(fast) / typical))))
            a, b = (tuple(np.round(point * 16).astype(int).tolist()) for point in (start, end))
            cv2.line(mask, a, b, 255, thickness, cv2.LINE_AA, shift=4)
    return mask


def fingerprint_mask(rng: random.Random, width: int, height: int) -> NDArray[np.uint8]:
    """Ridges of a whorl as (height, width) grey uint8, 255 full ink, fading towards an oval's edge."""
    y, x = np.mgrid[-1:1:complex(0, height), -1:1:complex(0, width)]
    core_x, core_y = rng.uniform(-0.12, 0.12), rng.uniform(-0.05, 0.2)
    swirl, ridges = rng.uniform(-1.2, 1.2), rng.uniform(58, 76)
    u, v = x - core_x, (y - core_y) * 1.15
    distance = np.hypot(u, v) + 0.10 * np.maximum(0, v) * np.abs(u)
    waves = sum(0.035 * np.sin(rng.uniform(2, 5) * x + rng.uniform(2, 5) * y + rng.uniform(0, 6)) for _ in range(3))
    pattern = np.sin(ridges * (distance + waves) + swirl * np.arctan2(v, u + 1e-6) * 2)
    noise = np.frombuffer(rng.randbytes(24 * 20), np.uint8).reshape(24, 20).astype(np.float32) / 255
    blots = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    edge = np.clip(6 * (1 - np.hypot(x / 0.96, y / 0.97)), 0, 1)
    ink = np.clip(1.6 * (pattern + 0.9 * (blots - 0.35)), 0, 1) * edge
    return np.asarray(np.round(255 * ink), dtype=np.uint8)


def _running_hand(rng: random.Random, letters: int) -> NDArray[np.float64]:
    """Joined letters: a capital, then bows and points of uneven height and width, some reaching below the line."""
    slant, tight = rng.uniform(0.05, 0.45), rng.uniform(0.10, 0.16)
    knots = list(rng.choice(_CAPITALS))
    x = knots[-1][0]
    for _ in range(letters):
        width = tight * rng.uniform(0.7, 1.5)
        kind = rng.random()
        top = rng.uniform(0.14, 0.30)
        if kind < 0.2:  # a loop above, as in l and b
            top = rng.uniform(0.5, 0.85)
            knots += [(x + 0.7 * width, top * 0.9), (x + 0.45 * width, top), (x + 0.3 * width, 0.3), (x + 0.5 * width, 0.0)]
        elif kind < 0.38:  # a loop below, as in g and y
            knots += [(x + 0.5 * width, top), (x + 0.6 * width, -0.1), (x + 0.35 * width, -rng.uniform(0.3, 0.5)),
                      (x + 0.15 * width, -0.25), (x + 0.9 * width, 0.05)]
        elif kind < 0.7:  # a point, as in u and n
            knots += [(x + 0.45 * width, top), (x + 0.5 * width, 0.02)]
        else:  # a bow that runs flat
            knots += [(x + 0.6 * width, top * 0.7), (x + 0.4 * width, 0.12), (x + 0.7 * width, 0.03)]
        x += width
    knots.append((x + rng.uniform(0.1, 0.45), rng.uniform(-0.05, 0.25)))
    points = _through(np.array(knots) + np.array([[rng.gauss(0, 0.012), rng.gauss(0, 0.015)] for _ in knots]))
    return np.stack((points[:, 0] + slant * points[:, 1], 1 - points[:, 1]), axis=1)


def _through(knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """A smooth curve through all knots (uniform Catmull-Rom)."""
    padded = np.concatenate((knots[:1], knots, knots[-1:]))
    t = np.linspace(0, 1, _POINTS_A_KNOT, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t ** 2 + (3 * b - a - 3 * c + d) * t ** 3)
        for a, b, c, d in zip(padded[:-3], padded[1:-2], padded[2:-1], padded[3:], strict=True)
    ]
    return np.concatenate((*pieces, knots[-1:]))


def _flourish(rng: random.Random, right: float) -> NDArray[np.float64]:
    """The line under a name."""
    t = np.linspace(0, 1, 40)
    x = right * (1.02 - rng.uniform(0.9, 1.0) * t + 0.12 * np.sin(2 * math.pi * t))
    y = 1.06 + rng.uniform(0.05, 0.16) * np.sin(math.pi * t * rng.choice((1.0, 2.0))) - 0.05 * t
    return np.stack((x, y), axis=1)

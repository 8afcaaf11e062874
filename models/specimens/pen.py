"""What a hand leaves: a signature as strokes, and a finger's ridges. Both invented."""

from __future__ import annotations

import math
import random

import cv2
import numpy as np
from numpy.typing import NDArray

_POINTS_A_LETTER = 22


def signature_strokes(seed: str) -> tuple[NDArray[np.float64], ...]:
    """A signature as pen strokes, each (N, 2) with x, y in 0..1 of a frame three times as wide as high; y grows downwards.

    The same seed (a person's `citizen_id`) always signs alike, so that the card and the screen can carry one hand.
    """
    rng = random.Random(f"signature {seed}")
    strokes = [_running_hand(rng, letters=rng.randint(5, 8), tall_first=True)]
    if rng.random() < 0.5:
        second = _running_hand(rng, letters=rng.randint(4, 7), tall_first=True)
        strokes.append(second + np.array((0.9, 0.05)))
    if rng.random() < 0.75:
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


def _running_hand(rng: random.Random, letters: int, tall_first: bool) -> NDArray[np.float64]:
    """Loops along a line, as joined letters are: a point that circles while it travels, each letter with a height of its own."""
    heights = [rng.uniform(0.16, 0.34) * (rng.uniform(1.8, 2.6) if rng.random() < 0.22 else 1) for _ in range(letters)]
    if tall_first:
        heights[0] = rng.uniform(0.65, 0.95)
    slant, openness = rng.uniform(0.15, 0.5), rng.uniform(0.06, 0.15)
    t = np.linspace(0, letters - 0.3, int(letters * _POINTS_A_LETTER))
    height = np.interp(t, np.arange(letters), heights)
    drift = 0.05 * np.sin(t * rng.uniform(0.5, 1.1) + rng.uniform(0, 6))
    y = height * (0.5 - 0.5 * np.cos(2 * math.pi * t)) + drift
    x = 0.17 * t + openness * np.sin(2 * math.pi * t) * (0.6 + height) + slant * y * 0.6
    return np.stack((x, 1 - y), axis=1)


def _flourish(rng: random.Random, right: float) -> NDArray[np.float64]:
    """The line under a name."""
    t = np.linspace(0, 1, 40)
    x = right * (1.02 - rng.uniform(0.9, 1.0) * t + 0.12 * np.sin(2 * math.pi * t))
    y = 1.06 + rng.uniform(0.05, 0.16) * np.sin(math.pi * t * rng.choice((1.0, 2.0))) - 0.05 * t
    return np.stack((x, y), axis=1)

"""Pairs of a code as the rectified card shows it and as it was printed: blurred, shaken, sampled, noisy, compressed."""

from __future__ import annotations

import random

import cv2
import numpy as np
from numpy.typing import NDArray

from models.specimens import codes
from models.specimens.people import invent_person
from models.training.restorer.config import PATCH

Rng = np.random.Generator
Plane = NDArray[np.float32]
FINE = 3
"""Sub-samples a pixel along each axis when a code is drawn: its edges lie anywhere."""
EDGE = 24
"""Pixels drawn beyond the patch on each side, so that a blur brings in what is there."""
QUIET = 4
"""Modules of paper round a code in the sheet that patches are cut from."""
MODULE_PX = {"small": (5.5, 8.5), "large": (3.0, 4.2), "pdf417": (2.6, 4.4), "linear": (3.5, 6.0)}
"""Module widths in card pixels, with room for templates that are not exact."""
OFTEN = {"small": 0.35, "large": 0.35, "pdf417": 0.2, "linear": 0.1}
DEFOCUS_PX, SHAKE_PX = 6.0, 18.0
"""Most Gaussian sigma and length of motion, in card pixels: what hard captures have and a little more."""
SOURCE_SHARE = (0.3, 1.6)
"""Pixels of the photograph a pixel of the card: from 6 to 32 a millimetre."""


class Sheet:
    """Module grids of all kinds, with paper round them; 0 is dark, 255 light."""

    def __init__(self, rng: Rng, count: int) -> None:
        chooser = random.Random(int(rng.integers(2**31)))
        people = [invent_person(chooser, "a", adult_by=2013) for _ in range(count)]
        grids = {
            "small": [codes.small_qr(person, 2018, chooser)[1] for person in people],
            "large": [codes.large_qr(bool(index % 2), chooser)[1] for index in range(count)],
            "pdf417": [codes.pdf417(chooser)[1] for _ in range(count)],
            "linear": [np.repeat(codes.code128(person.cic)[1], 24, axis=0) for person in people],
        }
        self.grids = {kind: [np.pad(grid, QUIET, constant_values=255) for grid in drawn] for kind, drawn in grids.items()}


def draw_pair(rng: Rng, sheet: Sheet) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(seen, printed), each (PATCH, PATCH) uint8."""
    printed = _printed(rng, sheet)
    seen = _seen(rng, printed)
    inner = slice(EDGE, EDGE + PATCH)
    return seen[inner, inner], np.asarray(printed[inner, inner] * 255, dtype=np.uint8)


def _printed(rng: Rng, sheet: Sheet) -> Plane:
    """A cut of a code, a few degrees askew or half-turned, 0 dark to 1 light: (PATCH + 2 EDGE) squared."""
    kind = str(rng.choice(list(OFTEN), p=list(OFTEN.values())))
    grid = sheet.grids[kind][int(rng.integers(len(sheet.grids[kind])))]
    side = (PATCH + 2 * EDGE) * FINE
    wide = rng.uniform(*MODULE_PX[kind]) * FINE
    high = wide * rng.uniform(0.97, 1.03)
    angle = np.radians(rng.normal(0, 1.2) + 180 * rng.integers(2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = turn @ np.diag([wide, high])
    middle = rng.uniform(0, 1, 2) * (grid.shape[1], grid.shape[0])
    shift = np.array([side / 2, side / 2]) - stretch @ middle
    drawn = cv2.warpAffine(grid, np.column_stack([stretch, shift]), (side, side), flags=cv2.INTER_NEAREST,
                           borderMode=cv2.BORDER_CONSTANT, borderValue=255)
    size = (PATCH + 2 * EDGE, PATCH + 2 * EDGE)
    return np.asarray(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA), dtype=np.float32) / np.float32(255)


def _seen(rng: Rng, printed: Plane) -> NDArray[np.uint8]:
    side = len(printed)
    dark, light = rng.uniform(0.03, 0.35), rng.uniform(0.5, 1.0)
    picture = dark + (max(light, dark + 0.25) - dark) * printed
    picture = _lit(rng, picture.astype(np.float32))
    picture = _blurred(rng, picture)
    share = float(np.exp(rng.uniform(*np.log(SOURCE_SHARE))))
    small = max(24, round(side * share))
    how = cv2.INTER_AREA if share < 1 else cv2.INTER_LINEAR
    sampled = cv2.resize(picture, (small, small), interpolation=how) * 255
    noise = rng.normal(0, rng.uniform(0.5, 9.0), sampled.shape)
    shot = np.clip(sampled + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.85:
        _, coded = cv2.imencode(".jpg", shot, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 96))])
        shot = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    return np.asarray(cv2.resize(shot, (side, side), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _lit(rng: Rng, picture: Plane) -> Plane:
    """Uneven light, and now and then a glare's edge."""
    y, x = np.mgrid[-0.5:0.5:len(picture) * 1j, -0.5:0.5:len(picture) * 1j].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    lit = picture * (1 + rng.uniform(0, 0.4) * (x * np.cos(angle) + y * np.sin(angle)))
    if rng.random() < 0.08:
        centre = rng.uniform(-0.5, 0.5, 2)
        lit = lit + rng.uniform(0.2, 0.9) * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / rng.uniform(0.005, 0.05))
    return np.asarray(np.clip(lit, 0, 1), dtype=np.float32)


def _blurred(rng: Rng, picture: Plane) -> Plane:
    """Out of focus, or shaken along a line and a little out of focus."""
    if rng.random() < 0.55:
        return _defocused(picture, rng.uniform(0.3, DEFOCUS_PX))
    length, angle = rng.uniform(1.0, SHAKE_PX), rng.uniform(0, np.pi)
    size = int(length) | 1
    size = max(size + 2, 3)
    fine = np.zeros((size * 4, size * 4), np.float32)
    reach = np.array([np.cos(angle), np.sin(angle)]) * length * 2
    centre = size * 2 - 0.5
    start, end = np.round(centre - reach).astype(int), np.round(centre + reach).astype(int)
    cv2.line(fine, start.tolist(), end.tolist(), 1.0, 3, cv2.LINE_AA)
    kernel = cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA)
    shaken = cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return _defocused(np.asarray(shaken, dtype=np.float32), rng.uniform(0.3, 1.8))


def _defocused(picture: Plane, sigma: float) -> Plane:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), dtype=np.float32)

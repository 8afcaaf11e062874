"""What a card lies on, as a few numbers: its colour against the card's white, its contrast at three finenesses, its grain.

Seen from above and at one scale, so that another place of the same desk, from another side and in other light, gives much the
same numbers. So do two white tables: it is a lead, counted over many supports of one sender, and says nothing of one.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.networks.api import Array, Image
from pipeline.stages.geometry import CARD_MM, Quad

RING_MM, EDGE_MM, INNER_MM = 24, 2, 8
"""How far around the card is looked; left out beside its edge (its shadow); and inside of it, where its white is taken."""
SIZE = round(CARD_MM[0]) + 2 * RING_MM, round(CARD_MM[1]) + 2 * RING_MM
"""Pixels of the ring with the card in it, 1 a mm."""
CARD_AT = np.array([[0, 0], [CARD_MM[0], 0], CARD_MM, [0, CARD_MM[1]]], np.float32) + RING_MM
LEAST_SHARE = 0.3
"""Of the ring that must lie within the photo; less is what happens to be beside a card that fills it."""
BRIGHTER = 1e-3
LOGS = np.log(np.arange(256, dtype=np.float32) + 4)
"""Grey levels as logarithms; 4 keeps noise in the dark from counting."""
CELLS = (3, 7, 13)
"""Pixels over which light is averaged: contrast is what one average says beyond the next."""
WHITE, LOW, HIGH = 0.7, 0.15, 0.85
SPREAD = np.array([0.097, 0.050, 0.160, 0.069, 0.024, 0.044, 0.085, 0.181, 0.071, 0.228, 0.131, 0.254, 0.190], np.float32)
"""How much each number differs between photographs of one desk, root mean square (`python -m models.evaluation.surroundings`):
in the vector they count alike."""


def surroundings(view: Image, quad: Quad) -> tuple[float, ...] | None:
    """view: (H, W, 3) BGR photo.  quad: the card's corners in it. None where too little lies around the card."""
    logs = cv2.LUT(_from_above(view, quad), LOGS)
    light = cv2.transform(logs, np.full((1, 3), 1 / 3, np.float32))
    seen = np.asarray((light > LOGS[0] + BRIGHTER) & _RING)
    if seen.sum() < LEAST_SHARE * _RING.sum():
        return None
    colours = logs[::2, ::2][seen[::2, ::2]] - _quantile(logs[_INNER].reshape(-1, 3), WHITE)
    shades = colours.mean(axis=1)
    tints = _quantile(colours - shades[:, None], 0.5)
    contrasts = _contrasts(light, seen)
    numbers = [*(_quantile(shades, share) for share in (LOW, 0.5, HIGH)), *(3 * tints), *contrasts, _one_way(light, seen)]
    return tuple(float(number) for number in np.asarray(numbers, np.float32) / SPREAD)


def _from_above(view: Image, quad: Quad) -> Image:
    """The ring and the card, black where the photo ends. By way of 2 pixels a mm, or single pixels would be picked."""
    scale = min(1.0, 2.0 * CARD_MM[0] / max(float(np.linalg.norm(quad[1] - quad[0])), 1.0))
    small = cv2.resize(view, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    matrix = cv2.getPerspectiveTransform(np.asarray(quad * scale, np.float32), CARD_AT)
    return np.asarray(cv2.warpPerspective(small, matrix, SIZE, flags=cv2.INTER_LINEAR), np.uint8)


def _contrasts(light: Array, seen: Array) -> list[float]:
    """Median and 95th percentile, as logarithms, of what each fineness shows beyond the next."""
    weight = seen.astype(np.float32)
    weighed, finer, found = light * weight, light, list[float]()
    for cell in CELLS:
        coarser = cv2.blur(weighed, (cell, cell)) / np.maximum(cv2.blur(weight, (cell, cell)), BRIGHTER)
        beyond = cv2.absdiff(finer, coarser)[::2, ::2][seen[::2, ::2]]
        found += [float(0.5 * np.log(_quantile(beyond, share) + 0.004)) for share in (0.5, 0.95)]
        finer = coarser
    return found


def _one_way(light: Array, seen: Array) -> float:
    """0: the same in all directions; 1: stripes."""
    inside = cv2.erode(seen.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
    across, down = (cv2.Sobel(light, cv2.CV_32F, x, 1 - x, ksize=3) * inside for x in (1, 0))
    xx, yy, xy = (float(np.vdot(a, b)) for a, b in ((across, across), (down, down), (across, down)))
    return float(np.hypot(xx - yy, 2 * xy) / (xx + yy + BRIGHTER))


def _quantile(values: Array, share: float) -> Array:
    """Of each column, by partition: half of what sorting costs."""
    at = min(int(len(values) * share), len(values) - 1)
    return np.asarray(np.partition(values, at, axis=0)[at])


def _ring() -> Array:
    ring = np.ones((SIZE[1], SIZE[0]), bool)
    ring[RING_MM - EDGE_MM : EDGE_MM - RING_MM, RING_MM - EDGE_MM : EDGE_MM - RING_MM] = False
    return ring


_RING = _ring()
_INNER = slice(RING_MM + INNER_MM, -RING_MM - INNER_MM, 2), slice(RING_MM + INNER_MM, -RING_MM - INNER_MM, 2)

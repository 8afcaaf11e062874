"""How good the capture of one card side is: sharpness, glare, brightness; measured on the rectified card alone.

Sharpness: at the strongest edges, the ratio of the gradient at two scales tells how wide the edge already was (a step of
blur s gives Gaussian gradients in the ratio sqrt((b^2 + s^2) / (a^2 + s^2))), whatever its contrast and whatever is printed.
Edges are taken in four directions and the most blurred direction counts, so that motion is seen too.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.evidence import SideQuality
from pipeline.networks.api import Image
from pipeline.stages.geometry import PX_PER_MM

FINE, COARSE = 1.0, 2.5
"""Gaussian scales in card pixels between which the gradient is compared."""
CRISP_MM = 0.12
"""Edge blur (sigma, in millimetres on the card) at which sharpness is 0.5: an MRZ letter's stroke is about 0.25 mm wide."""
STRONG_SHARE = 0.02
"""The share of pixels with the strongest gradient that is measured."""
LEAST_EDGES = 60
BURNT = 250
"""All three channels at or above: nothing printed can be told there."""


def measure_quality(card: Image, px_per_mm: float) -> SideQuality:
    """card: (CARD_HEIGHT, CARD_WIDTH, 3) BGR uint8.  px_per_mm: what the photograph really holds (`rectify.px_per_mm`)."""
    small = cv2.resize(card, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    return SideQuality(
        px_per_mm=px_per_mm,
        sharpness=sharpness(card),
        glare=float((small.min(axis=2) >= BURNT).mean()),
        brightness=float(np.median(grey)) / 255.0,
    )


def sharpness(card: Image) -> float:
    """1 is crisp, 0 is mush: 1 / (1 + (blur / CRISP_MM)^2), blur being the edge spread of the most blurred direction."""
    blur = edge_blur(np.asarray(cv2.cvtColor(card, cv2.COLOR_BGR2GRAY), dtype=np.uint8))
    return 1.0 / (1.0 + (blur / PX_PER_MM / CRISP_MM) ** 2) if blur is not None else 0.0


def edge_blur(grey: NDArray[np.uint8]) -> float | None:
    """Spread (sigma, pixels) of the edges in a (H, W) picture, in its most blurred direction; None where it has no edges."""
    fine = cv2.GaussianBlur(grey, (0, 0), FINE)
    coarse = cv2.GaussianBlur(grey, (0, 0), COARSE)
    fx, fy = cv2.Sobel(fine, cv2.CV_32F, 1, 0), cv2.Sobel(fine, cv2.CV_32F, 0, 1)
    cx, cy = cv2.Sobel(coarse, cv2.CV_32F, 1, 0), cv2.Sobel(coarse, cv2.CV_32F, 0, 1)
    strength = cv2.magnitude(cx, cy)
    level = float(np.quantile(strength[::4, ::4], 1 - STRONG_SHARE))
    rows, columns = np.nonzero(strength > max(level, 8.0))
    if rows.size < LEAST_EDGES:
        return None
    gx, gy = cx[rows, columns], cy[rows, columns]
    along_coarse = np.hypot(gx, gy)
    along_fine = np.abs(fx[rows, columns] * gx + fy[rows, columns] * gy) / along_coarse
    direction = ((np.arctan2(gy, gx) % np.pi) / np.pi * 4 + 0.5).astype(int) % 4
    worst: float | None = None
    for bin_ in range(4):
        ratio = (along_fine / along_coarse)[direction == bin_]
        if ratio.size < LEAST_EDGES:
            continue
        square = float(np.median(ratio)) ** 2
        spread = (COARSE**2 - square * FINE**2) / (square - 1) if square > 1.001 else 1e3
        blur = float(np.sqrt(max(spread, 0.0)))
        worst = blur if worst is None else max(worst, blur)
    return worst

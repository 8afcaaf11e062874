"""How good the capture is where it matters: over the places that a side's checks need, not over the card as a whole.

Cover and streaks are looked for on the rectified card reduced by `REDUCTION`, where sensor noise is averaged away and print
still stands out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.evidence import BoxMm, RegionQuality
from pipeline.networks.api import Image
from pipeline.stages.geometry import PX_PER_MM
from pipeline.stages.quality import tile_sharpness

REDUCTION = 4
CELL = 10
"""Reduced pixels: cells of 2 mm, of which every line of print and every code leaves marks in each."""
BURNT = 245
"""All three channels at or above: lower than for the whole card, so that a glare's soft rim counts, which print does not
survive."""
PLAIN = 0.045
"""Standard deviation within a cell over the paper's luminance, below which nothing is printed there."""
OFF_CHROMA = 0.045
"""Distance of two colours' shares of red and green: skin of any tone lies 0.08 to 0.14 from grey, tinted paper within 0.03."""
OFF_DARK = 0.40
"""Share of the paper's luminance below which a plain cell is no paper in a shadow."""
COARSE_MM = 0.5
"""Strokes are 0.25 mm wide, modules of the small QR 0.36 mm."""
PAPER_PERCENTILE = 75
BRIGHT_PERCENTILE = 90
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Place:
    """A region to measure. `read`: whether what stands there was read; of what was not, the causes are looked for, which
    costs some milliseconds."""

    box: BoxMm
    read: bool


def measure_regions(card: Image, places: Mapping[str, Place]) -> tuple[RegionQuality, ...]:
    """card: (CARD_HEIGHT, CARD_WIDTH, 3) BGR uint8, upright.  places: by the region's name; boxes in mm."""
    covered = None if all(place.read for place in places.values()) else _covered_cells(card)
    return tuple(_region(name, place, card, covered) for name, place in places.items())


def _region(name: str, place: Place, card: Image, covered: Image | None) -> RegionQuality:
    here = _cut(card, place.box, PX_PER_MM)
    thin = np.ascontiguousarray(here[::REDUCTION, ::REDUCTION])
    grey = np.asarray(cv2.cvtColor(thin, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    burnt = cv2.countNonZero(cv2.inRange(thin, (BURNT,) * 3, (255,) * 3)) / grey.size
    bright = float(np.percentile(grey, BRIGHT_PERCENTILE)) / 255
    if place.read or covered is None:
        return RegionQuality(name, place.box, place.read, burnt, bright)
    whole = np.asarray(cv2.cvtColor(here, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    cover = float(_cut(covered, place.box, PX_PER_MM / REDUCTION / CELL).mean())
    small = _reduced(whole)
    return RegionQuality(name, place.box, place.read, burnt, bright, cover, tile_sharpness(whole), _streaks(small),
                         _detail(small) / max(bright, 0.02))


def _reduced(picture: Image) -> Image:
    size = max(1, picture.shape[1] // REDUCTION), max(1, picture.shape[0] // REDUCTION)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _cut(picture: Image, box: BoxMm, scale: float) -> Image:
    """The part of a picture of the card that a box covers, one pixel at least."""
    h, w = picture.shape[:2]
    x0, y0 = min(max(round(box[0] * scale), 0), w - 1), min(max(round(box[1] * scale), 0), h - 1)
    return picture[y0:max(round(box[3] * scale), y0 + 1), x0:max(round(box[2] * scale), x0 + 1)]


def _detail(grey: Image) -> float:
    """Root mean square of what is finer than `COARSE_MM`, as a share of white: print has it, mush does not, and unlike an edge's
    width it takes no harm from noise, which the reduction averages away."""
    level = grey.astype(np.float32)
    fine = level - cv2.GaussianBlur(level, (0, 0), COARSE_MM * PX_PER_MM / REDUCTION)
    return float(np.sqrt(np.mean(fine * fine))) / 255


def _covered_cells(card: Image) -> Image:
    """(h, w) 0 or 1 a cell: plain, and of another colour than the card's paper, or far darker: something lies on it."""
    small = _reduced(card)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    cells = (small.shape[1] // CELL, small.shape[0] // CELL)
    mean = np.asarray(cv2.resize(small, cells, interpolation=cv2.INTER_AREA), dtype=np.float32) + 1
    level = grey.astype(np.float32)
    first = np.asarray(cv2.resize(level, cells, interpolation=cv2.INTER_AREA), dtype=np.float32)
    second = np.asarray(cv2.resize(level * level, cells, interpolation=cv2.INTER_AREA), dtype=np.float32)
    spread = np.sqrt(np.maximum(second - first * first, 0))
    light = float(np.percentile(first, PAPER_PERCENTILE))
    paper = np.median(mean[first >= light], axis=0)
    shares, paper_shares = mean[..., 1:] / mean.sum(axis=2, keepdims=True), paper[1:] / paper.sum()
    off = np.linalg.norm(shares - paper_shares, axis=2) > OFF_CHROMA
    plain = spread < PLAIN * light
    return np.asarray(plain & (off | (first < OFF_DARK * light)), dtype=np.uint8)


def _streaks(grey: Image) -> float:
    """How much all edges run one way, 0..1 (coherence of the structure tensor): a phone that moved leaves streaks."""
    dx = np.asarray(cv2.Sobel(grey, cv2.CV_32F, 1, 0), dtype=np.float32)
    dy = np.asarray(cv2.Sobel(grey, cv2.CV_32F, 0, 1), dtype=np.float32)
    xx, yy, xy = float((dx * dx).sum()), float((dy * dy).sum()), float((dx * dy).sum())
    return float(np.hypot(xx - yy, 2 * xy)) / (xx + yy) if xx + yy > 0 else 0.0

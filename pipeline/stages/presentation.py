"""What a picture looks like it shows: the card itself, a copy of it, a screen. Suspicion for a person, never proof."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.calibration import Calibration
from pipeline.domain.evidence import Presentation
from pipeline.networks.api import Array, Image, Networks
from pipeline.networks.presentation import look_at_presentation
from pipeline.stages.geometry import CARD_HEIGHT, CARD_WIDTH, Quad, card_frame, homography, transform
from pipeline.stages.mosaic import mosaic
from pipeline.stages.rectify import px_per_mm

CHROMA_SIZE, CHROMA_SAMPLES = (107, 68), 4
"""One pixel averages 16 x 16 of the card, of which every fourth row and column is taken: sensor noise and JPEG's coloured
blocks are gone, a portrait and a tint are not."""
CHROMA_MARGIN = 3
"""Rows and columns left out at the edge, where the background may show."""
DARK, BURNT = 12, 250
"""Grey levels outside of which the ratio of two channels says nothing."""
ENOUGH_PIXELS = 200

PATCH = 128
"""Side of a patch in view pixels: a screen's grid beats with the sensor's at periods of 2 to 10 pixels."""
PATCH_ROWS, PATCH_COLUMNS = 3, 4
LOWEST, HIGHEST = 0.1, 0.5
"""Cycles a pixel: below are print and guilloche, above is nothing."""
AXIS = 1.5 / PATCH
"""Frequencies along rows and columns of pixels are left out: JPEG's blocks, and edges that run straight across a patch."""


def measure_presentation(card: Image, view: Image, quad: Quad, networks: Networks, calibration: Calibration) -> Presentation:
    """card: rectified, (1080, 1712, 3) BGR.  view: (H, W, 3) BGR, what it was rectified from.  quad: the card in view pixels.

    Scores are the network's shares, 0..1, more suspicious above, and `grid_peak`. Of a grey copy colour says more than the
    network: what shows more of it than any grey copy did is none, however pale; what shows as little as grey copies do is one,
    however fine its print and wherever it was cut. Nothing is measured in a view of fewer pixels a millimetre than
    `presentation.px_per_mm_min`; where all is too dark or bright to tell a colour, nothing is said of a grey copy.
    """
    if px_per_mm(quad) < calibration["presentation.px_per_mm_min"]:
        return Presentation(None, None, None)
    shares = look_at_presentation(mosaic(view, quad), networks)
    spread = chroma_spread(card)
    grey = None if spread is None else _grey(spread, shares["grey_copy"], calibration)
    return Presentation(grey, shares["screen"], shares["colour_copy"], _up_to_one(grid_peak(view, quad)))


def _grey(spread: float, share: float, calibration: Calibration) -> float:
    """The network's share between the two limits of colour."""
    if spread <= calibration["presentation.colourless"]:
        return 1.0
    return share if spread <= calibration["presentation.chroma_spread"] else 0.0


def chroma_spread(card: Image) -> float | None:
    """How far the hues of the card lie apart: 5th to 95th percentile of log R/G and log B/G, as one distance.

    The colour of the light multiplies each channel and drops out of a difference of logarithms, so a grey copy under a warm
    lamp stays near 0 (log-chromaticity: Finlayson, Drew and Lu, 2004). None where all is too dark or too bright.
    """
    samples = (CHROMA_SIZE[0] * CHROMA_SAMPLES, CHROMA_SIZE[1] * CHROMA_SAMPLES)
    sampled = cv2.resize(card, samples, interpolation=cv2.INTER_NEAREST)
    averaged = cv2.resize(sampled, CHROMA_SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)
    smooth = np.asarray(cv2.GaussianBlur(averaged, (0, 0), 1.0))
    small = smooth[CHROMA_MARGIN:-CHROMA_MARGIN, CHROMA_MARGIN:-CHROMA_MARGIN]
    usable = (small.min(axis=2) > DARK) & (small.max(axis=2) < BURNT)
    if int(usable.sum()) < ENOUGH_PIXELS:
        return None
    blue, green, red = np.log(small[usable]).T
    low, high = np.percentile(np.stack([red - green, blue - green]), (5, 95), axis=1)
    return float(np.hypot(*(high - low)))


def grid_peak(view: Image, quad: Quad) -> float | None:
    """How much one frequency stands out, on the median patch of the card.

    In each patch's power spectrum the strongest frequency is compared with the mean of its ring of equal frequency, over
    `PATCH`. Print is periodic in places (codes, the machine-readable zone), a copy's dots, a screen's grid or its moiré all over
    the card: so the median counts. None where the card holds no patch.
    """
    patches = _patches(view, quad)
    if not patches:
        return None
    table = _table()
    stack = np.stack(patches).astype(np.float32)
    stack -= stack.mean(axis=(1, 2), keepdims=True)
    power = _power(stack * table.window).reshape(len(stack), -1) + 1.0
    means = np.add.reduceat(power[:, table.by_ring], table.ring_starts, axis=1) / table.ring_sizes
    largest = np.maximum.reduceat(power[:, table.usable_by_ring], table.usable_starts, axis=1)
    return float(np.median((largest / means[:, table.usable_rings]).max(axis=1))) / PATCH


def _power(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power spectra (N, PATCH, PATCH / 2 + 1) of (N, PATCH, PATCH) real patches, as of `np.fft.rfft2`, in a tenth of its time.

    OpenCV packs a spectrum into the patch's own size: real and imaginary parts side by side in columns 1 to PATCH - 2; of the
    first and the last column, whose lower half mirrors the upper, they stand one under the other (OpenCV's manual, `dft`).
    """
    squares = np.stack([cv2.dft(patch) for patch in patches]) ** 2
    half = PATCH // 2
    power = np.empty((len(patches), PATCH, half + 1), np.float32)
    power[:, :, 1:half] = squares[:, :, 1:-1:2] + squares[:, :, 2::2]
    for place, column in ((0, squares[:, :, 0]), (half, squares[:, :, -1])):
        upper = column[:, 1:-1:2] + column[:, 2::2]
        power[:, 0, place], power[:, half, place] = column[:, 0], column[:, -1]
        power[:, 1:half, place], power[:, half + 1:, place] = upper, upper[:, ::-1]
    return power


def selfie_grid(view: Image) -> float | None:
    """`grid_peak` over a whole picture, at most 1: a selfie taken from a screen. A print or a blurred screen passes unseen."""
    w, h = view.shape[1] - 1, view.shape[0] - 1
    return _up_to_one(grid_peak(view, np.array([[0, 0], [w, 0], [w, h], [0, h]], dtype=np.float64)))


def _up_to_one(peak: float | None) -> float | None:
    return None if peak is None else min(1.0, peak)


def _patches(view: Image, quad: Quad) -> list[Array]:
    """The green channel around points spread over the card; only those that lie on the card with all four corners."""
    xs = (np.arange(PATCH_COLUMNS) + 0.5) / PATCH_COLUMNS * CARD_WIDTH
    ys = (np.arange(PATCH_ROWS) + 0.5) / PATCH_ROWS * CARD_HEIGHT
    centres = transform(homography(card_frame(), quad), np.array([(x, y) for y in ys for x in xs], dtype=np.float64))
    outline, half = quad.astype(np.float32), PATCH // 2
    green = view[:, :, 1]
    found = []
    for x, y in np.round(centres).astype(int).tolist():
        corners = [(x + dx, y + dy) for dx in (-half, half) for dy in (-half, half)]
        inside = all(cv2.pointPolygonTest(outline, (float(a), float(b)), False) >= 0 for a, b in corners)
        patch = green[max(0, y - half) : y + half, max(0, x - half) : x + half]
        if inside and patch.shape == (PATCH, PATCH):
            found.append(patch)
    return found


@dataclass(frozen=True, eq=False, slots=True)
class _Rings:
    """window: Hann's, (PATCH, PATCH).  by_ring: the frequencies of a flat half spectrum, ring after ring of equal frequency;
    where each ring starts, and its size.  usable_…: the same of the frequencies that count; usable_rings: the rings they are of.
    """

    window: NDArray[np.float32]
    by_ring: NDArray[np.intp]
    ring_starts: NDArray[np.intp]
    ring_sizes: NDArray[np.float32]
    usable_by_ring: NDArray[np.intp]
    usable_starts: NDArray[np.intp]
    usable_rings: NDArray[np.intp]


@lru_cache(maxsize=1)
def _table() -> _Rings:
    hann = np.hanning(PATCH)
    fy, fx = np.meshgrid(np.fft.fftfreq(PATCH), np.fft.rfftfreq(PATCH), indexing="ij")
    radius = np.hypot(fx, fy)
    rings = np.round(radius * PATCH).astype(np.intp).ravel()
    by_ring = np.argsort(rings, kind="stable")
    _, starts, sizes = np.unique(rings[by_ring], return_index=True, return_counts=True)
    usable = (radius > LOWEST) & (radius < HIGHEST) & (np.abs(fx) >= AXIS) & (np.abs(fy) >= AXIS)
    counted = by_ring[usable.ravel()[by_ring]]
    usable_rings, usable_starts = np.unique(rings[counted], return_index=True)  # every ring from 0 on occurs: a number is a place
    return _Rings(np.outer(hann, hann).astype(np.float32), by_ring, starts, sizes.astype(np.float32), counted, usable_starts,
                  usable_rings)

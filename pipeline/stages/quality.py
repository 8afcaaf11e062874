"""How good the capture of one card side is: sharpness, glare, brightness; measured on the rectified card alone.

Sharpness: at the strongest edges, the ratio of the gradient at two scales tells how wide the edge already was (a step of
blur s gives Gaussian gradients in the ratio sqrt((b^2 + s^2) / (a^2 + s^2))), whatever its contrast and whatever is printed.
Edges are taken in four directions and the most blurred direction counts, so that motion is seen too.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.evidence import SideQuality
from pipeline.networks.api import Image
from pipeline.stages.geometry import PX_PER_MM

FINE, COARSE = 1.0, 2.5
"""Gaussian scales in card pixels between which the gradient is compared."""
FINE_SIZE, COARSE_SIZE = (7, 7), (15, 15)
"""Their kernels: three sigmas to each side."""
TILES = (6, 5)
"""The card is cut into so many columns and rows, and the busiest are measured: print is there, and the rest costs time."""
BUSIEST = 4
CRISP_MM = 0.12
"""Edge blur (sigma, in millimetres on the card) at which sharpness is 0.5: an MRZ letter's stroke is about 0.25 mm wide."""
Grey = NDArray[np.uint8]
Floats = NDArray[np.float32]
STRONG_SHARE = 0.25
"""The share of a direction's edges, the strongest, that is measured: print, rather than a portrait's soft shades."""
SOBEL_VARIANCE = 1 / 3
"""What the central difference itself spreads: a box two pixels wide, 2^2 / 12."""
SOBEL_SUM = 8.0
"""What Sobel's 3x3 kernel gives for a slope of one grey level a pixel."""
MOST_BLUR = 30.0
"""Pixels; nothing wider can be told from no edge at all."""
LEAST_GRADIENT = 8.0
"""Of Sobel's sum, about one grey level a pixel: below is noise and tint."""
NOISE_FACTOR = 2.0
"""An edge is steeper than this many times the 95th percentile of the calmest tile, where there is little but noise."""
MOST_NOISE = 32.0
"""Four grey levels a pixel: no sensor's noise is as steep at the coarse scale; a calmest tile that is has print on it."""
LEAST_EDGES = 60
BLUR_SIDE = 320
"""Long side of the picture that a photo's blur is measured in: a card over a third of it keeps a pixel a millimetre."""
BURNT = 250
"""All three channels at or above: nothing printed can be told there."""


def measure_quality(card: Image, grey: Image, px_per_mm: float) -> SideQuality:
    """card: (CARD_HEIGHT, CARD_WIDTH, 3) BGR uint8.  grey: the same without colour.
    px_per_mm: what the photograph really holds (`rectify.px_per_mm`)."""
    small = np.ascontiguousarray(card[4::8, 4::8])  # 28,890 places: shares are exact to half a hundredth
    return SideQuality(
        px_per_mm=px_per_mm,
        sharpness=sharpness(grey),
        glare=cv2.countNonZero(cv2.inRange(small, (BURNT,) * 3, (255,) * 3)) / (small.size / 3),
        brightness=_median(grey[4::8, 4::8]) / 255.0,
    )


def photo_light(view: Image) -> float:
    """Luminance of a photo's lightest hundredth, 0..1: what is left to tell the dark by where no card was found.

    view: (H, W, 3) BGR uint8."""
    small = np.ascontiguousarray(view[::8, ::8])
    return float(np.percentile(cv2.cvtColor(cv2.blur(small, (3, 3)), cv2.COLOR_BGR2GRAY), 99)) / 255.0


def photo_blur(view: Image) -> float | None:
    """Spread (sigma) of a whole photo's edges, a share of its long side: what is left to tell a blur by where no card was found.
    None where it shows no edges.

    view: (H, W, 3) BGR uint8.  In a picture of `BLUR_SIDE` pixels, where a blur that hides a card is a few pixels wide, and noise
    is averaged away.
    """
    shrinks = max(1.0, max(view.shape[:2]) / BLUR_SIDE)
    size = max(1, round(view.shape[1] / shrinks)), max(1, round(view.shape[0] / shrinks))
    small = cv2.resize(view, size, interpolation=cv2.INTER_AREA)
    blur = edge_blur([np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), dtype=np.uint8)])
    return None if blur is None else blur / max(size)


def _median(grey: Image) -> float:
    """By counting: a third of what sorting costs."""
    counts = np.cumsum(np.bincount(grey.ravel(), minlength=256))
    return float(np.searchsorted(counts, (grey.size + 1) / 2))


def sharpness(grey: Grey) -> float:
    """Of a whole card, (CARD_HEIGHT, CARD_WIDTH) grey. 1 is crisp, 0 is mush:
    1 / (1 + (blur / CRISP_MM)^2), blur being the edge spread of the most blurred direction."""
    tiles = _by_activity(grey)
    calm = tiles[-1]
    planes = _slopes(_blurred(calm[:, :calm.shape[1] // 2].astype(np.float32), COARSE_SIZE, COARSE))
    noise = float(np.quantile(cv2.magnitude(*planes), 0.95))
    return _as_sharpness(edge_blur(tiles[:BUSIEST], min(max(LEAST_GRADIENT, NOISE_FACTOR * noise), MOST_NOISE))) or 0.0


def tile_sharpness(grey: Grey) -> float | None:
    """The same of one (H, W) part of the card; None where it shows no edges."""
    return _as_sharpness(edge_blur([grey]))


def _as_sharpness(blur: float | None) -> float | None:
    return None if blur is None else 1.0 / (1.0 + (blur / PX_PER_MM / CRISP_MM) ** 2)


def _by_activity(grey: Grey) -> list[Grey]:
    """The tiles, those with the most contrast between neighbours a few pixels apart first."""
    columns, rows = TILES
    height, width = grey.shape[0] // rows, grey.shape[1] // columns
    tiles = [grey[y * height:(y + 1) * height, x * width:(x + 1) * width] for y in range(rows) for x in range(columns)]
    coarse = [np.ascontiguousarray(tile[::3, ::3]) for tile in tiles]
    busy = [cv2.norm(c[1:], c[:-1], cv2.NORM_L1) / c[1:].size + cv2.norm(c[:, 1:], c[:, :-1], cv2.NORM_L1) / c[:, 1:].size
            for c in coarse]
    return [tiles[i] for i in np.argsort(busy)[::-1]]


def edge_blur(pictures: list[Grey], least: float = LEAST_GRADIENT) -> float | None:
    """Spread (sigma, pixels) of the edges in (H, W) pictures, in their most blurred direction; None where there are no edges.

    least: coarse gradient (Sobel's sum) at or below which there is no edge.
    Only the crest of an edge counts: beside it the ratio of the two scales says more about the distance than about the blur.
    """
    gradients = [_gradients(picture) for picture in pictures]
    pairs = [(planes, _crest(planes[0], planes[1], least)) for planes in gradients]
    cx, cy, fx, fy = (np.concatenate([planes[k].ravel().take(places) for planes, places in pairs]) for k in range(4))
    strength = np.sqrt(cx * cx + cy * cy)
    ratios = (fx * cx + fy * cy) / np.maximum(strength, 1e-6) ** 2
    directions = _directions(cx, cy)
    blurs = [_spread(ratios[directions == d], strength[directions == d]) for d in range(4)]
    worst = max((blur for blur in blurs if blur is not None), default=None)
    if worst is None:
        return None
    return max(worst, _least_spread(pictures, np.sqrt(fx * fx + fy * fy)))


def _least_spread(pictures: list[Grey], fine: Floats) -> float:
    """Half the spread at which the whole contrast, in one step, would be as steep as the steepest edges are.

    Where everything is mush, noise and JPEG's blocks on the slow ramps look like crisp edges by their ratio; they are not
    steep. Half, since the strongest contrast and the steepest edge need not be in one place.
    """
    low, high = np.quantile(np.concatenate([p[::4, ::4].ravel() for p in pictures]), [0.01, 0.99])
    steepest = float(np.quantile(fine, 0.98)) / SOBEL_SUM
    return 0.5 * float(high - low) / (math.sqrt(2 * math.pi) * max(steepest, 1e-3))


def _spread(ratios: Floats, strength: Floats) -> float | None:
    """The spread that the strongest edges of one direction tell; None where they are too few."""
    if ratios.size < LEAST_EDGES:
        return None
    strong = ratios[strength >= np.quantile(strength, 1 - STRONG_SHARE)]
    square = float(np.median(strong)) ** 2
    if square < 1.001:
        return MOST_BLUR
    spread = (COARSE**2 - square * FINE**2) / (square - 1) - SOBEL_VARIANCE
    return float(np.sqrt(min(max(spread, 0.0), MOST_BLUR**2)))


def _crest(cx: Floats, cy: Floats, least: float) -> NDArray[np.intp]:
    """Flat places where the gradient is above `least` and no less than before and behind it, along x or y, whichever it points
    more to; the outermost rows and columns have no neighbours and are left out."""
    strength = np.asarray(cv2.magnitude(cx, cy), dtype=np.float32)
    steep = strength > least
    steep[[0, -1]], steep[:, [0, -1]] = False, False
    places = np.flatnonzero(steep)  # few: what follows is done for them alone
    flat = strength.ravel()
    step = np.where(np.abs(cx.ravel().take(places)) >= np.abs(cy.ravel().take(places)), 1, strength.shape[1])
    here = flat.take(places)
    return places[(here >= flat.take(places - step)) & (here >= flat.take(places + step))]


_EIGHTH = math.tan(math.pi / 8)


def _directions(x: Floats, y: Floats) -> NDArray[np.intp]:
    """0 to 3: which of the four directions, a quarter of a half turn each, the gradient runs nearest to; to and fro are one."""
    flat, steep = np.abs(y) <= _EIGHTH * np.abs(x), np.abs(x) < _EIGHTH * np.abs(y)
    return np.where(flat, 0, np.where(steep, 2, np.where((x > 0) == (y > 0), 1, 3)))


def _gradients(grey: Grey) -> tuple[Floats, Floats, Floats, Floats]:
    """x and y gradients at the coarse scale, then at the fine one."""
    exact = grey.astype(np.float32)  # rounding to whole grey levels would bend the crests of faint edges
    fine = _blurred(exact, FINE_SIZE, FINE)
    # a Gaussian of a Gaussian: the coarse scale from the fine one, with a smaller kernel
    coarse = _blurred(fine, COARSE_SIZE, math.sqrt(COARSE**2 - FINE**2))
    return *_slopes(coarse), *_slopes(fine)


def _blurred(picture: Floats, size: tuple[int, int], sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(picture, size, sigma), dtype=np.float32)


def _slopes(picture: Floats) -> tuple[Floats, Floats]:
    dx, dy = (np.asarray(cv2.Sobel(picture, cv2.CV_32F, k, 1 - k), dtype=np.float32) for k in (1, 0))
    return dx, dy

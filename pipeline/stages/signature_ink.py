"""Where the ink of a drawing is: on a phone's canvas (any ink, any ground), on photographed paper, and from strokes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.calibration import Calibration
from pipeline.domain.support import StrokePoint
from pipeline.networks.api import Array, Image
from pipeline.stages.signature_rules import without_frame, without_ruled_lines

Mask = NDArray[np.uint8]  # (H, W), 255 where there is ink
Strokes = tuple[tuple[StrokePoint, ...], ...]

WORK_SIDE = 512
"""Long side that a picture is reduced to, at most: a pen's line keeps 2 to 4 pixels."""
GROUND_SHARE = 0.55
"""A screen drawing: more than half of the pixels have one and the same colour."""
SOFT, SOFT_SHARE = 20, 0.08
"""And few lie near it without being it, as the soft edges of lines do. A photo has grain, and so has a JPEG of a drawing."""
QUARTER_TO_SIGMA = 1.4826
"""From a normal distribution's lower quarter to its median, to its standard deviation."""
NOISE_SIGMAS = 6.0
"""What lies six sigmas from the ground is not grain."""
INK_SHARE = 0.35
"""Ink reaches at least this share of the strongest ink's contrast: less is the soft edge of a line."""
SURE_SHARE = 0.55
"""And every piece of it reaches this share somewhere."""
STRONGEST = 8
"""The strongest ink is that of so many pixels: a dot has them."""
WEAK_SHARE = 0.4
"""Of that limit: what a ruled line may fall to where it is pale."""
PEN_SHARE = 0.06
"""Of the long side; wider than any pen: what is narrower and darker than both its sides is ink, wider things are paper."""
DARK_GROUND = 100
"""Median grey level below which a photo may show light ink on a dark ground."""
SPECK_SHARE = 0.00004
"""Parts smaller than this share of a grainy picture (10 pixels of 512 x 512) are dust or JPEG noise."""
CANVAS, CANVAS_MARGIN, CANVAS_PEN = 400, 40, 4
"""Strokes have no canvas of their own: they are drawn to fill this one."""
TAP_SHARE = 0.03
"""Strokes whose extent is this small beside their distance from the canvas's corner may be a trembling tap."""
STEADY = 0.3
"""Mean cosine between one piece of a stroke and the next: a tremble goes to and fro (about 0), a line goes on (over 0.7)."""


@dataclass(frozen=True, eq=False, slots=True)
class _Contrast:
    """How far each pixel lies from its ground, (H, W) uint8; sigma of its grain; whether it is a screen's, all of one colour."""

    away: Image
    noise: float
    clean: bool


def find_ink(picture: Image | None, strokes: Strokes, calibration: Calibration) -> Mask | None:
    """Where the ink is. `picture`: (H, W) grey or (H, W, 3) BGR, transparent parts filled; None where it is missing or does not
    decode. The picture decides; strokes are drawn where there is no picture. Neither: None."""
    if picture is not None:
        return ink_mask(picture, calibration)
    return draw_strokes(strokes) if strokes else None


def ink_mask(picture: Image, calibration: Calibration) -> Mask:
    """Where the ink is, on the picture reduced to `WORK_SIDE` at most, without the lines of ruled paper."""
    seen = _contrast(picture)
    strongest = _level_at(seen.away, 1 - STRONGEST / seen.away.size)
    least = calibration["signature.contrast_screen" if seen.clean else "signature.contrast_paper"]
    limit = max(least, NOISE_SIGMAS * seen.noise, INK_SHARE * strongest)
    mask = np.where(seen.away >= limit, np.uint8(255), np.uint8(0))
    if seen.clean:
        return without_frame(mask)
    weak = np.where(seen.away >= max(WEAK_SHARE * limit, 2 * seen.noise), np.uint8(255), np.uint8(0))
    return _without_specks(without_ruled_lines(mask, weak, seen.away), seen.away >= SURE_SHARE * strongest)


def _contrast(picture: Image) -> _Contrast:
    factor = max(1.0, max(picture.shape[:2]) / WORK_SIDE)
    size = max(1, round(picture.shape[1] / factor)), max(1, round(picture.shape[0] / factor))
    away = _from_commonest(picture)
    counts = _counts(away) / away.size
    if counts[0] >= GROUND_SHARE and counts[1 : SOFT + 1].sum() <= SOFT_SHARE:
        return _Contrast(_most_of_blocks(away, size, factor), 0.0, clean=True)
    small = picture if factor == 1.0 else np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return _Contrast(*_from_paper(small), clean=False)


def _planes(picture: Image) -> list[Image]:
    """One for each colour; one alone where there is no colour."""
    planes = [picture] if picture.ndim == 2 else [np.asarray(plane, dtype=np.uint8) for plane in cv2.split(picture)]
    return planes if any((plane != planes[0]).any() for plane in planes[1:]) else planes[:1]


def _counts(plane: Image) -> NDArray[np.float32]:
    """How many pixels have each of the 256 levels. Exact: a picture has under 2^24 pixels of one level here."""
    return np.asarray(cv2.calcHist([plane], [0], None, [256], [0, 256]), dtype=np.float32).ravel()


def _level_at(distances: Image, share: float) -> int:
    """The level that a share of the pixels does not exceed."""
    return int(np.searchsorted(np.cumsum(_counts(distances), dtype=np.float64), share * distances.size))


def _from_commonest(picture: Image) -> Image:
    """Per pixel, the distance from the commonest colour, in the plane in which it is largest."""
    return _farthest([np.asarray(cv2.absdiff(plane, np.full_like(plane, _counts(plane).argmax())), dtype=np.uint8)
                      for plane in _planes(picture)])


def _farthest(distances: list[Image]) -> Image:
    most = distances[0]
    for distance in distances[1:]:
        most = np.maximum(most, distance)
    return most


def _most_of_blocks(away: Image, size: tuple[int, int], factor: float) -> Image:
    """Reduced so that a line of one pixel on a large canvas keeps its contrast: each pixel is the most of those it covers."""
    if factor == 1:
        return away
    side = int(np.ceil(factor))
    spread = cv2.dilate(away, np.ones((side, side), np.uint8))
    return np.asarray(cv2.resize(spread, size, interpolation=cv2.INTER_NEAREST), dtype=np.uint8)


def _from_paper(picture: Image) -> tuple[Image, float]:
    """Contrast against the paper around, as a share (255: black on white), in the plane where it is largest; sigma of its grain.

    The paper is what a closing leaves: everything that is darker than its surroundings and narrower than the window is filled,
    while shadows and the table keep their edges. As a share, since ink in a shadow is as much darker than its paper as in light.
    """
    low, middle, high = (float(value) for value in np.percentile(picture[::4, ::4], (1, 50, 99)))
    if middle < min(DARK_GROUND, (low + high) / 2):
        picture = 255 - picture
    side = 2 * round(PEN_SHARE * max(picture.shape[:2]) / 2) + 3  # odd: an even window's closing would shift the picture
    window = np.ones((side, side), np.uint8)
    shares = []
    for plane in _planes(picture):
        steady = cv2.GaussianBlur(plane, (0, 0), 0.8)
        around = cv2.morphologyEx(steady, cv2.MORPH_CLOSE, window, borderType=cv2.BORDER_REPLICATE).astype(np.float32)
        shares.append(np.asarray(255 * (around - steady) / np.maximum(around, 16.0), np.float32).astype(np.uint8))
    away = _farthest(shares)
    # a closing lies on the grain's crests: what most of the paper differs by is none of the ink's
    middle, quarter = _level_at(away, 0.5), _level_at(away, 0.25)
    return np.maximum(away, np.uint8(middle)) - np.uint8(middle), QUARTER_TO_SIGMA * (middle - quarter)


def _without_specks(mask: Mask, sure: NDArray[np.bool_]) -> Mask:
    """Without dust, and without parts that are nowhere as dark as ink is."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return mask
    keep = np.zeros(count, bool)
    keep[np.unique(labels[sure])] = True
    keep &= stats[:, cv2.CC_STAT_AREA] > max(3.0, SPECK_SHARE * mask.size)
    keep[0] = False
    return np.where(keep[labels], 255, 0).astype(np.uint8)


def draw_strokes(strokes: Strokes) -> Mask:
    """Strokes drawn with an even pen so that they fill a canvas. A tap is a dot in its middle."""
    points = np.array([(point.x, point.y) for stroke in strokes for point in stroke], dtype=np.float64).reshape(-1, 2)
    mask = np.zeros((CANVAS, CANVAS), dtype=np.uint8)
    if not len(points):
        return mask
    low, extent = points.min(axis=0), float(np.ptp(points, axis=0).max())
    scale = 0.0 if _is_tap(strokes, points, extent) else (CANVAS - 2 * CANVAS_MARGIN) / extent
    shift = (CANVAS - np.ptp(points, axis=0) * scale) / 2
    for stroke in strokes:
        ends = stroke * 2 if len(stroke) == 1 else stroke  # a line needs two points, a tap has one
        line = (np.array([(point.x, point.y) for point in ends]).reshape(-1, 2) - low) * scale + shift
        cv2.polylines(mask, [np.round(line * 16).astype(np.int32).reshape(-1, 1, 2)], False, 255, CANVAS_PEN, cv2.LINE_8, 4)
    return mask


def _is_tap(strokes: Strokes, points: Array, extent: float) -> bool:
    """One place, or a tremble around it: small beside its distance from the canvas's corner, and never going on one way."""
    if extent <= 0:
        return True
    if extent > TAP_SHARE * float(np.abs(points).max()):
        return False
    cosines: list[float] = []
    for stroke in strokes:
        pieces = np.diff(np.array([(point.x, point.y) for point in stroke]).reshape(-1, 2), axis=0)
        lengths = np.hypot(pieces[:, 0], pieces[:, 1])
        units = pieces[lengths > 0] / lengths[lengths > 0, None]
        cosines += np.sum(units[1:] * units[:-1], axis=1).tolist()
    return not cosines or float(np.mean(cosines)) < STEADY

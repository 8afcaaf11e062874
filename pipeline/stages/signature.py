"""The drawn signature: is there ink, and is it drawn as a signature is? What it resembles is never judged.

Works on a screen drawing (transparent or plain background, any ink colour), on a photo of a signed paper, and on strokes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, pi

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.calibration import Calibration
from pipeline.domain.evidence import SignatureEvidence, SignatureKind
from pipeline.domain.support import StrokePoint
from pipeline.networks.api import Array, Image

Mask = NDArray[np.uint8]  # (H, W), 255 where there is ink
Strokes = tuple[tuple[StrokePoint, ...], ...]

WORK_SIDE = 512
"""Long side that a picture is reduced to: a pen's line keeps 2 to 4 pixels, and the stage its 2 ms."""
FLAT_SHARE, FLAT_LEVELS = 0.55, 8
"""A screen drawing: more than half of the pixels lie within a few grey levels of one colour. A photo of paper has grain."""
TAP_SHARE = 0.03
"""Strokes whose extent is this small beside their distance from the canvas's corner are a trembling tap, not a drawing."""
MAD_TO_SIGMA, NOISE_SIGMAS = 1.4826, 6.0
"""Of a photo's grain, by its median (normal distribution); what lies six sigmas from the paper is not grain."""
INK_SHARE = 0.35
"""Ink reaches at least this share of the strongest ink's contrast: less is the soft edge of a line."""
PAPER_WINDOW = 61
"""Half of the reduced picture's long side: a drawing covers less than half of any such window, so the median is paper."""
SPECK_SHARE = 0.00004
"""Parts smaller than this share of the picture (10 pixels of 512 x 512) are dust or JPEG noise."""
THICK_SHARE = 0.03
"""Half the thickness, as a share of the long side, from which a part that touches a photo's edge is no ink."""
CANVAS, CANVAS_MARGIN, CANVAS_PEN = 400, 40, 4
"""Strokes have no canvas of their own: they are drawn to fill this one."""


@dataclass(frozen=True, slots=True)
class Ink:
    """What is measured of a drawing. Lengths in units of the pen's width, so that neither size nor scale matters.

    ink: share of the picture.  width, height: extents as shares of it.  pen: width of the line in pixels.
    length: of all strokes, in pen widths.  extent: diagonal of the bounding box, in pen widths.
    turning: whole change of direction along the strokes, in half turns.  fill: share of the convex hull that is inked.
    parts: separate pieces.  crossings: places where a line runs out of the picture.  evenness: how much the parts look like
    a line of type (0..1).
    """

    ink: float
    width: float
    height: float
    pen: float
    length: float
    extent: float
    turning: float
    fill: float
    parts: int
    crossings: int
    evenness: float


def find_ink(picture: Image | None, strokes: Strokes, calibration: Calibration) -> Mask | None:
    """Where the ink is. `picture`: (H, W) grey or (H, W, 3) BGR, transparent parts white; None where it is missing or does not
    decode. The picture decides; strokes are drawn where there is no picture. Neither: None."""
    if picture is not None:
        return ink_mask(picture, calibration)
    return draw_strokes(strokes) if strokes else None


def examine_signature(picture: Image | None, strokes: Strokes, calibration: Calibration) -> SignatureEvidence:
    """`find_ink` and `judge_ink` in one."""
    return judge_ink(find_ink(picture, strokes, calibration), calibration)


def judge_ink(mask: Mask | None, calibration: Calibration) -> SignatureEvidence:
    """What kind of drawing the ink is; without any picture or stroke: `UNREADABLE`."""
    if mask is None:
        return SignatureEvidence(SignatureKind.UNREADABLE, 1.0, 0.0, 0.0, 0.0, 0, 0)
    ink = measure_ink(mask)
    kind, confidence = classify(ink, calibration)
    return SignatureEvidence(kind, confidence, ink.ink, ink.width, ink.height, ink.parts, round(2 * ink.turning))


def ink_mask(picture: Image, calibration: Calibration) -> Mask:
    """Where the ink is, on the picture reduced to `WORK_SIDE`: what differs from its background in any colour."""
    small = _reduced(picture)
    planes = [small] if small.ndim == 2 else [np.asarray(plane, dtype=np.uint8) for plane in cv2.split(small)]
    away = _farthest([_distance(plane, int(np.bincount(plane.ravel(), minlength=256).argmax())) for plane in planes])
    flat = _level_at(away, FLAT_SHARE) <= FLAT_LEVELS
    if not flat:
        away = _farthest([_from_local_paper(plane) for plane in planes])
    noise = 0 if flat else MAD_TO_SIGMA * _level_at(away, 0.5)
    limit = max(calibration["signature.contrast_min"], NOISE_SIGMAS * noise, INK_SHARE * _level_at(away, 0.999))
    mask = np.where(away >= limit, np.uint8(255), np.uint8(0))
    return _without_specks(mask, keep_thick=flat)


def _level_at(distances: Image, share: float) -> int:
    """The level that a share of the pixels does not exceed."""
    counts = np.bincount(distances.ravel(), minlength=256)
    return int(np.searchsorted(np.cumsum(counts), share * distances.size))


def _reduced(picture: Image) -> Image:
    factor = WORK_SIDE / max(picture.shape[:2])
    if factor >= 1:
        return picture
    size = max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _distance(plane: Image, level: int) -> Image:
    return np.maximum(plane, np.uint8(level)) - np.minimum(plane, np.uint8(level))


def _farthest(distances: list[Image]) -> Image:
    """Per pixel, the distance in the colour in which it is largest."""
    most = distances[0]
    for distance in distances[1:]:
        most = np.maximum(most, distance)
    return most


def _from_local_paper(plane: Image) -> Image:
    """Distance from the paper around: the light of a photo is uneven, so the background is a wide median of its own."""
    height, width = plane.shape
    tiny = cv2.resize(plane, (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
    paper = cv2.resize(cv2.medianBlur(tiny, PAPER_WINDOW), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.absdiff(plane, paper), dtype=np.uint8)


def _without_specks(mask: Mask, *, keep_thick: bool) -> Mask:
    """Without dust; of a photo also without what comes in over its edge far too thick for a pen (a shadow, the table)."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return mask
    keep = stats[:, cv2.CC_STAT_AREA] > max(3.0, SPECK_SHARE * mask.size)
    keep[0] = False
    if not keep_thick:
        depth = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
        thickest = np.zeros(count, dtype=np.float32)
        np.maximum.at(thickest, labels.ravel().astype(np.intp), depth.ravel())
        on_edge = np.zeros(count, dtype=bool)
        on_edge[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = True
        keep &= ~(on_edge & (thickest > THICK_SHARE * max(mask.shape)))
    return np.where(keep[labels], 255, 0).astype(np.uint8)


def draw_strokes(strokes: Strokes) -> Mask:
    """Strokes drawn with an even pen so that they fill a canvas. A tap is a dot in its middle."""
    points = np.array([(point.x, point.y) for stroke in strokes for point in stroke], dtype=np.float64).reshape(-1, 2)
    mask = np.zeros((CANVAS, CANVAS), dtype=np.uint8)
    if not len(points):
        return mask
    low, extent = points.min(axis=0), float(np.ptp(points, axis=0).max())
    tap = extent <= TAP_SHARE * float(np.abs(points).max())
    scale = 0.0 if tap else (CANVAS - 2 * CANVAS_MARGIN) / extent
    shift = (CANVAS - np.ptp(points, axis=0) * scale) / 2
    for stroke in strokes:
        ends = stroke * 2 if len(stroke) == 1 else stroke  # a line needs two points, a tap has one
        line = (np.array([(point.x, point.y) for point in ends]).reshape(-1, 2) - low) * scale + shift
        cv2.polylines(mask, [np.round(line * 16).astype(np.int32).reshape(-1, 1, 2)], False, 255, CANVAS_PEN, cv2.LINE_8, 4)
    return mask


def measure_ink(mask: Mask) -> Ink:
    """Measures a mask of ink; all zero where there is none."""
    height, width = mask.shape
    area = int(cv2.countNonZero(mask))
    if not area:
        return Ink(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0.0)
    x, y, w, h = cv2.boundingRect(mask)
    crop = cv2.copyMakeBorder(mask[y : y + h, x : x + w], 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=0)
    found, tree = cv2.findContours(crop, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    contours = [np.asarray(contour) for contour in found]
    outline = sum(cv2.arcLength(contour, True) for contour in contours)
    pen = max(1.0, 2 * area / max(outline, 1.0))
    parents = [int(node[3]) for node in tree[0]]
    hull = cv2.convexHull(np.vstack(contours))
    return Ink(
        ink=area / mask.size, width=w / width, height=h / height, pen=pen, length=area / pen / pen, extent=hypot(w, h) / pen,
        turning=_turning(contours, parents, pen), fill=min(1.0, area / max(cv2.contourArea(hull), 1.0)),
        parts=parents.count(-1), crossings=_crossings(mask), evenness=_evenness(contours, parents))


def _turning(contours: Sequence[Array], parents: list[int], pen: float) -> float:
    """Change of direction along all strokes, in half turns, from the outlines around them.

    An outline goes along both sides of a stroke and around its two ends: its own turning is twice the stroke's plus one whole
    turn. A loop has an inner and an outer outline instead of ends.
    """
    total = 0.0
    for index, (contour, parent) in enumerate(zip(contours, parents, strict=True)):
        turn = _outline_turning(contour.reshape(-1, 2), pen)
        if parent == -1 and index not in parents:
            turn = max(0.0, turn - 2 * pi)
        total += turn / 2
    return total / pi


def _outline_turning(points: Array, pen: float) -> float:
    """Sum of absolute changes of direction of a closed outline, smoothed over two pen widths; radians."""
    step = max(2.0, 2 * pen)
    count = int(len(points) / step)
    if count < 4:
        return 2 * pi
    kernel = max(1, int(step))
    closed = np.vstack([points[-kernel:], points, points[:kernel]]).astype(np.float32)
    smooth = cv2.blur(closed, (1, 2 * (kernel // 2) + 1))[kernel:-kernel]
    corners = smooth[np.linspace(0, len(points), count, endpoint=False).astype(int)]
    sides = np.roll(corners, -1, axis=0) - corners
    heading = np.arctan2(sides[:, 1], sides[:, 0])
    change = np.angle(np.exp(1j * (np.roll(heading, -1) - heading)))
    return float(np.abs(change).sum())


def _crossings(mask: Mask) -> int:
    """How many separate runs of ink lie on the picture's very edge."""
    edges = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    return sum(int(np.count_nonzero(np.diff(np.concatenate([[0], edge > 0]).astype(np.int8)) == 1)) for edge in edges)


def _evenness(contours: Sequence[Array], parents: list[int]) -> float:
    """How much the parts look like type: many, of one height, on one line, none overlapping the next. 0..1."""
    boxes = np.array([cv2.boundingRect(contour) for contour, parent in zip(contours, parents, strict=True) if parent == -1])
    tall = boxes[boxes[:, 3] >= 0.45 * boxes[:, 3].max()]
    if len(tall) < 5:
        return 0.0
    tall = tall[tall[:, 0].argsort()]
    heights, bottoms = tall[:, 3].astype(float), (tall[:, 1] + tall[:, 3]).astype(float)
    height = float(np.median(heights))
    same_height = float(np.mean(np.abs(heights - height) <= 0.35 * height))
    baseline = float(np.median(bottoms))
    on_line = float(np.mean(np.abs(bottoms - baseline) <= 0.15 * height))
    apart = float(np.mean(tall[1:, 0] >= tall[:-1, 0] + tall[:-1, 2] - 1))
    narrow = float(np.mean(tall[:, 2] <= 1.3 * height))
    return min(same_height, on_line, apart, narrow)


def classify(ink: Ink, calibration: Calibration) -> tuple[SignatureKind, float]:
    """The kind, and how far its measurements lie from the nearest limit: 0.5 at the limit, 1.0 at twice (or half) of it."""
    if ink.length < calibration["signature.length_blank"]:
        return SignatureKind.BLANK, _below(ink.length, calibration["signature.length_blank"])
    if ink.extent < calibration["signature.extent_dot"]:
        return SignatureKind.DOT, _below(ink.extent, calibration["signature.extent_dot"])
    if ink.crossings >= calibration["signature.crossings_cut"]:
        return SignatureKind.CUT, _above(ink.crossings, calibration["signature.crossings_cut"])
    course = ink.length / ink.extent
    if course < calibration["signature.length_line"]:
        return SignatureKind.LINE, _below(course, calibration["signature.length_line"])
    if ink.turning < calibration["signature.turning_line"]:
        return SignatureKind.LINE, _below(ink.turning, calibration["signature.turning_line"])
    size = max(ink.width, ink.height)
    if size < calibration["signature.size_min"]:
        return SignatureKind.TOO_SMALL, _below(size, calibration["signature.size_min"])
    if ink.evenness >= calibration["signature.evenness_print"]:
        return SignatureKind.PRINT, _above(ink.evenness, calibration["signature.evenness_print"])
    dense = max(ink.fill / calibration["signature.fill_scribble"], course / calibration["signature.length_scribble"])
    if dense >= 1:
        return SignatureKind.SCRIBBLE, _above(dense, 1.0)
    margins = (_above(ink.turning, calibration["signature.turning_line"]), _above(size, calibration["signature.size_min"]),
               _below(dense, 1.0))
    return SignatureKind.SIGNATURE, min(margins)


def _above(value: float, limit: float) -> float:
    return min(1.0, 0.5 * value / limit)


def _below(value: float, limit: float) -> float:
    return min(1.0, 0.5 + 0.5 * (1 - value / limit))

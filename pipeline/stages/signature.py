"""The drawn signature: is there ink, and is it drawn as a signature is? What it resembles is never judged.

`signature_ink` finds the ink; here it is measured and named. Lengths are in pen widths, so that neither size nor pen matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, pi

import cv2
import numpy as np

from pipeline.domain.calibration import Calibration
from pipeline.domain.evidence import SignatureEvidence, SignatureKind
from pipeline.networks.api import Array, Image
from pipeline.stages.signature_ink import Mask, Strokes, find_ink

TOUCH = 2.5
"""In a trimmed picture, a run of ink on the edge that is wider than this many pens is a curve that touches it."""
TRIMMED_SHARE = 0.015
"""A picture whose ink comes this near to all four edges was cut to the ink's frame: there, lines touch the edges."""
EVEN_LINE = 0.07
"""Of the letters' height: how much typed letters differ in height and stand off their line."""
FEWEST_LETTERS = 5


@dataclass(frozen=True, slots=True)
class Ink:
    """What is measured of a drawing.

    ink: share of the picture.  width, height: extents as shares of it.  pen: width of the line in pixels.
    length: of all strokes, in pen widths.  extent: diagonal of the bounding box, in pen widths.  part_extent: of the largest
    part, in pens of its own.  part_fill: share of its convex hull that the least filled part inks.  slim: the shorter side of the
    smallest frame around it, turned as it may, as a share of the longer.  turning: change of direction along the strokes, in half
    turns.  one_way: how much all strokes run along one direction, 0..1.  fill: share of the convex hull that is inked.
    parts: separate pieces.  crossings: places where a line runs out of the picture, at the edge with most of them.  trimmed:
    whether the picture was cut to the ink's frame.  evenness: share of the parts that look like a line of type.
    """

    ink: float = 0.0
    width: float = 0.0
    height: float = 0.0
    pen: float = 0.0
    length: float = 0.0
    extent: float = 0.0
    part_extent: float = 0.0
    part_fill: float = 0.0
    slim: float = 0.0
    turning: float = 0.0
    one_way: float = 0.0
    fill: float = 0.0
    parts: int = 0
    crossings: int = 0
    trimmed: bool = False
    evenness: float = 0.0


def examine_signature(picture: Image | None, strokes: Strokes, calibration: Calibration) -> SignatureEvidence:
    """`find_ink` and `judge_ink` in one."""
    return judge_ink(find_ink(picture, strokes, calibration), calibration, len(strokes) or None)


def judge_ink(mask: Mask | None, calibration: Calibration, strokes: int | None = None) -> SignatureEvidence:
    """What kind of drawing the ink is; without any picture or stroke: `UNREADABLE`. strokes: how many, where they were sent."""
    if mask is None:
        return SignatureEvidence(SignatureKind.UNREADABLE, 1.0, 0.0, 0.0, 0.0, 0, 0, strokes)
    ink = measure_ink(mask)
    kind, confidence = classify(ink, calibration)
    return SignatureEvidence(kind, confidence, ink.ink, ink.width, ink.height, ink.parts, round(2 * ink.turning), strokes)


def measure_ink(mask: Mask) -> Ink:
    """Measures a mask of ink; all zero where there is none."""
    height, width = mask.shape
    area = int(cv2.countNonZero(mask))
    if not area:
        return Ink()
    x, y, w, h = cv2.boundingRect(mask)
    crop = cv2.copyMakeBorder(mask[y : y + h, x : x + w], 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=0)
    found, tree = cv2.findContours(crop, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    contours = [np.asarray(contour) for contour in found]
    pen = _pen(area, sum(cv2.arcLength(contour, True) for contour in contours))
    parents = [int(node[3]) for node in tree[0]]
    outer = [contour for contour, parent in zip(contours, parents, strict=True) if parent == -1]
    hull = cv2.convexHull(np.vstack(outer))
    pieces = [_part(index, contours, parents) for index, parent in enumerate(parents) if parent == -1]
    sides = sorted(side + 1 for side in cv2.minAreaRect(hull)[1])
    edges = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    trimmed = max(x / width, y / height, 1 - (x + w) / width, 1 - (y + h) / height) <= TRIMMED_SHARE
    turning, one_way = _course(contours, parents, pen)
    return Ink(
        ink=area / mask.size, width=w / width, height=h / height, pen=pen, length=area / pen / pen, extent=hypot(w, h) / pen,
        part_extent=max(extent for extent, _ in pieces), part_fill=min(filled for _, filled in pieces),
        slim=sides[0] / sides[1], turning=turning, one_way=one_way,
        fill=min(1.0, area / max(cv2.contourArea(hull), 1.0)), parts=len(outer),
        crossings=max(_crossings(edge, pen, TOUCH * pen if trimmed else np.inf) for edge in edges), trimmed=trimmed,
        evenness=_evenness(outer))


def _pen(area: float, outline: float) -> float:
    """Width of a line from its area and the length of its outline, which goes along both sides."""
    return max(1.0, 2 * area / max(outline, 1.0))


def _part(index: int, contours: list[Array], parents: list[int]) -> tuple[float, float]:
    """Diagonal of one part in pens of its own, and the share of its convex hull that is inked; what it encloses is no ink."""
    inner = [contour for contour, parent in zip(contours, parents, strict=True) if parent == index]
    _, _, w, h = cv2.boundingRect(contours[index])
    outline = sum(cv2.arcLength(contour, True) for contour in (contours[index], *inner))
    # a contour runs through the middle of its pixels: half a pixel of the ink lies outside of it
    area = cv2.contourArea(contours[index]) - sum(cv2.contourArea(contour) for contour in inner) + outline / 2
    hull = cv2.convexHull(contours[index])
    return hypot(w, h) / _pen(area, outline), min(1.0, area / max(cv2.contourArea(hull) + cv2.arcLength(hull, True) / 2, 1.0))


def _course(contours: list[Array], parents: list[int], pen: float) -> tuple[float, float]:
    """Change of direction along all strokes, in half turns, and how much they run one way, from the outlines around them.

    An outline goes along both sides of a stroke and around its two ends: its own turning is twice the stroke's plus one whole
    turn. A loop has an inner and an outer outline instead of ends. One way: length of the mean of all directions, each doubled
    so that to and fro are one (Mardia, Statistics of directional data, 1972).
    """
    total, along, length = 0.0, 0j, 0.0
    for index, (contour, parent) in enumerate(zip(contours, parents, strict=True)):
        sides = _sides(contour.reshape(-1, 2), pen)
        if sides is None:
            continue
        heading = np.angle(sides)
        change = np.angle(np.exp(1j * (np.roll(heading, -1) - heading)))
        turn = float(np.abs(change).sum())
        total += (max(0.0, turn - 2 * pi) if parent == -1 and index not in parents else turn) / 2
        lengths = np.abs(sides)
        along += complex(np.sum(lengths * np.exp(2j * heading)))
        length += float(lengths.sum())
    return total / pi, abs(along) / length if length else 0.0


def _sides(points: Array, pen: float) -> Array | None:
    """The sides of a closed outline, smoothed over two pen widths, as complex numbers; None of one too short to have any."""
    step = max(2.0, 2 * pen)
    count = int(len(points) / step)
    if count < 4:
        return None
    kernel = max(1, int(step))
    closed = np.vstack([points[-kernel:], points, points[:kernel]]).astype(np.float32)
    smooth = cv2.blur(closed, (1, 2 * (kernel // 2) + 1))[kernel:-kernel]
    corners = smooth[np.linspace(0, len(points), count, endpoint=False).astype(int)]
    sides = np.roll(corners, -1, axis=0) - corners
    return np.asarray(sides[:, 0] + 1j * sides[:, 1])


def _crossings(edge: Mask, pen: float, widest: float) -> int:
    """How many lines leave the picture over one of its edges; runs of ink more than `widest` long only touch it."""
    ink = np.flatnonzero(edge)
    if not ink.size:
        return 0
    runs = np.split(ink, np.flatnonzero(np.diff(ink) > pen) + 1)
    return sum(bool(run[-1] - run[0] < widest) for run in runs)


def _evenness(outer: list[Array]) -> float:
    """How much the parts look like type: many, on one straight line, of one or two heights, none over the next. 0..1."""
    boxes = np.array([cv2.boundingRect(contour) for contour in outer], dtype=np.float64)
    tall = boxes[boxes[:, 3] >= 0.45 * boxes[:, 3].max()]
    if len(tall) < FEWEST_LETTERS:
        return 0.0
    tall = tall[tall[:, 0].argsort()]
    heights, bottoms, middles = tall[:, 3], tall[:, 1] + tall[:, 3], tall[:, 0] + tall[:, 2] / 2
    height = float(np.median(heights))
    slack = 1.0 + EVEN_LINE * height
    slope = float(np.median(np.diff(bottoms) / np.maximum(np.diff(middles), 1.0)))
    level = bottoms - slope * middles
    on_line = float(np.mean(np.abs(level - np.median(level)) <= slack))
    same = max(float(np.mean((np.abs(heights - one) <= slack) | (np.abs(heights - two) <= slack)))
               for one in heights for two in (height,))
    apart = float(np.mean(tall[1:, 0] >= tall[:-1, 0] + tall[:-1, 2] - 1))
    narrow = float(np.mean(tall[:, 2] <= 1.3 * heights.max()))
    return min(on_line, same, apart, narrow)


def classify(ink: Ink, calibration: Calibration) -> tuple[SignatureKind, float]:
    """The kind, and how far its measurements lie from the nearest limit: 0.5 at the limit, 1.0 at twice (or half) of it."""
    limit = {name: calibration[f"signature.{name}"] for name in LIMITS}
    if not ink.parts:
        return SignatureKind.BLANK, 1.0
    blobs = ink.part_extent < limit["extent_dot"] and ink.part_fill >= limit["fill_dot"]
    most = limit["crossings_trimmed" if ink.trimmed else "crossings_cut"]
    if ink.crossings >= most and not blobs:
        return SignatureKind.CUT, _above(ink.crossings, most)
    if ink.evenness >= limit["evenness_print"]:
        return SignatureKind.PRINT, _above(ink.evenness, limit["evenness_print"])
    if blobs and ink.parts <= limit["parts_dot"]:
        return SignatureKind.DOT, _below(ink.part_extent, limit["extent_dot"])
    course = ink.length / ink.extent
    if course < limit["length_line"]:
        return SignatureKind.LINE, _below(course, limit["length_line"])
    if ink.turning < limit["turning_line"]:
        return SignatureKind.LINE, _below(ink.turning, limit["turning_line"])
    if ink.slim < limit["slim_line"] and ink.one_way > limit["one_way_line"]:
        return SignatureKind.LINE, _below(ink.slim, limit["slim_line"])
    if ink.one_way > limit["one_way_lines"] and course < limit["length_scribble"]:
        return SignatureKind.LINE, _above(ink.one_way, limit["one_way_lines"])
    size = max(ink.width, ink.height)
    if size < limit["size_min"]:
        return SignatureKind.TOO_SMALL, _below(size, limit["size_min"])
    hatched = min(ink.one_way / limit["one_way_scribble"], course / limit["length_scribble"])
    dense = max(hatched, ink.fill / limit["fill_scribble"])
    if dense >= 1:
        return SignatureKind.SCRIBBLE, _above(dense, 1.0)
    return SignatureKind.SIGNATURE, min(_above(ink.turning, limit["turning_line"]), _above(size, limit["size_min"]),
                                        _below(dense, 1.0))


LIMITS = ("extent_dot", "fill_dot", "parts_dot", "crossings_cut", "crossings_trimmed", "length_line", "turning_line", "slim_line",
          "one_way_line", "one_way_lines", "size_min", "evenness_print", "one_way_scribble", "length_scribble", "fill_scribble")
"""The thresholds of models/calibration/signature.json that name the kinds."""


def _above(value: float, limit: float) -> float:
    return min(1.0, 0.5 * value / limit)


def _below(value: float, limit: float) -> float:
    return min(1.0, 0.5 + 0.5 * (1 - value / limit))

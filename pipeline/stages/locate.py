"""Where the card lies in a photograph: candidates, refined to sub-pixel edges, judged by how well they are supported."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.domain.calibration import Calibration
from pipeline.domain.evidence import Sighting
from pipeline.networks.api import Image, Networks
from pipeline.stages.contours import contour_quads
from pipeline.stages.geometry import CARD_MM, Quad, is_convex, quad_area, quad_iou
from pipeline.stages.rectify import side_lengths
from pipeline.stages.refine import Refined, refine

WORK_SIDE = 1000
"""Long side of the picture that edges are refined in: finer wins nothing at the views' usual blur, and costs four times."""
COARSE_SIDE = 400
REACH = 14
"""Pixels of the working picture that a candidate's side may be off."""
FRAME_MARGIN = 2.0
"""Pixels of the working picture: a corner nearer to the frame's edge, or beyond it, is taken for cut off."""


@dataclass(frozen=True, slots=True)
class Located:
    """sighting: FOUND, NONE, CUT or SEVERAL.  quad: (4, 2) float64 view pixels, clockwise, its first side a long one (upright
    or half-turned: another stage settles that); None for NONE.  score: 0..1, mask overlap times edge support."""

    sighting: Sighting
    quad: Quad | None
    score: float


def locate(view: Image, networks: Networks, calibration: Calibration, *,  # noqa: ARG001
           ratio: float = CARD_MM[0] / CARD_MM[1]) -> Located:
    """Finds the one card in a photograph.

    view: (H, W, 3) BGR uint8, upright.  ratio: long over short side of what is sought.
    """
    picture, step = _working_picture(view)
    judged = [_judge(picture, quad, ratio) for quad in _candidates(picture)]
    best = max(judged, key=lambda pair: pair[1], default=None)
    if best is None or best[1] < calibration["locate.found"]:
        return Located(Sighting.NONE, None, best[1] if best else 0.0)
    quad = long_side_first((best[0].quad + 0.5) * step - 0.5)
    height, width = view.shape[:2]
    margin = FRAME_MARGIN * step
    low, high = quad.min(axis=0), quad.max(axis=0)
    if (low < margin).any() or high[0] > width - 1 - margin or high[1] > height - 1 - margin:
        return Located(Sighting.CUT, quad, best[1])
    return Located(Sighting.FOUND, quad, best[1])


def long_side_first(quad: Quad) -> Quad:
    """The same corners, started so that the first side is a long one and its start is the upper or left of the two."""
    sides = side_lengths(quad)
    turned = quad if sides[0] + sides[2] >= sides[1] + sides[3] else np.roll(quad, -1, axis=0)
    along = turned[1] - turned[0]
    upright = along[0] > 0 if abs(along[0]) >= abs(along[1]) else along[1] < 0
    return turned if upright else np.roll(turned, -2, axis=0)


def _working_picture(view: Image) -> tuple[Image, float]:
    """The view at about `WORK_SIDE`, lightly smoothed, and view pixels per pixel of it."""
    longest = max(view.shape[:2])
    if longest > WORK_SIDE * 1.2:
        step = longest / WORK_SIDE
        size = (round(view.shape[1] / step), round(view.shape[0] / step))
        view = np.asarray(cv2.resize(view, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        return view, step
    return np.asarray(cv2.GaussianBlur(view, (3, 3), 0), dtype=np.uint8), 1.0


def _candidates(picture: Image) -> list[Quad]:
    step = max(1.0, max(picture.shape[:2]) / COARSE_SIDE)
    size = (round(picture.shape[1] / step), round(picture.shape[0] / step))
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    quads: list[Quad] = []
    for quad in contour_quads(small):
        if all(quad_iou(quad, other) < 0.9 for other in quads):
            quads.append(quad)
    return [(quad + 0.5) * step - 0.5 for quad in quads]


def _judge(picture: Image, quad: Quad, ratio: float) -> tuple[Refined, float]:
    """The refined candidate and its score: mean and least edge support, times how well its shape can be that card's."""
    refined = refine(picture, quad, REACH)
    if not is_convex(refined.quad) or quad_area(refined.quad) < 100:
        return refined, 0.0
    sides = side_lengths(refined.quad)
    seen = (sides[0] + sides[2]) / (sides[1] + sides[3])
    off = abs(np.log(max(seen, 1 / seen) / ratio))
    shape = float(np.exp(-((off / 0.35) ** 2)))
    return refined, float(refined.support.mean() * 0.7 + refined.support.min() * 0.3) * shape

"""Quads from contours alone: the second opinion where the network is unsure."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.networks.api import Array, Image
from pipeline.stages.geometry import Quad, is_convex, quad_area

SMALLEST = 0.03
"""Share of the picture's area below which a contour is no card worth reading."""
MOST = 6


def contour_quads(picture: Image) -> list[Quad]:
    """Up to six convex quads, largest first, in pixels of the picture: (H, W, 3) BGR uint8, best about 400 px wide.

    Regions come from Otsu's threshold on lightness and saturation, both ways, and from closed Canny edges; a quad is the
    least rectangle round a region that it covers well, or the region's own four corners.
    """
    lab = cv2.cvtColor(cv2.GaussianBlur(picture, (5, 5), 0), cv2.COLOR_BGR2LAB)
    grey = lab[..., 0]
    chroma = np.hypot(lab[..., 1].astype(np.float32) - 128, lab[..., 2].astype(np.float32) - 128).clip(0, 255).astype(np.uint8)
    masks = []
    for plane in (grey, cv2.convertScaleAbs(chroma, alpha=3)):
        _, mask = cv2.threshold(plane, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
        masks += [mask, cv2.bitwise_not(mask)]
    edges = cv2.dilate(cv2.Canny(grey, 40, 110), np.ones((3, 3), np.uint8))
    masks += [edges, cv2.bitwise_not(edges)]
    total = picture.shape[0] * picture.shape[1]
    quads: list[Quad] = []
    for mask in masks:
        found, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        for contour in found:
            hull = cv2.convexHull(contour)
            area = cv2.contourArea(hull)
            if not SMALLEST * total < area < 0.97 * total:
                continue
            quad = _as_quad(hull)
            if quad is not None and area / quad_area(quad) > 0.85:
                quads.append(quad)
    return sorted(quads, key=quad_area, reverse=True)[:MOST]


def _as_quad(hull: Array) -> Quad | None:
    length = cv2.arcLength(hull, True)
    for tolerance in (0.02, 0.035, 0.05):
        shape = cv2.approxPolyDP(hull, tolerance * length, True)
        if len(shape) == 4:
            quad = shape[:, 0].astype(np.float64)
            break
    else:
        quad = cv2.boxPoints(cv2.minAreaRect(hull)).astype(np.float64)
    if not is_convex(quad):
        quad = quad[::-1].copy()
    return quad if is_convex(quad) else None

"""What the presentation network sees: the card with what lies round it, small, and patches of its print as the view has it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.networks.api import Image
from pipeline.networks.presentation import COLUMNS, HEIGHT, ROWS, TILE, WHOLE_HEIGHT, WHOLE_WIDTH, WIDTH
from pipeline.stages.geometry import CARD_MM, Quad, homography, transform

WHOLE_PX_PER_MM = 1.9
"""Of the card with about 7 mm round it: its corners, its edge, the paper or the device that it is on."""
OUTSIDE = (128, 128, 128)
"""BGR where the photograph ends."""


def mosaic(view: Image, quad: Quad) -> Image:
    """(HEIGHT, WIDTH, 3) BGR uint8.  view: (H, W, 3) BGR, at least TILE both ways.  quad: the upright card in view pixels.

    Patches are cut along the view's rows and columns, without resampling: neither rotated nor scaled. One that would leave the
    view is moved into it.
    """
    out = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    out[:, :WHOLE_WIDTH] = whole(view, quad)
    limits = np.array(view.shape[1::-1]) - TILE
    places = np.clip(np.round(patch_centres(quad)) - TILE // 2, 0, limits).astype(int)
    for number, (x, y) in enumerate(places.tolist()):
        row, column = divmod(number, COLUMNS)
        left = WHOLE_WIDTH + column * TILE
        out[row * TILE:(row + 1) * TILE, left:left + TILE] = view[y:y + TILE, x:x + TILE]
    return out


def patch_centres(quad: Quad) -> NDArray[np.float64]:
    """(COLUMNS * ROWS, 2) view pixels, row by row."""
    xs = (np.arange(COLUMNS) + 0.5) / COLUMNS * CARD_MM[0]
    ys = (np.arange(ROWS) + 0.5) / ROWS * CARD_MM[1]
    return transform(_from_mm(quad), np.array([(x, y) for y in ys for x in xs], dtype=np.float64))


def whole(view: Image, quad: Quad) -> Image:
    """The card and what lies round it: (WHOLE_HEIGHT, WHOLE_WIDTH, 3), reduced by area averaging before it is warped."""
    half = np.array([WHOLE_WIDTH, WHOLE_HEIGHT]) / WHOLE_PX_PER_MM / 2
    (cx, cy) = CARD_MM[0] / 2, CARD_MM[1] / 2
    frame_mm = np.array([[cx - half[0], cy - half[1]], [cx + half[0], cy - half[1]], [cx + half[0], cy + half[1]],
                         [cx - half[0], cy + half[1]]])
    seen = transform(_from_mm(quad), frame_mm)
    low = np.maximum(np.floor(seen.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(seen.max(axis=0)).astype(int) + 1, np.array(view.shape[1::-1]))
    piece: Image = view[low[1]:high[1], low[0]:high[0]]
    if 0 in piece.shape:
        return np.full((WHOLE_HEIGHT, WHOLE_WIDTH, 3), OUTSIDE, np.uint8)
    width = float(np.linalg.norm(quad[1] - quad[0])) / CARD_MM[0]
    factor = max(1, int(width / WHOLE_PX_PER_MM))
    if factor > 1:
        size = max(1, piece.shape[1] // factor), max(1, piece.shape[0] // factor)
        cut = piece[:size[1] * factor, :size[0] * factor]
        piece = np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_AREA), np.uint8)
    target = np.array([[0, 0], [WHOLE_WIDTH, 0], [WHOLE_WIDTH, WHOLE_HEIGHT], [0, WHOLE_HEIGHT]], np.float64) - 0.5
    matrix = homography((seen - low + 0.5) / factor - 0.5, target)
    return np.asarray(cv2.warpPerspective(piece, matrix, (WHOLE_WIDTH, WHOLE_HEIGHT), flags=cv2.INTER_LINEAR,
                                          borderMode=cv2.BORDER_CONSTANT, borderValue=OUTSIDE), np.uint8)


def _from_mm(quad: Quad) -> NDArray[np.float64]:
    w, h = CARD_MM
    return homography(np.array([[0, 0], [w, 0], [w, h], [0, h]], dtype=np.float64), quad)

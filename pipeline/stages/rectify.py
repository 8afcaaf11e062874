"""From a quad in the photograph to the upright card at a fixed scale."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.networks.api import Image
from pipeline.stages.geometry import CARD_HEIGHT, CARD_MM, CARD_WIDTH, Quad, card_frame, homography

_ALIAS_LIMIT = 1.6
"""View pixels per card pixel above which bilinear sampling would skip pixels."""


def rectify(view: Image, quad: Quad) -> Image:
    """Warps the quad to the card's frame: (CARD_HEIGHT, CARD_WIDTH, 3) BGR uint8.

    view: (H, W, 3) BGR uint8.  quad: (4, 2) view pixels, the card's TL TR BR BL.  Bilinear; a view with more pixels than the
    card is first reduced by area averaging; outside the view the border is repeated.
    """
    sides = side_lengths(quad)
    finest = min(max(sides[0], sides[2]) / CARD_WIDTH, max(sides[1], sides[3]) / CARD_HEIGHT)
    factor = int(finest / _ALIAS_LIMIT) + 1
    low = np.clip(np.floor(quad.min(axis=0)).astype(int) - factor, 0, np.array(view.shape[1::-1]) - factor)
    high = np.ceil(quad.max(axis=0)).astype(int) + factor + 1
    piece = view[low[1]:max(high[1], low[1] + factor), low[0]:max(high[0], low[0] + factor)]
    if factor > 1:
        size = (piece.shape[1] // factor, piece.shape[0] // factor)
        whole = piece[:size[1] * factor, :size[0] * factor]
        piece = np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    matrix = homography((quad - low + 0.5) / factor - 0.5, card_frame())
    # four channels warp in two thirds of the time of three, the two conversions included (aligned loads)
    padded = cv2.cvtColor(piece, cv2.COLOR_BGR2BGRA)
    size, bilinear = (CARD_WIDTH, CARD_HEIGHT), cv2.INTER_LINEAR
    warped = cv2.warpPerspective(padded, matrix, size, flags=bilinear, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.cvtColor(warped, cv2.COLOR_BGRA2BGR), dtype=np.uint8)


def as_grey(picture: Image) -> Image:
    """(H, W) from grey or (H, W, 3) BGR."""
    return picture if picture.ndim == 2 else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def px_per_mm(quad: Quad, scale: float = 1.0) -> float:
    """Pixels of the full-resolution photograph per millimetre of card, along the axis that has fewer.

    quad: (4, 2) view pixels of an ID-1 card whose first side is a long one.  scale: full-resolution pixels per view pixel.
    """
    sides = side_lengths(quad) * scale
    return float(min((sides[0] + sides[2]) / 2 / CARD_MM[0], (sides[1] + sides[3]) / 2 / CARD_MM[1]))


def side_lengths(quad: Quad) -> Quad:
    """(4,): top, right, bottom, left, in the quad's own unit."""
    return np.asarray(np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1), dtype=np.float64)

"""How a drawing reaches the service: on a phone's canvas of any size, ink and ground, as PNG or JPEG, or as photographed paper.

Every picture goes through the bytes and `decode` as in the service. `WAYS` lists them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.evaluation.drawings import Lines
from pipeline.networks.api import Image
from pipeline.stages.decode import decode

Pixels = NDArray[np.floating[Any]]
INKS = ((0, 0, 0), (30, 30, 40), (160, 60, 20), (60, 20, 140), (40, 110, 40), (200, 80, 60), (40, 40, 220))
"""BGR: black, near black, dark blue, dark red, green, ball-pen blue, red."""
PAPER_INKS = INKS[:6]


@dataclass(frozen=True, slots=True)
class Canvas:
    """Width and height in pixels (ranges), the pen's width in pixels or as a share of the width, and the share that is filled."""

    width: tuple[int, int] = (600, 1400)
    height: tuple[int, int] = (300, 700)
    pen: tuple[float, float] = (3, 9)
    pen_is_share: bool = False
    span: tuple[float, float] = (0.35, 0.85)


NORMAL = Canvas()
PHOTO = Canvas((500, 900), (250, 450), (2, 7))
CANVASES = {
    "thin pen": Canvas((400, 2000), (200, 1000), (1, 1.01)),
    "marker": Canvas(pen=(0.02, 0.035), pen_is_share=True, span=(0.6, 0.85)),
    "tiny": Canvas((180, 240), (80, 120), (1, 3.01), span=(0.5, 0.9)),
    "huge": Canvas((3600, 4000), (700, 1200), (3, 16)),
    "upright page": Canvas((700, 1100), (1300, 1900), (3, 7)),
}


def rasterised(lines: Lines, rng: np.random.Generator, canvas: Canvas = NORMAL, span: float | None = None) -> Image:
    """The mask of the ink, (H, W), 255 where it is, its edges soft; lines fill `span` of the width (or what fits)."""
    width, height = int(rng.integers(*canvas.width)), int(rng.integers(*canvas.height))
    mask = np.zeros((height, width), np.uint8)
    if not lines:
        return mask
    points = np.vstack(lines)
    low, size = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-6)
    fits = min(0.9 * width / size[0], 0.85 * height / size[1])
    wanted = (span if span is not None else float(rng.uniform(*canvas.span))) * width / float(size.max())
    scale = min(fits, wanted) if size.max() > 10 else min(fits, 1.0)
    shift = (np.array([width, height]) - size * scale) * rng.uniform(0.3, 0.7, 2)
    pen = float(rng.uniform(*canvas.pen)) * (width if canvas.pen_is_share else 1)
    for line in lines:
        ends = np.round(((line - low) * scale + shift) * 8).astype(np.int32)
        cv2.polylines(mask, [ends], False, 255, max(1, round(pen)), cv2.LINE_AA, 3)
    return mask


def _inked(mask: Image, ground: Pixels, ink: Pixels, strength: float = 1.0) -> Pixels:
    alpha = strength * mask[:, :, None].astype(np.float32) / 255
    return np.asarray(ground * (1 - alpha) + ink * alpha, np.float32)


def _ink(rng: np.random.Generator, inks: tuple[tuple[int, int, int], ...] = INKS) -> Pixels:
    return np.array(inks[rng.integers(len(inks))], np.float32)


def _grain(rng: np.random.Generator, sigma: float, shape: tuple[int, ...]) -> Pixels:
    return np.float32(sigma) * rng.standard_normal(shape, np.float32)


def _png(picture: Pixels | Image) -> Image:
    shown = picture if picture.dtype == np.uint8 else np.clip(picture, 0, 255).astype(np.uint8)
    return decode(cv2.imencode(".png", shown, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()).view


def _jpeg(picture: Pixels, quality: int) -> Image:
    data = cv2.imencode(".jpg", np.clip(picture, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return decode(data.tobytes()).view


def plain(mask: Image, rng: np.random.Generator) -> Image:
    level = 255.0 if rng.random() < 0.7 else float(rng.uniform(225, 250))
    share, ink = np.arange(256) / 255, _ink(rng)
    tones = np.stack([np.round(level * (1 - share) + value * share) for value in ink], axis=1).astype(np.uint8)
    return _png(tones[mask])


def transparent(mask: Image, rng: np.random.Generator) -> Image:
    colour = np.broadcast_to(_ink(rng).astype(np.uint8), (*mask.shape, 3))
    return decode(cv2.imencode(".png", np.dstack([colour, mask]))[1].tobytes()).view


def white_on_transparent(mask: Image, rng: np.random.Generator) -> Image:
    colour = np.full((*mask.shape, 3), int(rng.integers(235, 256)), np.uint8)
    return decode(cv2.imencode(".png", np.dstack([colour, mask]))[1].tobytes()).view


def light_on_dark(mask: Image, rng: np.random.Generator) -> Image:
    ground = np.full((*mask.shape, 3), rng.uniform(0, 60, 3), np.float32)
    return _png(_inked(mask, ground, np.full(3, rng.uniform(200, 255), np.float32)))


def compressed(mask: Image, rng: np.random.Generator) -> Image:
    """A plain drawing with a little noise, as a JPEG of poor quality."""
    picture = _inked(mask, np.full((*mask.shape, 3), rng.uniform(235, 255), np.float32), _ink(rng))
    return _jpeg(picture + _grain(rng, rng.uniform(0, 6), picture.shape), int(rng.integers(25, 75)))


def paper(mask: Image, rng: np.random.Generator) -> Image:
    """A photograph of signed paper in uneven light."""
    return _photo(mask, rng, _sheet(mask, rng))


def shadow(mask: Image, rng: np.random.Generator) -> Image:
    """The same with the shadow of a hand or a phone over a part of it, its edge sharp or soft."""
    sheet, (height, width) = _sheet(mask, rng), mask.shape
    dark = np.zeros(mask.shape, np.uint8)
    middle = rng.uniform(0, 1, 2) * (width, height)
    size = rng.uniform(0.25, 0.8, 2) * (width, height)
    cv2.ellipse(dark, (tuple(middle.tolist()), tuple(size.tolist()), float(rng.uniform(0, 180))), 255, -1)
    soft = cv2.GaussianBlur(dark, (0, 0), float(rng.uniform(1, 0.05 * width)))[:, :, None].astype(np.float32) / 255
    return _photo(mask, rng, sheet * (1 - float(rng.uniform(0.25, 0.55)) * soft))


def ruled(mask: Image, rng: np.random.Generator) -> Image:
    """On ruled or squared paper, the lines pale blue or grey, a few degrees askew."""
    sheet, (height, width) = _sheet(mask, rng), mask.shape
    lines = np.zeros(mask.shape, np.uint8)
    slope, thick = float(np.tan(np.radians(rng.uniform(-4, 4)))), int(rng.integers(1, 3))
    gap = float(rng.uniform(0.1, 0.22) * height)
    for y in np.arange(rng.uniform(-0.2 * height, 0), 1.2 * height, gap):
        cv2.line(lines, (-5, round(y)), (width + 5, round(y + slope * width)), 255, thick, cv2.LINE_AA)
    if rng.random() < 0.4:
        for x in np.arange(rng.uniform(-0.2 * width, 0), 1.2 * width, gap):
            cv2.line(lines, (round(x), -5), (round(x - slope * height), height + 5), 255, thick, cv2.LINE_AA)
    tone = np.array([0.85, 0.7, 0.6] if rng.random() < 0.6 else [0.7, 0.7, 0.7], np.float32)
    share = lines[:, :, None].astype(np.float32) / 255 * float(rng.uniform(0.4, 1.0))
    return _photo(mask, rng, sheet * (1 - share * (1 - tone)))


def _sheet(mask: Image, rng: np.random.Generator) -> Pixels:
    height, width = mask.shape
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
    slope = rng.uniform(-0.35, 0.35, 2)
    light = 1 + slope[0] * (xx / width - 0.5) + slope[1] * (yy / height - 0.5)
    tint = np.array([rng.uniform(0.9, 1.05), 1.0, rng.uniform(0.95, 1.08)])
    return np.asarray((rng.uniform(150, 215) * light)[:, :, None] * tint, np.float32)


def _photo(mask: Image, rng: np.random.Generator, sheet: Pixels) -> Image:
    photo = _inked(mask, sheet, _ink(rng, PAPER_INKS), 0.85)
    photo = np.asarray(cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.5, 1.4)), np.float32)
    return _jpeg(photo + _grain(rng, rng.uniform(1, 5), photo.shape), int(rng.integers(60, 95)))


def trimmed(mask: Image, rng: np.random.Generator) -> Image:
    """Cut to the ink's own frame, as drawing libraries do."""
    x, y, w, h = cv2.boundingRect(mask)
    return plain(np.ascontiguousarray(mask[y : y + h, x : x + w]) if w else mask, rng)


WAYS: dict[str, tuple[Canvas, Callable[[Image, np.random.Generator], Image]]] = {
    "plain": (NORMAL, plain), "transparent": (NORMAL, transparent), "white on transparent": (NORMAL, white_on_transparent),
    "light on dark": (NORMAL, light_on_dark), "JPEG and noise": (NORMAL, compressed), "trimmed": (NORMAL, trimmed),
    "paper": (PHOTO, paper), "paper in shadow": (PHOTO, shadow), "ruled paper": (PHOTO, ruled),
    **{name: (canvas, plain) for name, canvas in CANVASES.items()}}
"""Canvas and showing, by name."""

"""A card on a screen: its pixels' stripes or diamonds, its white, its glow, and what it reflects."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.presentation.prints import as_image, scanned
from pipeline.networks.api import Image

Rng = np.random.Generator
FINEST, COARSEST = 1900, 360
"""Screen pixels across the card: a tablet held close, and a laptop's window."""
CELL = 4
"""Texels a screen pixel, each way."""
CELL_PEAK = 5.0
"""Brightest texel of a cell over its mean, at most; brighter ones are cut."""


def shown(rng: Rng, picture: Image, across: int) -> tuple[Image, Image]:
    """(what each screen pixel shows, BGR; the light of one cell of pixels, CELL texels each, 255 for CELL_PEAK times its mean).

    picture: BGR uint8, as it is in the file that is shown.  across: screen pixels over it.
    """
    down = round(across * picture.shape[0] / picture.shape[1])
    how = cv2.INTER_AREA if across < picture.shape[1] else cv2.INTER_LINEAR
    light = cv2.resize(picture, (across, down), interpolation=how).astype(np.float32) / 255
    grey = light.mean(axis=2, keepdims=True)
    light = np.clip(grey + (light - grey) * rng.uniform(0.8, 1.5), 0, 1) ** rng.uniform(0.85, 1.2)
    white = 1 + np.array([rng.uniform(-0.06, 0.22), rng.uniform(-0.03, 0.04), rng.uniform(-0.16, 0.06)])
    black = rng.uniform(0.0, 0.09) * (1 + rng.uniform(-0.3, 0.5, 3))
    colours = np.clip((black + (1 - black) * light) * white * rng.uniform(0.6, 1.15), 0, 1)
    cell = _stripes(rng) if rng.random() < 0.6 else _diamonds(rng)
    tiles = 64 // cell.shape[0]
    return as_image(colours), as_image(np.tile(cell / cell.mean(axis=(0, 1)) / CELL_PEAK, (tiles, tiles, 1)))


def _stripes(rng: Rng) -> NDArray[np.float32]:
    """Red, green and blue side by side, dark between the rows; sometimes upright, sometimes blue first."""
    cell = np.full((CELL, CELL, 3), rng.uniform(0.1, 0.5), np.float32)
    for place, channel in enumerate((2, 1, 0) if rng.random() < 0.85 else (0, 1, 2)):
        cell[:, place, channel] = 1
    cell[:, 3] *= rng.uniform(0.3, 1)
    cell[-1] *= rng.uniform(0.2, 0.85)
    return np.ascontiguousarray(cell if rng.random() < 0.8 else cell.transpose(1, 0, 2))


def _diamonds(rng: Rng) -> NDArray[np.float32]:
    """As on phones: a green dot in every pixel, red and blue in every other, offset."""
    size = 2 * CELL
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    cell = np.full((size, size, 3), rng.uniform(0.05, 0.3), np.float32)
    spread = rng.uniform(0.7, 1.3)
    for channel, places in ((1, ((1, 1), (1, 5), (5, 1), (5, 5))), (2, ((3, 3), (7, 7))), (0, ((3, 7), (7, 3)))):
        for py, px in places:
            dy, dx = np.minimum(np.abs(y - py), size - np.abs(y - py)), np.minimum(np.abs(x - px), size - np.abs(x - px))
            cell[..., channel] += np.exp(-(dy**2 + dx**2) / (2 * spread**2)) * (1 if channel == 1 else 1.5)
    return cell


def file_of(rng: Rng, side: Image) -> Image:
    """What is shown was a scan or a photograph itself: softened, compressed, lit."""
    image = scanned(rng, side)
    if rng.random() < 0.5:
        left, right = rng.uniform(0.75, 1.05, 2)
        ramp = np.linspace(left, right, image.shape[1], dtype=np.float32)[None, :, None]
        image = np.asarray(np.clip(image * ramp * (1 + 0.05 * rng.standard_normal(3)), 0, 255), np.uint8)
    return image

"""The printed ground of a card: a rainbow of pastels under waves and rosettes of fine lines. Ours, and nobody's emblem."""

from __future__ import annotations

import math
import random
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from models.specimens import fonts
from models.specimens.canvas import HEIGHT_PX, PX_PER_MM, WIDTH_PX, Rgb

PALETTES: tuple[tuple[Rgb, Rgb, Rgb], ...] = (
    ((247, 226, 233), (240, 243, 228), (222, 236, 240)),
    ((250, 234, 218), (243, 238, 244), (228, 232, 246)),
    ((232, 244, 234), (246, 244, 226), (249, 228, 224)),
    ((238, 230, 246), (234, 243, 244), (250, 238, 224)),
    ((226, 238, 247), (247, 240, 236), (240, 227, 239)),
)
"""Left, middle and right of the rainbow, RGB."""
_WAVES = 58
_WAVE_POINTS = 160
_BEND = 4
"""Fixed-point bits of the line drawing."""
_SMALL = (WIDTH_PX // 4, HEIGHT_PX // 4)
_MARK: Rgb = (196, 60, 96)
_MARK_STRENGTH = 0.17


def draw_ground(rng: random.Random, font: Path) -> NDArray[np.uint8]:
    """(2159, 3424, 3) BGR uint8, with MUESTRA in large letters across it, pale enough to read through.

    Every call with an equally seeded `rng` gives the same pixels.
    """
    palette = rng.choice(PALETTES)
    small = _rainbow(palette, rng).astype(np.float32)
    mark = _watermark_mask(font)[:, :, None] * np.float32(_MARK_STRENGTH / 255)
    small += (np.array(_MARK[::-1], np.float32) - small) * mark
    size = (WIDTH_PX, HEIGHT_PX)
    image = np.asarray(cv2.resize(np.round(small).astype(np.uint8), size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    shade = [_darker(colour, rng.uniform(0.80, 0.90)) for colour in palette]
    _waves(image, shade, rng)
    for centre, radius, colour in ((rng.uniform(0.42, 0.62), 0.46, shade[0]), (rng.uniform(0.82, 0.92), 0.30, shade[1])):
        _rosette(image, (centre * WIDTH_PX, rng.uniform(0.40, 0.65) * HEIGHT_PX), radius * HEIGHT_PX, colour, rng)
    return image


def draw_emblem(image: NDArray[np.uint8], centre_mm: tuple[float, float], radius_mm: float, rng: random.Random) -> None:
    """A small flower of lines where an issuer's emblem would stand; an ornament that belongs to nobody. In place, BGR."""
    hues = [(190, 70, 130), (90, 140, 90), (90, 90, 160), (170, 120, 60)]
    centre = (centre_mm[0] * PX_PER_MM, centre_mm[1] * PX_PER_MM)
    for index, colour in enumerate(rng.sample(hues, 3)):
        _rosette(image, centre, radius_mm * PX_PER_MM * (1 - 0.27 * index), colour, rng, layers=2)


@lru_cache(maxsize=9)
def _watermark_mask(font: Path) -> NDArray[np.uint8]:
    """The word on the diagonal, at a quarter of the card's scale; not to be written to."""
    mask = Image.new("L", _SMALL, 0)
    face = fonts.load(font, 170)
    word = Image.new("L", (round(face.getlength("MUESTRA")), 200), 0)
    ImageDraw.Draw(word).text((0, 160), "MUESTRA", fill=255, font=face, anchor="ls")
    turned = word.rotate(math.degrees(math.atan2(HEIGHT_PX, WIDTH_PX)) * 0.82, expand=True, resample=Image.Resampling.BILINEAR)
    mask.paste(turned, ((mask.width - turned.width) // 2, (mask.height - turned.height) // 2))
    return np.asarray(mask)


def _rainbow(palette: tuple[Rgb, Rgb, Rgb], rng: random.Random) -> NDArray[np.uint8]:
    """Three colours from left to right with soft clouds between, BGR, at a quarter of the card's scale."""
    small = np.zeros((9, 13, 3), np.float32)
    for column in range(13):
        place = 2 * column / 12
        left, right = palette[min(1, int(place))], palette[min(1, int(place)) + 1]
        weight = place - min(1, int(place))
        small[:, column] = np.array(left) * (1 - weight) + np.array(right) * weight
    small += np.array([rng.uniform(-4, 4) for _ in range(small.size)], np.float32).reshape(small.shape)
    clouds = np.clip(small[:, :, ::-1], 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(clouds, _SMALL, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _waves(image: NDArray[np.uint8], colours: list[Rgb], rng: random.Random) -> None:
    x = np.linspace(-40, WIDTH_PX + 40, _WAVE_POINTS)
    lengths = [rng.uniform(0.25, 0.9) * WIDTH_PX for _ in range(3)]
    phases = [rng.uniform(0, 2 * math.pi) for _ in range(3)]
    swing = rng.uniform(60, 110)
    for index in range(_WAVES):
        share = index / _WAVES
        y = np.full_like(x, share * (HEIGHT_PX + 300) - 150)
        for k, (length, phase) in enumerate(zip(lengths, phases, strict=True)):
            y += swing / (k + 1) * np.sin(2 * math.pi * x / length + phase + 2.4 * math.pi * share * (k - 1))
        _line(image, x, y, colours[index % 3], 2)


def _rosette(image: NDArray[np.uint8], centre: tuple[float, float], radius: float, colour: Rgb, rng: random.Random,
             layers: int = 3) -> None:
    """Hypotrochoid-like flowers, one in another."""
    turn = np.linspace(0, 2 * math.pi, 900)
    for layer in range(layers):
        petals, depth = rng.randint(9, 21), rng.uniform(0.12, 0.35)
        for step in range(5):
            bow = radius * (1 - 0.2 * layer) * (1 - depth * (0.5 + 0.5 * np.cos(petals * turn + step * 2 * math.pi / 5)))
            _line(image, centre[0] + bow * np.cos(turn), centre[1] + bow * np.sin(turn), colour, 2)


def _line(image: NDArray[np.uint8], x: NDArray[np.float64], y: NDArray[np.float64], colour: Rgb, thickness: int) -> None:
    points = np.round(np.stack((x, y), axis=1) * 2 ** _BEND).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(image, [points], False, colour[::-1], thickness, cv2.LINE_AA, shift=_BEND)


def _darker(colour: Rgb, factor: float) -> Rgb:
    red, green, blue = (round(value * factor) for value in colour)
    return red, green, blue

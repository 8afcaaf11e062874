"""What copying machines and printers make of a card: toner, dots of four inks, dithered drops, or none to be seen."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.networks.api import Image
from pipeline.stages.geometry import CARD_MM

Rng = np.random.Generator
Plane = NDArray[np.float32]
PRINT_WIDTH = 2140
"""Pixels across a print: 25 a millimetre, four a dot at 150 lines an inch."""
_SIZE = (PRINT_WIDTH, round(PRINT_WIDTH * CARD_MM[1] / CARD_MM[0]))
_PX_PER_MM = PRINT_WIDTH / CARD_MM[0]
_INKS = np.array([[0.78, 0.60, 0.10], [0.42, 0.13, 0.80], [0.12, 0.86, 0.97], [0.10, 0.10, 0.11]], np.float32)
"""What cyan, magenta, yellow and black let through of blue, green and red light (rough, as in office toner)."""


def paper_colour(rng: Rng) -> NDArray[np.float32]:
    """BGR 0..1 of office paper: white, bluish by its brightener, or cream."""
    white = rng.uniform(0.86, 0.97) + np.array([1, 0, -1], np.float32) * rng.normal(0, 0.018)
    return np.asarray(np.clip(white, 0, 1), np.float32)


def scanned(rng: Rng, side: Image) -> Image:
    """What the machine's own eye saw: softened, its levels stretched or dulled, sometimes sharpened or compressed."""
    image = cv2.GaussianBlur(cv2.resize(side, _SIZE, interpolation=cv2.INTER_AREA), (0, 0), rng.uniform(0.025, 0.11) * _PX_PER_MM)
    if rng.random() < 0.4:
        soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(1.5, 3.5))
        image = cv2.addWeighted(image, 1.0, cv2.subtract(image, soft), rng.uniform(0.3, 1.2), 0)
    if rng.random() < 0.25:
        image = jpeg(np.asarray(image, np.uint8), int(rng.integers(25, 80)))
    return np.asarray(image, np.uint8)


def grey_print(rng: Rng, side: Image) -> Image:
    """A copy in one ink."""
    tone: Plane = cv2.cvtColor(scanned(rng, side), cv2.COLOR_BGR2GRAY).astype(np.float32) / np.float32(255)
    gain, lift = rng.uniform(0.9, 1.9), rng.uniform(-0.25, 0.12)
    tone = np.asarray(np.clip((tone - 0.5) * gain + 0.5 + lift, 0, 1) ** rng.uniform(0.7, 1.5), np.float32)
    kind = rng.random()
    if kind < 0.45:
        tone = _screened(tone, rng.uniform(75, 145), rng.uniform(0, 180), lines=rng.random() < 0.4, hard=rng.uniform(2, 9))
    elif kind < 0.65:
        tone = _dithered(rng, tone, rng.uniform(0.04, 0.1))
    tone = _drum(rng, tone)
    black, paper = rng.uniform(0.06, 0.24) * (1 + 0.06 * rng.standard_normal(3)), paper_colour(rng)
    return as_image(black + (paper - black) * tone[..., None])


def colour_print(rng: Rng, side: Image) -> Image:
    """A copy in four inks: laser or offset dots, an inkjet's drops, or a photo print without dots."""
    image = scanned(rng, side).astype(np.float32) / 255
    grey = image.mean(axis=2, keepdims=True)
    image = np.clip(grey + (image - grey) * rng.uniform(0.65, 1.35), 0, 1)
    image = np.clip((image - 0.5) * rng.uniform(0.85, 1.35) + 0.5 + rng.uniform(-0.10, 0.08), 0, 1) ** rng.uniform(0.8, 1.3)
    kind, paper = rng.random(), paper_colour(rng)
    if kind < 0.22:
        black = rng.uniform(0.04, 0.16)
        cast = 1 + 0.04 * rng.standard_normal(3)
        return as_image((black + (paper - black) * image) * np.clip(cast, 0.85, 1.1))
    ink = _separated(image, rng.uniform(0.4, 0.95))
    angles = np.array([15, 75, 0, 45]) + rng.uniform(-4, 4, 4)
    ruling, lines, hard = rng.uniform(110, 210), rng.random() < 0.25, rng.uniform(1.6, 7)
    drops = kind < 0.55
    light = np.ones_like(image)
    for number, plane in enumerate(ink):
        if drops:
            cover = 1 - _dithered(rng, 1 - plane, rng.uniform(0.03, 0.08))
        else:
            cover = 1 - _screened(1 - plane, ruling * rng.uniform(0.97, 1.03), angles[number], lines=lines, hard=hard)
        cover = _moved(cover, rng.normal(0, 0.03, 2) * _PX_PER_MM)
        strength = rng.uniform(0.8, 1.0)
        light *= 1 - strength * cover[..., None] * (1 - _INKS[number])
    light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.012, 0.03) * _PX_PER_MM)
    if drops and rng.random() < 0.4:
        light *= 1 - rng.uniform(0.01, 0.05) * _bands(rng, rng.uniform(0.4, 4))[..., None]
    return as_image(paper * light)


def _separated(image: Plane, black: float) -> list[Plane]:
    """Cyan, magenta, yellow, black 0..1 of BGR 0..1; `black`: share of the common grey that black ink takes."""
    lack = 1 - image
    key = lack.min(axis=2) ** 1.5 * np.float32(black)
    rest = np.clip((lack - key[..., None]) / np.maximum(1 - key[..., None], 0.05), 0, 1)
    return [rest[..., 2], rest[..., 1], rest[..., 0], key]


def _screened(light: Plane, ruling: float, angle: float, *, lines: bool, hard: float) -> Plane:
    """Light 0..1 as dots or lines of one size a tone; `ruling`: lines an inch, `hard`: how sharp their rims are."""
    period = 25.4 / ruling * _PX_PER_MM
    turn = np.radians(angle)
    x, y = np.arange(_SIZE[0], dtype=np.float32)[None], np.arange(_SIZE[1], dtype=np.float32)[:, None]
    step = np.float32(2 * np.pi / period)
    wave = _cosine(x * np.float32(np.cos(turn)) * step, y * np.float32(np.sin(turn)) * step)
    if not lines:
        across = _cosine(-x * np.float32(np.sin(turn)) * step, y * np.float32(np.cos(turn)) * step)
        wave = np.asarray((wave + across) / 2, np.float32)
    # the wave lies under the tone in about that share of a cell; no dots on white, no gaps in black
    return np.asarray(np.clip((light - 0.5 - 0.5 * wave) * np.float32(hard) + light, 0, 1), np.float32)


def _cosine(a: Plane, b: Plane) -> Plane:
    """cos(a + b) of a row and a column, without a cosine a pixel."""
    return np.asarray(np.cos(b) * np.cos(a) - np.sin(b) * np.sin(a), np.float32)


def _dithered(rng: Rng, light: Plane, grain: float) -> Plane:
    """Drops of one size, `grain` mm wide, strewn by a noise without low frequencies."""
    noise = rng.random((512, 512), np.float32)
    fine = noise - cv2.GaussianBlur(noise, (0, 0), 1.5, borderType=cv2.BORDER_REFLECT)
    order = np.empty(fine.size, np.float32)
    order[np.argsort(fine, axis=None)] = np.linspace(0, 1, fine.size, dtype=np.float32)
    small = max(1.0, grain * _PX_PER_MM)
    size = (round(_SIZE[0] / small), round(_SIZE[1] / small))
    reduced = cv2.resize(light, size, interpolation=cv2.INTER_AREA)
    tile = np.tile(order.reshape(512, 512), (size[1] // 512 + 1, size[0] // 512 + 1))[:size[1], :size[0]]
    return np.asarray(cv2.resize((reduced > tile).astype(np.float32), _SIZE, interpolation=cv2.INTER_LINEAR), np.float32)


def _drum(rng: Rng, tone: Plane) -> Plane:
    """Toner where none should be, and less where some should."""
    tone = np.asarray(tone * (1 - rng.uniform(0, 0.06) * _bands(rng, rng.uniform(1, 25))), np.float32)
    mottle = cv2.resize(rng.standard_normal((_SIZE[1] // 6, _SIZE[0] // 6), np.float32), _SIZE, interpolation=cv2.INTER_LINEAR)
    tone = np.asarray(tone + np.float32(rng.uniform(0, 0.08)) * mottle * (1 - np.abs(2 * tone - 1)), np.float32)
    for _ in range(int(rng.integers(0, 120))):
        at = (int(rng.integers(_SIZE[0])), int(rng.integers(_SIZE[1])))
        cv2.circle(tone, at, int(rng.integers(1, 4)), float(rng.uniform(0.1, 0.6)), -1)
    if rng.random() < 0.5:
        rim = int(rng.uniform(0.2, 0.8) * _PX_PER_MM)
        cv2.rectangle(tone, (0, 0), (_SIZE[0] - 1, _SIZE[1] - 1), float(rng.uniform(0.2, 0.8)), rim)
    return np.asarray(np.clip(tone, 0, 1), np.float32)


def _bands(rng: Rng, width_mm: float) -> Plane:
    """Stripes along one axis, 0..1, some `width_mm` wide."""
    along = rng.random() < 0.5
    cells = max(3, int((CARD_MM[1] if along else CARD_MM[0]) / width_mm))
    row = rng.random((cells, 1) if along else (1, cells)).astype(np.float32)
    return np.asarray(cv2.resize(row, _SIZE, interpolation=cv2.INTER_LINEAR), np.float32)


def _moved(plane: Plane, shift: NDArray[np.float64]) -> Plane:
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
    return np.asarray(cv2.warpAffine(plane, matrix, _SIZE, borderMode=cv2.BORDER_REPLICATE), np.float32)


def as_image(light: NDArray[Any]) -> Image:
    """BGR uint8 of 0..1."""
    return np.asarray(np.clip(light * 255, 0, 255), np.uint8)


def jpeg(image: Image, quality: int) -> Image:
    """As a file of that quality shows it."""
    done, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("the picture cannot be coded")
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)

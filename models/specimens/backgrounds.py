"""Surfaces that a card may lie on, seen from straight above: drawn, or scikit-image's packaged textures where it is there.

Every surface is a function (rng, width, height, px_per_mm) -> (H, W, 3) BGR uint8 in display values, as under even light.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.networks.api import Image

Plane = NDArray[np.float32]
Colour = tuple[int, int, int]
Surface = Callable[[np.random.Generator, int, int, float], Image]

WOODS: tuple[Colour, ...] = ((58, 92, 140), (92, 135, 180), (40, 58, 92), (130, 170, 205), (70, 105, 150), (60, 70, 88))
CLOTHS: tuple[Colour, ...] = ((120, 70, 40), (60, 60, 150), (170, 170, 165), (70, 90, 60), (40, 40, 45), (150, 120, 175),
                              (190, 205, 215))
PLAINS: tuple[Colour, ...] = ((235, 236, 238), (210, 216, 222), (60, 60, 62), (150, 140, 120), (95, 120, 140), (175, 195, 205),
                              (205, 200, 190))


def draw_surface(kind: str, rng: np.random.Generator, width: int, height: int, px_per_mm: float) -> Image:
    """One of `SURFACES`. Raises KeyError for another name."""
    return SURFACES[kind](rng, width, height, px_per_mm)


def noise(rng: np.random.Generator, width: int, height: int, cell: tuple[float, float], octaves: int = 3) -> Plane:
    """Smooth value noise of mean 0 and sigma about 1; `cell`: pixels a grain of the coarsest octave, across and down."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        cx, cy = max(1.0, cell[0] / 2**octave), max(1.0, cell[1] / 2**octave)
        grid = rng.standard_normal((min(height, math.ceil(height / cy) + 3), min(width, math.ceil(width / cx) + 3)), np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * 0.6**octave
    return np.asarray(total / max(1e-6, float(total.std())), np.float32)


def tint(base: Colour, shade: Plane) -> Image:
    """Colours a plane of relative brightness (0: as `base`; 0.1: ten per cent lighter)."""
    field = np.clip(1 + shade, 0, None)
    return np.asarray(cv2.merge([cv2.convertScaleAbs(field, alpha=channel) for channel in base]), np.uint8)


def _varied(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    base = np.array(colours[int(rng.integers(len(colours)))], np.float64) * rng.uniform(0.85, 1.12) + rng.uniform(-10, 10, 3)
    b, g, r = (int(v) for v in np.clip(base, 12, 246))
    return b, g, r


def _axes(width: int, height: int, px_per_mm: float) -> tuple[Plane, Plane]:
    """x (1, W) and y (H, 1) in mm."""
    return (np.arange(width, dtype=np.float32)[None] / np.float32(px_per_mm),
            np.arange(height, dtype=np.float32)[:, None] / np.float32(px_per_mm))


def wood(rng: np.random.Generator, width: int, height: int, px_per_mm: float) -> Image:
    """Planks with annual rings cut lengthwise, fibres and pores."""
    colour = _varied(rng, WOODS)
    x, y = _axes(width, height, px_per_mm)
    plank = float(rng.uniform(70, 180))
    row = np.floor(y / plank)
    phase = np.asarray(np.sin(row * 12.9898 + float(rng.uniform(0, 9))) * 43.0, np.float32)
    bend = noise(rng, width, height, (160 * px_per_mm, 22 * px_per_mm), 2)
    rings = np.sin((y + bend * float(rng.uniform(3, 9)) + phase) * float(rng.uniform(0.35, 1.0)))
    fibre = noise(rng, width, height, (26 * px_per_mm, 0.35 * px_per_mm), 2)
    shade = 0.07 * rings + 0.06 * fibre + 0.05 * bend + 0.05 * np.sin(phase)
    seam = np.abs(y - np.round(y / plank) * plank) < 0.5
    return tint(colour, np.where(seam, shade - 0.45, shade).astype(np.float32) + 0 * x)


def cloth(rng: np.random.Generator, width: int, height: int, px_per_mm: float) -> Image:
    """A plain weave with folds; some with stripes or checks."""
    colour = _varied(rng, CLOTHS)
    x, y = _axes(width, height, px_per_mm)
    pitch = max(float(rng.uniform(0.7, 1.8)), 2.6 / px_per_mm)
    weave = np.sin(2 * math.pi * x / pitch) * np.sin(2 * math.pi * y / pitch)
    folds = noise(rng, width, height, (120 * px_per_mm, 45 * px_per_mm), 2)
    shade = 0.10 * weave + 0.09 * folds + 0.05 * noise(rng, width, height, (pitch * px_per_mm,) * 2, 1)
    if rng.random() < 0.5:
        period, depth = float(rng.uniform(14, 45)), float(rng.uniform(0.12, 0.35))
        shade = shade - depth * ((x % period) < period * 0.3)
        if rng.random() < 0.5:
            shade = shade - depth * ((y % period) < period * 0.3)
    return tint(colour, shade.astype(np.float32))


def plain(rng: np.random.Generator, width: int, height: int, px_per_mm: float) -> Image:
    """Painted board, laminate or plastic, with fine speckle; often as pale as the card."""
    colour = _varied(rng, PLAINS)
    shade = 0.012 * noise(rng, width, height, (0.4 * px_per_mm,) * 2, 1)
    shade = shade + 0.02 * noise(rng, width, height, (90 * px_per_mm,) * 2, 2)
    if rng.random() < 0.4:
        specks = noise(rng, width, height, (1.2 * px_per_mm,) * 2, 1)
        shade = shade - 0.18 * (specks > 1.9) + 0.14 * (specks < -2.0)
    return tint(colour, shade.astype(np.float32))


def paper(rng: np.random.Generator, width: int, height: int, px_per_mm: float) -> Image:
    """A sheet or pad that fills the view: blank, ruled or squared."""
    colour = _varied(rng, ((238, 240, 241), (225, 234, 240), (228, 222, 215)))
    x, y = _axes(width, height, px_per_mm)
    shade = 0.008 * noise(rng, width, height, (0.3 * px_per_mm,) * 2, 1)
    image = tint(colour, np.asarray(shade + 0.015 * noise(rng, width, height, (60 * px_per_mm,) * 2, 2), np.float32))
    style, gap, pen = int(rng.integers(3)), float(rng.choice([5.0, 7.0, 8.0])), np.array([205, 160, 130], np.float32)
    half = max(0.14, 0.5 / px_per_mm)
    lines = np.zeros((height, width), bool)
    if style >= 1:
        lines |= np.asarray((np.abs((y % gap) - gap / 2) < half) & (x >= 0))
    if style == 2:
        lines |= np.asarray((np.abs((x % gap) - gap / 2) < half) & (y >= 0))
    image[lines] = (0.45 * image[lines] + 0.55 * pen).astype(np.uint8)
    return image


def tiles(rng: np.random.Generator, width: int, height: int, px_per_mm: float) -> Image:
    """Glazed tiles, each of a slightly other shade, with sunken joints."""
    colour = _varied(rng, ((214, 218, 222), (160, 175, 190), (120, 110, 100), (90, 110, 150)))
    x, y = _axes(width, height, px_per_mm)
    size, joint = float(rng.uniform(40, 160)), float(rng.uniform(1.5, 4))
    shift = float(rng.uniform(0, size))
    shades = rng.normal(0, 0.035, (64, 64)).astype(np.float32)
    shade = shades[(((y + shift) // size).astype(int) % 64), (((x + shift) // size).astype(int) % 64)]
    shade = shade + 0.03 * noise(rng, width, height, (30 * px_per_mm,) * 2, 3)
    gap = (((x + shift) % size) < joint) | (((y + shift) % size) < joint)
    depth = float(rng.choice([-0.35, -0.2, 0.18]))
    return tint(colour, np.where(gap, depth, shade).astype(np.float32))


def marble(rng: np.random.Generator, width: int, height: int, px_per_mm: float) -> Image:
    """Polished stone: cloudy ground with veins along the folds of a noise."""
    dark = rng.random() < 0.4
    colour = _varied(rng, ((62, 60, 58), (70, 80, 78)) if dark else ((228, 230, 232), (205, 212, 220)))
    clouds = noise(rng, width, height, (70 * px_per_mm,) * 2, 4)
    turn = noise(rng, width, height, (150 * px_per_mm, 70 * px_per_mm), 6)
    # veins thin out and vanish where the clouds say so
    strength = np.clip(0.5 + 0.6 * noise(rng, width, height, (60 * px_per_mm,) * 2, 3), 0, 1)
    veins = np.exp(-np.abs(turn) * float(rng.uniform(14, 30))) * strength
    shade = 0.05 * clouds + (0.55 if dark else -0.25) * veins + 0.02 * noise(rng, width, height, (1.5 * px_per_mm,) * 2, 2)
    return tint(colour, shade.astype(np.float32))


def keyboard(rng: np.random.Generator, width: int, height: int, px_per_mm: float) -> Image:
    """A laptop's keyboard: rows of keys 19 mm apart with their letters."""
    dark = rng.random() < 0.7
    body, key, ink = ((52, 50, 50), (28, 26, 26), (215, 215, 215)) if dark else ((200, 198, 196), (238, 238, 238), (70, 70, 70))
    image = tint(body, 0.02 * noise(rng, width, height, (20 * px_per_mm,) * 2, 2))
    pitch, gap = 19.0 * px_per_mm, 1.6 * px_per_mm
    letters = "QWERTYUIOPASDFGHJKLZXCVBNM1234567890"
    for row in range(-1, math.ceil(height / pitch) + 1):
        for column in range(-1, math.ceil(width / pitch) + 1):
            left, top = (column + 0.25 * (row % 4)) * pitch + gap, row * pitch + gap
            right, bottom = left + pitch - gap, top + pitch - gap
            shade = float(rng.normal(0, 4))
            corner, far = (round(left), round(top)), (round(right), round(bottom))
            cv2.rectangle(image, corner, far, tuple(v + shade for v in key), -1, cv2.LINE_AA)
            thick, at = max(1, round(0.33 * px_per_mm)), (round(left + 3 * px_per_mm), round(top + 7 * px_per_mm))
            cv2.line(image, corner, (far[0], corner[1]), tuple(v + 22.0 for v in key), thick, cv2.LINE_AA)
            letter = letters[int(rng.integers(len(letters)))]
            cv2.putText(image, letter, at, cv2.FONT_HERSHEY_SIMPLEX, 0.16 * px_per_mm, ink, thick, cv2.LINE_AA)
    return image


@functools.cache
def packaged(name: str) -> Image | None:
    """A picture that scikit-image's wheel carries, BGR; None where the package is absent. Not to be written to."""
    found = importlib.util.find_spec("skimage")
    if found is None or found.origin is None:
        return None
    image = cv2.imread(str(Path(found.origin).parent / "data" / name), cv2.IMREAD_COLOR)
    return None if image is None else np.asarray(image, np.uint8)


def _photographed(name: str, tile_mm: float, colours: tuple[Colour, ...]) -> Surface:
    """A surface of mirrored copies of a packaged grey texture, `tile_mm` wide each, in one of `colours`.

    Drawn stone where scikit-image is absent.
    """

    def draw(rng: np.random.Generator, width: int, height: int, px_per_mm: float) -> Image:
        texture = packaged(name)
        if texture is None:
            return marble(rng, width, height, px_per_mm)
        side = max(16, round(tile_mm * px_per_mm * float(rng.uniform(0.8, 1.3))))
        tile = cv2.resize(texture, (side, side), interpolation=cv2.INTER_AREA if side < texture.shape[1] else cv2.INTER_CUBIC)
        pair = np.hstack([tile, tile[:, ::-1]])
        block = np.vstack([pair, pair[::-1]])
        repeats = (math.ceil(height / block.shape[0]), math.ceil(width / block.shape[1]), 1)
        image = np.tile(block, repeats)[:height, :width]
        colour = np.array(_varied(rng, colours), np.float64) / 128
        return np.stack([cv2.convertScaleAbs(image[..., k], alpha=float(colour[k])) for k in range(3)], axis=-1).astype(np.uint8)

    return draw


SURFACES: dict[str, Surface] = {
    "wood": wood, "cloth": cloth, "plain": plain, "paper": paper, "tiles": tiles, "marble": marble, "keyboard": keyboard,
    "gravel": _photographed("gravel.png", 160, PLAINS + WOODS), "brick": _photographed("brick.png", 320, PLAINS + WOODS),
    "grass": _photographed("grass.png", 220, ((70, 130, 110), (60, 110, 95), (90, 140, 145))),
}
EASY_SURFACES = ("wood", "wood", "plain", "cloth", "marble")
ALL_SURFACES = ("wood", "wood", "wood", "plain", "plain", "cloth", "cloth", "paper", "paper", "tiles", "marble", "keyboard",
                "gravel", "brick", "grass")

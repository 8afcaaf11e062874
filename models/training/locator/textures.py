"""Surfaces that a card may lie on, or that its portrait may show: drawn ones, and scikit-image's packaged photographs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Rng = np.random.Generator

TEXTURE_SIZE = 420
_PHOTOS = (
    "astronaut.png", "brick.png", "camera.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png", "grass.png",
    "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png", "retina.jpg", "rocket.jpg",
)


def random_colour(rng: Rng, low: int = 0, high: int = 255, spread: int = 50) -> NDArray[np.float32]:
    """A BGR colour round one grey level: real surfaces are seldom saturated."""
    level = rng.uniform(low, high)
    return np.clip(level + rng.uniform(-spread, spread, 3), 0, 255).astype(np.float32)


def _noise(rng: Rng, height: int, width: int, cells_y: float, cells_x: float) -> NDArray[np.float32]:
    """Smooth noise in -1..1 with about that many cells down and across."""
    grid = rng.uniform(-1, 1, (max(2, int(cells_y)), max(2, int(cells_x)))).astype(np.float32)
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _octaves(rng: Rng, size: int, first: float, count: int) -> NDArray[np.float32]:
    total = np.zeros((size, size), np.float32)
    for octave in range(count):
        total += _noise(rng, size, size, first * 2**octave, first * 2**octave) / 2**octave
    return total / 1.6


def _coloured(field: NDArray[np.float32], first: NDArray[np.float32], second: NDArray[np.float32]) -> Image:
    share = np.clip(field * 0.5 + 0.5, 0, 1)[..., None]
    return np.asarray((first * (1 - share) + second * share).clip(0, 255), dtype=np.uint8)


def _pair(rng: Rng) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    first = random_colour(rng, 10, 245)
    step = rng.uniform(10, 90) * rng.choice([-1, 1]) + rng.uniform(-15, 15, 3)
    return first, np.clip(first + step, 0, 255).astype(np.float32)


def wood(rng: Rng, size: int) -> Image:
    """Grain lines bent by slow noise, sometimes planks."""
    bend = _noise(rng, size, size, 3, 3) * rng.uniform(5, 40)
    y = np.arange(size, dtype=np.float32)[:, None] + bend
    grain = np.sin(y / rng.uniform(1.5, 9)) * 0.4 + _noise(rng, size, size, size / 3, 6) * 0.5
    grain = grain + _noise(rng, size, size, 12, 2) * 0.4
    base = np.array([rng.uniform(20, 140), rng.uniform(50, 170), rng.uniform(80, 215)], np.float32)
    picture = _coloured(grain, base, np.clip(base * rng.uniform(0.5, 0.85), 0, 255))
    if rng.random() < 0.4:
        for edge in range(int(rng.integers(0, 90)), size, int(rng.integers(50, 150))):
            picture[edge:edge + int(rng.integers(1, 4))] = picture[edge:edge + 1] // 2
    return picture


def cloth(rng: Rng, size: int) -> Image:
    """A weave, with stripes or squares in half of the draws."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    period = rng.uniform(2.5, 9)
    weave = np.sin(x * 6.28 / period) * np.sin(y * 6.28 / period) * 0.5 + _octaves(rng, size, 4, 3) * 0.4
    first, second = _pair(rng)
    picture = _coloured(weave, first, second)
    if rng.random() < 0.5:
        stripe = int(rng.integers(8, 60))
        tint = random_colour(rng)
        where = (x // stripe % 2 == 0) if rng.random() < 0.5 else ((x // stripe + y // stripe) % 2 == 0)
        picture[where] = (picture[where] * 0.6 + tint * 0.4).astype(np.uint8)
    return picture


def stone(rng: Rng, size: int) -> Image:
    first, second = _pair(rng)
    field = _octaves(rng, size, rng.uniform(2, 14), 5)
    if rng.random() < 0.5:
        field = np.asarray(1 - 2 * np.abs(field) ** 0.5, dtype=np.float32)
    return _coloured(field, first, second)


def plain(rng: Rng, size: int) -> Image:
    """Paper, lacquer, a wall: nearly one colour, a slow gradient and a fine grain."""
    first = random_colour(rng, 5, 252, 30)
    picture = _coloured(_noise(rng, size, size, 2, 2), first, np.clip(first + rng.uniform(-25, 25), 0, 255).astype(np.float32))
    grain = rng.normal(0, rng.uniform(0, 6), (size, size, 1))
    return (picture + grain).clip(0, 255).astype(np.uint8)


def tiles(rng: Rng, size: int) -> Image:
    """Tiles, grids and keyboards: many straight edges that belong to no card."""
    picture = plain(rng, size) if rng.random() < 0.5 else stone(rng, size)
    step_x, step_y = int(rng.integers(18, 160)), int(rng.integers(18, 160))
    joint = random_colour(rng).tolist()
    thick = int(rng.integers(1, 6))
    key = rng.random() < 0.4
    tint = random_colour(rng).tolist()
    for x in range(0, size, step_x):
        for y in range(0, size, step_y):
            if key:
                cv2.rectangle(picture, (x + thick, y + thick), (x + step_x - thick, y + step_y - thick), tint, -1)
            cv2.rectangle(picture, (x, y), (x + step_x, y + step_y), joint, thick)
    return picture


def print_page(rng: Rng, size: int) -> Image:
    """A surface full of print: lines of dark marks, as on a newspaper or a form."""
    picture = np.empty((size, size, 3), np.uint8)
    picture[:] = random_colour(rng, 170, 255, 15)
    ink = random_colour(rng, 0, 110, 20).tolist()
    line = int(rng.integers(5, 16))
    for y in range(4, size, line):
        x = int(rng.integers(0, 20))
        while x < size:
            word = int(rng.integers(3, 40))
            if rng.random() < 0.93:
                cv2.rectangle(picture, (x, y), (x + word, y + max(1, line // 2 - 1)), ink, -1)
            x += word + int(rng.integers(2, 7))
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.7), dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Library:
    """What scenes are composed from: photographs to cut patches from, and surfaces drawn once."""

    photos: list[Image]
    surfaces: list[Image]


def make_library(rng: Rng, surfaces: int = 400) -> Library:
    photos = load_photos()
    return Library(photos, [surface(rng, photos) for _ in range(surfaces)])


def load_photos() -> list[Image]:
    """The photographs that scikit-image carries, at most 640 px on the long side."""
    import skimage.data

    folder = Path(skimage.data.__file__).parent
    photos = []
    for name in _PHOTOS:
        picture = cv2.imread(str(folder / name), cv2.IMREAD_COLOR)
        if picture is not None:
            scale = min(1.0, 640 / max(picture.shape[:2]))
            photos.append(np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8))
    return photos


def patch(rng: Rng, photos: list[Image], height: int, width: int) -> Image:
    """A random piece of a random photograph at that size, mirrored half of the time."""
    photo = photos[int(rng.integers(len(photos)))]
    share = rng.uniform(0.25, 0.95)
    h, w = int(photo.shape[0] * share), int(photo.shape[1] * share)
    y, x = int(rng.integers(0, photo.shape[0] - h + 1)), int(rng.integers(0, photo.shape[1] - w + 1))
    piece = photo[y:y + h, x:x + w]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    return np.asarray(cv2.resize(piece, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def surface(rng: Rng, photos: list[Image], size: int = TEXTURE_SIZE) -> Image:
    """Any of the surfaces: (size, size, 3) BGR."""
    kind = rng.choice(["wood", "cloth", "stone", "plain", "tiles", "print", "photo"], p=[0.2, 0.14, 0.16, 0.2, 0.1, 0.07, 0.13])
    drawn = {"wood": wood, "cloth": cloth, "stone": stone, "plain": plain, "tiles": tiles, "print": print_page}
    picture = patch(rng, photos, size, size) if kind == "photo" else drawn[str(kind)](rng, size)
    if rng.random() < 0.3:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.5, 4))), dtype=np.uint8)
    turned = np.rot90(picture, int(rng.integers(4)))
    return np.ascontiguousarray(turned)

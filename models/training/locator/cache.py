"""Scenes drawn once into one file, since drawing costs more than a training step."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.locator.config import MAP_HEIGHT, MAP_WIDTH, MAX_DOCUMENTS, VIEW_HEIGHT, VIEW_WIDTH
from models.training.locator.scenes import draw_scene
from models.training.locator.textures import make_library

_FINE = 4
"""Sub-samples a map cell has along each axis when coverage is drawn."""


class SceneCache:
    """pictures (N, 192, 256, 3) u8 BGR; quads (N, 6, 4, 2) f32, shares of the frame; single (N,) bool; masks (N, 2, 48, 64)
    u8: coverage by documents, and by their outlines."""

    def __init__(self, folder: Path, count: int, mode: str = "r") -> None:
        def table(name: str, shape: tuple[int, ...], dtype: type) -> NDArray[np.generic]:
            path = folder / f"{name}.npy"
            if mode == "r":
                return np.asarray(np.load(path, mmap_mode="r"))
            return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(count, *shape))

        folder.mkdir(parents=True, exist_ok=True)
        self.pictures = table("pictures", (VIEW_HEIGHT, VIEW_WIDTH, 3), np.uint8)
        self.quads = table("quads", (MAX_DOCUMENTS, 4, 2), np.float32)
        self.single = table("single", (), np.bool_)
        self.masks = table("masks", (2, MAP_HEIGHT, MAP_WIDTH), np.uint8)


def draw_masks(quads: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(2, 48, 64): the documents' whole areas (also where a finger hides them), and their outlines two cells wide."""
    size = (MAP_HEIGHT * _FINE, MAP_WIDTH * _FINE)
    area, outline = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    for quad in quads:
        if np.isnan(quad).any():
            continue
        points = np.round(quad * (size[1], size[0]) - 0.5).astype(np.int32)
        cv2.fillConvexPoly(area, points, 255)
        cv2.polylines(outline, [points], True, 255, 2 * _FINE)
    maps = [cv2.resize(m, (MAP_WIDTH, MAP_HEIGHT), interpolation=cv2.INTER_AREA) for m in (area, outline)]
    return np.asarray(maps, dtype=np.uint8)


def fill(folder: Path, count: int, seed: int) -> None:
    """Draws `count` scenes; a finished cache of the same size is kept."""
    mark = folder / f"done-{count}-{seed}"
    if mark.exists():
        return
    cv2.setNumThreads(1)
    cache = SceneCache(folder, count, "w")
    rng = np.random.default_rng(seed)
    library = make_library(rng)
    for index in range(count):
        scene = draw_scene(rng, library)
        cache.pictures[index] = scene.picture
        cache.quads[index] = scene.quads
        cache.single[index] = scene.single
        cache.masks[index] = draw_masks(scene.quads)
        if index % 1000 == 999:
            print(f"{index + 1} of {count} scenes", flush=True)
    mark.touch()

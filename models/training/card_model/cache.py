"""Flat sides drawn once into one file: drawing costs ten times a training step's share."""

from __future__ import annotations

import random
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.card_model.config import FLAT_HEIGHT, FLAT_WIDTH, SHARES
from models.training.card_model.grounds import Pictures
from models.training.card_model.others import draw_nothing, draw_other
from models.training.card_model.sides import draw_side
from pipeline.networks.api import Image
from pipeline.networks.card_model import KINDS


class FlatCache:
    """flats (N, 270, 428, 3) u8 BGR, upright; kinds (N,) i64, places in `KINDS`."""

    def __init__(self, folder: Path) -> None:
        self.flats: NDArray[np.uint8] = np.load(folder / "flats.npy", mmap_mode="r")
        self.kinds: NDArray[np.int64] = np.load(folder / "kinds.npy")


def draw_flat(kind: str, rng: random.Random, pictures: Pictures) -> Image:
    """One flat side of a kind, (540, 856, 3) BGR uint8, upright."""
    if kind == "other_document":
        return draw_other(rng, pictures)
    return draw_nothing(rng, pictures) if kind == "not_a_card" else draw_side(kind, rng, pictures)


def fill(folder: Path, count: int, seed: int) -> None:
    """Draws `count` sides, kinds in turn by `SHARES`; a finished cache of the same size and seed is kept."""
    mark = folder / f"done-{count}-{seed}"
    if mark.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    pictures = Pictures()
    names = [kind.name for kind in KINDS]
    chooser = random.Random(seed)
    kinds = np.array(chooser.choices(range(len(names)), [SHARES[name] for name in names], k=count), np.int64)
    shape = (count, FLAT_HEIGHT, FLAT_WIDTH, 3)
    flats = np.lib.format.open_memmap(folder / "flats.npy", mode="w+", dtype=np.uint8, shape=shape)
    for index, kind in enumerate(kinds):
        flat = draw_flat(names[kind], random.Random(f"{seed}/{index}"), pictures)
        flats[index] = cv2.resize(flat, (FLAT_WIDTH, FLAT_HEIGHT), interpolation=cv2.INTER_AREA)
        if index % 1000 == 999:
            print(f"{index + 1} of {count} sides", flush=True)
    flats.flush()
    np.save(folder / "kinds.npy", kinds)
    mark.touch()

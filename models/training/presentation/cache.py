"""What the network will see, drawn once into one file: a card, its copies and their photographs, as mosaics."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.specimens.card import CardSpec, draw_card
from models.specimens.faces import FacePhoto, load_faces
from models.specimens.people import invent_person
from models.training.locator.textures import Library, make_library
from models.training.presentation.capture import Camera
from models.training.presentation.config import CARD_SHOTS, COPIES, COPY_SHOTS
from models.training.presentation.prints import colour_print, grey_print
from models.training.presentation.scenes import Scene, card_scene, paper_scene, screen_scene
from models.training.presentation.screens import file_of
from pipeline.domain.card_model import CardModel, Side
from pipeline.networks.api import Image
from pipeline.networks.presentation import KINDS
from pipeline.stages.mosaic import mosaic

Rng = np.random.Generator
_ISSUED = {CardModel.A: 1998, CardModel.B: 2002, CardModel.C: 2011, CardModel.D: 2014, CardModel.E: 2018, CardModel.F: 2018,
           CardModel.G: 2022, CardModel.H: 2023}
_JITTER_MM = 0.4
_FLAT = (2282, 1440)
"""26.7 pixels a millimetre: nearly the finest view."""
CARD, GREY, COLOUR, SCREEN = range(len(KINDS))
A_SIDE = CARD_SHOTS + 3 * COPIES * COPY_SHOTS


def originals(number: int, seed: int, faces: tuple[FacePhoto, ...]) -> Iterator[tuple[Side, Image]]:
    """Both sides of one drawn card, recoloured: other printers, other years, other renderers."""
    chooser, rng = random.Random(f"{seed}/{number}"), np.random.default_rng([seed, number])
    model = chooser.choice(list(_ISSUED))
    face = chooser.choice(faces)
    issue = _ISSUED[model]
    person = invent_person(chooser, face.identity, adult_by=min(2013, issue), abroad=model.issued_abroad)
    card = draw_card(CardSpec(model, person, issue, issue + 10, chooser.randrange(2**31), _JITTER_MM), face.portrait())
    for side, drawn in ((Side.FRONT, card.front), (Side.BACK, card.back)):
        flat = np.asarray(cv2.resize(drawn.image, _FLAT, interpolation=cv2.INTER_AREA), np.uint8)
        yield side, recoloured(rng, flat)


def recoloured(rng: Rng, side: Image) -> Image:
    """Another ground's tint, saturation and contrast: pale and nearly grey ones too, since a card may be that and be genuine."""
    saturation = float(rng.uniform(0.2, 1.5))
    tint = np.clip(1 + rng.normal(0, 0.045, 3), 0.8, 1.12)
    gain, lift = float(rng.uniform(0.8, 1.1)), float(rng.uniform(-12, 25))
    grey = cv2.cvtColor(cv2.cvtColor(side, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    image = cv2.addWeighted(side, saturation * gain, grey, (1 - saturation) * gain, lift)
    table = np.clip(np.arange(256)[:, None] * tint, 0, 255).astype(np.uint8).reshape(1, 256, 3)
    return np.asarray(cv2.LUT(image, table), np.uint8)


def scenes(rng: Rng, side: Image, library: Library) -> Iterator[tuple[int, Scene]]:
    """`A_SIDE` scenes of one side, each with its kind; a copy is photographed in several places."""
    for _ in range(CARD_SHOTS):
        yield CARD, card_scene(rng, side, library)
    for _ in range(COPIES):
        grey, colour, picture = grey_print(rng, side), colour_print(rng, side), file_of(rng, side)
        for _ in range(COPY_SHOTS):
            yield GREY, paper_scene(rng, grey, library)
            yield COLOUR, paper_scene(rng, colour, library)
            yield SCREEN, screen_scene(rng, picture, library)


class Mosaics:
    """mosaics (N, HEIGHT, WIDTH, 3) u8; kinds (N,) i64; px_per_mm (N,) of the view: of the first `cards` cards of a folder."""

    def __init__(self, folder: Path, cards: int) -> None:
        drawn = [np.load(_file(folder, number)) for number in range(cards)]
        self.mosaics: NDArray[np.uint8] = np.concatenate([one["mosaics"] for one in drawn])
        self.kinds: NDArray[np.int64] = np.concatenate([one["kinds"] for one in drawn])
        self.px_per_mm: NDArray[np.float64] = np.concatenate([one["px_per_mm"] for one in drawn])


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:04d}.npz"


Drawn = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float64]]


def draw(number: int, seed: int, library: Library, faces: tuple[FacePhoto, ...], camera: Camera) -> Drawn:
    """All photographs of one card's two sides: mosaics, kinds, pixels a millimetre."""
    rng, rows = np.random.default_rng([seed, number, 1]), []
    for _, side in originals(number, seed, faces):
        for kind, scene in scenes(rng, side, library):
            view = camera.photograph(rng, scene)
            rows.append((mosaic(view.image, view.quad), kind, view.px_per_mm))
    pictures, kinds, sharpness = zip(*rows, strict=True)
    return np.stack(pictures), np.array(kinds, np.int64), np.array(sharpness)


_state: dict[str, Any] = {}


def _start(folder: Path, seed: int) -> None:
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    _state.update(folder=folder, seed=seed, library=make_library(rng, 150), faces=load_faces(), camera=Camera(rng))


def _draw(number: int) -> None:
    """One card's file: whole, or not there."""
    path = _file(_state["folder"], number)
    drawn = draw(number, _state["seed"], _state["library"], _state["faces"], _state["camera"])
    part = path.with_suffix(".part.npz")
    np.savez(part, mosaics=drawn[0], kinds=drawn[1], px_per_mm=drawn[2])
    part.replace(path)


def fill(folder: Path, cards: int, seed: int, jobs: int) -> None:
    """Draws what is missing of `cards` cards in `jobs` processes. The folder is named for its seed."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(cards) if not _file(folder, number).exists()]
    started = time.monotonic()
    with get_context("spawn").Pool(jobs, initializer=_start, initargs=(folder, seed)) as pool:
        for done, _ in enumerate(pool.imap(_draw, missing), 1):
            if done % 10 == 0:
                print(f"{done} of {len(missing)} cards, {time.monotonic() - started:.0f} s", flush=True)

"""Photographs for the evaluation of presentation: drawn cards, copied, shown and taken by `models.specimens`, kept as mosaics.

What is kept hangs on the seed and on the specimens' sources, not on the network: it is asked anew each time.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.registry import load_calibration
from models.specimens.camera import Defect, Severity, Shot, photograph
from models.specimens.card import CardSpec, DrawnCard, draw_card
from models.specimens.faces import load_faces
from models.specimens.make import JITTER_MM, generator_version
from models.specimens.people import invent_person
from models.specimens.truth import needed_boxes
from pipeline.domain.capture import Capture
from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.support import SupportInfo
from pipeline.networks.api import Image
from pipeline.networks.presentation import HEIGHT, WIDTH
from pipeline.sides import look
from pipeline.stages.mosaic import mosaic
from pipeline.stages.presentation import chroma_spread, grid_peak
from pipeline.stages.rectify import px_per_mm
from pipeline.stopwatch import Stopwatch
from pipeline.wiring import local_networks, pin_threads

SPECIES = (Defect.PHOTOCOPY, Defect.COLOUR_COPY, Defect.CUT_OUT, Defect.SCREEN, Defect.PHONE_SCREEN)
GENUINE = "card"
_ISSUED = {CardModel.D: 2014, CardModel.E: 2018, CardModel.F: 2018, CardModel.G: 2022, CardModel.H: 2023}
GENUINE_SHOTS = 3
"""Normal photographs of a genuine side; one hard one more."""
_LONG_SIDES, _OFTEN = (2000, 2592, 4000), (0.7, 0.2, 0.1)
"""Of the photographs. What is judged has 2,000, 2,592 and again 2,000 pixels: the largest are reduced while they are decoded."""
CACHE = Path(".cache/presentation")


@dataclass(frozen=True, slots=True)
class Shown:
    """One photograph of one side, as far as the network is not asked. seen: False where no side was recognised, so that the
    photograph is asked for again.  copy: `colour` or `grey` of a cut-out."""

    card: int
    side: str
    species: str
    severity: str
    shot: int
    copy: str
    px_per_mm: float
    seen: bool
    chroma: float | None
    grid: float | None

    @property
    def name(self) -> str:
        return f"card {self.card} {self.side} {self.species} {self.severity} {self.shot}"


def drawn(seed: int, number: int) -> DrawnCard:
    chooser = random.Random(f"{seed}/{number}")
    faces = load_faces()
    face, model = faces[number % len(faces)], chooser.choice(list(_ISSUED))
    person = invent_person(chooser, face.identity, adult_by=2013, abroad=model.issued_abroad)
    issue = _ISSUED[model]
    return draw_card(CardSpec(model, person, issue, issue + 10, chooser.randrange(2**31), JITTER_MM), face.portrait())


Taken = tuple[int, Side, str, Severity, int, Shot]


def taken(seed: int, number: int, *, attacks: bool) -> Iterator[Taken]:
    """All photographs of one card."""
    card = drawn(seed, number)
    plan: list[tuple[Defect | None, Severity, int]] = [(None, Severity.NORMAL, shot) for shot in range(GENUINE_SHOTS)]
    plan.append((None, Severity.HARD, 0))
    plan += [(species, Severity.NORMAL, 0) for species in SPECIES] if attacks else []
    for side, flat in ((Side.FRONT, card.front), (Side.BACK, card.back)):
        for place, (defect, severity, shot) in enumerate(plan):
            rng = np.random.default_rng([seed, number, side is Side.BACK, place])
            size = int(rng.choice(_LONG_SIDES, p=_OFTEN))
            seen = photograph(flat.image, rng, severity, long_side=size, defect=defect, keep_clear=needed_boxes(flat))
            yield number, side, str(defect or GENUINE), severity, shot, seen


_state: dict[str, Any] = {}


def _start(seed: int, attacks: bool) -> None:
    cv2.setNumThreads(1)
    pin_threads(1)
    _state.update(seed=seed, attacks=attacks, networks=local_networks(), calibration=load_calibration())


def _keep(number: int) -> None:
    """One card's file: what its photographs look like to the network, and what was measured without it."""
    rows, mosaics = [], []
    for one in taken(_state["seed"], number, attacks=_state["attacks"]):
        row, picture = _looked(one)
        rows.append(asdict(row))
        mosaics.append(picture)
    path = _file(_state["seed"], number)
    part = path.with_suffix(".part.npz")
    np.savez_compressed(part, mosaics=np.stack(mosaics), rows=np.array(json.dumps(rows)))
    part.replace(path)


def _looked(one: Taken) -> tuple[Shown, Image]:
    number, side, species, severity, shot, photo = one
    capture = Capture(photo.jpeg, photo.jpeg, None, None, SupportInfo())
    _, found = look(capture, side, _state["networks"], _state["calibration"], Stopwatch())
    copy, blank = str(photo.parameters.get("copy", "")), np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    if found is None:
        sharpness = float(photo.parameters["px_per_mm"])
        return Shown(number, side.value, species, severity.value, shot, copy, sharpness, False, None, None), blank
    view, quad = found.photo.view, found.quad
    return Shown(number, side.value, species, severity.value, shot, copy, px_per_mm(quad), True, chroma_spread(found.image),
                 grid_peak(view, quad)), mosaic(view, quad)


def _file(seed: int, number: int) -> Path:
    return CACHE / f"{seed}-{generator_version()}" / f"{number:03d}.npz"


def photographed(seed: int, cards: int, jobs: int, *, attacks: bool) -> tuple[list[Shown], NDArray[np.uint8]]:
    """All photographs of `cards` cards, with mosaics (N, HEIGHT, WIDTH, 3); what is in the cache is not drawn again."""
    from rich.progress import track

    missing = [number for number in range(cards) if not _file(seed, number).exists()]
    _file(seed, 0).parent.mkdir(parents=True, exist_ok=True)
    with get_context("spawn").Pool(jobs, initializer=_start, initargs=(seed, attacks)) as pool:
        kept = pool.imap(_keep, missing)
        for _ in track(kept, total=len(missing), description="photographing", disable=not sys.stderr.isatty()):
            pass
    files = [np.load(_file(seed, number)) for number in range(cards)]
    rows = [Shown(**row) for one in files for row in json.loads(str(one["rows"]))]
    return rows, np.concatenate([one["mosaics"] for one in files])

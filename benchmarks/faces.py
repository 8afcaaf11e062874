"""`apoyo bench faces`: CPU on one thread to detect, align, embed and compare the card's portrait and the selfie.

The pictures are two of the portraits that `make weights` brings: one printed on a plain rectified card, one as a selfie of 1,000
pixels. Stages are timed by the process's CPU clock, so that a busy machine disturbs them little (caches and clock rate still do).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any, TypeVar

import cv2
import numpy as np

from models.evaluation.faces import on_card
from models.registry import load_calibration, weight_path
from pipeline.networks.api import Image
from pipeline.networks.face_recogniser import align
from pipeline.stages.match_face import embed, find_ghost, find_portrait, find_selfie, spread_contrast
from pipeline.wiring import local_networks, pin_threads

T = TypeVar("T")
SELFIE_SIDE = 1000
PORTRAIT_EYES = 120.0
"""Card pixels between the printed portrait's eyes (some 6 mm)."""


def measure_faces(laps: int) -> dict[str, Any]:
    """Median and 90th percentile of CPU milliseconds by step, and of all steps without and with the ghost photo."""
    pin_threads(1)
    networks, calibration = local_networks(threads=1), load_calibration()
    printed, near = _picture("portrait_person_a_2"), _picture("portrait_person_a_1")
    scale = SELFIE_SIDE / max(near.shape[:2])
    near = np.asarray(cv2.resize(near, None, fx=scale, fy=scale), np.uint8)
    found, _ = find_selfie(printed, networks, calibration)
    if found is None:
        raise ValueError("no face in the portrait that is printed")
    card = on_card(printed, found.eyes, PORTRAIT_EYES, right=False)
    rows: list[dict[str, float]] = []
    for lap in range(laps + 3):
        row: dict[str, float] = {}
        portrait = _timed(row, "portrait found", lambda: find_portrait(card, networks, calibration))
        selfie, _ = _timed(row, "selfie found", lambda: find_selfie(near, networks, calibration))
        if portrait is None or selfie is None:
            raise ValueError("no face on the drawn card or in the selfie")
        crops = _timed(row, "aligned", lambda: [align(card, portrait.landmarks), align(near, selfie.landmarks)])  # noqa: B023
        a, b = _timed(row, "embedded, both", lambda: embed(crops, networks))  # noqa: B023
        _timed(row, "compared", lambda: float(a @ b))  # noqa: B023
        row["both faces"] = sum(row.values())
        _timed(row, "ghost looked for", lambda: find_ghost(card, networks, calibration))
        _timed(row, "ghost embedded", lambda: embed([spread_contrast(crops[0])], networks))  # noqa: B023
        if lap >= 3:  # the first laps load the networks and fill the caches
            rows.append(row)
    return {"laps": laps, "cpu_ms": {name: {"median": round(statistics.median(row[name] for row in rows), 2),
                                            "p90": round(sorted(row[name] for row in rows)[int(0.9 * len(rows))], 2)}
                                     for name in rows[0]}}


def _picture(name: str) -> Image:
    return np.asarray(cv2.imread(str(weight_path(name)), cv2.IMREAD_COLOR), np.uint8)


def _timed(row: dict[str, float], name: str, work: Callable[[], T]) -> T:
    before = time.process_time()
    done = work()
    row[name] = 1000 * (time.process_time() - before)
    return done

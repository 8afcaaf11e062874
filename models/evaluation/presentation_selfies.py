"""How far a screen's grid stands out in selfies: drawn ones, public photographs, and drawn ones taken from a screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from models.evaluation.faces import read_pairs
from models.evaluation.operating_point import Scores
from models.evaluation.rates import Rate
from models.specimens.faces import load_faces
from models.specimens.selfie import replay_selfie, take_selfie
from pipeline.stages.decode import decode
from pipeline.stages.presentation import selfie_grid
from pipeline.verify import SELFIE_SIDE

SEED = 60_603
THRESHOLD = 0.3
DRAWN, REPLAYED = "drawn selfies", "selfies from a screen"
SMALLEST = 400
"""Public photographs of a shorter side under this are left out: no selfie is so small."""


def grids(pictures: Iterator[bytes]) -> Scores:
    """Of each picture, as the product decodes it; -1 where nothing is measured."""
    found = (selfie_grid(decode(data, SELFIE_SIDE).view) for data in pictures)
    return np.array([-1.0 if grid is None else grid for grid in found])


def selfies(count: int, data: Path) -> dict[str, Any]:
    """Counts over the threshold: `count` drawn selfies and as many replays; public photographs where the data folder has them."""
    faces = load_faces()

    def drawn(number: int, *, replayed: bool) -> bytes:
        face, rng = faces[number % len(faces)], np.random.default_rng([SEED, number, replayed])
        return replay_selfie(face, rng) if replayed else take_selfie(face, rng)[0]

    kinds = {DRAWN: grids(drawn(number, replayed=False) for number in range(count)),
             REPLAYED: grids(drawn(number, replayed=True) for number in range(count))}
    if (data / "faces" / "pairs.csv").exists():
        names = sorted({path for pair in read_pairs(data) for path in (pair.a, pair.b)})
        files = [(data / name).read_bytes() for name in names]
        kinds["public photographs"] = grids(one for one in files if min(decode(one, SELFIE_SIDE).view.shape[:2]) >= SMALLEST)
    return {kind: {"over": _rate(scores), "least": round(float(scores.min()), 3), "most": round(float(scores.max()), 3)}
            for kind, scores in kinds.items()}


def _rate(scores: Scores) -> dict[str, Any]:
    one = Rate(int((scores > THRESHOLD).sum()), len(scores))
    return {"hits": one.hits, "trials": one.trials, "said": str(one)}

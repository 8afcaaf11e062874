"""Measures when two cards look as if they lay on one surface: `python -m models.evaluation.surroundings [--write]`.

Scenes are drawn: a desk, photographed several times with other cards, from other sides, in other light, at other places of it.
The threshold is where one pair in a hundred of different desks is called the same, on one half of the scenes; the figures are of
the other half. `--write` puts it into models/calibration/reuse.json, and the figures into benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np

from models.evaluation.rates import Rate
from models.registry import ROOT
from models.specimens.camera import Severity, draw_scene, photograph
from models.specimens.camera_light import LAMPS
from models.specimens.card import CardSpec, draw_card
from models.specimens.faces import load_faces
from models.specimens.make import JITTER_MM
from models.specimens.people import invent_person
from pipeline.domain.card_model import CardModel
from pipeline.networks.api import Array, Image
from pipeline.stages.decode import decode
from pipeline.stages.surroundings import SPREAD, surroundings

SEED = 471_100
"""Apart from every seed that is trained, benchmarked or tested on."""
SHOTS, LONG_SIDE, CARDS = 6, 2000, 6
CORNER_PX = 3.0
"""How far corners are found from their place (0.2 mm)."""
CONFUSED = 0.01
"""Of pairs of different desks: among 64 supports of a sender less than one is called alike by chance."""
SAME_LAMP = 0.7
Shown = tuple[int, tuple[float, ...]]


@cache
def cards() -> tuple[Image, ...]:
    """Fronts of E and G."""
    faces, drawn = load_faces(), list[Image]()
    for number in range(CARDS):
        chooser, face = random.Random(f"{SEED}/{number}"), faces[number % len(faces)]
        model, issue = ((CardModel.E, 2018), (CardModel.G, 2021))[number % 2]
        person = invent_person(chooser, face.identity, adult_by=2013, abroad=False)
        spec = CardSpec(model, person, issue, issue + 10, chooser.randrange(2**31), JITTER_MM)
        drawn.append(draw_card(spec, face.portrait()).front.image)
    return tuple(drawn)


def shown_on(scene_number: int) -> list[Shown]:
    """One desk's photographs as vectors, those that have one."""
    scene, found = draw_scene(np.random.default_rng([SEED, scene_number]), Severity.NORMAL), list[Shown]()
    for number in range(SHOTS):
        rng = np.random.default_rng([SEED, scene_number, number])
        lamp = scene.lamp if rng.random() < SAME_LAMP else str(rng.choice(list(LAMPS)))
        now = replace(scene, exposure=float(rng.uniform(0.55, 1.0)), lamp=lamp)
        shot = photograph(cards()[number % CARDS], rng, Severity.NORMAL, long_side=LONG_SIDE, scene=now)
        if shot.corners is None:
            continue
        photo = decode(shot.jpeg)
        vector = surroundings(photo.view, (shot.corners + rng.normal(0, CORNER_PX, (4, 2))) / photo.scale)
        found += [] if vector is None else [(scene_number, vector)]
    return found


def distances(shown: list[Shown]) -> tuple[list[float], list[float]]:
    """Between photographs of one desk, and of different ones."""
    same, other = list[float](), list[float]()
    for (desk, a), (another, b) in combinations(shown, 2):
        (same if desk == another else other).append(math.dist(a, b))
    return same, other


def spread(shown: list[Shown]) -> Array:
    """Root mean square of each number within a desk, in its own unit."""
    desks = [np.array([vector for desk, vector in shown if desk == one]) for one in {desk for desk, _ in shown}]
    return np.asarray(np.sqrt(np.mean([one.var(axis=0) for one in desks], axis=0)) * SPREAD)


def measure(scenes: int, jobs: int) -> dict[str, Any]:
    with ProcessPoolExecutor(jobs) as pool:
        shown = [one for found in pool.map(shown_on, range(scenes)) for one in found]
    half = scenes // 2
    _, others = distances([one for one in shown if one[0] < half])
    limit = round(float(np.quantile(others, CONFUSED)), 2)
    same, other = distances([one for one in shown if one[0] >= half])
    return {"seed": SEED, "desks": scenes, "photographs": len(shown), "limit": limit,
            "spread": [round(float(one), 3) for one in spread(shown)],
            "found": Rate(sum(one <= limit for one in same), len(same)).json(),
            "confused": Rate(sum(one <= limit for one in other), len(other)).json()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    result = measure(options.scenes, options.jobs)
    print(json.dumps(result, indent=1))
    if options.write:
        from benchmarks.report import write

        path = ROOT / "calibration" / "reuse.json"
        source = (f"`make evaluate-reuse`, seed {SEED}: one pair in a hundred of different drawn desks is within, on one half of "
                  f"{options.scenes}; on the other half {result['confused']['said']} of such pairs, and "
                  f"{result['found']['said']} of those of one desk in other light and at another place")
        row = {"value": result["limit"], "unit": "distance", "source": source}
        kept = {**json.loads(path.read_text(encoding="utf-8")), "reuse.background": row}
        lines = [f'  "{name}": {json.dumps(one, ensure_ascii=False)}' for name, one in kept.items()]
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        write("reuse_background", result)


if __name__ == "__main__":
    main()

"""How often the committed classifier is right, and how sure it is: what `model.look*` and `survey.look*` are set by.

`python -m models.training.card_model.evaluate` on sides sketched with a seed of its own;
`python -m models.training.card_model.evaluate DIR…` on supports as `apoyo specimens` draws them (another renderer, the whole
camera, the product's own locator), each side both ways up.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from models.registry import load_calibration
from models.training.card_model.cache import draw_flat
from models.training.card_model.config import FLAT_HEIGHT, FLAT_WIDTH
from models.training.card_model.grounds import Pictures
from models.training.card_model.photograph import Camera
from pipeline.domain.card_model import CardModel, Side
from pipeline.networks.api import Net, Networks
from pipeline.networks.card_model import KINDS, CardLook, look_at_card
from pipeline.stages.decode import decode
from pipeline.stages.locate import locate
from pipeline.stages.rectify import rectify
from pipeline.stages.survey_side import turned
from pipeline.wiring import local_networks, pin_threads

SEED, COUNT = 990_077, 1_100
BANDS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
ENOUGH = (0.5, 0.8, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class Seen:
    """One look and the truth. side: None for what is no credential; `upright` means nothing then."""

    look: CardLook
    side: Side | None
    models: frozenset[CardModel]
    upright: bool


def sketched(networks: Networks, count: int, seed: int) -> Iterator[Seen]:
    """Fresh sketches of every kind in turn, photographed."""
    pictures = Pictures()
    surfaces = [cv2.resize(draw_flat("not_a_card", random.Random(f"{seed}/around/{i}"), pictures), (FLAT_WIDTH, FLAT_HEIGHT))
                for i in range(60)]
    camera = Camera(np.random.default_rng(seed), np.asarray(surfaces, dtype=np.uint8))
    for index in range(count):
        kind = KINDS[index % len(KINDS)]
        flat = draw_flat(kind.name, random.Random(f"{seed}/{index}"), pictures)
        small = np.asarray(cv2.resize(flat, (FLAT_WIDTH, FLAT_HEIGHT), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        half_turn = index // len(KINDS) % 2 == 1
        shares, upright = networks.run(Net.CARD_MODEL, camera.photograph(small, half_turn=half_turn)[None])
        look = CardLook({k.name: float(share) for k, share in zip(KINDS, shares[0], strict=True)}, float(upright[0]))
        yield Seen(look, kind.side, frozenset(kind.models), not half_turn)


def photographed(networks: Networks, folders: Iterable[Path]) -> Iterator[Seen]:
    """Every card photo in which the locator finds something, as it was found and half-turned."""
    calibration = load_calibration()
    for folder in sorted(path.parent for root in folders for path in root.rglob("truth.json")):
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        for name in Side:
            photo = decode((folder / f"{name}.jpg").read_bytes())
            quad = locate(photo.view, networks, calibration).quad
            if quad is None:
                continue
            card, corners = rectify(photo.view, quad), truth[name]["corners"]
            if corners is None:
                yield Seen(look_at_card(card, networks), None, frozenset(), True)
                continue
            away = np.linalg.norm(np.array(corners) - quad[0] * photo.scale, axis=1)
            models = frozenset((CardModel(truth["model"]),))
            for picture, upright in ((card, away[0] < away[2]), (turned(card), away[0] >= away[2])):
                yield Seen(look_at_card(picture, networks), Side(truth[name]["shows"]), models, bool(upright))


def report(seen: list[Seen]) -> None:
    """Prints counts: side and direction by their certainty, and how often the models named hold the true one."""
    cards, others = [one for one in seen if one.side], [one for one in seen if not one.side]
    print(f"{len(cards)} sides, {len(others)} others; likeliest kind right on "
          f"{sum(_kind_right(one) for one in seen)} of {len(seen)}")
    for least in BANDS:
        sure = [one for one in seen if _sign(one.look)[2] >= least]
        right = sum(_sign(one.look)[:2] == (one.side, one.upright) for one in sure)
        print(f"  side and direction, share >= {least}: {right} of {len(sure)}; "
              f"no credential called a side: {sum(one.side is None for one in sure)} of {len(others)}")
    for enough in ENOUGH:
        for side in Side:
            said = [(one, one.look.models(side, enough)) for one in cards if one.side is side]
            spoke = [(one, says) for one, says in said if says]
            held = sum(bool(one.models & set(says)) for one, says in spoke)
            sizes = Counter("".join(says) for _, says in spoke)
            print(f"  {side}, models up to {enough}: spoke on {len(spoke)} of {len(said)}, truth among them {held}; "
                  f"{dict(sizes.most_common(6))}")


def _kind_right(one: Seen) -> bool:
    best = max(KINDS, key=lambda kind: one.look.shares[kind.name])
    return best.side is one.side and (one.side is None or bool(set(best.models) & one.models))


def _sign(look: CardLook) -> tuple[Side, bool, float]:
    """Likeliest side, upright, and the lesser certainty of the two."""
    side = max(Side, key=look.side_share)
    return side, look.upright >= 0.5, min(look.side_share(side), max(look.upright, 1 - look.upright))


def main() -> None:
    pin_threads(1)
    networks = local_networks()
    folders = [Path(name) for name in sys.argv[1:]]
    report(list(photographed(networks, folders) if folders else sketched(networks, COUNT, SEED)))


if __name__ == "__main__":
    main()

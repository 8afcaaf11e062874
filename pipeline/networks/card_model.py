"""Before and after the card network: a rectified side to its input, its probabilities to a side, a direction and models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.domain.card_model import CardModel, Side
from pipeline.networks.api import Image, Net, Networks
from pipeline.networks.locator import halved

WIDTH, HEIGHT = 214, 135
"""Input of the network: the rectified card halved three times, 2.5 pixels a millimetre."""
HALVINGS = 3

A, B, C, D, E, F, G, H, I, J = CardModel  # noqa: E741 - INE's letters


@dataclass(frozen=True, slots=True)
class Kind:
    """One class of the network. side: None for what is no side of a credential; `models` is empty then."""

    name: str
    side: Side | None
    models: tuple[CardModel, ...]


KINDS = (
    Kind("front_old", Side.FRONT, (A, B, C)),
    Kind("front_d", Side.FRONT, (D,)),
    Kind("front_e", Side.FRONT, (E,)),
    Kind("front_f", Side.FRONT, (F,)),
    Kind("front_gh", Side.FRONT, (G, H, I, J)),
    Kind("back_old", Side.BACK, (A, B, C)),
    Kind("back_d", Side.BACK, (D,)),
    Kind("back_ef", Side.BACK, (E, F)),
    Kind("back_gh", Side.BACK, (G, H, I, J)),
    Kind("other_document", None, ()),
    Kind("not_a_card", None, ()),
)
"""In the order of the output. A kind speaks for every model that public text cannot tell from it by layout: I and J keep G's
codes and, as far as is known, G's order on the front; E and F share one back."""


@dataclass(frozen=True, slots=True)
class CardLook:
    """What the whole side looks like. shares: probability of each kind by its name, they sum to 1.  upright: 0..1, that the
    side is not half-turned; without meaning where it is no side of a credential."""

    shares: Mapping[str, float]
    upright: float

    def side_share(self, side: Side) -> float:
        """How sure the network is of that side, 0..1."""
        return sum(self.shares[kind.name] for kind in KINDS if kind.side is side)

    def models(self, side: Side, enough: float) -> tuple[CardModel, ...]:
        """The models of the likeliest kinds of a side that is known, as many as make up `enough` of its share (0..1).

        Empty where the network takes the picture for no side of a credential rather than for this one.
        """
        share = self.side_share(side)
        if share <= 0.5:
            return ()
        chosen: set[CardModel] = set()
        reached = 0.0
        for kind in sorted((k for k in KINDS if k.side is side), key=lambda k: -self.shares[k.name]):
            chosen.update(kind.models)
            reached += self.shares[kind.name]
            if reached >= enough * share:
                break
        return tuple(sorted(chosen))

    def is_f(self, sure: float) -> bool | None:
        """Whether a front is of F; None where the network is less sure than `sure` (0..1) of either."""
        share = self.shares["front_f"] / max(self.side_share(Side.FRONT), 1e-6)
        return True if share >= sure else False if share <= 1 - sure else None


def look_at_card(card: Image, networks: Networks) -> CardLook:
    """`card`: rectified, (1080, 1712, 3) BGR uint8, one of its long sides up."""
    small = card
    for _ in range(HALVINGS):
        small = halved(small)
    kinds, upright = networks.run(Net.CARD_MODEL, np.ascontiguousarray(small)[None])
    return CardLook({kind.name: float(share) for kind, share in zip(KINDS, kinds[0], strict=True)}, float(upright[0]))

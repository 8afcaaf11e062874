"""Sizes, seed and schedule of the card classifier's training; what `make train-card-model` runs with."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.networks.card_model import HEIGHT, WIDTH

FLAT_WIDTH, FLAT_HEIGHT = 2 * WIDTH, 2 * HEIGHT
"""Of a cached flat side: augmentation halves it last, as the product does."""


@dataclass(frozen=True, slots=True)
class Config:
    """One training run: by steps, never by the clock, so that the same seed gives the same weights."""

    seed: int = 20261125
    sides: int = 6_400
    """Flat sides that are drawn once; each is photographed anew in every batch."""
    check_seed: int = 78
    checked: int = 1_600
    steps: int = 3_000
    batch: int = 64
    peak_lr: float = 3e-3
    weight_decay: float = 1e-2
    warmup: int = 100


SHARES: dict[str, float] = {
    "front_old": 0.07, "front_d": 0.09, "front_e": 0.09, "front_f": 0.08, "front_gh": 0.09,
    "back_old": 0.07, "back_d": 0.08, "back_ef": 0.09, "back_gh": 0.09, "other_document": 0.16, "not_a_card": 0.09,
}
"""How often each kind is drawn. D and E get more: only the institute's name tells their fronts apart."""

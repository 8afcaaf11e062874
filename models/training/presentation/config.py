"""Sizes, seed and schedule of the presentation network's training; what `make train-presentation` runs with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Config:
    """One training run: by steps, never by the clock, so that the same seed gives the same weights."""

    seed: int = 20261127
    check_seed: int = 81
    cards: int = 54
    """Cards drawn, both sides; each is copied, shown and photographed many times."""
    checked: int = 8
    """Cards of the check, never trained on."""
    steps: int = 1_000
    batch: int = 48
    peak_lr: float = 2e-3
    weight_decay: float = 2e-2
    warmup: int = 100
    averaged: float = 0.99
    """What is exported is a running mean of the weights, of about the last 1 / (1 - averaged) steps."""


CARD_SHOTS = 12
"""Photographs of a genuine side."""
COPIES, COPY_SHOTS = 2, 3
"""Grey copies, colour copies and screens of each side, and the photographs of each."""

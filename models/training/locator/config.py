"""Sizes, seed and schedule of the locator's training; what `make train-locator` runs with."""

from __future__ import annotations

from dataclasses import dataclass

VIEW_WIDTH, VIEW_HEIGHT = 256, 192
"""Input of the network, always landscape: a portrait photo is turned a quarter."""
STRIDE = 4
MAP_WIDTH, MAP_HEIGHT = VIEW_WIDTH // STRIDE, VIEW_HEIGHT // STRIDE
MAX_DOCUMENTS = 6


@dataclass(frozen=True, slots=True)
class Config:
    """One training run. `scenes` are drawn once and seen again in turned, mirrored and re-lit forms."""

    seed: int = 20261124
    scenes: int = 16_000
    check_seed: int = 77
    checked: int = 400
    steps: int = 6_000
    batch: int = 32
    peak_lr: float = 3e-3
    weight_decay: float = 2e-3
    warmup: int = 150
    coarse: float = 0.65
    """Share of the schedule that runs at half the pixels."""
    averaged: float = 0.999
    """What is exported is a running mean of the weights, of about the last 1 / (1 - averaged) steps."""

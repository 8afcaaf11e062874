"""Sizes, seed and schedule of the code restorer's training; what `make train-restorer` runs with."""

from __future__ import annotations

from dataclasses import dataclass

PATCH = 96
"""Side of a training patch in pixels of the rectified card (20 a millimetre): 28 modules of a large QR, 13 of a small one."""


@dataclass(frozen=True, slots=True)
class Config:
    """One training run: by steps, never by the clock, so that the same seed gives the same weights."""

    seed: int = 20261126
    check_seed: int = 79
    checked: int = 512
    codes: int = 160
    """Codes of each kind that patches are cut from."""
    steps: int = 4_000
    batch: int = 48
    peak_lr: float = 2e-3
    weight_decay: float = 1e-3
    warmup: int = 100
    averaged: float = 0.998
    """What is exported is a running mean of the weights, of about the last 1 / (1 - averaged) steps."""

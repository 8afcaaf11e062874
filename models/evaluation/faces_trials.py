"""Cosines of genuine and impostor pairs in one condition, and what a threshold makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation.rates import Rate

NOT_FOUND = -1.0


@dataclass(frozen=True, eq=False, slots=True)
class Trials:
    """Cosines of genuine and impostor pairs in one condition; a face that was not found is a cosine of -1.

    eyes_px: pixels between the printed face's eyes; 0 where it was not printed.
    """

    label: str
    eyes_px: int
    genuine: NDArray[np.float64]
    impostor: NDArray[np.float64]

    def accepted(self, threshold: float) -> Rate:
        return Rate(int((self.genuine >= threshold).sum()), len(self.genuine))

    def falsely_accepted(self, threshold: float) -> Rate:
        return Rate(int((self.impostor >= threshold).sum()), len(self.impostor))

    def denied(self, threshold: float) -> Rate:
        """Genuine pairs that fall below it."""
        return Rate(int((self.genuine < threshold).sum()), len(self.genuine))


def pooled(rows: Sequence[Trials], least_eyes: int = 0) -> Trials:
    """All trials of the conditions with at least so many pixels between the eyes, as one."""
    chosen = [row for row in rows if row.eyes_px >= least_eyes]
    return Trials(f"{least_eyes} px and more", least_eyes, np.concatenate([row.genuine for row in chosen]),
                  np.concatenate([row.impostor for row in chosen]))

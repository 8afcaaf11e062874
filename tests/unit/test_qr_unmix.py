"""Modules told apart that a blur mixed. Expected values: the patterns that were drawn, mixed here by OpenCV's filters."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.stages import qr_grid
from pipeline.stages.qr_grid import function_patterns, read_grid
from pipeline.stages.qr_unmix import PHASES, QUIET, unmixed
from tests.unit.test_qr_grid import PAYLOAD, corners, picture

SMALL = "http://qr.ine.mx/004697"
FINE = 16
"""Pixels a module of what is mixed here."""


def moved(grey: NDArray[np.uint8], length: int, noise: float) -> NDArray[np.uint8]:
    """As by a phone that moved along the rows."""
    seen = cv2.filter2D(grey, cv2.CV_32F, np.full((1, length), 1 / length, np.float32), borderType=cv2.BORDER_REFLECT)
    return np.clip(seen + np.random.default_rng(3).normal(0, noise, seen.shape), 0, 255).astype(np.uint8)


SEEN = {
    "small, out of focus": (picture(SMALL, 4, 7.3, blur=0.85, noise=2.0), 33, 7.3, SMALL.encode()),
    "large, out of focus": (picture(PAYLOAD, 20, blur=0.85, noise=3.0), 97, 4.0, PAYLOAD),
    "small, moved": (moved(picture(SMALL, 4, 7.3, blur=0.3), 19, 5.0), 33, 7.3, SMALL.encode()),
    "large, moved": (moved(picture(PAYLOAD, 20, blur=0.3), 9, 5.0), 97, 4.0, PAYLOAD),
}


@pytest.mark.parametrize("case", SEEN)
def test_a_code_is_read_that_one_linear_filter_does_not_give(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    grey, side, module, payload = SEEN[case]
    found = read_grid(grey, corners(side, module), side)
    assert found is not None
    assert found.payload == payload
    monkeypatch.setattr(qr_grid, "unmixed", lambda levels, known, guess: guess)
    assert read_grid(grey, corners(side, module), side) is None


def levels(modules: NDArray[np.int8], sigma: float, noise: float, slope: float = 0.0) -> NDArray[np.float32]:
    """What is sampled of a blurred pattern under light that falls off from left to right."""
    rng = np.random.default_rng(11)
    n = len(modules) + 2 * QUIET
    grey = 200 - 150 * np.kron(np.pad(modules, QUIET), np.ones((FINE, FINE))).astype(np.float32)
    soft = cv2.GaussianBlur(grey, (0, 0), sigma * FINE, borderType=cv2.BORDER_REPLICATE)
    at = [(np.arange(n) * FINE + FINE // 2 + round(phase * FINE)) for phase in PHASES]
    seen = np.stack([soft[np.ix_(down, right)] for down in at for right in at])
    light = 1 + slope * np.linspace(-0.5, 0.5, n, dtype=np.float32)
    return np.asarray(seen * light + rng.normal(0, noise, seen.shape), dtype=np.float32)


@pytest.mark.parametrize("side", [33, 97])
@pytest.mark.parametrize(("sigma", "wrong", "slope"), [(0.4, 0.10, 0.0), (0.6, 0.10, 0.0), (0.6, 0.05, 0.8), (0.75, 0.05, 0.0)])
def test_a_guess_that_is_mostly_right_becomes_right(side: int, sigma: float, wrong: float, slope: float) -> None:
    rng = np.random.default_rng(5)
    known = function_patterns(side)
    modules = np.where(known >= 0, known, rng.integers(0, 2, known.shape)).astype(np.int8)
    guess = np.where(rng.random(known.shape) < wrong, 1 - modules, modules).astype(np.int8)
    found = unmixed(levels(modules, sigma, 1.0, slope), known, guess)
    assert (found != modules).mean() <= 0.002, "of what error correction mends, a fifth at most"


def test_what_is_known_stays_and_noise_gives_a_pattern_of_its_own() -> None:
    rng = np.random.default_rng(6)
    known = function_patterns(33)
    noise = rng.uniform(0, 255, (len(PHASES) ** 2, 33 + 2 * QUIET, 33 + 2 * QUIET)).astype(np.float32)
    found = unmixed(noise, known, rng.integers(0, 2, known.shape).astype(np.int8))
    assert (found[known >= 0] == known[known >= 0]).all()
    assert set(np.unique(found)) == {0, 1}


def test_one_level_all_over_is_no_error() -> None:
    known = function_patterns(33)
    flat = np.full((len(PHASES) ** 2, 33 + 2 * QUIET, 33 + 2 * QUIET), 77, np.float32)
    assert unmixed(flat, known, np.zeros_like(known)).shape == known.shape

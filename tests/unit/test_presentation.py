"""Copies and screens, drawn here from simple parts: tinted print, toner's greys, a grid over the whole card."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.registry import load_calibration
from pipeline.stages.geometry import card_frame
from pipeline.stages.presentation import chroma_spread, grid_peak, measure_presentation

CALIBRATION = load_calibration()
LIGHTS = {"white": (1, 1, 1), "warm": (0.62, 0.85, 1.0), "cold": (1.0, 0.92, 0.8)}


def print_of(seed: int = 1, colour: bool = True) -> np.ndarray:
    """A card side: a rainbow tint, dark print, a patch as a QR has; grey where it is a copy."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, 1712, dtype=np.float32)
    card = np.repeat(np.stack([0.9 - 0.12 * ramp, np.full_like(ramp, 0.88), 0.8 + 0.12 * ramp], axis=1)[None], 1080, axis=0)
    for row in range(120, 700, 90):
        for x in range(500, 1500, 46):
            if rng.random() < 0.7:
                card[row : row + 50, x : x + 22] = 0.2
    modules = rng.integers(0, 2, (60, 60)).repeat(6, 0).repeat(6, 1)
    card[650:1010, 100:460] = (modules * 0.8 + 0.1)[:, :, None]
    if not colour:
        card = np.repeat(card.mean(axis=2, keepdims=True), 3, axis=2)
    return card


def seen(card, light="white", slope=0.0, noise=3.0, seed=2):
    """As a sensor gives it: the lamp's colour, uneven light, blur, noise, JPEG."""
    xx = np.linspace(-0.5, 0.5, card.shape[1], dtype=np.float32)[None, :, None]
    photo = cv2.GaussianBlur((card * (1 + slope * xx) * np.array(LIGHTS[light], np.float32) * 235).astype(np.float32), (0, 0), 1.2)
    photo = np.clip(photo + np.random.default_rng(seed).normal(0, noise, photo.shape), 0, 255).astype(np.uint8)
    return cv2.imdecode(cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], cv2.IMREAD_COLOR)


def gridded(card, period=(5.3, 6.1), depth=0.25):
    """The pattern of a screen's pixels over all of it."""
    yy, xx = np.mgrid[0 : card.shape[0], 0 : card.shape[1]].astype(np.float32)
    wave = np.cos(2 * np.pi * (xx / period[0] + yy / (7 * period[1])))
    return card * (1 - depth / 2 + depth / 2 * wave)[:, :, None]


def measured(photo):
    return measure_presentation(photo, photo, card_frame(), CALIBRATION)


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("slope", [0.0, 0.6])
@pytest.mark.parametrize("colour", [True, False], ids=["original", "copy"])
def test_only_the_copy_looks_copied(colour, slope, light):
    found = measured(seen(print_of(colour=colour), light, slope))
    assert (found.photocopy > CALIBRATION["presentation.photocopy_max"]) is (not colour)
    assert found.screen <= CALIBRATION["presentation.screen_max"]


@pytest.mark.parametrize("period", [(3.1, 3.3), (5.3, 6.1), (8.7, 8.1)])
def test_only_a_grid_all_over_looks_like_a_screen(period):
    limit = CALIBRATION["presentation.screen_max"]
    assert measured(seen(gridded(print_of(), period))).screen > limit
    half = print_of()
    half[:, 1200:] = gridded(print_of(), period)[:, 1200:]
    assert measured(seen(half)).screen <= limit


def test_what_cannot_be_measured_is_none():
    grey = seen(print_of())[:, :, 1]
    assert chroma_spread(grey) is None
    assert measure_presentation(grey, grey, card_frame(), CALIBRATION).photocopy is None
    assert chroma_spread(np.zeros((1080, 1712, 3), np.uint8)) is None
    small = np.array([[10, 10], [180, 10], [180, 110], [10, 110]], dtype=np.float64)
    assert grid_peak(seen(print_of()), small) is None


def test_patches_stay_within_the_picture():
    outside = card_frame() + np.array([900.0, 500.0])
    assert 0 <= grid_peak(seen(print_of()), outside) <= 1
    assert grid_peak(seen(print_of()), card_frame() + 5000) is None

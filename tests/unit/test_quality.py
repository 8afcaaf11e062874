"""Capture quality on the rectified card: blur is measured whatever is printed, and glare and darkness by their shares."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.stages.geometry import CARD_HEIGHT, CARD_WIDTH
from pipeline.stages.quality import edge_blur, measure_quality, sharpness
from pipeline.stages.rectify import as_grey


def printed_card(seed: int = 3, paper: int = 225, ink: int = 40, density: int = 26) -> np.ndarray:
    """A card with lines of type, a code and a soft portrait, as crisp as its pixels allow."""
    rng = np.random.default_rng(seed)
    card = np.full((CARD_HEIGHT, CARD_WIDTH, 3), paper, np.uint8)
    for line in range(density):
        text = "".join(rng.choice(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<"), 30))
        cv2.putText(card, text, (560, 60 + line * 38), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (ink, ink, ink), 3, cv2.LINE_AA)
    grid = rng.integers(0, 2, (40, 40)).astype(np.uint8) * (paper - ink) + ink
    card[100:420, 60:380] = cv2.resize(grid, (320, 320), interpolation=cv2.INTER_NEAREST)[..., None]
    soft = cv2.GaussianBlur(rng.integers(0, 255, (400, 380)).astype(np.uint8), (0, 0), 25)
    card[560:960, 60:440] = cv2.normalize(soft, None, 40, 220, cv2.NORM_MINMAX)[..., None]
    return card


def blurred(card: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(card, (0, 0), sigma) if sigma else card


@pytest.mark.parametrize("sigma", [1.5, 2.5, 4.0])
@pytest.mark.parametrize(("paper", "ink"), [(225, 40), (140, 90), (60, 20)])
def test_edge_blur_is_the_blur_that_was_put_in_at_any_contrast(sigma: float, paper: int, ink: int) -> None:
    """A single long edge between two greys, blurred by a known Gaussian."""
    picture = np.full((400, 600), paper, np.uint8)
    cv2.fillPoly(picture, [np.array([[100, 60], [500, 120], [430, 350], [160, 300]])], ink)
    found = edge_blur([np.asarray(blurred(picture, sigma))])
    assert found == pytest.approx(sigma, rel=0.12, abs=0.15)


def test_more_blur_is_less_sharpness() -> None:
    card = printed_card()
    values = [sharpness(as_grey(blurred(card, sigma))) for sigma in (0, 1, 2, 3, 4.5, 7, 12, 20)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.85
    assert values[-1] < 0.05


def test_motion_in_any_direction_is_blur() -> None:
    card = printed_card()
    still = sharpness(as_grey(card))
    for angle in (0, 45, 90, 135):
        kernel = np.zeros((31, 31), np.float32)
        dx, dy = 12 * np.cos(np.radians(angle)), 12 * np.sin(np.radians(angle))
        cv2.line(kernel, (round(15 - dx), round(15 - dy)), (round(15 + dx), round(15 + dy)), 1.0)
        moved = cv2.filter2D(card, -1, kernel / kernel.sum())
        assert sharpness(as_grey(moved)) < 0.7 * still, angle


@pytest.mark.parametrize(("paper", "ink", "density"), [(225, 40, 26), (225, 40, 6), (235, 150, 26), (90, 25, 12)])
def test_sharpness_depends_little_on_what_is_printed(paper: int, ink: int, density: int) -> None:
    card = printed_card(5, paper, ink, density)
    assert sharpness(as_grey(card)) > 0.75
    assert 0.3 < sharpness(as_grey(blurred(card, 2.5))) < 0.65


def test_noise_does_not_make_a_blurred_card_sharp() -> None:
    rng = np.random.default_rng(0)
    card = blurred(printed_card(), 8).astype(np.float32) + rng.normal(0, 6, (CARD_HEIGHT, CARD_WIDTH, 3))
    assert sharpness(as_grey(card.clip(0, 255).astype(np.uint8))) < 0.25


def test_a_blank_card_has_no_sharpness_to_show() -> None:
    assert sharpness(np.full((CARD_HEIGHT, CARD_WIDTH), 200, np.uint8)) == 0.0


@pytest.mark.parametrize("share", [0.0, 0.05, 0.25])
def test_glare_is_the_burnt_share(share: float) -> None:
    card = printed_card()
    card[:, :round(CARD_WIDTH * share)] = 255
    assert measure_quality(card, as_grey(card), 15.0).glare == pytest.approx(share, abs=0.01)


def test_bright_paper_and_one_burnt_channel_are_no_glare() -> None:
    card = np.full((CARD_HEIGHT, CARD_WIDTH, 3), (200, 255, 255), np.uint8)
    assert measure_quality(card, as_grey(card), 15.0).glare == 0.0


@pytest.mark.parametrize("level", [10, 90, 240])
def test_brightness_is_the_median_and_resolution_is_handed_on(level: int) -> None:
    card = np.full((CARD_HEIGHT, CARD_WIDTH, 3), level, np.uint8)
    card[:400] = 0
    quality = measure_quality(card, as_grey(card), 12.5)
    assert quality.brightness == pytest.approx(level / 255, abs=0.01)
    assert quality.px_per_mm == 12.5

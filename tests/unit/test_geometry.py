"""Plane geometry, rectifying, and the resolution of a card in a photograph."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stages.geometry import (
    CARD_HEIGHT,
    CARD_WIDTH,
    card_frame,
    homography,
    is_convex,
    quad_area,
    quad_iou,
    rotate_corners,
    transform,
)
from pipeline.stages.rectify import px_per_mm, rectify, side_lengths

SQUARE = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], float)


@pytest.mark.parametrize(("other", "iou"), [
    (SQUARE, 1.0),
    (SQUARE + np.array([5, 0]), 1 / 3),
    (SQUARE + np.array([5, 5]), 25 / 175),
    (SQUARE + np.array([20, 0]), 0.0),
    (SQUARE * 0.5, 0.25),
    (np.array([[5, -5], [15, 5], [5, 15], [-5, 5]], float), 100 / 200),
])
def test_iou_of_two_quads(other: np.ndarray, iou: float) -> None:
    assert quad_iou(SQUARE, other) == pytest.approx(iou, abs=1e-5)
    assert quad_iou(other, SQUARE) == pytest.approx(iou, abs=1e-5)


@pytest.mark.parametrize(("quad", "convex"), [
    (SQUARE, True),
    (SQUARE[::-1], False),
    (SQUARE[[0, 2, 1, 3]], False),
    (np.array([[0, 0], [10, 0], [4, 4], [0, 10]], float), False),
    (np.array([[0, 0], [5, 0], [10, 0], [0, 10]], float), False),
])
def test_convex_means_strictly_and_clockwise(quad: np.ndarray, convex: bool) -> None:
    assert is_convex(quad) is convex


def test_area_and_sides_of_a_rectangle() -> None:
    quad = np.array([[0, 0], [30, 0], [30, 40], [0, 40]], float)
    assert quad_area(quad) == 1200
    assert side_lengths(quad).tolist() == [30, 40, 30, 40]


def test_quarter_turns_rename_the_corners() -> None:
    assert rotate_corners(SQUARE, 1).tolist() == [[10, 0], [10, 10], [0, 10], [0, 0]]
    assert (rotate_corners(SQUARE, 4) == SQUARE).all()


corner = st.floats(-120, 120)


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[corner] * 8))
def test_a_homography_takes_corners_to_corners_and_back(shifts: tuple[float, ...]) -> None:
    quad = np.array([[200, 200], [1800, 200], [1800, 1200], [200, 1200]], float) + np.array(shifts).reshape(4, 2)
    there, back = homography(quad, card_frame()), homography(card_frame(), quad)
    assert np.abs(transform(there, quad) - card_frame()).max() < 0.05
    inside = np.array([[300.0, 400.0], [1500.0, 900.0]])
    assert np.abs(transform(there, transform(back, inside)) - inside).max() < 0.1


def test_rectify_brings_each_corner_home() -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 255, 255)]
    view = np.full((1500, 2000, 3), 127, np.uint8)
    quad = np.array([[400, 300], [1600, 420], [1550, 1150], [330, 1050]], float)
    for point, colour in zip(quad, colours, strict=True):
        cv2.circle(view, (round(point[0]), round(point[1])), 60, colour, -1)
    card = rectify(view, quad)
    assert card.shape == (CARD_HEIGHT, CARD_WIDTH, 3)
    for (y, x), colour in zip(((15, 15), (15, -16), (-16, -16), (-16, 15)), colours, strict=True):
        assert tuple(int(v) for v in card[y, x]) == colour


@pytest.mark.parametrize("zoom", [0.5, 1.0, 2.3, 3.9])
def test_rectify_keeps_places_at_every_zoom_and_does_not_alias(zoom: float) -> None:
    width, height = round(CARD_WIDTH * zoom), round(CARD_HEIGHT * zoom)
    y, x = np.mgrid[0:height + 40, 0:width + 40]
    view = np.repeat((((x // 2 + y // 2) % 2) * 255).astype(np.uint8)[..., None], 3, axis=2)  # finer than the card can show
    cv2.rectangle(view, (20 + width // 2, 20 + height // 2), (width, height), (0, 0, 0), -1)
    quad = np.array([[20, 20], [19 + width, 20], [19 + width, 19 + height], [20, 19 + height]], float)
    card = rectify(view, quad)
    assert card[CARD_HEIGHT // 2 + 8:-60, CARD_WIDTH // 2 + 8:-60].max() < 30  # the black part is where it was
    assert card[CARD_HEIGHT // 2 - 8, CARD_WIDTH // 2 + 100:].mean() > 60
    if zoom > 2:
        assert card[50:400, 50:700].std() < 60  # averaged to grey: point sampling would give 127


def test_rectify_of_a_quad_beyond_the_view_repeats_the_border() -> None:
    card = rectify(np.full((300, 400, 3), 200, np.uint8), np.array([[-50, -50], [450, -50], [450, 350], [-50, 350]], float))
    assert (card == 200).all()


@pytest.mark.parametrize(("width", "height", "scale", "expected"), [
    (856, 539.8, 1.0, 10.0),
    (856, 539.8, 2.0, 20.0),
    (856, 269.9, 1.0, 5.0),
    (428, 539.8, 1.0, 5.0),
])
def test_resolution_is_that_of_the_poorer_axis(width: float, height: float, scale: float, expected: float) -> None:
    quad = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    assert px_per_mm(quad, scale) == pytest.approx(expected)

"""What a card lies on: the same at another place, in another size, turned, and in other light; another surface is another."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from models.specimens.backgrounds import draw_surface
from pipeline.networks.api import Image
from pipeline.stages.geometry import CARD_MM, Quad
from pipeline.stages.surroundings import surroundings

NEAR = 5.0
"""About what is called one surface (`reuse.background`)."""


def photo(kind: str, seed: int, *, px_per_mm: float = 8.0, at: tuple[float, float] = (60, 50), quarter: int = 0,
          light: float = 1.0) -> tuple[Image, Quad]:
    """A white card with print on a drawn surface, seen from straight above."""
    size = round(210 * px_per_mm), round(160 * px_per_mm)
    view = draw_surface(kind, np.random.default_rng(seed), *size, px_per_mm)
    corner = np.array(at) * px_per_mm
    far = corner + np.array(CARD_MM) * px_per_mm
    left, top, right, bottom = (round(float(one)) for one in (*corner, *far))
    cv2.rectangle(view, (left, top), (right, bottom), (225, 228, 230), -1)
    for line in range(top + 20, bottom - 20, 30):
        cv2.line(view, (left + 20, line), (right - 200, line), (60, 60, 60), 3)
    quad = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)
    return np.asarray(np.clip(view * light, 0, 255), np.uint8), np.roll(quad, -quarter, axis=0)


def apart(a: tuple[Image, Quad], b: tuple[Image, Quad]) -> float:
    first, second = surroundings(*a), surroundings(*b)
    assert first is not None
    assert second is not None
    return math.dist(first, second)


@pytest.mark.parametrize("kind", ["wood", "cloth", "gravel"])
@pytest.mark.parametrize("change", [{"at": (80, 60)}, {"quarter": 2}, {"light": 0.7}, {"px_per_mm": 11.0}], ids=str)
def test_the_same_surface_is_near(kind: str, change: dict[str, float]) -> None:
    assert apart(photo(kind, 1), photo(kind, 1, **change)) < NEAR  # type: ignore[arg-type]


@pytest.mark.parametrize(("a", "b"), [("wood", "paper"), ("cloth", "paper"), ("paper", "gravel")])
def test_another_surface_is_far(a: str, b: str) -> None:
    assert apart(photo(a, 1), photo(b, 1)) > 2 * NEAR


def test_a_card_that_fills_the_photo_lies_on_nothing_that_could_be_told() -> None:
    view, quad = photo("wood", 1)
    left, top = quad[0].astype(int)
    right, bottom = quad[2].astype(int)
    assert surroundings(np.ascontiguousarray(view[top:bottom, left:right]), quad - quad[0]) is None
    assert surroundings(view, quad) is not None

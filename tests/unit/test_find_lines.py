"""Lines of print on drawn paper: found with their capitals' box, whatever their size; nothing where nothing is printed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.specimens.fonts import sans_fonts
from pipeline.stages.find_lines import find_lines
from pipeline.stages.find_words import merge_words, quantile
from pipeline.stages.geometry import PX_PER_MM
from tests.unit.drawn_text import Print, paper, printed

FRONT: tuple[Print, ...] = (
    ("INSTITUTO NACIONAL ELECTORAL", 26.0, 6.0, 2.1), ("NOMBRE", 26.0, 14.0, 1.15), ("ÑONGO", 26.0, 18.0, 2.0),
    ("DE LA TORRE", 26.0, 21.2, 2.0), ("DOMICILIO", 26.0, 27.0, 1.15), ("C 5 DE MAYO 1234", 26.0, 30.0, 1.75),
    ("HEGM560427MVZRRL04", 42.0, 39.0, 1.75), ("H", 76.0, 14.0, 2.0), ("6415", 47.0, 51.0, 2.4),
)


@pytest.mark.parametrize("blur", [0.8, 2.0, 3.5])
@pytest.mark.parametrize("font", [0, 4, 8])
def test_every_line_is_found_once_with_the_box_of_its_capitals(font: int, blur: float) -> None:
    lines = find_lines(printed(FRONT, sans_fonts()[font], font, blur))
    for text, x, base, height in FRONT:
        near = [line for line in lines if abs(line.x0 / PX_PER_MM - x) < 0.7 and abs(line.y1 / PX_PER_MM - base) < 0.6]
        assert len(near) == 1, text
        assert near[0].height / PX_PER_MM == pytest.approx(height, abs=0.5), text


@pytest.mark.parametrize("seed", range(3))
def test_patterned_paper_alone_has_no_lines(seed: int) -> None:
    assert find_lines(paper(seed)) == ()


def test_a_wide_pale_overprint_is_hardly_a_line() -> None:
    """Its strokes are too wide; the notches of its letters may leave specks."""
    card = paper(1)
    cv2.putText(card, "MUESTRA", (300, 700), cv2.FONT_HERSHEY_SIMPLEX, 8, 190, 60)
    assert sum(line.x1 - line.x0 for line in find_lines(card)) < 250


def test_a_label_and_its_value_are_two_lines() -> None:
    lines = find_lines(printed((("CLAVE DE ELECTOR", 26.0, 39.0, 1.15), ("SNSNRC70062928H300", 42.4, 39.0, 1.9)), sans_fonts()[1], 3))
    assert [round(line.x0 / PX_PER_MM) for line in sorted(lines, key=lambda line: line.x0)] == [26, 42]


def test_a_black_or_white_card_is_no_error() -> None:
    for value in (0, 255):
        assert find_lines(np.full((1080, 1712), value, np.uint8)) == ()


boxes = st.tuples(st.integers(0, 800), st.integers(0, 500), st.integers(5, 120), st.integers(8, 40)).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3]))


@given(st.lists(boxes, min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_merging_keeps_every_word(words: list[tuple[int, int, int, int]]) -> None:
    merged = merge_words(np.array(words, np.int32))
    assert sorted(tuple(box) for line in merged for box in line.tolist()) == sorted(words)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.floats(0, 1))
@settings(deadline=None)
def test_quantile_has_its_share_below_it(values: list[int], share: float) -> None:
    found = quantile(np.array(values), share)
    assert sum(value < found for value in values) <= share * len(values)

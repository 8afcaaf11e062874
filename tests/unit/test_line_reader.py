"""The readers' arithmetic: crops, padding, CTC; and the two networks on lines drawn in fonts that training may not have seen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.networks.api import Image
from pipeline.networks.line_reader import FIELDS, LOOK_ALIKES, MRZ, ReaderShape, bucket_width, crop_line, cut, greedy, pad
from pipeline.wiring import local_networks


@pytest.mark.parametrize(("path", "text"), [
    ([0, 0, 0], ""),
    ([1, 1, 0, 1], "aa"),
    ([1, 1, 1, 2], "ab"),
    ([0, 2, 0, 0, 1, 0], "ba"),
    ([2], "b"),
    ([1, 2, 1], "aba"),
])
def test_greedy_collapses_runs_and_drops_blanks(path: list[int], text: str) -> None:
    assert greedy(np.array(path), np.full(len(path), 0.5, np.float32), "ab").text == text


def test_confidence_is_the_product_of_each_symbols_best_column() -> None:
    reading = greedy(np.array([0, 1, 1, 0, 2]), np.array([1, 0.5, 0.8, 1, 0.9], np.float32), "ab")
    assert reading.confidence == pytest.approx(0.72)
    assert reading.weakest == pytest.approx(0.8)


def test_where_types_are_known_a_symbol_counts_with_its_look_alike() -> None:
    path, own, both = np.array([1, 0, 2]), np.array([0.6, 1, 0.9], np.float32), np.array([0.95, 1, 0.9], np.float32)
    reading = greedy(path, own, "0B", both)
    assert (reading.confidence, reading.typed) == (pytest.approx(0.54), pytest.approx(0.855))
    assert greedy(path, own, "0B").typed == pytest.approx(0.54)


@pytest.mark.parametrize("shape", [FIELDS, MRZ])
def test_a_readers_third_output_adds_what_it_gives_the_look_alike(shape: ReaderShape) -> None:
    line = np.full((1, shape.height, shape.widths[-1]), 200, np.uint8)
    cv2.putText(line[0], "0O B8 S5 1I H M4 Z2", (8, shape.height * 3 // 4), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 30, 2, cv2.LINE_AA)
    classes, own, both = local_networks().run(shape.net, line)
    pairs = "".join(LOOK_ALIKES)
    paired = np.isin(classes, [shape.alphabet.index(symbol) + 1 for symbol in pairs])
    assert (both >= own).all()
    assert (both <= 1 + 1e-5).all()
    assert (both[~paired] == own[~paired]).all()
    assert paired.any()
    assert (both[paired] > own[paired]).any()


def test_a_line_of_nothing_has_no_confidence() -> None:
    assert greedy(np.array([0, 0]), np.ones(2, np.float32), "ab").confidence == 0


@pytest.mark.parametrize(("width", "closed"), [(1, 64), (128, 128), (129, 192), (704, 704), (5000, 704)])
def test_buckets_are_the_narrowest_that_hold(width: int, closed: int) -> None:
    assert bucket_width(width, FIELDS) == closed


@pytest.mark.parametrize("width", [3, 40, 64, 65, 300])
def test_pad_gives_the_width_and_keeps_what_fits(width: int) -> None:
    crop = np.random.default_rng(1).integers(0, 255, (48, width), dtype=np.uint8)
    padded = pad(crop, 64)
    assert padded.shape == (48, 64)
    if width <= 64:
        assert (padded[:, :width] == crop).all()


def ramp(height: int = 200, width: int = 400) -> Image:
    """A card whose grey tells the row."""
    return np.repeat(np.arange(height, dtype=np.uint8)[:, None], width, axis=1)


@pytest.mark.parametrize(("box", "middle"), [((50, 80, 300, 120), 100), ((50, 40, 300, 60), 50)])
def test_crop_puts_the_ink_in_the_middle_at_its_share_of_the_height(box: tuple[int, int, int, int], middle: int) -> None:
    crop = crop_line(ramp(), box, FIELDS)
    column = crop[:, crop.shape[1] // 2].astype(float)
    assert crop.shape[0] == FIELDS.height
    assert column.mean() == pytest.approx(middle, abs=1.0)
    share = (box[3] - box[1]) / (column[-1] - column[0])
    assert share == pytest.approx(FIELDS.ink, abs=0.03)


def test_crop_follows_a_slope() -> None:
    """A dark line that falls by 0.1 stays in the middle row of its crop."""
    card = np.full((200, 400), 255, np.uint8)
    for x in range(400):
        card[int(80 + 0.1 * x) - 2:int(80 + 0.1 * x) + 3, x] = 0
    strip = cut(card, (50, 80 + 0.1 * 200, 350), 32, 300, 1.0, slope=0.1)
    darkest: NDArray[np.intp] = strip[:, 10:-10].argmin(axis=0)
    assert np.ptp(darkest) <= 3


def test_alphabets_have_no_symbol_twice() -> None:
    for shape in (MRZ, FIELDS):
        assert len(set(shape.alphabet)) == len(shape.alphabet)

"""QRs read by their grid. Expected values: codes and patterns drawn by segno, and the standard's table of alignment patterns."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import segno
from numpy.typing import NDArray

from pipeline.domain.evidence import Symbology
from pipeline.stages.qr_grid import alignment_centres, find_finders, function_patterns, read_grid
from pipeline.stages.scan_codes import Look, look

PAYLOAD = bytes([0, 1, *np.random.default_rng(20).integers(0, 256, 856).tolist()])
MODULE = 4.0
"""Pixels a module of the codes drawn here: a large QR's on the rectified card."""
PLACE = 60


@pytest.mark.parametrize(("version", "lines"), [
    (1, []), (2, [18]), (7, [6, 22, 38]), (14, [6, 26, 46, 66]), (20, [6, 34, 62, 90]), (22, [6, 26, 50, 74, 98]),
    (32, [6, 34, 60, 86, 112, 138]), (36, [6, 24, 50, 76, 102, 128, 154]), (40, [6, 30, 58, 86, 114, 142, 170])])
def test_alignment_patterns_stand_where_the_standard_puts_them(version: int, lines: list[int]) -> None:
    centres = alignment_centres(17 + 4 * version)
    assert sorted({row for row, _ in centres} | {column for _, column in centres}) == lines
    assert len(centres) == (len(lines) ** 2 - 3 if len(lines) > 1 else len(lines))


@pytest.mark.parametrize("version", range(1, 41))
def test_function_patterns_are_those_of_another_program(version: int) -> None:
    drawn = np.array([list(row) for row in segno.make("1", version=version, micro=False).matrix])
    known = function_patterns(17 + 4 * version)
    assert (known[known >= 0] == drawn[known >= 0]).all()
    assert (known >= 0).sum() > 3 * 64


def picture(content: bytes | str, version: int, module: float = MODULE, blur: float = 0.0, noise: float = 0.0,
            turn: int = 0) -> NDArray[np.uint8]:
    """A code on light grey, `blur` modules of Gaussian blur, turned by quarters."""
    bits = np.array([list(row) for row in segno.make(content, version=version, error="L", micro=False, boost_error=False).matrix])
    drawn = np.kron(np.where(np.pad(bits, 4) > 0, 40, 210), np.ones((8, 8))).astype(np.float32)
    soft = cv2.GaussianBlur(drawn, (0, 0), max(8 * blur, 0.1))
    small = cv2.resize(soft, None, fx=module / 8, fy=module / 8, interpolation=cv2.INTER_AREA)
    grey = np.full((small.shape[0] + 2 * PLACE, small.shape[1] + 2 * PLACE), 210, np.float32)
    grey[PLACE:-PLACE, PLACE:-PLACE] = small
    grey += np.random.default_rng(7).normal(0, noise, grey.shape).astype(np.float32)
    return np.rot90(np.clip(grey, 0, 255).astype(np.uint8), turn).copy()


def corners(side: int, module: float = MODULE) -> NDArray[np.float64]:
    near, far = PLACE + 4 * module - 0.5, PLACE + (4 + side) * module - 0.5
    return np.array([[near, near], [far, near], [far, far], [near, far]])


@pytest.mark.parametrize("turn", range(4))
def test_a_sharp_code_is_read_whichever_way_it_lies(turn: int) -> None:
    found = read_grid(picture(PAYLOAD, 20, turn=turn), corners(97), 97)
    assert found is not None
    assert (found.payload, found.modules, found.symbology) == (PAYLOAD, 97, Symbology.QR)
    own = np.roll(corners(97), turn, axis=0)  # from the symbol's own top left: a quarter turn to the left lets it come down
    assert np.abs(found.corners - own).max() < 1.5


@pytest.mark.parametrize("off", [(5.0, -6.0), (-7.0, 4.0)])
def test_a_place_may_be_off_by_some_pixels(off: tuple[float, float]) -> None:
    found = read_grid(picture(PAYLOAD, 20), corners(97) + off, 97)
    assert found is not None
    assert found.payload == PAYLOAD


def test_blur_is_undone_where_a_look_at_the_pixels_fails() -> None:
    blurred = picture(PAYLOAD, 20, blur=0.6, noise=2.0)
    ways = (Look(), Look(scale=1.5), Look(scale=2.0))
    assert not any(code.decoded for way in ways for code in look(blurred, way, (Symbology.QR,)))
    found = read_grid(blurred, corners(97), 97)
    assert found is not None
    assert found.payload == PAYLOAD


@pytest.mark.parametrize(("grey", "side"), [
    (np.full((600, 600), 128, np.uint8), 97), (np.random.default_rng(1).integers(0, 256, (600, 600), dtype=np.uint8), 97),
    (picture("HTTP://QR.INE.MX/004697", 4), 97), (picture(PAYLOAD, 20, blur=3.0), 97)])
def test_what_is_no_such_code_is_none(grey: NDArray[np.uint8], side: int) -> None:
    assert read_grid(grey, corners(side), side) is None


@pytest.mark.parametrize(("version", "module", "sizes"), [
    (20, 4.0, (3.6, 4.4)), (20, 3.4, (3.6, 4.4)), (20, 4.7, (3.6, 4.4)), (4, 7.3, (6.6, 8.0))])
@pytest.mark.parametrize("blur", [0.0, 0.5])
def test_finder_patterns_lead_to_the_code(version: int, module: float, sizes: tuple[float, ...], blur: float) -> None:
    content = PAYLOAD if version == 20 else "http://qr.ine.mx/004697"
    side = 17 + 4 * version
    places = find_finders(picture(content, version, module, blur), side, sizes)
    assert places
    assert np.abs(places[0] - corners(side, module)).max() < 2 * module


@pytest.mark.parametrize("grey", [np.full((400, 400), 90, np.uint8), np.zeros((5, 5), np.uint8),
                                  np.random.default_rng(2).integers(0, 256, (500, 800), dtype=np.uint8)])
def test_where_there_is_no_code_no_finder_patterns_are_seen(grey: NDArray[np.uint8]) -> None:
    assert find_finders(grey, 97, (3.6, 4.4)) == []

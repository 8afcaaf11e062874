"""The MRZ from drawn backs: found whichever way they lie, read, corrected by type only, judged by check digits."""

from __future__ import annotations

import random
from datetime import date

import cv2
import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageDraw

from models.registry import load_calibration
from models.specimens.fonts import family, load
from models.specimens.ocrb import draw_mrz_line
from pipeline.domain.evidence import MrzEvidence
from pipeline.domain.mrz import check_results, format_td1
from pipeline.networks.api import Image, Networks
from pipeline.networks.line_reader import Reading
from pipeline.stages.find_mrz import find_mrz_band
from pipeline.stages.geometry import CARD_HEIGHT, CARD_WIDTH
from pipeline.stages.read_any_mrz import is_valid, read_any_mrz
from pipeline.stages.read_mrz import HOLE_CONFIDENCE, better, evidence_of, read_mrz
from pipeline.wiring import local_networks
from tests.unit.drawn_text import paper

Lines = tuple[str, str, str]
UTOPIA_TD3 = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
"""ICAO 9303-4, appendix A."""
UTOPIA_TD1 = ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<")
"""ICAO 9303-5, appendix A."""
UTOPIA_TD2 = ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6")
"""ICAO 9303-6, appendix A."""


@pytest.fixture(scope="module")
def networks() -> Networks:
    return local_networks()


def lines_of(seed: int) -> Lines:
    rng = random.Random(seed)
    digits = "".join(rng.choices("0123456789", k=22))
    return format_td1(digits[:9], digits[9:13], digits[13:], date(1985, 3, 1 + seed), rng.choice("HM"), 2031, 1, "00412",
                      "MUÑOZ", "DE LA TORRE", "MARIA FERNANDA")


DRAWN_MM = (5.0, 39.0, 80.6, 50.2)
"""Where `back` puts the ink of three lines: 100 to 1,612 px across, from 780 down, 85 apart and 54 high, 20 px a millimetre."""


def back(lines: tuple[str, ...], seed: int, *, angle: float = 0.0, blur: float = 0.8, top: int = 780) -> Image:
    """A card's back with nothing but lines on patterned paper. Grey, (1080, 1712)."""
    card = paper(seed).astype(np.float32)
    for index, text in enumerate(lines):
        ink = draw_mrz_line(text, 54)
        if ink.shape[1] > 1560:
            ink = np.asarray(cv2.resize(ink, (1560, 54 * 1560 // ink.shape[1]), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        y, x = top + 85 * index, 92
        card[y:y + ink.shape[0], x:x + ink.shape[1]] *= 0.2 + 0.8 * ink.astype(np.float32) / 255
    turn = cv2.getRotationMatrix2D((CARD_WIDTH / 2, CARD_HEIGHT / 2), angle, 1.0)
    turned = cv2.warpAffine(cv2.GaussianBlur(card, (0, 0), blur), turn, (CARD_WIDTH, CARD_HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    noise = np.random.default_rng(seed).normal(0, 3, turned.shape)
    return np.asarray(np.clip(turned + noise, 0, 255), dtype=np.uint8)


@pytest.mark.parametrize(("seed", "angle", "blur"), [(1, 0.0, 0.8), (2, 0.6, 1.5), (3, -0.6, 2.5), (4, 0.3, 3.5)])
def test_drawn_backs_are_read(seed: int, angle: float, blur: float, networks: Networks) -> None:
    lines = lines_of(seed)
    mrz = read_mrz(back(lines, seed, angle=angle, blur=blur), networks, load_calibration())
    assert mrz is not None
    assert mrz.lines == lines
    assert mrz.valid
    assert mrz.source == "mrz_reader"
    assert mrz.box_mm == pytest.approx(DRAWN_MM, abs=1.2)


def test_a_wrong_check_digit_is_read_as_printed(networks: Networks) -> None:
    """Nothing is corrected by wish: the digit stays wrong, and the reading says so."""
    one, two, three = lines_of(5)
    wrong = one[:14] + str((int(one[14]) + 1) % 10) + one[15:]
    mrz = read_mrz(back((wrong, two, three), 5), networks, load_calibration())
    assert mrz is not None
    assert mrz.lines == (wrong, two, three)
    assert not mrz.valid


def test_names_under_glare_are_a_doubt(networks: Networks) -> None:
    """No check digit guards the third line: letters that were swallowed lower the confidence."""
    picture = back(lines_of(6), 6)
    picture[940:1020, 92 + 52 * 8:92 + 52 * 11] = 255
    mrz = read_mrz(picture, networks, load_calibration())
    assert mrz is not None
    assert mrz.lines[2] != lines_of(6)[2]
    assert mrz.confidence <= 0.5


def test_the_band_tells_which_way_is_up() -> None:
    picture = back(lines_of(6), 6)
    band = find_mrz_band(picture)
    assert band is not None
    assert [round((row.line.y0 + row.line.y1) / 2) for row in band.lines] == pytest.approx([807, 892, 977], abs=6)
    assert find_mrz_band(np.asarray(cv2.rotate(picture, cv2.ROTATE_180), dtype=np.uint8)) is None


def test_a_short_name_in_a_typeface_of_low_fillers_is_a_line() -> None:
    """Outside OCR-B a filler is lower than a digit: a line that is mostly fillers is as high as its letters."""
    page = Picture.fromarray(paper(8))
    pen, face = ImageDraw.Draw(page), load(family(0)[0], 74)
    lines = ("IDMEX1388381288<<0877096656803", "6905196H2812313MEX<00<<54432<1", "PAZ<<EVA<<<<<<<<<<<<<<<<<<<<<<")
    for row, text in enumerate(lines):
        for place, letter in enumerate(text):
            pen.text((100 + 50 * place, 834 + 85 * row), letter, font=face, fill=25, anchor="ls")
    band = find_mrz_band(np.asarray(page, np.uint8))
    assert band is not None
    assert [round((row.line.y0 + row.line.y1) / 2) for row in band.lines] == pytest.approx([808, 893, 978], abs=8)


def test_no_band_no_reading(networks: Networks) -> None:
    assert find_mrz_band(paper(7)) is None
    assert read_mrz(paper(7), networks, load_calibration()) is None


@pytest.mark.parametrize(("name", "lines"), [("TD1", UTOPIA_TD1), ("TD2", UTOPIA_TD2), ("TD3", UTOPIA_TD3)])
def test_formats_of_other_states(name: str, lines: tuple[str, ...], networks: Networks) -> None:
    """Check digits as ICAO prints them; and the lines are read from a page."""
    assert is_valid(name, lines)
    found = read_any_mrz(back(lines, 8), networks, 0.0)
    assert found is not None
    assert (found.format, found.lines, found.valid) == (name, lines, True)


@pytest.mark.parametrize(("name", "count", "length"), [("TD1", 3, 30), ("TD2", 2, 36), ("TD3", 2, 44)])
def test_fillers_alone_are_no_document(name: str, count: int, length: int) -> None:
    assert not is_valid(name, ("<" * length,) * count)
    assert not is_valid(name, ("P" + "<" * (length - 1), *["<" * length] * (count - 1)))


@pytest.mark.parametrize(("name", "lines", "line", "place"), [
    ("TD1", UTOPIA_TD1, 0, 6), ("TD1", UTOPIA_TD1, 1, 2), ("TD2", UTOPIA_TD2, 1, 0), ("TD3", UTOPIA_TD3, 1, 15), ("TD3", UTOPIA_TD3, 1, 43),
])
def test_one_changed_digit_is_seen(name: str, lines: tuple[str, ...], line: int, place: int) -> None:
    letter = lines[line][place]
    other = str((int(letter) + 1) % 10) if letter.isdigit() else "B" if letter != "B" else "C"
    changed = [text[:place] + other + text[place + 1:] if row == line else text for row, text in enumerate(lines)]
    assert not is_valid(name, tuple(changed))


@pytest.mark.parametrize("turned", [False, True])
def test_a_filler_in_a_digits_place_does_not_beat_the_digit(turned):
    """Check digits count a filler as 0: with it in the 0's place all four hold, and the lines are still not INE's."""
    right = ("IDMEX2062936958<<1627018289267", "7611027H2712310MEX<01<<23138<3", "ACUNA<ESTRADA<<ALEJANDRO<<<<<<")
    wrong = (right[0].replace("X20", "X2<"), *right[1:])
    assert all(check_results(wrong)) and all(check_results(right))
    pair = [MrzEvidence(lines, lines is right, 0.9, 0, "test") for lines in ((right, wrong) if turned else (wrong, right))]
    assert better(*pair).lines == right


@pytest.mark.parametrize(("first", "sure"), [
    ("IDMEX1821978457<<6987043202429", True),
    ("IDMEX1821978457<<6987043204", False),
    ("IDMEX1821978457<<69870432024288", False),
    ("IDMEX1821978450<<69870432<<<", True),
])
def test_what_lacks_symbols_contradicts_nothing(first: str, sure: bool) -> None:
    """A line of which glare took some symbols is a doubt, however sure each of the others is; a whole one is not."""
    rest = ("9405273H2812313MEX<00<<36984<1", "DE<LA<CRUZ<VARGAS<<JORGE<<<<<<")
    readings = [Reading(text, 0.99, 0.99, tuple(14.0 + 15.0 * place for place in range(len(text)))) for text in (first, *rest)]
    found = evidence_of(readings, "mrz_reader")
    assert not found.valid
    assert found.confidence == (0.99 if sure else HOLE_CONFIDENCE)

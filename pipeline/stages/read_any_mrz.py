"""A machine-readable zone in any picture: TD1, TD2 or TD3 (ICAO 9303), upright or turned, card or page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.domain.mrz import ALPHABET, check_digit
from pipeline.networks.api import Image, Networks
from pipeline.stages.find_mrz import MrzBand, find_band
from pipeline.stages.geometry import CARD_WIDTH
from pipeline.stages.read_mrz import read_band

FORMATS = (("TD1", 3, 30), ("TD2", 2, 36), ("TD3", 2, 44))
KINDS = "ACIPV"
"""First letters of machine-readable documents: identity cards A, C, I; passports P; visas V (ICAO 9303)."""
LEAST_WIDTH = 0.22
"""Of the picture's width: a page's lines fill it, unless the page is far away."""
TURNS = (cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE)
WIDTHS = (CARD_WIDTH, round(1.6 * CARD_WIDTH), round(2.4 * CARD_WIDTH))
ANGLES = (6, -6, 12, -12)
"""Degrees; lines are followed up to about 4 degrees either way."""
_DIGITS, _LETTERS = str.maketrans("OQDIZSGB", "00012568"), str.maketrans("012568", "OIZSGB")
_TYPES = {
    "TD1": ("NLNNN*********D***************", "DDDDDDDSDDDDDDDNNN***********D", "N" * 30),
    "TD2": ("NL" + "N" * 34, "*********DNNNDDDDDDDSDDDDDDD*******D"),
    "TD3": ("NL" + "N" * 42, "*********DNNNDDDDDDDSDDDDDDD**************CD"),
}
"""What each place may hold: D digit, N letter or filler, L letter, digit or filler, S sex, C digit or filler, * any."""
_CHECKS = {
    "TD1": (((0, 5, 14),), ((1, 0, 6),), ((1, 8, 14),), ((0, 5, 30), (1, 0, 7), (1, 8, 15), (1, 18, 29))),
    "TD2": (((1, 0, 9),), ((1, 13, 19),), ((1, 21, 27),), ((1, 0, 10), (1, 13, 20), (1, 21, 35))),
    "TD3": (((1, 0, 9),), ((1, 13, 19),), ((1, 21, 27),), ((1, 28, 42),), ((1, 0, 10), (1, 13, 20), (1, 21, 43))),
}
"""Line, first and last place of what each check digit covers (ICAO 9303-5, -6, -4)."""
_PLACES = {"TD1": ((0, 14), (1, 6), (1, 14), (1, 29)), "TD2": ((1, 9), (1, 19), (1, 27), (1, 35)),
           "TD3": ((1, 9), (1, 19), (1, 27), (1, 42), (1, 43))}
"""Where each check digit stands."""


@dataclass(frozen=True, slots=True)
class AnyMrz:
    """`format`: TD1, TD2 or TD3.  `valid`: every check digit of the format holds.  confidence: 0..1, of the weakest line."""

    format: str
    lines: tuple[str, ...]
    valid: bool
    confidence: float


def read_any_mrz(picture: Image, networks: Networks, least: float) -> AnyMrz | None:
    """The best reading in a picture, (H, W[, 3]) uint8, in any of the four directions. None where nothing reaches `least`.

    A document photographed upright is tried first; the first reading whose check digits hold ends the search. Where none
    does, every view is looked at: about half a second.
    """
    grey = picture if picture.ndim == 2 else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    best: AnyMrz | None = None
    for view in _views(grey):
        for found in _readings(view, networks):
            if found.valid:
                return found
            if best is None or _rank(found) > _rank(best):
                best = found
    return best if best is not None and best.confidence >= least else None


def _views(grey: Image) -> Iterator[Image]:
    """The picture as wide as a rectified card, in four directions; then enlarged, for a document far away; then aslant."""
    turns = [grey, *(np.asarray(cv2.rotate(grey, turn), dtype=np.uint8) for turn in TURNS)]
    looks = [(width, 0) for width in WIDTHS] + [(WIDTHS[0], angle) for angle in ANGLES]
    for width, angle in looks:
        for picture in turns:
            scale = width / picture.shape[1]
            size = width, round(picture.shape[0] * scale)
            view = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
            if angle:
                turn = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), angle, 1.0)
                view = cv2.warpAffine(view, turn, size, borderMode=cv2.BORDER_REPLICATE)
            yield np.asarray(view, dtype=np.uint8)


def _readings(view: Image, networks: Networks) -> Iterator[AnyMrz]:
    for lines in (3, 2):
        band = find_band(view, lines, LEAST_WIDTH)
        if band is not None:
            for name, count, length in FORMATS:
                if count == lines and (found := _read(view, band, name, length, networks)) is not None:
                    yield found


def _read(view: Image, band: MrzBand, name: str, length: int, networks: Networks) -> AnyMrz | None:
    readings = read_band(view, band, networks, length)
    texts = [_fit(reading.text, length) for reading in readings]
    if any(len(text) != length for text in texts):
        return None
    lines = tuple(_typed(text, types) for text, types in zip(texts, _TYPES[name], strict=True))
    return AnyMrz(name, lines, is_valid(name, lines), min(reading.confidence for reading in readings))


def _fit(text: str, length: int) -> str:
    """Fillers at the end counted by the format's length."""
    return text.rstrip("<").ljust(length, "<") if text.endswith("<<") and len(text.rstrip("<")) <= length else text


def _typed(text: str, types: str) -> str:
    """Digits where only digits stand, letters where only letters stand; check digits judge the outcome."""
    return "".join(letter.translate(_DIGITS) if kind == "D" else letter.translate(_LETTERS) if kind == "N" else letter
                   for letter, kind in zip(text, types, strict=True))


def is_valid(name: str, lines: tuple[str, ...]) -> bool:
    """Whether all check digits of a format hold. An empty optional field may have a filler for its digit (9303-4).

    Lines of fillers alone would hold too: the document's kind and number must be there.
    """
    if any(letter not in ALPHABET for line in lines for letter in line) or lines[0][0] not in KINDS:
        return False
    row, first, last = _CHECKS[name][0][0]
    if not lines[row][first:last].strip("<"):
        return False
    for parts, (line, place) in zip(_CHECKS[name], _PLACES[name], strict=True):
        covered = "".join(lines[row][first:last] for row, first, last in parts)
        found = lines[line][place]
        if found != check_digit(covered) and not (found == "<" and not covered.strip("<")):
            return False
    return True


def _rank(found: AnyMrz) -> tuple[bool, float]:
    return found.valid, found.confidence

"""Reads found lines with the field reader, and cuts what was read into labels and values with their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from pipeline.domain.evidence import BoxMm
from pipeline.networks.api import Image, Networks
from pipeline.networks.line_reader import FIELDS, crop_line, read
from pipeline.stages.field_values import unglued
from pipeline.stages.find_words import LineBox
from pipeline.stages.geometry import PX_PER_MM
from pipeline.stages.labels import Label, find_labels

STEP = 4
BURNT, MOST_BURNT, HALF_BURNT = 250, 0.25, 0.5
"""Grey level of a burnt pixel; the share of a card that spots of light cover at most; the share of the place beside a line."""
TORN = 0.5
"""The confidence, at most, of a line that a spot of light may have cut: no reader knows of the letters that it does not see."""


@dataclass(frozen=True, slots=True)
class ReadLine:
    """One line as read. confidence: 0..1, that every symbol is right, by the reader's own estimate."""

    text: str
    confidence: float
    box_mm: BoxMm
    typed: float | None = None
    """The confidence where each place's type is known (`Reading.typed`); None: the same."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A label, or what stands between labels, in a line. `label` None: a value."""

    text: str
    confidence: float
    box_mm: BoxMm
    label: Label | None = None
    typed: float | None = None

    @property
    def x0(self) -> float:
        return self.box_mm[0]

    @property
    def base(self) -> float:
        """Where it stands, in mm from the card's top."""
        return self.box_mm[3]

    @property
    def height(self) -> float:
        return self.box_mm[3] - self.box_mm[1]


def read_lines(card_grey: Image, lines: Sequence[LineBox], networks: Networks) -> tuple[ReadLine, ...]:
    """Reads every line of a grey card, (1080, 1712) uint8; those in which nothing was read are left out."""
    readings = read([crop_line(card_grey, line.box, FIELDS) for line in lines], FIELDS, networks)
    spots = _spots(card_grey)
    found = []
    for line, reading in zip(lines, readings, strict=True):
        if reading.text.strip():
            most = TORN if _is_torn(line, spots) else 1.0
            found.append(ReadLine(reading.text.strip(), min(reading.confidence, most), _mm(line), min(reading.typed, most)))
    return tuple(found)


def _spots(card_grey: Image) -> Image | None:
    """Where light burnt the picture out, a quarter of its size, 0 or 1; None where there is no such spot, or where so much is
    burnt that it is the card's own white."""
    burnt = (card_grey[2::STEP, 2::STEP] >= BURNT).astype(np.uint8)
    spots = np.asarray(cv2.morphologyEx(burnt, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), dtype=np.uint8)
    return spots if 0 < spots.mean() < MOST_BURNT else None


def _is_torn(line: LineBox, spots: Image | None) -> bool:
    """Whether a spot begins where the line begins or ends: letters beyond it may be lost, however well the rest reads."""
    if spots is None:
        return False
    y0, y1 = (round(y / STEP) for y in (line.y0, line.y1))
    near, far = 0.2 * line.height, 1.5 * line.height
    for left, right in ((line.x0 - far, line.x0 - near), (line.x1 + near, line.x1 + far)):
        x0, x1 = (max(round(x / STEP), 0) for x in (left, right))
        beside = spots[y0:y1 + 1, x0:x1 + 1]
        if beside.size and beside.mean() > HALF_BURNT:
            return True
    return False


def _mm(line: LineBox) -> BoxMm:
    return line.x0 / PX_PER_MM, line.y0 / PX_PER_MM, line.x1 / PX_PER_MM, line.y1 / PX_PER_MM


def pieces_of(line: ReadLine) -> tuple[Piece, ...]:
    """Labels and values of one line, left to right. A piece's ends are where its letters would stand in an even line."""
    text = unglued(line.text)
    words, found = text.split(), find_labels(text)
    cuts = sorted({0, len(words)} | {edge for one in found for edge in (one.first, one.last)})
    labels = {(one.first, one.last): one.label for one in found}
    return tuple(_piece(line, words, first, last, labels.get((first, last)))
                 for first, last in pairwise(cuts))


def _piece(line: ReadLine, words: Sequence[str], first: int, last: int, label: Label | None) -> Piece:
    x0, y0, x1, y1 = line.box_mm
    letter = (x1 - x0) / max(len(" ".join(words)), 1)
    start, end = len(" ".join(words[:first])) + (first > 0), len(" ".join(words[:last]))
    return Piece(" ".join(words[first:last]), line.confidence, (x0 + start * letter, y0, x0 + end * letter, y1), label,
                 line.typed)

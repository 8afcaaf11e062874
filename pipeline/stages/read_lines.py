"""Reads found lines with the field reader, and cuts what was read into labels and values with their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pipeline.domain.evidence import BoxMm
from pipeline.networks.api import Image, Networks
from pipeline.networks.line_reader import FIELDS, crop_line, read
from pipeline.stages.field_values import unglued
from pipeline.stages.find_words import LineBox
from pipeline.stages.geometry import PX_PER_MM
from pipeline.stages.labels import Label, find_labels


@dataclass(frozen=True, slots=True)
class ReadLine:
    """One line as read. confidence: 0..1, that every symbol is right, by the reader's own estimate."""

    text: str
    confidence: float
    box_mm: BoxMm


@dataclass(frozen=True, slots=True)
class Piece:
    """A label, or what stands between labels, in a line. `label` None: a value."""

    text: str
    confidence: float
    box_mm: BoxMm
    label: Label | None = None

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
    return tuple(ReadLine(reading.text.strip(), reading.confidence, _mm(line))
                 for line, reading in zip(lines, readings, strict=True) if reading.text.strip())


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
    return Piece(" ".join(words[first:last]), line.confidence, (x0 + start * letter, y0, x0 + end * letter, y1), label)

"""The machine-readable zone on the back: find its three lines, read them, correct by field type, judge by check digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from pipeline.domain.calibration import Calibration
from pipeline.domain.evidence import MrzEvidence
from pipeline.domain.identifiers import Malformed
from pipeline.domain.mrz import Lines, Td1, check_results, correct
from pipeline.networks.api import Image, Net, Networks
from pipeline.networks.line_reader import MRZ, Reading, cut, read
from pipeline.networks.ppocr import crop_for_ppocr, read_ppocr
from pipeline.stages.find_mrz import MrzBand, SlopedLine, find_mrz_band
from pipeline.stages.geometry import PX_PER_MM
from pipeline.stages.rectify import as_grey

TD1_LENGTH = 30
SYMBOL_PX = 15.8
"""Width of a symbol in the reader's input: in true OCR-B on 48 backs it read the number line of 48 at 15.8, of 46 at 15.0."""
MARGIN_PX = (MRZ.widths[0] - TD1_LENGTH * SYMBOL_PX) / 2
HOLE_PX = 1.7 * SYMBOL_PX
"""Distance of two symbols that leaves room for another one; the reader's columns are exact to about 4 px."""
HOLE_CONFIDENCE = 0.5
NEARLY = 2
"""Symbols that a line may lack or have too many and still be worth more looks."""
SECOND_LOOKS = ((-0.12, 1.0), (0.12, 1.0), (0.0, 1.15), (0.0, 0.88))
"""Further crops where the check digits do not hold: moved by a share of the digits' height, or scaled."""


def read_mrz(card: Image, networks: Networks, calibration: Calibration) -> MrzEvidence | None:
    """Reads the MRZ of an upright rectified back, (1080, 1712[, 3]) uint8 BGR or grey.

    None where no band of three lines is found, or hardly a symbol was read there. The reading whose check digits hold wins;
    where none holds, the one with most of them, and says `valid` False. More looks are taken only at lines that are nearly
    whole: what glare swallowed, no reader brings back.
    """
    grey = as_grey(card)
    band = find_mrz_band(grey)
    if band is None:
        return None
    readings = read_band(grey, band, networks, TD1_LENGTH)
    best = evidence_of(readings, str(Net.MRZ_READER))
    lengths = [len(reading.text) for reading in readings]
    if not best.valid and all(abs(length - TD1_LENGTH) <= NEARLY for length in lengths):
        best = _second_looks(grey, band, networks, best)
        if not best.valid:
            best = better(best, _by_ppocr(grey, band, networks))
    if not best.valid and sum(lengths) < calibration["text.mrz_symbols_least"]:
        return None
    x0, y0, x1, y1 = (round(pixels / PX_PER_MM, 2) for pixels in band.box)
    return replace(best, box_mm=(x0, y0, x1, y1))


def read_band(grey: Image, band: MrzBand, networks: Networks, length: int, shift: float = 0.0,
              scale: float = 1.0) -> tuple[Reading, ...]:
    """Each line of a band as the MRZ reader reads it. `length`: symbols a line; `shift` in heights, `scale` of the height."""
    return read([crop_mrz_line(grey, line, length, shift, scale) for line in band.lines], MRZ, networks)


def crop_mrz_line(grey: Image, row: SlopedLine, length: int, shift: float, scale: float) -> Image:
    """A line in which `length` symbols have the width, and the digits the height, that the reader knows."""
    line = row.line
    width = next(closed for closed in MRZ.widths if closed >= length * SYMBOL_PX)
    symbol = (line.x1 - line.x0) / (length - 0.25)  # from the first ink to the last: the pitch less the gap
    margin = (width / SYMBOL_PX * symbol - (line.x1 - line.x0)) / 2
    middle = (line.y0 + line.y1) / 2 + shift * line.height
    y_scale = MRZ.height * MRZ.ink / line.height * scale
    return cut(grey, (line.x0 - margin, middle, line.x1 + margin), MRZ.height, width, y_scale, row.slope)


def evidence_of(readings: Sequence[Reading], source: str) -> MrzEvidence:
    """Three readings as evidence: 30 symbols each, corrected by field type, judged by their check digits."""
    one, two, three = (fit_length(reading) for reading in readings)
    lines, corrections = correct((one, two, three))
    confidence, valid = float(min(reading.confidence for reading in readings)), is_valid(lines)
    lacking = not valid and not all(is_whole(reading) for reading in readings)
    if lacking or any(has_hole(reading) for reading in readings):
        confidence = min(confidence, HOLE_CONFIDENCE)
    return MrzEvidence(lines, valid, confidence, corrections, source)


def is_whole(reading: Reading) -> bool:
    """Whether as many symbols were seen as stand there, the fillers at the end apart: where glare swallowed some, the digits
    that do not hold contradict nothing, however sure the reader is of the others."""
    return len(reading.text) == TD1_LENGTH or reading.text.endswith("<<")


def has_hole(reading: Reading) -> bool:
    """Whether a cell before the last letter shows no symbol: glare took it, and no check digit guards the names."""
    letters = len(reading.text.rstrip("<"))
    places = [MARGIN_PX - SYMBOL_PX / 2, *reading.places[:letters]]
    return any(after - before > HOLE_PX for before, after in pairwise(places))


def fit_length(reading: Reading) -> str:
    """A line of 30. Fillers at the end are counted by the length, not by the reader: a run of equal symbols is easily one too
    long or too short, and carries nothing. Else every symbol goes to the cell that it was seen in, and a cell where nothing
    was seen gets a filler: the check digits will not hold, and what was read stands in its place."""
    text = reading.text
    if len(text) == TD1_LENGTH:
        return text
    if text.endswith("<<") and len(text.rstrip("<")) <= TD1_LENGTH:
        whole = text.rstrip("<").ljust(TD1_LENGTH, "<")
        if abs(len(text) - TD1_LENGTH) <= NEARLY:
            return whole
    cells = ["<"] * TD1_LENGTH
    for letter, place in zip(text, reading.places, strict=False):
        cells[min(max(int((place - MARGIN_PX) // SYMBOL_PX), 0), TD1_LENGTH - 1)] = letter
    return "".join(cells) if reading.places else text.ljust(TD1_LENGTH, "<")[:TD1_LENGTH]


def is_valid(lines: Lines) -> bool:
    """Whether the lines have INE's shape and all four check digits hold."""
    try:
        return Td1.parse(lines).valid
    except Malformed:
        return False


def better(a: MrzEvidence, b: MrzEvidence | None) -> MrzEvidence:
    """The valid one, else the one in which more check digits hold; the first of two that are equal. A filler counts as 0, so all
    four may hold where a digit was taken for one: that reading is not valid."""
    return a if b is None or _worth(a) >= _worth(b) else b


def _worth(mrz: MrzEvidence) -> tuple[bool, int]:
    return mrz.valid, sum(check_results(mrz.lines))


def _second_looks(grey: Image, band: MrzBand, networks: Networks, best: MrzEvidence) -> MrzEvidence:
    """Crops that are moved or scaled a little, until one holds."""
    for shift, scale in SECOND_LOOKS:
        best = better(best, evidence_of(read_band(grey, band, networks, TD1_LENGTH, shift, scale), str(Net.MRZ_READER)))
        if best.valid:
            break
    return best


def _by_ppocr(grey: Image, band: MrzBand, networks: Networks) -> MrzEvidence | None:
    """The general recogniser's reading of the same lines; None where it does not read three."""
    crops = [crop_for_ppocr(grey, row.line.box, row.slope) for row in band.lines]
    readings = [Reading(reading.text.upper().replace(" ", "").replace("«", "<<"), reading.confidence, reading.weakest)
                for reading in read_ppocr(crops, networks)]
    return evidence_of(readings, str(Net.PPOCR_READER)) if all(reading.text for reading in readings) else None

"""The machine-readable zone on the back: find its three lines, read them, correct by field type, judge by check digits."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.domain.calibration import Calibration
from pipeline.domain.evidence import MrzEvidence
from pipeline.domain.identifiers import Malformed
from pipeline.domain.mrz import Lines, Td1, check_results, correct
from pipeline.networks.api import Image, Net, Networks
from pipeline.networks.line_reader import MRZ, Reading, cut, read
from pipeline.networks.ppocr import read_ppocr
from pipeline.stages.find_mrz import MrzBand, SlopedLine, find_mrz_band

TD1_LENGTH = 30
SYMBOL_PX = 15.0
"""Width that the reader was trained to see a symbol at, in pixels of its input."""
SECOND_LOOKS = ((-0.12, 1.0), (0.12, 1.0), (0.0, 1.15), (0.0, 0.88))
"""Further crops where the check digits do not hold: moved by a share of the digits' height, or scaled."""


def read_mrz(card: Image, networks: Networks, calibration: Calibration) -> MrzEvidence | None:
    """Reads the MRZ of an upright rectified back, (1080, 1712[, 3]) uint8 BGR or grey.

    None where no band of three lines is found, or what was read there is no MRZ at all. The reading whose check digits
    hold wins; where none holds, the most certain one is the answer, and says `valid` False.
    """
    grey = as_grey(card)
    band = find_mrz_band(grey)
    if band is None:
        return None
    best = evidence_of(read_band(grey, band, networks, TD1_LENGTH), "mrz_reader")
    if not best.valid:
        best = _second_looks(grey, band, networks, best)
    if not best.valid:
        best = better(best, _by_ppocr(grey, band, networks))
    return best if best.confidence >= calibration["text.mrz_least"] or best.valid else None


def as_grey(card: Image) -> Image:
    return card if card.ndim == 2 else np.asarray(cv2.cvtColor(card, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


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
    """Three readings as evidence: corrected by field type where they are 30 long, judged by their check digits."""
    texts = fit_length([reading.text.replace(" ", "") for reading in readings])
    lines, corrections = correct(texts)
    return MrzEvidence(lines, is_valid(lines), float(min(reading.confidence for reading in readings)), corrections, source)


def fit_length(texts: Sequence[str]) -> Lines:
    """Fillers at the end of the third line are counted by its length, not by the reader: a run of equal symbols is easily
    one too long or too short, and carries nothing."""
    one, two, three = texts
    if three.endswith("<<") and len(three) != TD1_LENGTH:
        three = three.rstrip("<").ljust(TD1_LENGTH, "<")
    return one, two, three


def is_valid(lines: Lines) -> bool:
    """Whether the lines have INE's shape and all four check digits hold."""
    try:
        return Td1.parse(lines).valid
    except Malformed:
        return False


def better(a: MrzEvidence, b: MrzEvidence | None) -> MrzEvidence:
    """The one with more check digits right, then the more certain one."""
    return a if b is None or _rank(a) >= _rank(b) else b


def _rank(mrz: MrzEvidence) -> tuple[int, int, float]:
    shaped = sum(len(line) == TD1_LENGTH for line in mrz.lines)
    return (sum(check_results(mrz.lines)) if shaped == 3 else 0), shaped, mrz.confidence


def _second_looks(grey: Image, band: MrzBand, networks: Networks, best: MrzEvidence) -> MrzEvidence:
    """Crops that are moved or scaled a little, until one holds."""
    for shift, scale in SECOND_LOOKS:
        best = better(best, evidence_of(read_band(grey, band, networks, TD1_LENGTH, shift, scale), "mrz_reader"))
        if best.valid:
            break
    return best


def _by_ppocr(grey: Image, band: MrzBand, networks: Networks) -> MrzEvidence | None:
    """The general recogniser's reading of the same lines; None where it does not read three."""
    crops = []
    for row in band.lines:
        line, margin = row.line, 0.4 * row.line.height
        width = round((line.x1 - line.x0 + 2 * margin) / line.height * PPOCR_INK)
        crops.append(cut(grey, (line.x0 - margin, (line.y0 + line.y1) / 2, line.x1 + margin), 48, width,
                         PPOCR_INK / line.height, row.slope))
    readings = [Reading(reading.text.upper().replace(" ", "").replace("«", "<<"), reading.confidence, reading.weakest)
                for reading in read_ppocr(crops, networks)]
    return evidence_of(readings, str(Net.PPOCR_READER)) if all(reading.text for reading in readings) else None


PPOCR_INK = 30.0
"""Height of the digits in the 48 pixels of the general recogniser's input."""

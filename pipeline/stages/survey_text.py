"""A front whose face shows nowhere, covered or burnt out: told by the labels that it prints. Dearer than `survey_side`'s signs,
and so asked only where those say nothing."""

from __future__ import annotations

from pipeline.domain.calibration import Calibration
from pipeline.domain.card_model import Side
from pipeline.networks.api import Image, Networks
from pipeline.stages.find_lines import find_lines
from pipeline.stages.read_front import interpret
from pipeline.stages.read_lines import read_lines
from pipeline.stages.survey_side import Survey, turned


def survey_text(card: Image, grey: Image, networks: Networks, calibration: Calibration) -> Survey | None:
    """card: rectified, (1080, 1712, 3) BGR, one of its two long sides up; grey: the same without colour.
    None where too few labels are read either way.

    No back prints field labels; other documents share one or two (NOMBRE, CURP, DOMICILIO).
    """
    for half_turn in (False, True):
        upright = turned(grey) if half_turn else grey
        text = interpret(read_lines(upright, find_lines(upright), networks), calibration["text.line_least"])
        fields = {field for _, field, _ in text.places if field is not None}
        if len(fields) >= calibration["survey.labels_least"]:
            return Survey(Side.FRONT, half_turn, calibration["survey.labels_confidence"], (),
                          turned(card) if half_turn else card, upright)
    return None

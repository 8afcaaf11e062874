"""The authority's decoder of the large QRs: asked with both payloads or not at all, and what it says is held against the print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from pipeline.checks.readings import large_qrs
from pipeline.domain.card_model import CardModel
from pipeline.domain.evidence import CodeRole, CodeStatus, Evidence, Symbology
from pipeline.domain.large_qr import Closed
from pipeline.domain.readings import all_readings
from pipeline.domain.verdict import CheckOutcome
from pipeline.stages.places import opened_by
from pipeline.stages.read_codes import CardCode
from tests.unit.good_support import FRONT, LINES, code, context, front_readings, good_support

INSIDE = {"curp": FRONT["curp"], "paternal_surname": "GÓMEZ", "birth_date": "1980-07-05", "cic": "183657717", "section": "0747",
          "address": "C INDEPENDENCIA 14 COL CENTRO 06000 CUAUHTEMOC, CDMX"}
SQUARE = np.array([[0, 0], [100, 0], [100, 100], [0, 100]], dtype=np.float64)


class Opener:
    """Stands for the authority's program: it knows two payloads and what they hold."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, bytes]] = []

    def open(self, left: bytes, right: bytes) -> Mapping[str, str] | None:
        self.asked.append((left, right))
        return INSIDE if (left, right) == (b"\x00\x00left", b"\x00\x01right") else None


def seen(role: CodeRole, payload: bytes) -> CardCode:
    status = CodeStatus.CONSISTENT if payload else CodeStatus.DETECTED
    return CardCode(Symbology.QR, role, status, SQUARE, None, payload, 4.0, 1)


LEFT, RIGHT = seen(CodeRole.LARGE_LEFT, b"\x00\x00left"), seen(CodeRole.LARGE_RIGHT, b"\x00\x01right")


@pytest.mark.parametrize(("codes", "asked", "inside"), [
    ((LEFT, RIGHT), 1, INSIDE),
    ((RIGHT, seen(CodeRole.SMALL, b"http://qr.ine.mx/1"), LEFT), 1, INSIDE),
    ((LEFT,), 0, None),
    ((LEFT, seen(CodeRole.LARGE_RIGHT, b"")), 0, None),
    ((LEFT, seen(CodeRole.LARGE_RIGHT, b"\x00\x01other")), 1, None),
    ((), 0, None),
])
def test_asked_once_with_both_or_not_at_all(codes: tuple[CardCode, ...], asked: int, inside: Mapping[str, str] | None) -> None:
    decoder = Opener()
    assert opened_by(decoder, codes) == inside and len(decoder.asked) == asked
    assert opened_by(Closed(), codes) is None


def opened(inside: Mapping[str, str] | None, confidence: float = 0.99) -> Evidence:
    evidence = good_support(front_readings(confidence))
    codes = (*evidence.codes[:1], code(CodeRole.LARGE_LEFT, Symbology.QR), code(CodeRole.LARGE_RIGHT, Symbology.QR))
    card = replace(evidence.card, model=CardModel.G, candidates=(CardModel.G, CardModel.H))
    return replace(evidence, card=card, codes=codes,
                   readings=all_readings(front_readings(confidence), evidence.mrz, codes, inside))


@pytest.mark.parametrize(("inside", "confidence", "outcome"), [
    (None, 0.99, CheckOutcome.PASSED),
    (INSIDE, 0.99, CheckOutcome.PASSED),
    ({**INSIDE, "curp": "GOVM800706MDFMLR05"}, 0.99, CheckOutcome.FAILED),
    ({**INSIDE, "curp": "GOVM800706MDFMLR05"}, 0.5, CheckOutcome.UNCERTAIN),
    ({**INSIDE, "birth_date": "1980-07-06"}, 0.5, CheckOutcome.FAILED),  # the MRZ's check digit holds: that reading is sure
    ({**INSIDE, "cic": "183657718"}, 0.99, CheckOutcome.FAILED),
    ({**INSIDE, "paternal_surname": "LOPEZ"}, 0.99, CheckOutcome.FAILED),
])
def test_what_they_hold_against_what_is_printed(inside: Mapping[str, str] | None, confidence: float,
                                                outcome: CheckOutcome) -> None:
    assert LINES[0][5:14] == INSIDE["cic"]
    check = large_qrs(opened(inside, confidence), context())
    assert check.outcome is outcome
    assert [reason.code for reason in check.reasons] == ([] if outcome is CheckOutcome.PASSED else ["qr.large_differs"])

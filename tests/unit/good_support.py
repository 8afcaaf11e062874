"""A good support of model E as evidence, made by hand, for tests of what follows from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from pipeline.domain.calibration import Calibration, Threshold
from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.context import Context
from pipeline.domain.evidence import (
    CardEvidence,
    CodeEvidence,
    CodeRole,
    CodeStatus,
    Corners,
    Evidence,
    FaceEvidence,
    FaceFound,
    FieldReading,
    Fingerprints,
    MrzEvidence,
    PhotoEvidence,
    Presentation,
    SideEvidence,
    SideQuality,
    Sighting,
    SignatureEvidence,
    SignatureKind,
    Symbology,
)
from pipeline.domain.process import DEMO_PROCESS
from pipeline.domain.readings import all_readings
from pipeline.domain.support import SupportInfo

AS_OF = date(2026, 11, 24)
LINES = ("IDMEX1836577177<<0747116375842", "8007050M2812313MEX<02<<12345<4", "GOMEZ<VELAZQUEZ<<MARGARITA<<<<")
CORNERS: Corners = ((100, 100), (1812, 100), (1812, 1180), (100, 1180))
SHARP = SideQuality(px_per_mm=20, sharpness=0.8, glare=0.0, brightness=0.6)
FRONT = {"paternal_surname": "GOMEZ", "maternal_surname": "VELAZQUEZ", "given_names": "MARGARITA", "curp": "GOVM800705MDFMLR06",
         "elector_key": "GMVLMR80070509M100", "birth_date": "1980-07-05", "sex": "M", "section": "0747", "issue_year": "2018",
         "expiry_year": "2028", "issue_number": "02"}
QR_TEXT = "http://qr.ine.mx/074711637584202183657717/20190102/P/000001"
LIMITS = {"checks.reading_confident": 0.9, "checks.mrz_confident": 0.97, "checks.curp_confident": 0.95, "checks.model_confident": 0.75, "checks.name_slips": 1,
          "checks.name_other_share": 0.4, "quality.sharpness_min": 0.3, "quality.glare_max": 0.1, "quality.brightness_min": 0.15,
          "quality.px_per_mm_min": 8, "quality.region_glare_max": 0.04, "quality.covered_max": 0.06,
          "quality.region_brightness_min": 0.15, "quality.region_sharpness_min": 0.4, "quality.streaks_max": 0.5,
          "quality.light_min": 0.25, "quality.photo_blur_max": 0.01, "quality.detail_min": 0.05, "quality.line_hidden_max": 0.2, "face.match": 0.36, "face.no_match": 0.25, "face.min_eyes_px": 18, "face.ghost_match": 0.3,
          "face.ghost_no_match": 0.1, "presentation.photocopy_max": 0.5, "presentation.suspicion_max": 0.5, "presentation.grid_max": 0.3, "presentation.selfie_screen_max": 0.3,
          "face.yaw_max": 0.8, "face.sharpness_min": 0.05, "face.brightness_min": 0.1, "face.brightness_max": 0.95,
          "reuse.side_bits": 51, "reuse.selfie_bits": 84, "reuse.signature_bits": 102, "reuse.face": 0.55, "reuse.portrait": 0.9,
          "reuse.background": 5.0}


def calibration() -> Calibration:
    return Calibration({name: Threshold(name, value, "test", "set for these tests") for name, value in LIMITS.items()})


def context(**changes: Any) -> Context:
    return replace(Context(SupportInfo(), DEMO_PROCESS, calibration(), AS_OF), **changes)


def side(which: Side, **changes: Any) -> SideEvidence:
    return replace(SideEvidence(which, which, CORNERS, 0.99, None, SHARP, Presentation(0.1, 0.1)), **changes)


def code(role: CodeRole, symbology: Symbology, text: str | None = None,
         status: CodeStatus = CodeStatus.CONSISTENT) -> CodeEvidence:
    return CodeEvidence(symbology, role, status, CORNERS, text, "0" * 64, 858, 4.0, 1)


def face(**changes: Any) -> FaceEvidence:
    found = FaceFound((2, 15, 24, 40), 0.9, 60, 0.5, 0.5, 0.0)
    return replace(FaceEvidence(found, found, found, 1, 0.7, 0.6), **changes)


def front_readings(confidence: float = 0.99, **changes: str | None) -> dict[str, tuple[FieldReading, ...]]:
    values = {name: value for name, value in {**FRONT, **changes}.items() if value is not None}
    return {name: (FieldReading(value, confidence, "front"),) for name, value in values.items()}


def good_support(front: dict[str, tuple[FieldReading, ...]] | None = None, mrz_lines: Any = LINES, qr: str = QR_TEXT) -> Evidence:
    """Model E, everything in order."""
    codes = (code(CodeRole.SMALL, Symbology.QR, qr), code(CodeRole.PDF417, Symbology.PDF417))
    mrz = MrzEvidence(mrz_lines, True, 0.99, 0, "mrz_reader")
    photos = {which: PhotoEvidence(Sighting.FOUND, which, 1.0, SHARP) for which in Side}
    card = CardEvidence(CardModel.E, (CardModel.E,), 0.95, (), side(Side.FRONT), side(Side.BACK), photos)
    signature = SignatureEvidence(SignatureKind.SIGNATURE, 0.9, 0.02, 0.5, 0.4, 3, 30)
    return Evidence(card, codes, mrz, all_readings(front or front_readings(), mrz, codes), face(), signature,
                    Fingerprints({}, {}, None, None), {}, {})

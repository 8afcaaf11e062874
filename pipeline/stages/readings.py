"""Readings of all sources under the names of the fields: what the front prints, what the MRZ and the small QR say."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.evidence import CodeEvidence, CodeRole, CodeStatus, Corners, FieldReading, MrzEvidence
from pipeline.domain.identifiers import Malformed
from pipeline.domain.mrz import Td1, check_results
from pipeline.domain.qr import SmallQr
from pipeline.stages.geometry import Quad, card_frame, homography, transform
from pipeline.stages.read_codes import CardCode

Readings = Mapping[str, tuple[FieldReading, ...]]

CERTAIN = 1.0
"""Of a value whose own check digit holds, or that came out of a QR (Reed-Solomon): the reading is not in doubt."""
_CHECKED_BY = {"cic": 0, "birth_date": 1, "expiry_year": 2, "citizen_id": 3, "section": 3, "issue_number": 3, "ocr": 3}
"""Which of the MRZ's four check digits protects a field (document, birth, expiry, composite)."""


def all_readings(front: Readings, mrz: MrzEvidence | None, codes: tuple[CodeEvidence, ...]) -> Readings:
    """Merges the three sources; for each field the front's readings come first."""
    merged: dict[str, tuple[FieldReading, ...]] = {name: tuple(found) for name, found in front.items()}
    for source in (mrz_readings(mrz), qr_readings(codes)):
        for name, found in source.items():
            merged[name] = (*merged.get(name, ()), found)
    return merged


def mrz_readings(mrz: MrzEvidence | None) -> dict[str, FieldReading]:
    """Fields of a well-shaped MRZ; each as sure as its own check digit makes it."""
    if mrz is None:
        return {}
    try:
        card = Td1.parse(mrz.lines)
    except Malformed:
        return {}
    results = check_results(mrz.lines)
    birth = card.birth_date
    values = {"cic": card.cic, "citizen_id": card.citizen_id, "section": card.section, "issue_number": card.issue_number,
              "expiry_year": str(card.expiry_year), "ocr": card.section + card.citizen_id,
              "paternal_surname": card.names[0], "maternal_surname": card.names[1], "given_names": card.names[2],
              "sex": card.sex if card.sex != "<" else "", "birth_date": birth.isoformat() if birth else ""}
    sure = {name: results[place] for name, place in _CHECKED_BY.items()}
    return {name: FieldReading(value, CERTAIN if sure.get(name) else mrz.confidence, "mrz")
            for name, value in values.items() if value}


def qr_readings(codes: tuple[CodeEvidence, ...]) -> dict[str, FieldReading]:
    """Fields of the small QR's long form."""
    for code in codes:
        if code.role is CodeRole.SMALL and code.status is CodeStatus.CONSISTENT and code.text is not None:
            try:
                small = SmallQr.parse(code.text)
            except Malformed:
                continue  # the short form: consistent, and says nothing to compare
            values = {"cic": small.cic, "citizen_id": small.citizen_id, "section": small.section,
                      "issue_number": small.issue_number, "ocr": small.section + small.citizen_id}
            return {name: FieldReading(value, CERTAIN, "small_qr") for name, value in values.items()}
    return {}


def codes_evidence(codes: tuple[CardCode, ...], quad: Quad, scale: float) -> tuple[CodeEvidence, ...]:
    """Codes found on the upright rectified card, with their corners in the photo. `quad`: the card in view pixels."""
    return tuple(
        CodeEvidence(code.symbology, code.role, code.status, as_corners(to_photo(code.corners, quad, scale)), code.text,
                     hashlib.sha256(code.payload).hexdigest() if code.payload else None, len(code.payload),
                     code.px_per_module, code.tries)
        for code in codes)


def to_photo(points: NDArray[np.float64], quad: Quad, scale: float) -> NDArray[np.float64]:
    """(N, 2) points in pixels of the rectified, upright card to pixels of the full-resolution photo. `quad` in view pixels."""
    return transform(homography(card_frame(), quad), points) * scale


def as_corners(points: NDArray[np.float64]) -> Corners:
    """A (4, 2) array as plain numbers."""
    a, b, c, d = ((float(x), float(y)) for x, y in points)
    return a, b, c, d

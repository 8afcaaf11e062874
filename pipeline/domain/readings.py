"""Readings of all sources under the names of the fields: what the front prints, what the MRZ and the QRs say."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.domain.evidence import CodeEvidence, CodeRole, CodeStatus, FieldReading, MrzEvidence
from pipeline.domain.identifiers import Malformed
from pipeline.domain.mrz import Td1, check_results
from pipeline.domain.qr import SmallQr

Readings = Mapping[str, tuple[FieldReading, ...]]

CERTAIN = 1.0
"""Of a value whose own check digit holds, or that came out of a QR (Reed-Solomon): the reading is not in doubt."""
_CHECKED_BY = {"cic": 0, "birth_date": 1, "expiry_year": 2, "citizen_id": 3, "section": 3, "issue_number": 3, "ocr": 3}
"""Which of the MRZ's four check digits protects a field (document, birth, expiry, composite)."""


def all_readings(front: Readings, mrz: MrzEvidence | None, codes: tuple[CodeEvidence, ...],
                 opened: Mapping[str, str] | None = None) -> Readings:
    """Merges the sources; for each field the front's readings come first. `opened`: what the large QRs hold."""
    merged: dict[str, tuple[FieldReading, ...]] = {name: tuple(found) for name, found in front.items()}
    inside = {name: FieldReading(value, CERTAIN, "large_qr") for name, value in (opened or {}).items()}
    for source in (mrz_readings(mrz), qr_readings(codes), inside):
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

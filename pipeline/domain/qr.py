"""The small QR's text: a strict grammar, never a link to follow. And what is public of the large QRs: length and header."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from pipeline.domain.identifiers import Malformed

MAX_LENGTH = 128
_LONG = re.compile(r"https?://qr\.ine\.mx/(\d{4})(\d{9})(\d{2})(\d{9})/(\d{4})(\d{2})(\d{2})/([A-Z])/(\d{1,12})", re.ASCII)
_SHORT = re.compile(r"https?://qr\.ine\.mx/(\d{4,12})", re.ASCII)

LARGE_LENGTH = 858
"""Bytes of a large QR: what version 20-L holds (97 x 97 modules)."""
LARGE_HEADERS = {b"\x00\x00": "left", b"\x00\x01": "right"}


@dataclass(frozen=True, slots=True)
class SmallQr:
    """The long form: sección(4) identificador(9) emisión(2) CIC(9) / date / letter / serial (evidence: strong for E and F)."""

    section: str
    citizen_id: str
    issue_number: str
    cic: str
    issued: date
    letter: str
    serial: str

    @staticmethod
    def parse(text: str) -> SmallQr:
        """Raises `Malformed` for anything else, the short form included."""
        match = _LONG.fullmatch(text) if len(text) <= MAX_LENGTH else None
        if match is None:
            raise Malformed("not the long form of INE's small QR", code="small_qr_shape")
        section, citizen_id, issue, cic, year, month, day, letter, serial = match.groups()
        try:
            issued = date(int(year), int(month), int(day))
        except ValueError as error:
            raise Malformed("the small QR's date does not exist", code="small_qr_date") from error
        return SmallQr(section, citizen_id, issue, cic, issued, letter, serial)

    def url(self) -> str:
        """The text that is printed as a QR."""
        digits = self.section + self.citizen_id + self.issue_number + self.cic
        day = f"{self.issued.year:04d}{self.issued:%m%d}"  # %Y writes years before 1000 as they come, without zeros
        return f"http://qr.ine.mx/{digits}/{day}/{self.letter}/{self.serial}"


@dataclass(frozen=True, slots=True)
class ShortQr:
    """The short form, seen in one author's fixtures: a number that says nothing that could be cross-checked."""

    number: str

    @staticmethod
    def parse(text: str) -> ShortQr:
        match = _SHORT.fullmatch(text) if len(text) <= MAX_LENGTH else None
        if match is None:
            raise Malformed("not the short form of INE's small QR", code="short_qr_shape")
        return ShortQr(match.group(1))


def large_side(payload: bytes) -> str | None:
    """`left` or `right` for the bytes of a large QR of INE's, by length and header; None for anything else."""
    return LARGE_HEADERS.get(payload[:2]) if len(payload) == LARGE_LENGTH else None

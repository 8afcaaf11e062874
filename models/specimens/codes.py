"""The codes of a credential's back as modules: small and large QR, PDF417, Code 128. Payloads are ours or random bytes."""

from __future__ import annotations

import random
from datetime import date

import numpy as np
import segno
import zxingcpp
from numpy.typing import NDArray

from models.specimens.people import Person
from pipeline.domain.qr import LARGE_LENGTH, SmallQr

Modules = NDArray[np.uint8]
"""One element a module, 0 dark and 255 light, no quiet zone."""
PDF417_COLUMNS, PDF417_BYTES = 10, 110
"""No public text gives INE's; these make a code of 239 × 36 modules, which suits the place it has here."""


def small_qr(person: Person, issue_year: int, rng: random.Random) -> tuple[bytes, Modules]:
    """Version 4-M or so: the URL by the grammar of domain.md."""
    issued = date(issue_year, rng.randint(1, 12), rng.randint(1, 28))
    serial = f"{rng.randrange(10**6):06d}"
    url = SmallQr(person.section, person.citizen_id, person.issue_number, person.cic, issued, "P", serial).url()
    return url.encode(), _qr(segno.make(url, error="m", micro=False, boost_error=False))


def large_qr(right: bool, rng: random.Random) -> tuple[bytes, Modules]:
    """Version 20-L, 97 × 97 modules: two bytes of header, then random bytes in the cipher text's stead."""
    payload = bytes((0, int(right))) + rng.randbytes(LARGE_LENGTH - 2)
    return payload, _qr(segno.make_qr(payload, version=20, error="l", mode="byte", mask=rng.randrange(8), boost_error=False))


def pdf417(rng: random.Random) -> tuple[bytes, Modules]:
    payload = rng.randbytes(PDF417_BYTES)
    return payload, _zxing(payload, zxingcpp.BarcodeFormat.PDF417, columns=PDF417_COLUMNS)


def code128(digits: str) -> tuple[bytes, Modules]:
    """One row of modules."""
    return digits.encode(), _zxing(digits, zxingcpp.BarcodeFormat.Code128)[:1]


def _qr(code: segno.QRCode) -> Modules:
    return np.asarray(255 * (1 - np.array(code.matrix, np.uint8)), dtype=np.uint8)


def _zxing(content: str | bytes, symbology: zxingcpp.BarcodeFormat, **options: int) -> Modules:
    barcode = zxingcpp.create_barcode(content, symbology, **options)
    return np.array(barcode.to_image(scale=1, add_quiet_zones=False), np.uint8)

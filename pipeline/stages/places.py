"""From places on the rectified card to places in the photograph."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.evidence import CodeEvidence, CodeRole, Corners
from pipeline.domain.large_qr import LargeQrDecoder
from pipeline.stages.geometry import Quad, card_frame, homography, transform
from pipeline.stages.read_codes import CardCode

LARGE = (CodeRole.LARGE_LEFT, CodeRole.LARGE_RIGHT)


def opened_by(decoder: LargeQrDecoder, codes: tuple[CardCode, ...]) -> Mapping[str, str] | None:
    """What the decoder finds in the two large QRs; None unless both were read, and it opens them."""
    payloads = {code.role: code.payload for code in codes if code.role in LARGE and code.payload}
    return decoder.open(payloads[LARGE[0]], payloads[LARGE[1]]) if len(payloads) == len(LARGE) else None


def codes_evidence(codes: tuple[CardCode, ...], quad: Quad, scale: float, *, opened: bool) -> tuple[CodeEvidence, ...]:
    """Codes found on the upright rectified card, with their corners in the photo. `quad`: the card in view pixels.  opened:
    whether an authority's decoder opened the large QRs."""
    return tuple(
        CodeEvidence(code.symbology, code.role, code.status, as_corners(to_photo(code.corners, quad, scale)), code.text,
                     hashlib.sha256(code.payload).hexdigest() if code.payload else None, len(code.payload),
                     code.px_per_module, code.tries, opened and code.role in LARGE)
        for code in codes)


def to_photo(points: NDArray[np.float64], quad: Quad, scale: float) -> NDArray[np.float64]:
    """(N, 2) points in pixels of the rectified, upright card to pixels of the full-resolution photo. `quad` in view pixels."""
    return transform(homography(card_frame(), quad), points) * scale


def as_corners(points: NDArray[np.float64]) -> Corners:
    """A (4, 2) array as plain numbers."""
    a, b, c, d = ((float(x), float(y)) for x, y in points)
    return a, b, c, d

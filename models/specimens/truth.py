"""What is true of a drawn support, as `truth.json` says it: what lies where, what is written, what must be answered."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from models.specimens.camera import Shot, card_px_per_mm_at_least
from models.specimens.card import CardSpec, DrawnCard, DrawnSide
from models.specimens.cases import Case
from pipeline.domain.card_model import Side
from pipeline.domain.evidence import FIELD_NAMES, BoxMm, Symbology
from pipeline.domain.verdict import Outcome

READABLE_PX_PER_MM = 8.0
"""Along the card's farthest side; below, a capture may be asked for again without that being an error: modules of the small
QR (0.36 mm) get fewer than 3 pixels, printed letters (1.6 mm) fewer than 13. A mark of the specimens, not of the service."""
READABLE_BLUR_MM = 0.15
"""Sigma of all blur on the card above which the same holds. With the true corners, zxing-cpp read the small QR of all 28
backs of seeds 7 to 9 below 0.17 mm and of none of 5 above 0.19 mm; the large QRs, which the demo process does not require,
are lost above about 0.10 mm (their modules are 0.2 mm)."""
COVERED_MM2 = 1.0
"""Of needed print under a finger or a burnt spot, above which the same holds."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One of the two card photos: the shot, what it shows, and the printed side that it shows (None: no credential)."""

    shot: Shot
    shows: Side | None
    side: DrawnSide | None


def needed_boxes(side: DrawnSide) -> tuple[BoxMm, ...]:
    """What must stay legible on a side, in mm: the values, the codes with their quiet zones, the MRZ, portrait and ghost."""
    skipped = ("label", "heading", "specimen", "officer", "separator")
    boxes = [text.box_mm for text in side.texts if not text.name.startswith(skipped)]
    for code in side.codes:
        corners = np.array(code.corners_mm)
        (x0, y0), (x1, y1) = corners.min(axis=0) - 0.8, corners.max(axis=0) + 0.8
        boxes.append((float(x0), float(y0), float(x1), float(y1)))
    boxes += [box for box in (side.portrait_box_mm, side.ghost_box_mm) if box is not None]
    return tuple(boxes)


def hard_to_read(taken: Taken) -> list[str]:
    """Why a photo without a defect of its own may honestly be asked for again: empty for almost all easy captures."""
    shot, facts = taken.shot, taken.shot.parameters
    if shot.corners is None or taken.side is None or facts["defect"] is not None:
        return []
    reasons = []
    scale = card_px_per_mm_at_least(shot.corners)
    if scale < READABLE_PX_PER_MM:
        reasons.append("small")
    blur = float(np.hypot(facts["blur_sigma_px"], facts.get("motion_px", 0.0) / np.sqrt(12)))
    if blur / scale > READABLE_BLUR_MM:
        reasons.append("soft")
    if facts.get("finger_covers_mm2", 0.0) > COVERED_MM2:
        reasons.append("finger")
    if facts.get("glare_covers_mm2", 0.0) > COVERED_MM2:
        reasons.append("glare")
    return reasons


def expected(case: Case, photos: Sequence[Taken]) -> dict[str, Any]:
    """The verdicts that are right, the subjects of which one must be named, and what makes a photo hard to read."""
    hard = {name: why for name, taken in zip(("front", "back"), photos, strict=True) if (why := hard_to_read(taken))}
    verdicts, subjects = {outcome.value for outcome in (case.verdict, *case.also)}, [subject.value for subject in case.subjects]
    if hard and case.verdict is not Outcome.RETAKE:
        # a photo that cannot be read may be asked for again, or go to a person once the ladder is spent
        verdicts |= {Outcome.RETAKE.value, Outcome.REVIEW.value}
        subjects = []
    return {"verdicts": sorted(verdicts), "subjects": subjects, "hard_to_read": hard}


def photo_truth(taken: Taken) -> dict[str, Any]:
    """One photo: its size, what it shows, the corners (TL TR BR BL of the upright card, oriented pixels), how it was taken."""
    corners = None if taken.shot.corners is None else [[round(float(v), 3) for v in corner] for corner in taken.shot.corners]
    return {"shows": taken.shows.value if taken.shows else None, "corners": corners, "width": taken.shot.width,
            "height": taken.shot.height, "parameters": taken.shot.parameters}


def fields_truth(spec: CardSpec, card: DrawnCard) -> dict[str, str]:
    """What the front prints, by `FIELD_NAMES` (an address in one line, the birth date in ISO 8601), and the back's numbers."""
    printed: dict[str, list[str]] = {}
    for text in card.front.texts:
        if text.name in FIELD_NAMES:
            printed.setdefault(text.name, []).append(text.text)
    fields = {name: " ".join(lines) for name, lines in printed.items()}
    if "birth_date" in fields:
        fields["birth_date"] = datetime.strptime(fields["birth_date"], "%d/%m/%Y").date().isoformat()
    if spec.model.has_mrz:
        fields |= {"cic": spec.person.cic, "citizen_id": spec.person.citizen_id}
    return fields | {"ocr": spec.person.section + spec.person.citizen_id}


def codes_truth(card: DrawnCard, back: DrawnSide) -> list[dict[str, Any]]:
    """Every code printed on the card: text where its payload is ASCII text, else only digest and length."""
    return [_code(code.symbology, code.role.value, code.payload) for side in (card.front, back) for code in side.codes]


def _code(symbology: Symbology, role: str, payload: bytes) -> dict[str, Any]:
    is_text = payload.isascii() and payload.decode("ascii").isprintable()
    return {"role": role, "symbology": symbology.value, "text": payload.decode("ascii") if is_text else None,
            "sha256": hashlib.sha256(payload).hexdigest(), "length": len(payload)}

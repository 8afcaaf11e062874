"""The JSON of a support: what `GET /v1/supports/{id}` gives an operator and `apoyo verify --jsonl` prints (the contract)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from pipeline.domain.calibration import Calibration
from pipeline.domain.context import Context
from pipeline.domain.evidence import (
    FIELD_NAMES,
    Alignment,
    BoxMm,
    CardEvidence,
    CodeEvidence,
    Evidence,
    FieldReading,
    PhotoEvidence,
    RegionQuality,
    SideEvidence,
    SideQuality,
    TemplateEvidence,
)
from pipeline.domain.mrz import mrz_name
from pipeline.domain.reasons import CATALOGUE
from pipeline.domain.support import State
from pipeline.domain.verdict import CheckName, CheckOutcome, Outcome, Reason, Verdict
from pipeline.versions import versions

Json = dict[str, Any]

STATE_OF = {
    Outcome.ACCEPTED: State.ACCEPTED,
    Outcome.REJECTED: State.REJECTED,
    Outcome.RETAKE: State.RETAKE_WANTED,
    Outcome.REVIEW: State.IN_REVIEW,
}
_FACE_OUTCOMES = {CheckOutcome.PASSED: "match", CheckOutcome.FAILED: "no_match", CheckOutcome.UNCERTAIN: "uncertain",
                  CheckOutcome.NOT_EXECUTED: "not_executed"}


@dataclass(frozen=True, slots=True)
class Heading:
    """What is known of a support apart from its pictures."""

    id: str
    source: str | None
    round: int
    received_at: datetime


def support_resource(heading: Heading, evidence: Evidence, verdict: Verdict, context: Context) -> Json:
    """The whole resource of a judged support. Plain JSON types only."""
    return {
        **heading_json(heading, STATE_OF[verdict.outcome], context.policy.id, context.as_of, context.policy.version),
        "verdict": verdict.outcome.value,
        "reasons": [reason_json(reason) for reason in verdict.reasons],
        "card": _card(evidence.card),
        "codes": [_code(code) for code in evidence.codes],
        "mrz": None if evidence.mrz is None else {"lines": list(evidence.mrz.lines), "valid": evidence.mrz.valid,
                                                  "confidence": round(evidence.mrz.confidence, 4), "source": evidence.mrz.source,
                                                  "corrections": evidence.mrz.corrections, "box_mm": _box(evidence.mrz.box_mm),
                                                  "px_per_letter": _round(evidence.mrz.px_per_letter)},
        "fields": {name: _field(evidence.readings[name]) for name in FIELD_NAMES if evidence.readings.get(name)},
        "face": _face(evidence, verdict, context.calibration),
        "signature": {"outcome": verdict.check(CheckName.SIGNATURE_PRESENT).outcome.value, **asdict(evidence.signature)},
        "checks": [{"name": check.name.value, "outcome": check.outcome.value, "score": _round(check.score),
                    "threshold": check.threshold} for check in verdict.checks],
        "reuse": asdict(context.reuse),
        "timings_ms": {stage: round(ms, 2) for stage, ms in evidence.timings_ms.items()},
        "networks": dict(evidence.networks),
        "versions": dict(versions(context.calibration)),
    }


def pending_resource(heading: Heading, state: State, process: str, as_of: date, policy_version: str) -> Json:
    """The resource of a support that waits: every key there, nothing concluded."""
    return {**heading_json(heading, state, process, as_of, policy_version), "verdict": None, "reasons": [], "card": None,
            "codes": [], "mrz": None, "fields": {}, "face": None, "signature": None, "checks": [], "reuse": None,
            "timings_ms": {}, "networks": {}, "versions": {}}


def unexamined_resource(heading: Heading, reason: Reason, process: str, as_of: date, policy_version: str) -> Json:
    """The resource of a support that goes to a person because no attempt to examine it came to an end."""
    return {**pending_resource(heading, State.IN_REVIEW, process, as_of, policy_version), "verdict": Outcome.REVIEW.value,
            "reasons": [reason_json(reason)],
            "checks": [{"name": name.value, "outcome": CheckOutcome.NOT_EXECUTED.value, "score": None, "threshold": None}
                       for name in CheckName]}


def heading_json(heading: Heading, state: State, process: str, as_of: date, policy_version: str) -> Json:
    return {"id": heading.id, "source": heading.source, "status": state.value, "round": heading.round, "process": process,
            "received_at": heading.received_at.isoformat(), "as_of": as_of.isoformat(), "policy_version": policy_version}


def reason_json(reason: Reason) -> Json:
    kind = CATALOGUE[reason.code]
    return {"code": reason.code, "subject": reason.subject.value, "detail": reason.detail, "message": kind.message,
            "ine": None if kind.ine is None else kind.ine.value}


def _card(card: CardEvidence) -> Json:
    return {
        "model": None if card.model is None else card.model.value,
        "candidates": [model.value for model in card.candidates],
        "confidence": round(card.confidence, 4),
        "witnesses": [{"name": one.name, "says": [model.value for model in one.says], "weight": round(one.weight, 4)}
                      for one in card.witnesses],
        "front": _side(card.front),
        "back": _side(card.back),
        "photos": {side.value: _photo(photo) for side, photo in card.photos.items()},
        "alignment": _alignment(card.alignment),
    }


def _photo(photo: PhotoEvidence) -> Json:
    quality = None if photo.quality is None else _quality(photo.quality)
    return {"sighting": photo.sighting.value, "shows": None if photo.shows is None else photo.shows.value,
            "side_confidence": _round(photo.side_confidence), "quality": quality, "light": _round(photo.light),
            "blur": _round(photo.blur)}


def _quality(quality: SideQuality) -> Json:
    return {"px_per_mm": _round(quality.px_per_mm), "sharpness": _round(quality.sharpness), "glare": _round(quality.glare),
            "brightness": _round(quality.brightness), "regions": [_region(region) for region in quality.regions]}


def _region(region: RegionQuality) -> Json:
    return {"name": region.name, "box_mm": _box(region.box_mm), "read": region.read, "glare": _round(region.glare),
            "brightness": _round(region.brightness), "covered": _round(region.covered), "sharpness": _round(region.sharpness),
            "streaks": _round(region.streaks), "detail": _round(region.detail)}


def _side(side: SideEvidence | None) -> Json | None:
    if side is None:
        return None
    return {"corners": _points(side.corners), "capture": side.capture.value, "quality": _quality(side.quality),
            "residual_mm": _round(side.residual_mm), "score": _round(side.locator_score), "template": _template(side.template)}


def _template(template: TemplateEvidence | None) -> Json | None:
    return None if template is None else {"models": [model.value for model in template.models], "anchors": template.anchors,
                                          "astray": list(template.astray)}


def _alignment(alignment: Alignment | None) -> Json | None:
    return None if alignment is None else {"front_models": [model.value for model in alignment.front_models],
                                           "back_models": [model.value for model in alignment.back_models],
                                           "faults": [fault.value for fault in alignment.faults]}


def _code(code: CodeEvidence) -> Json:
    return {"symbology": code.symbology.value, "role": code.role.value, "status": code.status.value, "decrypted": code.opened,
            "text": code.text, "sha256": code.sha256, "corners": _points(code.corners), "length": code.length,
            "px_per_module": _round(code.px_per_module), "tries": code.tries}


def _field(readings: tuple[FieldReading, ...]) -> Json:
    """The surest reading speaks, others stand beside it. The front spells what the MRZ can only hint at (Ñ)."""
    best = max(readings, key=lambda one: one.confidence)
    best = next((one for one in readings if one.source == "front" and mrz_name(one.value) == best.value), best)
    box = next((one.box_mm for one in readings if one.box_mm is not None), None)
    return {"value": best.value, "confidence": round(best.confidence, 4), "source": best.source, "box_mm": _box(box),
            "readings": [{"value": one.value, "confidence": round(one.confidence, 4), "source": one.source} for one in readings]}


def _face(evidence: Evidence, verdict: Verdict, calibration: Calibration) -> Json:
    face, check = evidence.face, verdict.check(CheckName.FACE_MATCH)
    return {"similarity": _round(face.similarity), "threshold": calibration["face.match"],
            "outcome": _FACE_OUTCOMES[check.outcome], "ghost_similarity": _round(face.ghost_similarity),
            "selfie_faces": face.selfie_faces,
            "portrait": None if face.portrait is None else asdict(face.portrait),
            "ghost": None if face.ghost is None else asdict(face.ghost),
            "selfie": None if face.selfie is None else asdict(face.selfie)}


def _box(box: BoxMm | None) -> list[float] | None:
    return None if box is None else [round(edge, 2) for edge in box]


def _points(corners: tuple[tuple[float, float], ...]) -> list[list[float]]:
    return [[round(x, 2), round(y, 2)] for x, y in corners]


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)

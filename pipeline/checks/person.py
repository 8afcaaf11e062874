"""Checks of the person: portrait, selfie, ghost, signature."""

from __future__ import annotations

from pipeline.checks.build import failed, not_executed, passed, uncertain
from pipeline.domain.calibration import Calibration
from pipeline.domain.context import Context
from pipeline.domain.evidence import Evidence, FaceFound, SignatureEvidence, SignatureKind
from pipeline.domain.verdict import Check, CheckName, Subject


def portrait_found(evidence: Evidence, _: Context) -> Check:
    """A face where the front carries the photograph."""
    name, portrait = CheckName.PORTRAIT_FOUND, evidence.face.portrait
    if evidence.card.front is None:
        return not_executed(name)
    if portrait is None:
        return failed(name, "face.no_portrait", Subject.FRONT, "no face found on the card's front")
    return passed(name, portrait.score)


def face_match(evidence: Evidence, context: Context) -> Check:
    """Selfie against portrait. A poor picture is uncertain, never another person."""
    name, face, calibration = CheckName.FACE_MATCH, evidence.face, context.calibration
    threshold = calibration["face.match"]
    if face.selfie is None:
        code = "selfie.no_face" if face.selfie_readable else "selfie.unreadable_file"
        return failed(name, code, Subject.SELFIE, "no usable selfie")
    if face.selfie_faces > 1:
        return failed(name, "selfie.several_faces", Subject.SELFIE, f"{face.selfie_faces} faces of like size")
    if face.portrait is None or face.similarity is None:
        return not_executed(name)
    if face.similarity >= threshold:
        return passed(name, face.similarity, threshold)
    for whose, found in (("portrait", face.portrait), ("selfie", face.selfie)):
        fault = too_poor(found, calibration)
        if fault is not None:
            return uncertain(name, "face.low_quality", Subject.SELFIE, f"the {whose} is {fault}", face.similarity, threshold)
    if face.similarity < calibration["face.no_match"]:
        return failed(name, "face.no_match", Subject.SELFIE, "similarity below the impostor limit", face.similarity, threshold)
    return uncertain(name, "face.uncertain", Subject.SELFIE, "similarity between the limits", face.similarity, threshold)


def too_poor(face: FaceFound, calibration: Calibration) -> str | None:
    """What makes a face too poor to deny by, so that it is uncertain and never another person; None: good enough."""
    if face.eyes_px < calibration["face.min_eyes_px"]:
        return "too small: too few pixels between the eyes"
    if abs(face.yaw) > calibration["face.yaw_max"]:
        return "turned away"
    if face.sharpness < calibration["face.sharpness_min"]:
        return "blurred"
    if not calibration["face.brightness_min"] <= face.brightness <= calibration["face.brightness_max"]:
        return "too dark or too light"
    return None


def ghost_match(evidence: Evidence, context: Context) -> Check:
    """Ghost photo against portrait: the same print twice, the second small and pale."""
    name, face, calibration = CheckName.GHOST_MATCH, evidence.face, context.calibration
    if face.ghost is None or face.ghost_similarity is None:
        return not_executed(name)
    threshold = calibration["face.ghost_match"]
    if face.ghost_similarity >= threshold:
        return passed(name, face.ghost_similarity, threshold)
    detail = "portrait and ghost photo are not alike enough"
    if face.ghost_similarity < calibration["face.ghost_no_match"] and face.ghost.eyes_px >= calibration["face.min_eyes_px"]:
        return failed(name, "face.ghost_differs", Subject.FRONT, detail, face.ghost_similarity, threshold)
    return uncertain(name, "face.ghost_differs", Subject.FRONT, detail, face.ghost_similarity, threshold)


_SIGNATURE_FAULTS = {
    SignatureKind.BLANK: "signature.missing",
    SignatureKind.DOT: "signature.not_a_signature",
    SignatureKind.LINE: "signature.not_a_signature",
    SignatureKind.TOO_SMALL: "signature.too_small",
    SignatureKind.CUT: "signature.cut",
    SignatureKind.UNREADABLE: "signature.unreadable_file",
}


def signature_present(evidence: Evidence, _: Context) -> Check:
    """Something drawn, and drawn as a signature is. What it resembles is never judged."""
    return judge_signature(evidence.signature)


def judge_signature(signature: SignatureEvidence) -> Check:
    """The same for a drawing alone."""
    name = CheckName.SIGNATURE_PRESENT
    if signature.kind is SignatureKind.SIGNATURE:
        return passed(name, signature.confidence)
    fault = _SIGNATURE_FAULTS.get(signature.kind)
    if fault is not None:
        return failed(name, fault, Subject.SIGNATURE, f"drawn: {signature.kind}", signature.confidence)
    return uncertain(name, "signature.doubtful", Subject.SIGNATURE, f"drawn: {signature.kind}", signature.confidence)

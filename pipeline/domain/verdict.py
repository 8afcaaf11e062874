"""What the machine concludes: checks, reasons and one of four outcomes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """The four answers. `review` goes to the Mesa de Control; only a rule that forbids makes `rejected`."""

    ACCEPTED = "accepted"
    RETAKE = "retake"
    REVIEW = "review"
    REJECTED = "rejected"


class CheckOutcome(StrEnum):
    """Not executed is neither passed nor failed, and never counted as either."""

    PASSED = "passed"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    NOT_EXECUTED = "not_executed"


class Subject(StrEnum):
    """What a reason is about: what the citizen would take or do again."""

    FRONT = "front"
    BACK = "back"
    SELFIE = "selfie"
    SIGNATURE = "signature"
    SUPPORT = "support"


class CheckName(StrEnum):
    """Every check there is, by its name in the contract. Each is in every result."""

    DOOR = "door"
    FRONT_LOCATED = "front_located"
    BACK_LOCATED = "back_located"
    MODEL_ACCEPTED = "model_accepted"
    MODEL_AS_CHOSEN = "model_as_chosen"
    SAME_CARD = "same_card"
    SIDE_QUALITY = "side_quality"
    SMALL_QR = "small_qr"
    LARGE_QRS = "large_qrs"
    PDF417 = "pdf417"
    MRZ_VALID = "mrz_valid"
    QR_MRZ = "qr_mrz"
    MRZ_FRONT = "mrz_front"
    CURP = "curp"
    ELECTOR_KEY = "elector_key"
    EXPIRY = "expiry"
    DEMARCATION = "demarcation"
    PORTRAIT_FOUND = "portrait_found"
    FACE_MATCH = "face_match"
    GHOST_MATCH = "ghost_match"
    SIGNATURE_PRESENT = "signature_present"
    PRESENTATION_FRONT = "presentation_front"
    PRESENTATION_BACK = "presentation_back"
    PRESENTATION_SELFIE = "presentation_selfie"
    REUSE_IMAGE = "reuse_image"
    REUSE_CARD = "reuse_card"
    REUSE_FACE = "reuse_face"
    REUSE_SIGNATURE = "reuse_signature"
    REGISTRY = "registry"
    DEVICE = "device"
    CONSENT = "consent"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why. `code` is stable (its kinds: `pipeline.domain.reasons`); `detail` is for developers and holds no personal datum."""

    code: str
    subject: Subject
    detail: str


@dataclass(frozen=True, slots=True)
class Check:
    """One check with what it measured. `reasons` are why it did not pass; empty where it passed or was not executed."""

    name: CheckName
    outcome: CheckOutcome
    score: float | None = None
    threshold: float | None = None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """One outcome, its reasons in the order a citizen should act on, and all checks."""

    outcome: Outcome
    reasons: tuple[Reason, ...]
    checks: tuple[Check, ...]

    def check(self, name: CheckName) -> Check:
        return next(check for check in self.checks if check.name is name)


def first_of_each(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Without repeating a code about the same subject; order kept."""
    return tuple({(reason.code, reason.subject): reason for reason in reversed(tuple(reasons))}.values())[::-1]

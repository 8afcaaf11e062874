"""Checks for copies, screens, and for what only others can answer (the electoral roll, the device, consent)."""

from __future__ import annotations

from pipeline.checks.build import failed, not_executed, passed
from pipeline.domain.context import Context
from pipeline.domain.evidence import Evidence, SideEvidence
from pipeline.domain.verdict import Check, CheckName, Subject

KINDS = ("photocopy", "screen")
"""What a presentation is suspected of."""


def presentation_front(evidence: Evidence, context: Context) -> Check:
    """The front is the card itself, not a copy on paper or on a screen."""
    return _presentation(CheckName.PRESENTATION_FRONT, Subject.FRONT, evidence.card.front, context)


def presentation_back(evidence: Evidence, context: Context) -> Check:
    """As the front; one of a single pale tint is cleared by a front that was seen in colour.

    8 of 30 such backs of a second, plain renderer were as grey as copies. A copied back behind a coloured front passes here:
    codes and MRZ must still agree.
    """
    front = evidence.card.front.presentation.photocopy if evidence.card.front is not None else None
    coloured = front is not None and front <= context.calibration["presentation.photocopy_max"]
    kinds = ("screen",) if coloured else KINDS
    return _presentation(CheckName.PRESENTATION_BACK, Subject.BACK, evidence.card.back, context, kinds)


def _presentation(name: CheckName, subject: Subject, side: SideEvidence | None, context: Context,
                  kinds: tuple[str, ...] = KINDS) -> Check:
    """Is it the card itself, or a copy of it? Suspicion goes to a person; it never refuses."""
    if side is None:
        return not_executed(name)
    scores = (("photocopy", side.presentation.photocopy), ("screen", side.presentation.screen))
    measured = [(kind, score) for kind, score in scores if score is not None and kind in kinds]
    for kind, score in measured:
        threshold = context.calibration[f"presentation.{kind}_max"]
        if score > threshold:
            return failed(name, f"{subject}.{kind}", subject, f"looks like a {kind}", score, threshold)
    if not measured:
        return not_executed(name)
    return passed(name, measured[0][1], context.calibration[f"presentation.{measured[0][0]}_max"])


def registry(_: Evidence, context: Context) -> Check:
    """The electoral roll's word, where the process has an adapter to ask it."""
    if context.roll is None:
        return not_executed(CheckName.REGISTRY)
    if context.roll.in_force:
        return passed(CheckName.REGISTRY)
    return failed(CheckName.REGISTRY, "support.not_in_roll", Subject.SUPPORT, context.roll.detail)


def device(_: Evidence, context: Context) -> Check:
    """The phone proved by its own key that it sent every part, the words name no other, and where the process asks for it, it was
    activated."""
    if context.device is None:
        return not_executed(CheckName.DEVICE)
    if context.info.device not in (None, context.device):
        return failed(CheckName.DEVICE, "device.differs", Subject.SUPPORT, "the words name another device than the proof")
    if context.policy.activation and not context.activated:
        return failed(CheckName.DEVICE, "device.not_activated", Subject.SUPPORT, "the phone that sent it was not activated")
    return passed(CheckName.DEVICE)


def consent(_: Evidence, context: Context) -> Check:
    """The citizen agreed to a privacy notice of the process that was the one to be shown on that day."""
    name, version = CheckName.CONSENT, context.info.notice_version
    if version is None or not context.policy.notices:
        return not_executed(name)
    notice = context.policy.notice(version)
    if notice is None:
        return failed(name, "consent.unknown_notice", Subject.SUPPORT, "the process has no notice of this version")
    if not notice.in_force(context.as_of):
        return failed(name, "consent.outdated_notice", Subject.SUPPORT, f"the notice was not in force on {context.as_of}")
    return passed(name)

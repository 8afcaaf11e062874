"""Checks for copies, screens, and for what only others can answer (the electoral roll, the device, consent)."""

from __future__ import annotations

from pipeline.checks.build import failed, not_executed, passed, uncertain
from pipeline.domain.calibration import Calibration
from pipeline.domain.context import Context
from pipeline.domain.evidence import Evidence, Presentation, SideEvidence
from pipeline.domain.verdict import Check, CheckName, Subject

SAID = {"photocopy": ("photocopy", "a photocopy"), "colour_copy": ("photocopy", "a copy in colour"),
        "screen": ("screen", "a screen")}
"""What a presentation is suspected of: the reason that it gives, and its words."""


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
    cleared = "photocopy" if coloured else None
    return _presentation(CheckName.PRESENTATION_BACK, Subject.BACK, evidence.card.back, context, cleared)


def _presentation(name: CheckName, subject: Subject, side: SideEvidence | None, context: Context,
                  cleared: str | None = None) -> Check:
    """Is it the card itself, or a copy of it? Suspicion goes to a person; it never refuses."""
    suspicion = None if side is None else suspicion_of(side.presentation, context.calibration, cleared)
    if side is None or suspicion is None:
        return not_executed(name)
    threshold = context.calibration["presentation.suspicion_max"]
    if suspicion <= threshold:
        return passed(name, suspicion, threshold)
    scores = side.presentation.measured
    code, words = SAID[max((kind for kind in scores if kind != cleared), key=scores.__getitem__)]
    return failed(name, f"{subject}.{code}", subject, f"looks like {words}", suspicion, threshold)


def suspicion_of(presentation: Presentation, calibration: Calibration, cleared: str | None = None) -> float | None:
    """How much a side looks like no card, 0..1; None: not measured. `cleared`: a kind that does not count.

    The scores add up: a copy that looks half like one kind and half like another is no card. Where one frequency stands out all
    over the card, or what has no colour at all looks more like a grey copy than like anything else, nothing else is asked.
    """
    scores = {kind: score for kind, score in presentation.measured.items() if kind != cleared}
    if not scores:
        return None
    gridded = presentation.grid is not None and presentation.grid > calibration["presentation.grid_max"]
    grey = scores.get("photocopy", 0.0) > calibration["presentation.photocopy_max"]
    return 1.0 if gridded or grey else min(1.0, sum(scores.values()))


def presentation_selfie(evidence: Evidence, context: Context) -> Check:
    """The selfie is of a person, not of a screen that shows one. It is advice: by itself it is never more than a doubt, which
    counts where the process requires this check."""
    score, threshold = evidence.face.selfie_screen, context.calibration["presentation.selfie_screen_max"]
    if score is None:
        return not_executed(CheckName.PRESENTATION_SELFIE)
    if score <= threshold:
        return passed(CheckName.PRESENTATION_SELFIE, score, threshold)
    return uncertain(CheckName.PRESENTATION_SELFIE, "selfie.screen", Subject.SELFIE, "looks like a screen", score, threshold)


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

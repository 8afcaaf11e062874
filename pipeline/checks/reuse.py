"""Checks for reuse, from what the look-up among other supports said. All lead to a person; none says where or how alike."""

from __future__ import annotations

from pipeline.checks.build import failed, not_executed, passed, uncertain
from pipeline.domain.context import Context
from pipeline.domain.evidence import Evidence
from pipeline.domain.reuse import Seen
from pipeline.domain.verdict import Check, CheckName, Subject

_SUFFIX = {Seen.SAME_APPLICANT: "", Seen.OTHER_APPLICANT: "_other_applicant"}


def reuse_image(_: Evidence, context: Context) -> Check:
    """One of the photographs, itself or changed a little; worst where the card in it now bears other numbers. Where the process
    asks for it also: too many of one sender's supports on what looks the same surface, or too many of them at all."""
    if context.reuse.data_differ:
        return failed(CheckName.REUSE_IMAGE, "reuse.data_differ", Subject.SUPPORT, "this picture came with another card's data")
    return _of_sender(context) or _judge(CheckName.REUSE_IMAGE, "image", context.reuse.image)


def _of_sender(context: Context) -> Check | None:
    """A lead that concerns one sender; None where there is none, or a picture was seen elsewhere, which says more."""
    reuse, policy = context.reuse, context.policy
    if reuse.image in _SUFFIX:
        return None
    if policy.background_supports and (reuse.background or 0) >= policy.background_supports:
        return failed(CheckName.REUSE_IMAGE, "reuse.background", Subject.SUPPORT, "many of this sender's lie on one surface")
    if policy.sender_supports and (reuse.sender or 0) >= policy.sender_supports:
        return failed(CheckName.REUSE_IMAGE, "reuse.sender", Subject.SUPPORT, "this sender sent more than the process expects")
    return None


def reuse_card(_: Evidence, context: Context) -> Check:
    """The card's own numbers; worst where they were seen with another face."""
    if context.reuse.portrait_differs:
        return failed(CheckName.REUSE_CARD, "reuse.portrait_differs", Subject.SUPPORT, "this card came with another face")
    return _judge(CheckName.REUSE_CARD, "card", context.reuse.card)


def reuse_face(_: Evidence, context: Context) -> Check:
    """A like face among all is a lead, not a finding: `uncertain`, which counts where the process asks for this check."""
    name, seen = CheckName.REUSE_FACE, context.reuse.face
    if seen in _SUFFIX:
        return uncertain(name, f"reuse.face{_SUFFIX[seen]}", Subject.SUPPORT, "a like face was seen on another card")
    return _judge(name, "face", seen)


def reuse_signature(_: Evidence, context: Context) -> Check:
    """The same drawing, not the same hand: two signatures of one person differ."""
    return _judge(CheckName.REUSE_SIGNATURE, "signature", context.reuse.signature)


def _judge(name: CheckName, what: str, seen: Seen | None) -> Check:
    if seen is None:
        return not_executed(name)
    if seen is Seen.NOWHERE:
        return passed(name)
    return failed(name, f"reuse.{what}{_SUFFIX[seen]}", Subject.SUPPORT, f"the same {what} came with another support")

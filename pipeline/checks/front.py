"""The front alone, as activation asks for it: a credential, of a model that has QR codes on its back, in force.

There is no person behind an activation, and the support that follows is judged in full: so a doubt asks for a better photo where
the photo is to blame, and lets pass where it is not.
"""

from __future__ import annotations

from pipeline.checks.card import door, front_legible, front_located, model_accepted, quality_fault
from pipeline.checks.readings import expiry
from pipeline.domain.card_model import Side
from pipeline.domain.context import Context
from pipeline.domain.evidence import Evidence, Sighting
from pipeline.domain.verdict import CheckOutcome, Reason, Subject


def judge_front(evidence: Evidence, context: Context) -> tuple[Reason, ...]:
    """Why the front is refused; empty where it is not. `evidence`: of a capture that has nothing but a front."""
    photo, found = evidence.card.photos[Side.FRONT], evidence.card.front
    if photo.sighting is Sighting.UNREADABLE:
        return door(evidence, context).reasons
    if photo.shows is Side.BACK:
        return (Reason("front.wrong_side", Subject.FRONT, "the photo shows the back"),)
    if found is None:
        return front_located(evidence, context).reasons
    checks = (model_accepted(evidence, context), expiry(evidence, context))
    refused = tuple(reason for check in checks if check.outcome is CheckOutcome.FAILED for reason in check.reasons)
    if refused or (front_legible(evidence) and all(check.outcome is CheckOutcome.PASSED for check in checks)):
        return refused
    fault = quality_fault(found.quality, context.calibration)
    if fault is not None:
        return (Reason(f"front.{fault}", Subject.FRONT, "the photo does not let the front be read"),)
    if not front_legible(evidence):
        return (Reason("activation.illegible", Subject.FRONT, "too little of the front was read, and no fault was measured"),)
    return ()

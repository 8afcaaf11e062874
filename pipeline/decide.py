"""decide(): from evidence to verdict. Pure: a table of checks, and one rule that weighs their reasons."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.checks import card, deception, person, readings, reuse
from pipeline.domain.context import Context
from pipeline.domain.evidence import Evidence
from pipeline.domain.reasons import CATALOGUE
from pipeline.domain.verdict import Check, CheckOutcome, Outcome, Reason, Subject, Verdict, first_of_each

CheckFunction = Callable[[Evidence, Context], Check]

CHECKS: tuple[CheckFunction, ...] = (
    card.door,
    card.front_located,
    card.back_located,
    card.model_accepted,
    card.model_as_chosen,
    card.same_card,
    card.side_quality,
    readings.small_qr,
    readings.large_qrs,
    readings.pdf417,
    readings.mrz_valid,
    readings.qr_mrz,
    readings.mrz_front,
    readings.curp,
    readings.elector_key,
    readings.expiry,
    readings.demarcation,
    person.portrait_found,
    person.face_match,
    person.ghost_match,
    person.signature_present,
    deception.presentation_front,
    deception.presentation_back,
    deception.presentation_selfie,
    reuse.reuse_image,
    reuse.reuse_card,
    reuse.reuse_face,
    reuse.reuse_signature,
    deception.registry,
    deception.device,
    deception.consent,
)

PRECEDENCE = (Outcome.REJECTED, Outcome.RETAKE, Outcome.REVIEW)
"""A rule that forbids comes before a picture to take again, and that before a person's time: a retake may settle the doubt."""


def decide(evidence: Evidence, context: Context) -> Verdict:
    """Every check, weighed."""
    return weigh(tuple(check(evidence, context) for check in CHECKS), context)


def weigh(checks: tuple[Check, ...], context: Context) -> Verdict:
    """The gravest outcome that a standing reason asks for; `accepted` where none stands. docs/policy.md is made from it."""
    standing = standing_reasons(checks, context)
    for outcome in PRECEDENCE:
        reasons = first_of_each(reason for asked, reason in standing if asked is outcome)
        if outcome is Outcome.RETAKE and reasons and context.round > context.policy.max_retakes:
            return Verdict(Outcome.REVIEW, (_retakes_spent(reasons, context),), checks)
        if reasons:
            return Verdict(outcome, reasons, checks)
    return Verdict(Outcome.ACCEPTED, (), checks)


def _retakes_spent(reasons: tuple[Reason, ...], context: Context) -> Reason:
    """To a person: the citizen is not told once more to do what did not help."""
    still = ", ".join(f"{reason.code}:{reason.subject}" for reason in reasons)
    return Reason("support.retakes_spent", Subject.SUPPORT, f"after {context.round - 1} retakes still {still}")


def standing_reasons(checks: tuple[Check, ...], context: Context) -> tuple[tuple[Outcome, Reason], ...]:
    """What counts, each with the outcome it asks for.

    A failed check always counts; an uncertain one only where the process requires it, and never for more than a person's look.
    A required check that was not executed keeps a support from being accepted; it is named where nothing else says why.
    """
    required = [check for check in checks if check.name in context.policy.required]
    failed = [check for check in checks if check.outcome is CheckOutcome.FAILED]
    doubted = [check for check in required if check.outcome is CheckOutcome.UNCERTAIN]
    standing = tuple((CATALOGUE[reason.code].leads_to, reason) for check in failed for reason in check.reasons)
    standing += tuple((_short_of_refusal(reason), reason) for check in doubted for reason in check.reasons)
    missing = tuple((Outcome.REVIEW, Reason("support.check_missing", Subject.SUPPORT,
                                            f"required check {check.name} was not executed"))
                    for check in required if check.outcome is CheckOutcome.NOT_EXECUTED)
    return standing or missing


def _short_of_refusal(reason: Reason) -> Outcome:
    asked = CATALOGUE[reason.code].leads_to
    return Outcome.REVIEW if asked is Outcome.REJECTED else asked

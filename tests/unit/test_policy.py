"""The rule that weighs checks, over drawn combinations of them; the page that a lawyer reads is made from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decide import decide, weigh
from pipeline.domain.process import DEMO_PROCESS, Process
from pipeline.domain.reasons import CATALOGUE
from pipeline.domain.reuse import Reuse, Seen
from pipeline.domain.verdict import Check, CheckName, CheckOutcome, Outcome, Reason, Subject
from scripts.policy_page import PAGE, policy_page
from tests.unit.good_support import context, good_support

ACCEPTED, RETAKE, REVIEW, REJECTED = Outcome.ACCEPTED, Outcome.RETAKE, Outcome.REVIEW, Outcome.REJECTED


def policy(**changes: Any) -> Process:
    return replace(DEMO_PROCESS, **changes)


WORSE = {CheckOutcome.PASSED: [CheckOutcome.UNCERTAIN, CheckOutcome.FAILED, CheckOutcome.NOT_EXECUTED],
         CheckOutcome.UNCERTAIN: [CheckOutcome.FAILED], CheckOutcome.NOT_EXECUTED: [], CheckOutcome.FAILED: []}
GRAVITY = [ACCEPTED, REVIEW, RETAKE, REJECTED]
codes_of_reasons = st.sampled_from(sorted(CATALOGUE))


def made(name: CheckName, outcome: CheckOutcome, code_: str) -> Check:
    stands = outcome in (CheckOutcome.FAILED, CheckOutcome.UNCERTAIN)
    return Check(name, outcome, reasons=(Reason(code_, Subject.SUPPORT, "drawn"),) if stands else ())


all_checks = st.tuples(*(st.builds(made, st.just(name), st.sampled_from(CheckOutcome), codes_of_reasons) for name in CheckName))
policies = st.builds(lambda names, cap: policy(required=names, max_retakes=cap), st.frozensets(st.sampled_from(CheckName)),
                     st.integers(0, 3))


@given(all_checks, policies, st.integers(1, 5), st.sampled_from(range(len(CheckName))), codes_of_reasons, st.data())
def test_a_worse_check_never_gives_a_better_verdict(checks: tuple[Check, ...], of: Process, round_: int, place: int, code_: str,
                                                    data: st.DataObject) -> None:
    """An uncertain check that fails keeps its reason; one that passed gets any."""
    before = checks[place]
    if not WORSE[before.outcome]:
        return
    worse = made(before.name, data.draw(st.sampled_from(WORSE[before.outcome])),
                 before.reasons[0].code if before.reasons else code_)
    around = context(policy=of, round=round_)
    better, after = weigh(checks, around), weigh((*checks[:place], worse, *checks[place + 1:]), around)
    assert GRAVITY.index(after.outcome) >= GRAVITY.index(better.outcome)


@given(all_checks, policies, st.integers(1, 5))
def test_not_executed_is_never_passed_and_nothing_is_refused_by_doubt(checks: tuple[Check, ...], of: Process, round_: int) -> None:
    verdict = weigh(checks, context(policy=of, round=round_))
    outcomes = {check.name: check.outcome for check in checks}
    if verdict.outcome is ACCEPTED:
        assert {outcomes[name] for name in of.required} <= {CheckOutcome.PASSED}
        assert CheckOutcome.FAILED not in outcomes.values()
    if verdict.outcome is REJECTED:
        refusing = [check for check in checks if check.outcome is CheckOutcome.FAILED
                    and CATALOGUE[check.reasons[0].code].leads_to is REJECTED]
        assert {reason.code for reason in verdict.reasons} == {check.reasons[0].code for check in refusing}
    assert (verdict.outcome is ACCEPTED) == (not verdict.reasons)


REUSED: list[tuple[Reuse, set[CheckName], Outcome, set[str]]] = [
    (Reuse(image=Seen.NOWHERE, card=Seen.NOWHERE, face=Seen.NOWHERE, signature=Seen.NOWHERE),
     {CheckName.REUSE_IMAGE, CheckName.REUSE_CARD, CheckName.REUSE_FACE, CheckName.REUSE_SIGNATURE}, ACCEPTED, set()),
    (Reuse(image=Seen.SAME_APPLICANT), set(), REVIEW, {"reuse.image"}),
    (Reuse(card=Seen.OTHER_APPLICANT), set(), REVIEW, {"reuse.card_other_applicant"}),
    (Reuse(signature=Seen.SAME_APPLICANT), set(), REVIEW, {"reuse.signature"}),
    (Reuse(image=Seen.SAME_APPLICANT, data_differ=True), set(), REVIEW, {"reuse.data_differ"}),
    (Reuse(card=Seen.SAME_APPLICANT, portrait_differs=True), set(), REVIEW, {"reuse.portrait_differs"}),
    (Reuse(face=Seen.SAME_APPLICANT), set(), ACCEPTED, set()),
    (Reuse(face=Seen.OTHER_APPLICANT), {CheckName.REUSE_FACE}, REVIEW, {"reuse.face_other_applicant"}),
    (Reuse(), {CheckName.REUSE_CARD}, REVIEW, {"support.check_missing"}),
]


@pytest.mark.parametrize(("reuse", "required", "outcome", "codes"), REUSED)
def test_reuse(reuse: Reuse, required: set[CheckName], outcome: Outcome, codes: set[str]) -> None:
    verdict = decide(good_support(), context(reuse=reuse, policy=policy(required=DEMO_PROCESS.required | required)))
    assert (verdict.outcome, {reason.code for reason in verdict.reasons}) == (outcome, codes)


def test_the_page_is_the_one_that_is_made_from_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == policy_page(), "run python -m scripts.policy_page"

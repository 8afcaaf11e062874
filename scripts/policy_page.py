"""Writes docs/policy.md from the code that decides: `python -m scripts.policy_page`."""

from __future__ import annotations

import itertools
from datetime import date
from pathlib import Path

from pipeline.decide import CHECKS, PRECEDENCE, weigh
from pipeline.domain.calibration import Calibration
from pipeline.domain.context import Context
from pipeline.domain.process import DEMO_PROCESS
from pipeline.domain.reasons import CATALOGUE
from pipeline.domain.support import SupportInfo
from pipeline.domain.verdict import Check, CheckName, CheckOutcome, Outcome, Reason, Subject

PAGE = Path(__file__).resolve().parent.parent / "docs" / "policy.md"
ANY_DAY = date(2026, 11, 24)
FAILING = {Outcome.REJECTED: "support.expired", Outcome.RETAKE: "back.blurred", Outcome.REVIEW: "face.no_match"}
"""A reason of each outcome, for the table of combinations."""
HEAD = """\
# What is decided, and by which rule

Made from the code by `python -m scripts.policy_page`; a test fails where the two differ. The machine refuses only what a rule
forbids: a doubt is a person's, and a person's decision stands beside the machine's.

## The rule

Each check ends as `passed`, `failed`, `uncertain` or `not_executed`. A process lists the checks it **requires**.

| a check that is | and | gives |
|---|---|---|
| passed | required or not | nothing |
| failed | required or not | its reason, with the outcome that the reason asks for (last table) |
| uncertain | required | its reason; where that would refuse, a person looks instead |
| uncertain | not required | nothing; it stays in the result |
| not executed | required | `support.check_missing`: a person looks, unless another reason says more |
| not executed | not required | nothing; it stays in the result, and never counts as passed |

Of all that is given, one outcome is told: `rejected` before `retake` before `review`; `accepted` where nothing is given. A
support that was already asked to be taken again as often as the process allows goes to a person instead.
"""


def policy_page() -> str:
    return "\n".join([HEAD, *combinations(), "", *checks(), "", *reasons()]) + "\n"


def combinations() -> list[str]:
    """Every combination of what may stand, weighed by the real rule."""
    lines = ["## Every combination", "", "| a reason that refuses | one that asks for a retake | one for a person "
             "| a required check missing | verdict | once retakes are spent |", "|---|---|---|---|---|---|"]
    for rejected, retake, review, missing in itertools.product((False, True), repeat=4):
        given = [one for one, there in zip(PRECEDENCE, (rejected, retake, review), strict=True) if there]
        cells = ["yes" if there else "" for there in (rejected, retake, review, missing)]
        lines.append("| " + " | ".join([*cells, *(f"`{verdict_of(given, missing, round_)}`"
                                                   for round_ in (1, DEMO_PROCESS.max_retakes + 1))]) + " |")
    return lines


def verdict_of(given: list[Outcome], missing: bool, round_: int) -> Outcome:
    """Of failed checks with these reasons, and perhaps a required one that was not executed; all others passed."""
    names = iter(sorted(DEMO_PROCESS.required))
    some = [Check(next(names), CheckOutcome.FAILED, reasons=(Reason(FAILING[one], Subject.SUPPORT, ""),)) for one in given]
    some += [Check(next(names), CheckOutcome.NOT_EXECUTED)] if missing else []
    context = Context(SupportInfo(), DEMO_PROCESS, Calibration({}), ANY_DAY, round=round_)
    return weigh((*some, *(Check(name, CheckOutcome.PASSED) for name in names)), context).outcome


def checks() -> list[str]:
    """What each check asks, in the words of the code."""
    lines = ["## The checks", "", "| check | asks | required by the built-in process |", "|---|---|---|"]
    asked = {CheckName(function.__name__): (function.__doc__ or "").split("\n\n")[0] for function in CHECKS}
    for name in CheckName:
        lines.append(f"| `{name}` | {' '.join(asked[name].split())} | {'yes' if name in DEMO_PROCESS.required else ''} |")
    return lines


def reasons() -> list[str]:
    lines = ["## The reasons", "", "| reason | asks for | entry of INE's catalogue | what the citizen is told |",
             "|---|---|---|---|"]
    for code, kind in sorted(CATALOGUE.items(), key=lambda row: (PRECEDENCE.index(row[1].leads_to), row[0])):
        lines.append(f"| `{code}` | `{kind.leads_to}` | {kind.ine or ''} | {kind.message} |")
    return lines


if __name__ == "__main__":
    PAGE.write_text(policy_page(), encoding="utf-8")

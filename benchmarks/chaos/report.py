"""What was tried and what came of it: one page to read, one JSON for programs, and a drawing of each run over time."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.chaos.board import Result
from benchmarks.chaos.history import Told

WIDTH, ROW, LEFT, BARS = 900, 14, 170, 120
"""Pixels of the drawing: its width, a fault's row, the room for names, the height of the bars."""
INVARIANTS = {
    "I1": "nothing acknowledged is lost: row, objects, bytes", "I2": "one verdict a round, told once, never changed",
    "I3": "nothing is there that nobody sent, nothing twice", "I4": "a verdict carries the fence that was current",
    "I5": "nothing in plain outside a seal (with a planted canary that is found)",
    "I6": "nothing of one citizen in another's result",
}


def write_report(out: Path, results: Sequence[Result], commit: str) -> Path:
    """`report.md`, `report.json` and a drawing for each run, in `out`. Returns the page."""
    kept = [{"check": one.check, "pair": one.pair, "wrong": list(one.wrong), "figures": one.figures} for one in results]
    machine = f"{platform.machine()}, {_cores()} cores, Python {platform.python_version()}"
    (out / "report.json").write_text(json.dumps({"commit": commit, "machine": machine, "results": kept}, indent=1) + "\n")
    lines = [f"# Trying to lose a support\n\nCommit {commit}; {machine}. Each history lies beside this page.\n",
             "| check | storage | holds | acknowledged | lost at most (95 %) | what struck |", "|---|---|---|---|---|---|"]
    lines += [_row(one) for one in results if not one.check.startswith("mutant ")]
    mutants = [one for one in results if one.check.startswith("mutant ")]
    if mutants:
        lines += [f"\n## Deliberate bugs: {sum(not one.wrong for one in mutants)} of {len(mutants)} caught\n",
                  "| bug | must break | found |", "|---|---|---|"]
        lines += [f"| {one.figures['what']} | {one.figures['caught by']} | {_counts(one.figures['found'])} |" for one in mutants]
    lines += ["\n## The invariants\n", *(f"* **{name}** {what}" for name, what in INVARIANTS.items())]
    for one in results:
        if one.outcome is not None:
            name = f"{one.check}-{one.pair}.svg"
            (out / name).write_text(timeline(one.outcome.told))
            lines.append(f"\n## {one.check}, {one.pair}\n\n![answers and faults over time]({name})\n")
        if not one.check.startswith("mutant "):
            lines += [f"* {key}: {_counts(value)}" for key, value in one.figures.items()]
    page = out / "report.md"
    page.write_text("\n".join(lines) + "\n")
    return page


def _row(one: Result) -> str:
    holds = "yes" if not one.wrong else "**no**: " + "; ".join(one.wrong)
    return (f"| {one.check} | {one.pair} | {holds} | {one.figures.get('acknowledged', '')} | "
            f"{one.figures.get('lost at most (95 %)', '')} | {_counts(one.figures.get('struck', ''))} |")


def _counts(value: object) -> str:
    return ", ".join(f"{name} {count}" for name, count in value.items()) if isinstance(value, dict) else str(value)


def _cores() -> int:
    from pipeline.settings import available_cores

    return available_cores()


def timeline(told: Told) -> str:
    """An SVG: acknowledged (dark) and unanswered or refused (light) a second, and a row of marks for each fault."""
    end = max((at for at, _, _ in told.answers), default=1.0)
    x = (WIDTH - LEFT) / end
    good = Counter(int(at) for at, status, _ in told.answers if status == 202)
    bad = Counter(int(at) for at, status, _ in told.answers if status in (0, 503))
    most = max([*good.values(), 1])
    names = sorted({name for _, name in told.faults})
    height = BARS + ROW * (len(names) + 2)
    shapes = [f'<text x="4" y="12">acknowledged a second, at most {most}</text>',
              '<text x="4" y="26" fill="#c66">no answer, or 503</text>']
    for second in range(int(end) + 1):
        for counts, colour, width in ((bad, "#e9b0b0", 1.0), (good, "#2b5d8a", 0.6)):
            tall = min(counts[second] / most, 1.0) * (BARS - 30)
            if tall:
                shapes.append(f'<rect x="{LEFT + second * x:.1f}" y="{BARS - tall:.1f}" width="{x * width:.1f}" '
                              f'height="{tall:.1f}" fill="{colour}"/>')
    for row, name in enumerate(names):
        y = BARS + ROW * (row + 1)
        shapes.append(f'<text x="4" y="{y}">{name}</text>')
        shapes += [f'<rect x="{LEFT + second * x:.1f}" y="{y - 9}" width="2" height="9" fill="#b03030"/>'
                   for second in sorted({int(at) for at, struck in told.faults if struck == name})]
    shapes += [f'<text x="{LEFT + at * x:.1f}" y="{height - 4}" fill="#666">{at:.0f} s</text>'
               for at in (end * part / 4 for part in range(4))]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="11">'
            f'<rect width="100%" height="100%" fill="white"/>{"".join(shapes)}</svg>\n')

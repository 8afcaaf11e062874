"""docs/faces.md and its ROC and DET curves, from benchmarks/results/faces.json; called by `python -m benchmarks.page`."""

from __future__ import annotations

from math import log10
from statistics import NormalDist
from typing import Any

HEAD = """\
# Faces

Is the selfie's face the card's portrait? Made by `make evaluate-faces`, which needs a folder of portraits (`--data`); this page:
`python -m benchmarks.page`.

125 public portraits, 488 pairs of one person and 4,762 of two. One of each pair is the selfie as it is; the other is printed
as a card's portrait is (colour, pale and tinted, grey, or under a hologram's glare; blur, noise, JPEG 60-90), photographed with
so many pixels between its eyes, and found again on a drawn card. Either picture of a pair is the printed one in turn.
Comparisons share pictures, so the intervals (Wilson, 95 %; "0 of n" is bounded by 3/n) are too narrow. The portraits are of
public persons, mostly from films and news: no card, no citizen, and not the people of Mexico. None is in the repository.

A face that is not found counts as not alike. Three outcomes: a match; no match and uncertain both lead to a person. Too few
pixels between the eyes says `face.low_quality` instead of no match.
"""
SIZE, MARGIN = 340, 56
COLOURS = ("#2a7f62", "#b0632a", "#35589a", "#777777")
LOW, HIGH = 1e-4, 0.5
"""False match rates that the curves show."""


def faces_lines(result: dict[str, Any], made_on: str, cost: dict[str, Any] | None = None) -> list[str]:
    """The page's lines."""
    lines = [HEAD, f"Seed {result['seed']}, {made_on}.", "", "## Operating points", "",
             "The least threshold at which so few impostor pairs match. Target: ≥ 98.5 % of genuine pairs accepted with ≥ 24 px "
             "between the eyes at a false match rate ≤ 1e-3.", "",
             "| pixels between the portrait's eyes | false match rate asked | threshold | genuine accepted | impostors accepted "
             "| look-alikes accepted |", "|---|---|---|---|---|---|"]
    for name, rows in result["points"].items():
        lines += [f"| {name} | {row['fmr']:.0e} | {row['threshold']:.3f} | {row['genuine']['said']} | {row['impostor']['said']} "
                  f"| {row['look_alikes']['said'] if 'look_alikes' in row else ''} |" for row in rows]
    lines += ["", "*Look-alikes*: the hundredth of the impostor pairs that are most alike as photographed, printed in the same "
              "ways.", "", f"## In use: match from {result['match']}, no match below {result['no_match']}", "",
              "| pixels between the portrait's eyes | genuine accepted | impostors accepted | genuine denied "
              "| look-alikes accepted |", "|---|---|---|---|---|"]
    lines += [f"| {name} | {row['genuine']['said']} | {row['impostor']['said']} | {row['denied']['said']} "
              f"| {result['look_alikes'][name]['match']['said'] if name in result['look_alikes'] else ''} |"
              for name, row in result["at_match"].items()]
    lines += ["", "By condition:", "", "| printed | not found | genuine accepted | impostors accepted | genuine denied |",
              "|---|---|---|---|---|"]
    lines += [f"| {row['label']} | {row['not_found']} | {row['genuine']['said']} | {row['impostor']['said']} "
              f"| {row['denied']['said']} |" for row in result["conditions"]]
    lines += ["", "![ROC](faces-roc.svg)", "", "![DET](faces-det.svg)"]
    return [*lines, *(cost_lines(cost) if cost else []), *PACKS]


def cost_lines(cost: dict[str, Any]) -> list[str]:
    """CPU by step."""
    machine = cost["machine"]
    return ["", "## What it costs", "", f"`apoyo bench faces`: {cost['laps']} laps on one thread, {machine['cpu']}, commit "
            f"{cost['commit']}. Target: both faces in 25 ms.", "", "| | CPU ms, median | p90 |", "|---|---|---|",
            *(f"| {name} | {row['median']} | {row['p90']} |" for name, row in cost["cpu_ms"].items())]


PACKS = (
    "", "## Model packs", "",
    "`apoyo models add insightface:buffalo_l --accept-licence --path DIR` keeps an operator's own InsightFace pack (detector and "
    "recogniser, by SHA-256), and `apoyo compare-faces --pack insightface:buffalo_l` compares with it. The recogniser's path is "
    "tested with this project's weights, the detector's with a drawn graph of the same shape. **The packs themselves are "
    "untested**: none was at hand. No threshold was set for one, so a pack answers with a similarity alone; the service does not "
    "use packs. Their licence is for research that is not commercial.")


def roc(result: dict[str, Any]) -> str:
    """Share of genuine pairs accepted over the false match rate (logarithmic), as SVG."""
    ticks = [0.9, 0.92, 0.94, 0.96, 0.98, 1.0]
    return _plot(result, "genuine accepted", ticks, lambda share: (share - 0.9) / 0.1, "{:.0%}", missed=False)


def det(result: dict[str, Any]) -> str:
    """Share of genuine pairs missed over the false match rate, on normal deviates (Martin and others, 1997), as SVG."""
    low, high = NormalDist().inv_cdf(1e-3), NormalDist().inv_cdf(0.4)

    def place(share: float) -> float:
        return float((NormalDist().inv_cdf(min(max(share, 1e-3), 0.4)) - low) / (high - low))

    return _plot(result, "genuine missed", [0.001, 0.01, 0.05, 0.1, 0.2, 0.4], place, "{:.1%}", missed=True)


def _plot(result: dict[str, Any], title: str, ticks: list[float], place: Any, form: str, *, missed: bool) -> str:
    def x_of(rate: float) -> float:
        return MARGIN + SIZE * (log10(max(rate, LOW)) - log10(LOW)) / (log10(HIGH) - log10(LOW))

    def y_of(share: float) -> float:
        return 30 + SIZE * (1 - min(1.0, max(0.0, float(place(share)))))

    parts = []
    for rate in (1e-4, 1e-3, 1e-2, 1e-1):
        parts.append(f'<line x1="{x_of(rate):.1f}" x2="{x_of(rate):.1f}" y1="30" y2="{30 + SIZE}" stroke="#dddddd"/>'
                     f'<text x="{x_of(rate):.1f}" y="{46 + SIZE}" text-anchor="middle">{rate:.0e}</text>')
    for tick in ticks:
        parts.append(f'<line x1="{MARGIN}" x2="{MARGIN + SIZE}" y1="{y_of(tick):.1f}" y2="{y_of(tick):.1f}" stroke="#dddddd"/>'
                     f'<text x="{MARGIN - 6}" y="{y_of(tick) + 4:.1f}" text-anchor="end">{form.format(tick)}</text>')
    for number, (name, curve) in enumerate(result["curves"].items()):
        points = " ".join(f"{x_of(false):.1f},{y_of(1 - true if missed else true):.1f}"
                          for _, false, true in curve if false <= HIGH)
        colour, y = COLOURS[number % len(COLOURS)], (50 if missed else SIZE - 40) + 18 * number
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
                     f'<text x="{MARGIN + SIZE - 8}" y="{y}" text-anchor="end" fill="{colour}">{name}</text>')
    width, height = SIZE + MARGIN + 20, SIZE + 70
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">'
            f'<rect width="{width}" height="{height}" fill="white"/>'
            f'<text x="12" y="18">{title}, by the share of impostors that match</text>'
            + "".join(parts) + "</svg>\n")

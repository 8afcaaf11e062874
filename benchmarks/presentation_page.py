"""docs/presentation.md and its plot, from benchmarks/results/presentation.json; called by `python -m benchmarks.page`."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

TITLES = {"photocopy": "photocopy in grey, on its sheet", "colour_copy": "copy in colour, on its sheet",
          "cut_out": "copy cut out of its sheet", "screen": "laptop's or tablet's screen", "phone_screen": "phone's screen"}
TARGETS = {"photocopy": "≤ 2 %", "colour_copy": "≤ 10 %", "screen": "≤ 5 %"}
INKS = {"photocopy": "#222222", "colour_copy": "#c2410c", "cut_out": "#7c3aed", "screen": "#0369a1", "phone_screen": "#15803d"}
TICKS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
LEAST = 0.001
"""Where the axes begin: shares of 0 are drawn there."""
SIZE, EDGE = 520, 70
HEAD = """\
# Presentation

What was photographed: the card, a copy of it on paper, or a screen. **All of it is simulated**: no real copy, no real screen and
no real credential was photographed. The network was trained on cards, copies, screens and photographs drawn by one set of
formulas (`models/training/presentation`) and is measured here on those of another (`models/specimens/camera_copies.py`,
`camera_prints.py`), all the way that a photograph takes in the product. Of the second set only genuine captures, of a seed of
their own, set the threshold; how long to train was chosen when first figures of this kind had been seen, so they are a little
optimistic. They say that what was learnt holds for a second way of drawing a copy, and little of a real printer.

Decision 15 says how it works. What is suspected goes to a person and is never refused. An operator sets the threshold by own
photographs: `apoyo calibrate presentation DIR`.

APCER: share of copies that are not suspected. BPCER: share of cards that are. In brackets: 95 % interval (Wilson; 3/n for none).
Made by `make evaluate-presentation`; this page: `python -m benchmarks.page`.
"""


def presentation_lines(result: dict[str, Any], made_on: str) -> list[str]:
    """The page's lines."""
    point, ways = result["point"], result["ways"]
    lines = [HEAD, f"Seeds {result['seeds']['threshold']} (threshold) and {result['seeds']['figures']} (figures), {made_on}. "
             f"Normal captures; suspected is what passes {result['threshold']:.2f}.", "",
             "| | target | the product | network alone | by hand: colour and grid |", "|---|---|---|---|---|",
             f"| BPCER, normal | ≤ 2 % | {point['alarms']['said']} | {ways['network']['alarms']['said']} "
             f"| {ways['by hand']['alarms']['said']} |",
             f"| BPCER, hard | | {result['hard']['said']} | | |"]
    lines += [f"| APCER, {TITLES[kind]} | {TARGETS.get(kind, '')} | {one['said']} | {ways['network']['missed'][kind]['said']} "
              f"| {ways['by hand']['missed'][kind]['said']} |" for kind, one in point["missed"].items()]
    lines += ["", "Of the cut-outs, APCER: " + ", ".join(f"{kind} {one['said']}" for kind, one in result["cut_outs"].items())
              + ". *By hand*: how far hues lie apart, and one frequency that stands out all over the card, each at a threshold "
              "of its own; a side is missed where neither suspects it. *Network alone*: at a threshold set the same way. The "
              "product takes the network's word or the grid's; what shows no colour is a grey copy, what shows some is none.", "",
              "Photographs on which no side was recognised are asked for again and stand in no figure above: "
              + ", ".join(f"{kind} {one['hits']} of {one['trials']}" for kind, one in result["not_seen"].items()) + ".", "",
              "![DET](presentation.svg)", "", "## By pixels a millimetre", "",
              "Of the view that is judged (a 12-megapixel photograph is reduced to half). Print's dots need more than the card's "
              "own look does; below 4.5 nothing is measured.", "",
              "| pixels a millimetre | BPCER | " + " | ".join(TITLES[kind] for kind in point["missed"]) + " |",
              "|---|---|" + "---|" * len(point["missed"])]
    lines += [f"| {band} | {one['alarms']['said']} | " + " | ".join(rate["said"] for rate in one["missed"].values()) + " |"
              for band, one in result["bands"].items()]
    lines += ["", "## What they are called", "", "| shown | " + " | ".join(next(iter(result["named"].values()))) + " |",
              "|---|" + "---|" * len(next(iter(result["named"].values())))]
    lines += [f"| {TITLES[kind]} | " + " | ".join(str(count) for count in one.values()) + " |"
              for kind, one in result["named"].items()]
    card, grey = result["spreads"]["card"], result["spreads"]["photocopy"]
    hues = (f"How far hues lie apart (log chromaticity): {grey['count']} grey copies {grey['least']} to {grey['most']}, "
            f"{card['count']} cards {card['least']} to {card['most']}.")
    lines += ["", f"{hues} `python -m models.evaluation.presentation` draws the worst of each as the network saw them "
              "(`--sheet FILE`)."]
    return [*lines, "", "## Selfies", "", "One frequency that stands out all over the picture tells a screen. It is advice: a "
            "doubt that counts only where the process requires `presentation_selfie`; the built-in one does not.", "",
            "| | suspected | least | most |", "|---|---|---|---|",
            *(f"| {kind} | {one['over']['said']} | {one['least']} | {one['most']} |" for kind, one in result["selfie"].items())]


def det_plot(result: dict[str, Any]) -> str:
    """APCER over BPCER, both on normal-deviate axes, a line a species, as SVG text."""
    def place(share: float) -> float:
        low, high = (NormalDist().inv_cdf(edge) for edge in (LEAST, 0.5))
        return (NormalDist().inv_cdf(min(max(share, LEAST), 0.5)) - low) / (high - low) * (SIZE - 2 * EDGE)

    parts = []
    for tick in TICKS:
        x, y = EDGE + place(tick), SIZE - EDGE - place(tick)
        parts += [f'<path d="M{x:.1f} {EDGE}V{SIZE - EDGE}M{EDGE} {y:.1f}H{SIZE - EDGE}" stroke="#dddddd" fill="none"/>',
                  f'<text x="{x:.1f}" y="{SIZE - EDGE + 16}" text-anchor="middle">{100 * tick:g}</text>',
                  f'<text x="{EDGE - 6}" y="{y + 4:.1f}" text-anchor="end">{100 * tick:g}</text>']
    for row, (kind, pairs) in enumerate(result["det"].items()):
        line = " ".join(f"{EDGE + place(false):.1f},{SIZE - EDGE - place(missed):.1f}" for false, missed in pairs)
        y = 20 + 15 * row
        parts += [f'<polyline points="{line}" fill="none" stroke="{INKS[kind]}" stroke-width="2"/>',
                  f'<text x="{SIZE - 20}" y="{y}" text-anchor="end" fill="{INKS[kind]}">{TITLES[kind]}</text>']
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" font-family="sans-serif" font-size="12">'
            f'<rect width="{SIZE}" height="{SIZE}" fill="white"/>' + "".join(parts)
            + f'<text x="{SIZE / 2}" y="{SIZE - 20}" text-anchor="middle">BPCER, %</text>'
            f'<text x="18" y="{SIZE / 2}" text-anchor="middle" transform="rotate(-90 18 {SIZE / 2})">APCER, %</text></svg>\n')

"""docs/signature.md and its sheet of the worst, from benchmarks/results/signature.json; called by `python -m benchmarks.page`."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

GROUPS = {"set on": "styles that the limits were set on", "unseen": "other generators' styles", "strokes": "strokes, both",
          "together": "together"}
HEAD = """\
# The drawn signature

Is something drawn, and is it drawn as a signature is? What it resembles is never judged. Made by
`make evaluate-signature`; this page: `python -m benchmarks.page`.

Drawings of this project's own, and Omniglot's pen strokes (people who wrote letters of unknown alphabets), each shown in
many ways: on a phone's canvas of 180 to 4,000 pixels with a pen of one pixel or a marker, in any ink, on transparent, white
or dark ground, as PNG or as a JPEG of poor quality, cut to the ink's frame, and as photographs of paper in uneven light, in
shadow, ruled or squared. No signature of a real person was used. *Told*: a blank, dot or line that is asked for again.
*Refused*: a signature that is asked for again. *To a person*: a signature taken for a scribble or for type. In brackets:
Wilson's 95 % interval; "0 of n" is bounded by 3/n.

The other generators' styles were not used to choose the limits at first; their first failures were looked at, and the limits of
scribbles, the rule for two lines side by side and the handling of ruled paper were mended after them, so they are no longer
wholly unseen. Real signatures will differ.
"""
KINDS = ("signature", "blank", "dot", "line", "scribble", "print", "too_small", "cut")
CELL, GAP, COLUMNS = 200, 34, 4


def signature_lines(result: dict[str, Any], made_on: str) -> list[str]:
    """The page's lines."""
    letters = "" if result["omniglot"] else " Omniglot's strokes were not at hand."
    lines = [HEAD, f"{result['drawings']} drawings, {result['each']} of each style in each way, seed {result['seed']}, "
             f"{made_on}.{letters}", "",
             "| | blanks, dots, lines told (target ≥ 99.5 %) | signatures refused (≤ 0.5 %) | signatures to a person |",
             "|---|---|---|---|"]
    lines += [f"| {title} | {one['told']['said']} | {one['refused']['said']} | {one['to a person']['said']} |"
              for group, title in GROUPS.items() if (one := result["groups"].get(group))]
    named = "; ".join(f"{kind}s {one['said']}" for kind, one in result["groups"]["together"]["named"].items())
    lines += ["", f"By name: {named}.", ""]
    lines += ["## Drawn and named", "", "| drawn | " + " | ".join(KINDS) + " |", "|---|" + "---|" * len(KINDS)]
    lines += [f"| {drawn} | " + " | ".join(str(result["confusion"].get(f"{drawn} → {given}", "")) for given in KINDS) + " |"
              for drawn in KINDS]
    for title, key in (("By style", "styles"), ("By the way it is shown", "ways")):
        lines += ["", f"## {title}", "", "| | signatures kept | signatures refused | to a person | others told, by any name |",
                  "|---|---|---|---|---|"]
        lines += [f"| {name} | " + " | ".join(_split(counts)) + " |" for name, counts in result[key].items()]
    return [*lines, "", "## The worst", "",
            "First what was wrong, then what was named otherwise; the ink as the service found it.", "",
            "![the worst cases](signature-worst.svg)"]


def _split(counts: dict[str, int]) -> tuple[str, ...]:
    """Signatures kept, refused and sent to a person, and others that were not taken for a signature, of how many."""
    kept, refused, person, told, others = 0, 0, 0, 0, 0
    for pair, count in counts.items():
        drawn, given = pair.split(" → ")
        if drawn == "signature":
            kept += count * (given == "signature")
            person += count * (given in ("scribble", "print"))
            refused += count * (given not in ("signature", "scribble", "print"))
        else:
            others += count
            told += count * (given != "signature")
    signatures = kept + refused + person
    first = tuple(f"{part}" if signatures else "" for part in (kept, refused, person))
    return (*first, f"{told}/{others}" if others else "")


def worst_sheet(rows: list[dict[str, Any]]) -> str:
    """An SVG of the cases' outlines, each under its name."""
    cells = []
    for place, row in enumerate(rows):
        x, y = 10 + (place % COLUMNS) * (CELL + 10), 10 + (place // COLUMNS) * (CELL // 2 + GAP + 10)
        width, height = row["outlines"]["size"]
        scale = min(CELL / width, CELL / 2 / height)
        path = " ".join("M" + " L".join(f"{px * scale:.0f} {py * scale:.0f}" for px, py in points) + "Z"
                        for points in row["outlines"]["paths"] if points)
        colour = "#b03a2e" if row["wrong"] else "#555555"
        cells.append(
            f'<g transform="translate({x} {y})"><text y="11" fill="{colour}">{escape(row["style"])}, {escape(row["way"])}</text>'
            f'<text y="25" fill="{colour}">{escape(row["drawn"])} → {escape(row["given"])}</text>'
            f'<rect y="{GAP}" width="{width * scale:.0f}" height="{height * scale:.0f}" fill="#f4f4f4" stroke="#cccccc"/>'
            f'<path transform="translate(0 {GAP})" d="{path}" fill="#222222" fill-rule="evenodd"/></g>')
    height = 20 + -(-len(rows) // COLUMNS) * (CELL // 2 + GAP + 10)
    width = 20 + COLUMNS * (CELL + 10)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">'
            f'<rect width="100%" height="100%" fill="white"/>' + "".join(cells) + "</svg>\n")

"""docs/reuse.md, from benchmarks/results/reuse_accuracy.json and reuse.json; called by `python -m benchmarks.page`."""

from __future__ import annotations

from typing import Any

PARTS = {"front": "front, photographed card", "back": "back, photographed card", "selfie": "selfie, public photographs",
         "signature": "signature, drawn"}
ALL = 13_000_000
"""Supports on record of one national exercise (2017-18)."""
HEAD = """\
# Reuse

What came with one support and comes again with another: a photograph, a card, a face, a drawing. Decision 11 says how.
Made by `make evaluate-reuse` and `apoyo bench reuse`; this page: `python -m benchmarks.page`.

## Found and confused

Supports are drawn; each card photograph is changed and examined anew, alone. *By its hash*: the picture of the side itself, which
needs its edges to be found at the same place. *By anything*: also a front's portrait and the numbers on a back, as the product
does, but not a like face alone. *Of those seen*: a copy on which no side was recognised is asked for again, not judged. Copies
of signatures are moved and made smaller, compressed, or lit otherwise. In brackets: 95 % interval.
"""


def reuse_lines(accuracy: dict[str, Any], costs: dict[str, Any] | None, made_on: str,
                background: dict[str, Any] | None = None) -> list[str]:
    """The page's lines."""
    lines = [HEAD, f"Seed {accuracy['seed']}, {made_on}.", "", "| a copy of | limit, bits of 512 | by its hash | by anything "
             "| of those seen | farthest within |", "|---|---|---|---|---|---|"]
    lines += [f"| {title} | {accuracy['limits'][part]} | {one['by hash']['said']} | {one['all']['said']} | {one['seen']['said']} "
              f"| {one['farthest']} |"
              for part, title in PARTS.items() if (one := accuracy["found"].get(part))]
    sides = [accuracy["found"][part]["seen"] for part in ("front", "back")]
    hits, trials = (sum(one[key] for one in sides) for key in ("hits", "trials"))
    lines += ["", f"Both sides of cards together, of those seen: {hits} of {trials} found, {100 * hits / trials:.1f} %."]
    lines += ["", "By change, by anything:", "", *changes(accuracy["found"]), "", "Different ones of a kind, each with each. "
              "*Expected*: by a binomial distribution of the same mean and spread. The drawn cards have few portraits, so a "
              "seventh of the pairs share theirs.", "", "| kind | called alike | nearest, bits | expected |", "|---|---|---|---|"]
    lines += [f"| {kind} | {one['hits']} of {one['trials']}, at most {one['high95']:.1e} | {one['nearest']} "
              f"| {one['expected']:.0e} |" for kind, one in accuracy["apart"].items()]
    pairs, alike = (sum(one[key] for kind, one in accuracy["apart"].items() if kind.startswith(("front", "back")))
                    for key in ("trials", "hits"))
    lines += ["", f"All sides of cards together: {alike} of {pairs} pairs called alike"
              + (f" (at most {3 / pairs:.1e})." if alike == 0 else ".")]
    lines += face_lines(accuracy) if "face" in accuracy else []
    lines += background_lines(background) if background else []
    return lines + (cost_lines(costs) if costs else [])


def changes(found: dict[str, Any]) -> list[str]:
    names = list(dict.fromkeys(name for one in found.values() for name in one["changes"]))
    return ["| | " + " | ".join(names) + " |", "|---|" + "---|" * len(names),
            *(f"| {part} | " + " | ".join(_hits(found[part]["changes"].get(name)) for name in names) + " |"
              for part in PARTS if part in found)]


def _hits(rate: dict[str, Any] | None) -> str:
    return "" if rate is None else f"{rate['hits']}/{rate['trials']}"


def face_lines(accuracy: dict[str, Any]) -> list[str]:
    face, portrait = accuracy["face"], accuracy["portrait"]
    return ["", f"A like face (cosine {face['threshold']}) is a lead and leads to a person only where the process asks for that "
            f"check: two portraits of one person reach it in {face['found']['said']}, of two people in "
            f"{face['confused']['hits']} of {face['confused']['trials']} (most alike "
            f"{face['most_alike_impostors']:.2f}). It is set for one false lead in a hundred look-ups among a million, by a "
            f"normal fit far outside of what was measured. The same photograph as a portrait again (cosine "
            f"0.9): {portrait['found']['said']}; another photograph of the same person: "
            f"{portrait['other']['said']}."]


def background_lines(background: dict[str, Any]) -> list[str]:
    return ["", "## One sender, one surface", "",
            "Where a process says so (`background_supports`), so many other supports of one sender whose cards lie on what looks "
            "the same surface are a lead to a person, and so are more supports of a sender than `sender_supports`. A sender is "
            "the phone that proved itself, else the phone or the gatherer that the words name. The newest 64 are compared; "
            "decision 24 says how. Drawn desks, each photographed with other cards, from other sides, in other light and at "
            f"other places of it ({background['desks']} desks, {background['photographs']} photographs, half of them to set the "
            f"limit): pairs of one desk called alike {background['found']['said']}, of different desks "
            f"{background['confused']['said']}. Two white tables look the same: the number asked for must be well above what "
            "chance gives among 64, and a gatherer with a table of his own is no fraud: a person looks."]


def cost_lines(costs: dict[str, Any]) -> list[str]:
    """What it costs; measured on prints that are drawn by chance, sides as near to each other as cards of one model are."""
    named = {"fingerprints": "fingerprints of a support (digests are known from its rows)", "pictures": "front, back, selfie, "
             "signature in the index", "faces": "the face in the index", "card and files": "card and files in the rows (SQLite)",
             "rebuild": "to open one support's row, when the index starts"}
    many = costs["supports"]
    factor, load = ALL / many, costs["load average"][0]
    filling = many * (costs["rebuild"]["cpu_ms_median"] + costs["add_us"] / 1000) / 1000
    cpu, cores = costs["machine"]["cpu"], costs["machine"]["cores"]
    return ["", "## What it costs", "", f"Among {many:,} supports, one thread, {cpu}, commit {costs['commit']}, load average "
            f"{load} on {cores} cores (where that is above the cores, the clock shows waiting that the CPU's time does not).", "",
            "| | CPU ms, median | p95 | ms by the clock, median |", "|---|---|---|---|",
            *(f"| {title} | {costs[name]['cpu_ms_median']} | {costs[name]['cpu_ms_p95']} | {costs[name]['ms_median']} |"
              for name, title in named.items()), "",
            f"The index takes {costs['index_mb']} MB of memory for them, and about {filling:.0f} s to fill at the start. All of "
            "it grows linearly. Supports of one process of citizens are looked up among that process's own, so each process may "
            "have an index of its own. "
            f"On paper, {ALL:,} in one process: {factor * costs['index_mb'] / 1024:.0f} GB and "
            f"{factor * costs['all']['cpu_ms_median']:.0f} ms on one core, or as many indexes as cores, each with its part of "
            f"the rows and all asked at once: {ALL // many} of this size answer in the time above. Neither is built: there is "
            "one index."]

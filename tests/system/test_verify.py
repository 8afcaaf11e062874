"""`apoyo verify` on drawn supports, as a person and as a program would run it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.specimens import CASES, SUBJECTS, VERDICTS
from tests.unit.test_result import CHECKS, KEYS

ROOT = Path(__file__).resolve().parents[2]


def apoyo(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-m", "pipeline.cli.main", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def answers(cases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All cases in one run, with a broken folder between them."""
    broken = tmp_path_factory.mktemp("broken") / "0099-broken-X"
    shutil.copytree(cases["good"], broken)
    (broken / "support.json").write_text('{"proces": "demo"}')
    empty = broken.parent / "0098-empty-X"
    empty.mkdir()
    seen = broken.parent / "seen"
    folders = [broken, empty, *cases.values()]
    lines = apoyo("verify", *folders, "--jsonl", "--overlays", seen).stdout.splitlines()
    assert len(lines) == len(folders)
    found = {Path(answer["source"]).name.split("-")[1]: answer for answer in map(json.loads, lines)}
    return {**found, "seen": seen}


@pytest.mark.parametrize("case", CASES)
def test_each_case_gets_its_verdict(answers: dict[str, Any], case: str) -> None:
    answer = answers[case]
    assert answer["verdict"] == VERDICTS[case], answer["reasons"]
    if case in SUBJECTS:
        assert SUBJECTS[case] in {reason["subject"] for reason in answer["reasons"]}


def test_the_whole_resource_is_there(answers: dict[str, Any]) -> None:
    good = answers["good"]
    assert set(good) >= KEYS
    assert [check["name"] for check in good["checks"]] and {check["name"] for check in good["checks"]} == set(CHECKS)
    assert set(good["networks"]) >= {"locator", "face_detector", "face_recogniser", "mrz_reader", "field_reader"}


def test_evidence_agrees_with_the_truth(answers: dict[str, Any], cases: dict[str, Path]) -> None:
    truth, good = json.loads((cases["good"] / "truth.json").read_text()), answers["good"]
    assert truth["model"] in good["card"]["candidates"]
    assert good["mrz"]["lines"] == truth["mrz"] and good["mrz"]["valid"]
    small = next(code for code in truth["codes"] if code["role"] == "small")
    assert small["text"] in [code["text"] for code in good["codes"]]
    assert good["fields"]["cic"]["value"] == truth["fields"]["cic"]
    for name in ("front", "back"):
        apart = [abs(a - b) for want, got in zip(truth[name]["corners"], good["card"][name]["corners"], strict=True)
                 for a, b in zip(want, got, strict=True)]
        assert max(apart) < 20


def test_a_fault_of_one_support_stops_no_other(answers: dict[str, Any]) -> None:
    assert answers["broken"]["error"]["code"] == "bad_support_info"
    assert "proces" in answers["broken"]["error"]["detail"]
    assert answers["empty"]["verdict"] == "retake"
    assert {reason["code"] for reason in answers["empty"]["reasons"]} >= {"front.unreadable_file", "signature.unreadable_file"}


def test_overlays_are_drawn(answers: dict[str, Any]) -> None:
    drawn = {path.name for path in (answers["seen"] / Path(answers["good"]["source"]).name).iterdir()}
    assert drawn == {"front.jpg", "back.jpg", "selfie.jpg"}


def test_a_table_for_people(cases: dict[str, Path]) -> None:
    shown = apoyo("verify", cases["no_signature"]).stdout
    assert "retake" in shown and "Falta tu firma" in shown.replace("\n", " ")


@pytest.mark.parametrize(("arguments", "says"), [
    (("verify", "/nowhere"), "/nowhere"),
    (("verify", ".", "--process", "other"), "other"),
    (("verify", ".", "--as-of", "tomorrow"), "2026-11-24"),
    (("verify",), "Missing argument"),
    (("verify", ".", "--colour"), "No such option"),
])
def test_unusable_arguments_exit_with_2(arguments: tuple[str, ...], says: str) -> None:
    assert says in apoyo(*arguments, code=2).stderr


def test_another_day_another_verdict(cases: dict[str, Path]) -> None:
    later = json.loads(apoyo("verify", cases["good"], "--jsonl", "--as-of", "2050-01-01").stdout)
    assert (later["verdict"], later["as_of"]) == ("rejected", "2050-01-01")
    assert {reason["code"] for reason in later["reasons"]} == {"support.expired"}


def test_copies_are_looked_for_among_the_folders_before(cases: dict[str, Path]) -> None:
    """The good one again is a copy of all it holds, and of nobody else's."""
    lines = apoyo("verify", "--reuse", "--jsonl", cases["good"], cases["no_credential"], cases["good"]).stdout.splitlines()
    first, other, again = map(json.loads, lines)
    assert (first["verdict"], again["verdict"]) == ("accepted", "review")
    assert {reason["code"] for reason in again["reasons"]} == {"reuse.image", "reuse.card", "reuse.signature"}
    assert not any(reason["code"].startswith("reuse.") for reason in other["reasons"])

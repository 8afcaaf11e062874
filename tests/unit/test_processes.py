"""Processes as data: what an operator writes, and what is said of a mistake."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.card_model import CardModel
from pipeline.domain.process import DEMO_PROCESS
from pipeline.domain.verdict import CheckName
from pipeline.errors import Misconfigured
from pipeline.records.processes import known_processes


def written(folder: Path, value: Any) -> Path:
    file = folder / "processes.json"
    file.write_text(value if isinstance(value, str) else json.dumps(value))
    return file


def test_without_a_file_only_demo_is_known() -> None:
    assert known_processes(None) == {"demo": DEMO_PROCESS}


def test_a_process_is_read_and_what_it_leaves_out_is_as_in_demo(tmp_path: Path) -> None:
    process = known_processes(written(tmp_path, [{
        "id": "edomex-2027", "version": "3", "states": ["15"], "accepted_models": ["H"], "required": ["curp"],
        "extensions": [{"expiry_year": 2026, "valid_until": "2027-06-30"}]}]))["edomex-2027"]
    assert (process.states, process.accepted_models, process.required) == ({"15"}, {CardModel.H}, {CheckName.CURP})
    assert process.valid_until(2026, "15") == date(2027, 6, 30)
    assert process.e_f_issued_from == DEMO_PROCESS.e_f_issued_from


@pytest.mark.parametrize(("value", "said"), [
    ("{", "processes.json"), ({"id": "x"}, "list"), ([{"id": "x"}], "0.version"), ([{"id": "X y", "version": "1"}], "0.id"),
    ([{"id": "x", "version": "1", "stetes": []}], "0.stetes"),
    ([{"id": "x", "version": "1", "required": ["moon"]}], "0.required")])
def test_a_mistake_is_named(tmp_path: Path, value: Any, said: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        known_processes(written(tmp_path, value))
    assert said in caught.value.detail


def test_a_file_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        known_processes(tmp_path / "none.json")

"""The short form of `make chaos`: real processes, faults of every kind beside a load, an outside checker; and bugs that it must catch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.chaos import faults
from benchmarks.chaos.board import lost_cache, mutant, under_faults
from benchmarks.chaos.clocks import can_be_turned
from benchmarks.chaos.load import Plan
from benchmarks.chaos.places import Embedded, empty_place
from benchmarks.chaos.report import write_report
from pipeline.blobs import files

pytestmark = pytest.mark.system
SECONDS = 32.0
"""Each fault has its turn."""


@pytest.mark.timeout(240)
def test_nothing_is_lost_doubled_or_mixed_under_faults_of_every_kind(tmp_path: Path) -> None:
    with empty_place(None, keep=tmp_path / "mixed") as place:
        result = under_faults("mixed", place, Plan(15.0, SECONDS, seed=1, poisons=("segv", "memory"), rounds=True), faults.MIXED[Embedded.pair])
    page = write_report(tmp_path, [result], "test")
    assert result.wrong == (), result.figures
    assert result.outcome is not None
    assert result.outcome.report.acked > 100
    assert "| mixed | sqlite+folder | yes |" in page.read_text()
    assert "<svg" in (tmp_path / "mixed-sqlite+folder.svg").read_text()


@pytest.mark.skipif(not can_be_turned(), reason="needs a C compiler (Debian's packages gcc and libc6-dev)")
def test_nothing_is_lost_or_doubled_while_the_machine_s_clock_is_set_forward_and_back_and_stands(tmp_path: Path) -> None:
    with empty_place(None, keep=tmp_path / "clocks") as place:
        result = under_faults("clocks", place, Plan(15.0, 5.0, seed=2, rounds=True), (faults.turn_clocks,), window=2.5, clocks=True)
    assert result.wrong == (), result.figures
    assert result.outcome is not None
    assert {fired for fired in result.outcome.fired if fired.startswith("turn_clocks")} == {
        "turn_clocks +3600 s", "turn_clocks -3600 s", "turn_clocks +86400 s", "turn_clocks -86400 s", "turn_clocks stopped"}
    assert result.outcome.report.acked > 100


@pytest.mark.parametrize("name", ["ack_before_commit", "forget_the_key"])
def test_a_deliberate_bug_is_caught(tmp_path: Path, name: str) -> None:
    with empty_place(None, keep=tmp_path / name) as place:
        result = mutant(name, place, 5.0)
    assert result.wrong == (), result.figures


def test_nothing_acknowledged_rests_in_a_cache_that_power_failure_empties(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = lost_cache(Embedded(tmp_path / "sound"), 5)
    assert (result.wrong, result.figures["acknowledged"]) == ((), 5)
    monkeypatch.setattr("pipeline.blobs.files.sync_folder", lambda _path: None)
    assert lost_cache(Embedded(tmp_path / "names"), 2).figures["lost"] == 10, "no name was flushed"
    monkeypatch.undo()
    monkeypatch.setattr("pipeline.blobs.folder.put_files_if_absent", named_but_not_flushed)
    assert lost_cache(Embedded(tmp_path / "bytes"), 2).figures["lost"] == 10, "no bytes were flushed"


def named_but_not_flushed(wanted: Mapping[Path, bytes]) -> bool:
    for path, data in wanted.items():
        files.make_folders(path.parent)
        beside = path.with_suffix(".beside")
        beside.write_bytes(data)
        os.link(beside, path)
        files.sync_folder(path.parent)
    return True

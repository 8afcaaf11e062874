"""Digests of what judges: the same for the same, another for a changed line or threshold, and in every result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.registry import load_calibration
from pipeline.domain.calibration import Calibration
from pipeline.versions import code_digest, versions


def tree(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        file = folder / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def test_a_tree_is_its_modules_wherever_it_lies(tmp_path: Path) -> None:
    first, again = tree(tmp_path / "a", one="x = 1\n", sub__two="y = 2\n"), tree(tmp_path / "b", sub__two="y = 2\n", one="x = 1\n")
    (again / "notes.txt").write_text("no code")
    (again / "__pycache__").mkdir()
    assert code_digest(first) == code_digest(again)


@pytest.mark.parametrize("files", [
    {"one": "x = 2\n", "sub__two": "y = 2\n"}, {"one": "x = 1\n"}, {"one": "x = 1\n", "two": "y = 2\n"},
    {"one": "x = 1\ny = 2\n", "sub__two": ""}, {"one": "y = 2\n", "sub__two": "x = 1\n"}])
def test_another_one_is_another(tmp_path: Path, files: dict[str, str]) -> None:
    first = tree(tmp_path / "a", one="x = 1\n", sub__two="y = 2\n")
    assert code_digest(first) != code_digest(tree(tmp_path / "b", **files))


def test_thresholds_are_told_by_their_values_alone() -> None:
    calibration = load_calibration()
    name, threshold = next(iter(calibration.thresholds.items()))
    changed = Calibration({**calibration.thresholds, name: replace(threshold, value=threshold.value + 1)})
    reworded = Calibration(dict(reversed({**calibration.thresholds, name: replace(threshold, source="told otherwise")}.items())))
    assert versions(changed)["thresholds"] != versions(calibration)["thresholds"] == versions(reworded)["thresholds"]
    assert versions(changed)["code"] == versions(calibration)["code"] == code_digest()

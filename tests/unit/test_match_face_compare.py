"""`apoyo compare-faces`: its answers a pair, and what a bad file does to the others (nothing)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from models.registry import load_calibration, weight_path
from pipeline.cli.compare_faces import compare_faces_command, judge, read_pairs
from pipeline.domain.evidence import FaceFound

APP = typer.Typer()
APP.command()(compare_faces_command)


def run(*arguments: object) -> tuple[int, list[dict]]:
    result = CliRunner().invoke(APP, [str(argument) for argument in arguments])
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


GOOD = FaceFound((0, 0, 10, 10), 0.9, 100.0, 0.3, 0.5, 0.0)


@pytest.mark.parametrize(("similarity", "changes", "wanted"), [
    (0.9, {}, "match"), (0.9, {"eyes_px": 5.0}, "match"), (-0.1, {}, "no_match"), (-0.1, {"eyes_px": 5.0}, "uncertain"),
    (-0.1, {"yaw": 0.98}, "uncertain"), (-0.1, {"yaw": -0.98}, "uncertain"), (-0.1, {"sharpness": 0.001}, "uncertain"),
    (-0.1, {"brightness": 0.01}, "uncertain"), (-0.1, {"brightness": 0.99}, "uncertain")])
def test_judge(similarity: float, changes: dict[str, float], wanted: str) -> None:
    """One poor face is enough to say uncertain; a likeness stands however poor."""
    assert judge(similarity, [GOOD, replace(GOOD, **changes)], load_calibration()) == wanted


def test_between_the_thresholds_is_uncertain() -> None:
    calibration = load_calibration()
    assert calibration["face.no_match"] < calibration["face.match"]
    middle = (calibration["face.no_match"] + calibration["face.match"]) / 2
    assert judge(middle, [GOOD], calibration) == "uncertain"
    assert judge(calibration["face.match"], [GOOD], calibration) == "match"
    assert judge(calibration["face.no_match"], [GOOD], calibration) == "uncertain"


@pytest.mark.parametrize(("b", "wanted"), [("person_a_2", "match"), ("impostor_1", "no_match")])
def test_two_files(b: str, wanted: str) -> None:
    a, other = weight_path("portrait_person_a_1"), weight_path(f"portrait_{b}")
    code, (answer,) = run(a, other, "--jsonl")
    assert code == 0
    assert answer["outcome"] == wanted
    assert (answer["a"], answer["b"]) == (str(a), str(other))
    assert (answer["similarity"] >= answer["threshold"]) is (wanted == "match")
    assert answer["quality"]["a"]["faces"] == 1
    assert answer["quality"]["b"]["eyes_px"] > 18
    result = CliRunner().invoke(APP, [str(a), str(other)])
    assert f": {wanted} (similarity " in result.stdout


def test_pairs_go_on_after_a_bad_file(tmp_path: Path) -> None:
    for name in ("person_b_1", "person_b_2"):
        (tmp_path / f"{name}.jpg").write_bytes(weight_path(f"portrait_{name}").read_bytes())
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "pairs.csv").write_text(
        "a,b,same\nperson_b_1.jpg,text.jpg,0\nabsent.jpg,person_b_1.jpg,0\nperson_b_1.jpg,person_b_2.jpg,1\n"
    )
    code, answers = run("--pairs", tmp_path / "pairs.csv", "--jsonl")
    assert code == 0
    assert [answer["outcome"] for answer in answers] == [None, None, "match"]
    assert [answer.get("error", {}).get("code") for answer in answers] == ["bad_picture.format", "unreadable_file", None]
    assert answers[0]["error"]["detail"].startswith("b: ")
    assert answers[0]["quality"]["a"] is not None
    assert answers[0]["quality"]["b"] is None
    assert all(set(answer) >= {"a", "b", "similarity", "threshold", "outcome", "quality"} for answer in answers)


@pytest.mark.parametrize("arguments", [[], ["one.jpg"], ["--pairs", "absent.csv"], ["a.jpg", "b.jpg", "--pairs", "absent.csv"]])
def test_unusable_arguments_exit_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(APP, arguments).exit_code == 2


def test_paths_beside_the_table_come_first_then_one_folder_up(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    (folder / "x.jpg").touch()
    (folder / "y.jpg").touch()
    (folder / "pairs.csv").write_text("a,b\nx.jpg,faces/y.jpg\n")
    ((name_a, name_b, a, b),) = read_pairs(folder / "pairs.csv")
    assert (name_a, name_b) == ("x.jpg", "faces/y.jpg")
    assert a == folder.resolve() / "x.jpg"
    assert b == tmp_path.resolve() / "faces" / "y.jpg"

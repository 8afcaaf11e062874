"""`apoyo calibrate presentation` on photographs of one drawn card and its copies: counts, a file that loads, clear refusals."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from models.registry import load_calibration, read_calibration
from models.specimens.camera import Defect, Severity, photograph
from models.specimens.card import CardSpec, draw_card
from models.specimens.faces import load_faces
from models.specimens.people import invent_person
from pipeline.cli.calibrate_presentation import FEWEST, NAME
from pipeline.cli.main import app
from pipeline.domain.card_model import CardModel
from pipeline.errors import BadInput

pytestmark = pytest.mark.system


def photographs(out: Path, counts: dict[str, tuple[Defect | None, int]]) -> Path:
    """That many easy photographs of a drawn front in each folder."""
    person = invent_person(random.Random(6), "astronaut", adult_by=2013, abroad=False)
    front = draw_card(CardSpec(CardModel.G, person, 2022, 2032, 6), load_faces()[0].portrait()).front.image
    for name, (defect, count) in counts.items():
        (out / name).mkdir(parents=True)
        for number in range(count):
            shot = photograph(front, np.random.default_rng([6, number]), Severity.EASY, long_side=2000, defect=defect)
            (out / name / f"{number}.jpg").write_bytes(shot.jpeg)
    return out


def test_a_threshold_is_set_by_own_photographs(tmp_path: Path) -> None:
    folder = photographs(tmp_path / "own", {"genuine": (None, FEWEST), "photocopy": (Defect.PHOTOCOPY, 2), "screen": (Defect.SCREEN, 2)})
    (folder / "genuine" / "nothing.jpg").write_bytes(photograph(None, np.random.default_rng(1), Severity.EASY, long_side=2000,
                                                                defect=Defect.NO_CARD).jpeg)
    out = tmp_path / "fitted" / "presentation.json"
    out.parent.mkdir()
    answer = CliRunner().invoke(app, ["calibrate", "presentation", str(folder), "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    fitted = read_calibration(out.parent)
    assert set(fitted.thresholds) == {name for name in load_calibration().thresholds if name.startswith("presentation.")}
    assert 0.5 <= fitted[NAME] <= 1 and f"0/{FEWEST}" in fitted.thresholds[NAME].source
    assert "photocopy missed 0/2" in fitted.thresholds[NAME].source and "colour_copy" not in fitted.thresholds[NAME].source

    again = CliRunner().invoke(app, ["calibrate", "presentation", str(folder), "--out", str(out)])
    assert isinstance(again.exception, BadInput) and "is there already" in str(again.exception)
    assert json.loads(out.read_text())[NAME]["value"] == fitted[NAME]


@pytest.mark.parametrize(("folders", "said"), [
    ({}, "no such folder"),
    ({"genuine": 3}, f"holds 3 photographs: a threshold needs {FEWEST}"),
    ({"screen": 30}, f"holds 0 photographs: a threshold needs {FEWEST}"),
    ({"genuine": 30, "fotocopia": 2}, "'fotocopia': there are genuine, photocopy, colour_copy, screen"),
    ({"genuine": 30}, "only 0 of 30 genuine photographs show a side"),
])
def test_what_cannot_serve_is_refused_with_what_would(tmp_path: Path, folders: dict[str, int], said: str) -> None:
    for name, count in folders.items():
        (tmp_path / "own" / name).mkdir(parents=True)
        for number in range(count):
            (tmp_path / "own" / name / f"{number}.jpg").write_bytes(b"no picture")
    answer = CliRunner().invoke(app, ["calibrate", "presentation", str(tmp_path / "own")])
    assert isinstance(answer.exception, BadInput) and said in str(answer.exception)

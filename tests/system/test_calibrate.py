"""`apoyo calibrate templates` on drawn cards: the fitted places are those that were drawn, and no file is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.registry import read_templates
from models.specimens.camera import Severity
from models.specimens.layout import load_layout
from models.specimens.make import Order, draw_all
from pipeline.cli.main import app
from pipeline.domain.card_model import CardModel
from pipeline.domain.template import Certainty
from pipeline.errors import BadInput

pytestmark = pytest.mark.system


def test_templates_are_fitted_to_drawn_cards(tmp_path: Path) -> None:
    """Five cards of model G, each with its print 0.2 mm off at random. Expected: the drawing's own layout."""
    orders = [Order(index, 4_300, Severity.EASY, "good", CardModel.G, 2000) for index in range(5)]
    folders = [str(folder) for folder in draw_all(tmp_path / "cards", orders, 2)]
    out = tmp_path / "fitted"
    answer = CliRunner().invoke(app, ["calibrate", "templates", *folders, "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    back = next(one for one in read_templates(out) if one.name == "gh_back")
    places = load_layout(CardModel.G)[1].places
    for name in ("small_qr", "large_left", "large_right"):
        element = back.element(name)
        assert element is not None and element.certainty is Certainty.FITTED
        x, y, size = *places[name]["at"], places[name]["size"]
        assert element.box == pytest.approx((x, y, x + size, y + size), abs=0.7)

    before = {path.name: path.read_bytes() for path in out.iterdir()}
    again = CliRunner().invoke(app, ["calibrate", "templates", *folders, "--out", str(out)])
    assert isinstance(again.exception, BadInput)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before

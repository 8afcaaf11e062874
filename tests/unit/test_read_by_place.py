"""Values without labels. Expected values: what was put on the card, where the template of models E says that it stands."""

from __future__ import annotations

import pytest

from models.registry import load_templates
from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.evidence import BoxMm
from pipeline.domain.template import ElementKind
from pipeline.stages.read_by_place import AT_MOST, with_values_by_place
from pipeline.stages.read_front import FrontText, interpret
from pipeline.stages.read_lines import ReadLine
from pipeline.stages.register import Anchor, Fit, fit_template

TEMPLATE = next(one for one in load_templates() if CardModel.E in one.models and one.side is Side.FRONT)
VALUES = {"sex": "H", "section": "2150", "registration_year": "2013 01", "issue_year": "2018", "expiry_year": "2028"}
WANTED = {"sex": "H", "section": "2150", "registration_year": "2013", "issue_number": "01", "issue_year": "2018",
          "expiry_year": "2028"}


def fit(anchors: int = 8, shift: tuple[float, float] = (0.0, 0.0)) -> Fit:
    """The template on a card whose headings and labels stand `shift` millimetres off."""
    signs = [one for one in TEMPLATE.elements if one.texts and one.kind in (ElementKind.LABEL, ElementKind.HEADING)][:anchors]
    return fit_template([Anchor(one.kind, one.texts[0], moved(one.box, shift)) for one in signs], TEMPLATE)


def moved(box: BoxMm, by: tuple[float, float]) -> BoxMm:
    return box[0] + by[0], box[1] + by[1], box[2] + by[0], box[3] + by[1]


def line(name: str, text: str | None = None, off: tuple[float, float] = (0.0, 0.0), confidence: float = 0.98) -> ReadLine:
    element = TEMPLATE.element(name)
    assert element is not None
    return ReadLine(text or VALUES[name], confidence, moved(element.box, off))


def read(lines: list[ReadLine], on: Fit | None = None) -> dict[str, str]:
    text: FrontText = with_values_by_place(interpret(lines, 0.05), on or fit())
    return {name: found[0].value for name, found in text.readings.items()}


@pytest.mark.parametrize("off", [(0.0, 0.0), (1.2, -0.8), (-2.0, 1.0)])
def test_values_whose_labels_were_lost_are_taken_where_they_stand_and_are_never_sure(off: tuple[float, float]) -> None:
    text = with_values_by_place(interpret([line(name, off=off) for name in VALUES], 0.05), fit(shift=off))
    assert {name: found[0].value for name, found in text.readings.items()} == WANTED
    placed = [name for name in ("sex", "section", "registration_year") if name not in interpret([line(name)], 0.05).readings]
    assert placed and all(text.readings[name][0].confidence == AT_MOST for name in placed)


@pytest.mark.parametrize(("lines", "wanted"), [
    ([line("section", "21S0")], {"section": "2150"}),
    ([line("section", "SECCION")], {}),
    ([line("section", "21507")], {}),
    ([line("section", off=(4.0, 0.0))], {}),
    ([line("section", off=(0.0, -3.5))], {}),
    ([line("section", confidence=0.3)], {}),
    ([line("section", "7777", off=(2.5, 0.5)), line("section")], {"section": "2150"}),
    ([line("issue_year")], {"issue_year": "2018"}),
    ([line("expiry_year")], {"expiry_year": "2028"}),
    ([line("sex", "M")], {"sex": "M"}),
    ([line("sex", "W")], {}),
    ([line("registration_year", "2013")], {}),
], ids=["look-alike", "letters", "too long", "too far right", "another row", "hardly read", "two: the nearer", "issued", "valid", "M", "no sex", "half"])
def test_shape_and_place_decide(lines: list[ReadLine], wanted: dict[str, str]) -> None:
    assert read(lines) == wanted


def test_what_was_read_beside_its_label_stays() -> None:
    label, place = TEMPLATE.element("label.section"), TEMPLATE.element("section")
    assert label is not None and place is not None
    beside = ReadLine("9999", 0.97, moved(place.box, (0.0, 0.0)))
    text = interpret([ReadLine("SECCIÓN", 0.99, label.box), beside, line("sex")], 0.05)
    found = with_values_by_place(text, fit()).readings
    assert (found["section"][0].value, found["section"][0].confidence) == ("9999", 0.97)
    assert found["sex"][0].value == "H"


@pytest.mark.parametrize("on", [None, 0, 2], ids=["no template", "no anchor", "two anchors"])
def test_without_a_registered_template_nothing_is_added(on: int | None) -> None:
    text = interpret([line("section")], 0.05)
    assert with_values_by_place(text, None if on is None else fit(on)) is text

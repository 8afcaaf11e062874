"""Both sides against the templates: the same side twice and two models are named, and are doubts at most."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.registry import load_templates
from pipeline.decide import decide
from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.evidence import (
    Alignment,
    CodeStatus,
    FaceEvidence,
    FieldReading,
    MrzEvidence,
    PhotoEvidence,
    SidesFault,
    Sighting,
    Symbology,
)
from pipeline.domain.template import ElementKind, Template
from pipeline.domain.verdict import CheckName
from pipeline.stages.align_sides import AlignedSides, align_sides
from pipeline.stages.read_codes import CardCode
from pipeline.stages.read_front import FrontText
from tests.unit.good_support import FRONT, LINES, context, front_readings, good_support

NOBODY = FaceEvidence(None, None, None, 0, None, None)
E, G, H = CardModel.E, CardModel.G, CardModel.H


def template_of(name: str) -> Template:
    return next(one for one in load_templates() if one.name == name)


def text_of(name: str) -> FrontText:
    """A front on which everything stands where the template says."""
    elements = template_of(name).elements
    places = tuple((one.texts[0], None if one.kind is ElementKind.HEADING else one.name, one.box) for one in elements if one.texts)
    readings = {one.name: (FieldReading("X", 0.9, "front", one.box),) for one in elements if one.kind is ElementKind.FIELD}
    return FrontText((), readings, frozenset(text for text, _, _ in places), places)


def codes_of(name: str) -> tuple[CardCode, ...]:
    codes = []
    for element in template_of(name).elements:
        if element.role is not None:
            x0, y0, x1, y1 = (edge * 20 for edge in element.box)
            corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
            codes.append(CardCode(Symbology.QR, element.role, CodeStatus.CONSISTENT, corners, None, b"x", None, 1))
    return tuple(codes)


def mrz_of(name: str) -> MrzEvidence:
    band = template_of(name).element("mrz")
    assert band is not None
    return MrzEvidence(LINES, True, 0.99, 0, "mrz_reader", band.box)


def shown(front: Side | None, back: Side | None) -> dict[Side, PhotoEvidence]:
    return {Side.FRONT: PhotoEvidence(Sighting.FOUND, front), Side.BACK: PhotoEvidence(Sighting.FOUND, back)}


def aligned(front: str | None, back: str | None, photos: dict[Side, PhotoEvidence] | None = None) -> AlignedSides:
    return align_sides(photos or shown(Side.FRONT, Side.BACK), text_of(front) if front else None, NOBODY,
                       codes_of(back) if back else None, mrz_of(back) if back else None, load_templates())


@pytest.mark.parametrize(("front", "back", "faults"), [
    ("e_front", "e_back", ()), ("gh_front", "gh_back", ()), ("f_front", "e_back", ()), ("d_front", "d_back", ()),
    ("gh_front", "e_back", (SidesFault.TWO_MODELS,)), ("e_front", "gh_back", (SidesFault.TWO_MODELS,)),
    ("d_front", "gh_back", (SidesFault.TWO_MODELS,)), ("e_front", None, ()), (None, "gh_back", ()), (None, None, ()),
])
def test_two_models_are_named(front: str | None, back: str | None, faults: tuple[SidesFault, ...]) -> None:
    found = aligned(front, back)
    assert found.evidence.faults == faults
    assert (found.evidence.front_models == ()) == (front is None)
    assert (found.evidence.back_models == ()) == (back is None)


@pytest.mark.parametrize(("first", "second", "twice"), [
    (Side.FRONT, Side.FRONT, True), (Side.BACK, Side.BACK, True), (Side.FRONT, Side.BACK, False), (Side.BACK, Side.FRONT, False),
    (None, None, False), (Side.FRONT, None, False)])
def test_the_same_side_twice_is_named(first: Side | None, second: Side | None, twice: bool) -> None:
    assert (SidesFault.SAME_SIDE_TWICE in aligned("e_front", None, shown(first, second)).evidence.faults) == twice


@pytest.mark.parametrize(("kept", "outcome"), [
    (("birth_date", "sex"), "uncertain"), (("birth_date", "sex", "expiry_year"), "uncertain"),
    (("birth_date", "sex", "expiry_year", "section"), "passed"), (tuple(FRONT), "passed")])
def test_two_layouts_are_a_doubt_that_agreeing_values_outweigh(kept: tuple[str, ...], outcome: str) -> None:
    front = {name: value for name, value in front_readings().items() if name in kept}
    evidence = good_support(front)
    alone = decide(evidence, context()).check(CheckName.SAME_CARD)
    two = replace(evidence, card=replace(evidence.card, alignment=Alignment((E,), (G, H), (SidesFault.TWO_MODELS,))))
    check = decide(two, context()).check(CheckName.SAME_CARD)
    assert (alone.outcome, check.outcome) == ("passed", outcome)


def test_each_side_says_which_models_its_layout_leaves() -> None:
    found = aligned("gh_front", "e_back").layouts
    assert set(found[Side.FRONT]) == {G, H} and E in found[Side.BACK] and not {G, H} & set(found[Side.BACK])

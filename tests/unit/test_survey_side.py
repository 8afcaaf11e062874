"""Side and direction: codes, faces and the machine-readable zone each tell; the witnesses that read pictures stand in here."""

from __future__ import annotations

import numpy as np
import pytest

from models.registry import load_calibration
from pipeline.domain.card_model import Side
from pipeline.domain.evidence import CodeRole
from pipeline.networks.card_model import KINDS
from pipeline.stages import survey_side as stage
from pipeline.stages.rectify import as_grey
from pipeline.stages.survey_side import survey_by_look, survey_side, turned
from tests.unit.drawn_backs import SMALL_TEXT, back_e, back_g, blank, paste, qr

CALIBRATION = load_calibration()


class NoNetworks:
    """Whatever is asked of a network in these tests is a fault: the face witness is replaced."""

    def run(self, name, batch):
        assert name == "code_restorer", name
        return (batch,)

    def digests(self):
        return {}


@pytest.fixture
def seen(monkeypatch):
    """What stands on the card and in which direction: a mark in the corner makes the face or the zone."""
    calls: list[str] = []

    def has(card, level):
        return abs(int(np.asarray(card)[5:25, 5:25].mean()) - level) < 8

    def face(card, networks):
        calls.append("face")
        return 0.93 if has(card, 100) else 0.65 if has(card, 60) else 0.1

    def zone(grey):
        calls.append("mrz")
        return object() if has(grey, 30) else None

    monkeypatch.setattr(stage, "portrait_score", face)
    monkeypatch.setattr(stage, "find_mrz_band", zone)
    return calls


def marked(level, card=None):
    card = blank() if card is None else card
    card[:40, :40] = level
    return card


def survey(card, hint):
    return survey_side(card, NoNetworks(), CALIBRATION, hint)


@pytest.mark.parametrize("hint", list(Side))
@pytest.mark.parametrize("turn", [False, True])
@pytest.mark.parametrize(("card", "side", "roles"), [
    (back_g(), Side.BACK, {CodeRole.LARGE_LEFT, CodeRole.LARGE_RIGHT, CodeRole.SMALL, CodeRole.LINEAR}),
    (back_e(), Side.BACK, {CodeRole.PDF417, CodeRole.SMALL, CodeRole.LINEAR}),
    (marked(100), Side.FRONT, set()),
    (marked(60), Side.FRONT, set()),
    (marked(30), Side.BACK, set()),
    (marked(100, back_g()), Side.BACK, {CodeRole.LARGE_LEFT, CodeRole.LARGE_RIGHT, CodeRole.SMALL, CodeRole.LINEAR}),
], ids=["G back", "E back", "front", "pale front", "back without codes", "back with a photo"])
def test_sides(seen, card, side, roles, turn, hint):
    found = survey(turned(card) if turn else card, hint)
    assert (found.side, found.half_turn) == (side, turn)
    assert np.array_equal(found.upright, card)
    assert {code.role for code in found.codes} == roles
    assert all(not code.upside_down for code in found.codes)
    assert 0.6 <= found.confidence <= 1


@pytest.mark.parametrize("hint", list(Side))
def test_nothing_tells_nothing(seen, hint):
    card = blank()
    found = survey(card, hint)
    assert (found.side, found.half_turn, found.confidence, found.codes) == (None, False, 0.0, ())
    assert found.upright is card


def test_the_usual_case_asks_least(seen):
    survey(back_g(), Side.BACK)
    assert seen == []
    survey(marked(100), Side.FRONT)
    assert seen == ["face"]


def test_codes_that_read_both_ways_are_unsure(seen):
    card = blank()
    paste(card, qr(SMALL_TEXT, 15), 10, 10)
    paste(card, turned(qr(SMALL_TEXT.replace("/P/", "/X/"), 15)), 50, 10)
    assert survey(card, Side.BACK).confidence == 0.5


class Looking:
    """A network that takes every card for one kind."""

    def __init__(self, name, upright):
        self.answer = np.array([[kind.name == name for kind in KINDS]], np.float32), np.array([upright], np.float32)

    def run(self, name, batch):
        if name == "code_restorer":
            return (batch,)
        assert name == "card_model"
        return self.answer

    def digests(self):
        return {}


@pytest.mark.parametrize(("name", "upright", "side", "half_turn"), [
    ("front_gh", 1.0, Side.FRONT, False), ("front_old", 0.0, Side.FRONT, True), ("back_d", 0.0, Side.BACK, True),
    ("back_d", 0.6, None, False), ("other_document", 1.0, None, False), ("not_a_card", 1.0, None, False),
])
def test_the_look_is_the_last_resort(name, upright, side, half_turn):
    card = np.repeat(blank()[..., None], 3, axis=2)
    card[:50] = 200
    found = survey_by_look(card, as_grey(card), Looking(name, upright), CALIBRATION)
    assert (found.side, found.half_turn) == (side, half_turn)
    assert np.array_equal(found.upright, turned(card) if half_turn else card)
    assert found.codes == ()
    assert found.confidence == (1.0 if side else 0.0)

"""The front alone: what is refused and in which words; on evidence made by hand, and on drawn captures by the real job."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from models.registry import load_calibration, load_templates
from pipeline.checks.front import judge_front
from pipeline.domain.capture import Capture
from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.context import Context
from pipeline.domain.evidence import Evidence, PhotoEvidence, Sighting
from pipeline.domain.process import DEMO_PROCESS, Extension
from pipeline.domain.reasons import CATALOGUE
from pipeline.domain.support import SupportInfo
from pipeline.domain.verdict import Outcome
from pipeline.verify import examine
from pipeline.wiring import local_networks
from tests.unit.good_support import AS_OF, SHARP, context, front_readings, good_support, side


def front_alone(**readings: str | None) -> Evidence:
    """A good front of model E, and no back."""
    evidence = good_support(front_readings(**readings))
    photos = {Side.FRONT: PhotoEvidence(Sighting.FOUND, Side.FRONT, 1.0, SHARP), Side.BACK: PhotoEvidence(Sighting.UNREADABLE, None)}
    only = {name: tuple(one for one in found if one.source == "front") for name, found in evidence.readings.items()}
    return replace(evidence, mrz=None, codes=(), readings=only, card=replace(evidence.card, back=None, photos=photos))


def photo(sighting: Sighting, shows: Side | None = None) -> Evidence:
    evidence = front_alone()
    seen = PhotoEvidence(sighting, shows, 1.0 if shows else 0.0, SHARP if sighting is Sighting.FOUND else None)
    return replace(evidence, card=replace(evidence.card, front=None, photos={**evidence.card.photos, Side.FRONT: seen}))


def model(*candidates: CardModel, confidence: float = 0.95) -> Evidence:
    evidence = front_alone()
    return replace(evidence, card=replace(evidence.card, model=candidates[0] if candidates else None, candidates=candidates, confidence=confidence))


def quality(evidence: Evidence, **changes: Any) -> Evidence:
    return replace(evidence, card=replace(evidence.card, front=side(Side.FRONT, quality=replace(SHARP, **changes))))


UNREAD: dict[str, Any] = {"paternal_surname": None, "given_names": None, "elector_key": None, "curp": None, "expiry_year": None}


@pytest.mark.parametrize(("evidence", "codes"), [
    (front_alone(), []),
    (photo(Sighting.UNREADABLE), ["front.unreadable_file"]),
    (photo(Sighting.NONE), ["front.no_card"]),
    (photo(Sighting.CUT), ["front.cut"]),
    (photo(Sighting.SEVERAL), ["front.several_cards"]),
    (photo(Sighting.FOUND), ["front.not_a_credential"]),
    (photo(Sighting.FOUND, Side.BACK), ["front.wrong_side"]),
    (model(CardModel.D), ["card.model_without_qr"]),
    (model(CardModel.G, CardModel.H), []),
    (model(CardModel.E, confidence=0.5), []),
    (front_alone(expiry_year="2020", issue_year=None), ["support.expired"]),
    (front_alone(expiry_year=None), []),
    (quality(front_alone(expiry_year=None), sharpness=0.1), ["front.blurred"]),
    (quality(front_alone(), sharpness=0.1), []),
    (quality(front_alone(**UNREAD), brightness=0.05), ["front.dark"]),
    (front_alone(**UNREAD), ["activation.illegible"]),
])
def test_a_front_is_refused_for_what_a_rule_or_the_photo_says(evidence: Evidence, codes: list[str]) -> None:
    """A doubt that no better photo would settle lets pass: the support itself is judged in full."""
    assert [reason.code for reason in judge_front(evidence, context())] == codes


def test_the_process_s_extension_counts() -> None:
    process = replace(DEMO_PROCESS, extensions=(Extension(2020, date(2027, 6, 30)),))
    assert judge_front(front_alone(expiry_year="2020", issue_year="2016"), context(policy=process)) == ()


def test_nobody_is_promised_a_person() -> None:
    """An activation has none: what it says must be something that the citizen can do."""
    for row in ("front.unreadable_file", "front.no_card", "front.cut", "front.several_cards", "front.not_a_credential", "front.wrong_side",
                "front.blurred", "front.glare", "front.covered", "front.dark", "front.too_far", "activation.illegible", "activation.failed",
                "activation.attempts_spent", "card.model_without_qr", "card.model_not_accepted", "support.expired"):
        assert CATALOGUE[row].leads_to is not Outcome.REVIEW
        assert "persona" not in CATALOGUE[row].message


@pytest.mark.parametrize(("case", "part", "codes"), [
    ("good", "front", []), ("model_d", "front", ["card.model_without_qr", "support.expired"]), ("expired", "front", ["support.expired"]),
    ("no_credential", "front", ["front.no_card", "front.not_a_credential"]), ("good", "back", ["front.wrong_side"])])
def test_drawn_fronts_are_told_apart(case: str, part: str, codes: list[str], cases: dict[str, Path]) -> None:
    image = (cases[case] / f"{part}.jpg").read_bytes()
    evidence = examine(Capture(image, None, None, None, SupportInfo()), local_networks(), load_calibration(), load_templates())
    found = [reason.code for reason in judge_front(evidence, Context(SupportInfo(), DEMO_PROCESS, load_calibration(), AS_OF))]
    assert (found == []) == (codes == [])
    assert set(found) <= set(codes)

"""decide() as a table: one change to a good support, and what must follow from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decide import CHECKS, decide
from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.context import RollAnswer
from pipeline.domain.evidence import (
    CodeRole,
    CodeStatus,
    Evidence,
    FieldReading,
    PhotoEvidence,
    Presentation,
    Sighting,
    SignatureKind,
    Symbology,
)
from pipeline.domain.process import DEMO_PROCESS, Extension, Notice, Process
from pipeline.domain.reasons import CATALOGUE
from pipeline.domain.support import SupportInfo
from pipeline.domain.verdict import CheckName, CheckOutcome, Outcome
from tests.unit.good_support import LINES, QR_TEXT, SHARP, calibration, code, context, face, front_readings, good_support, side

Change = Callable[[Evidence], Evidence]


def card(**changes: Any) -> Change:
    return lambda evidence: replace(evidence, card=replace(evidence.card, **changes))


def faces(**changes: Any) -> Change:
    return lambda evidence: replace(evidence, face=face(**changes))


def front(confidence: float = 0.99, **changes: str | None) -> Change:
    return lambda _: good_support(front_readings(confidence, **changes))


def signed(kind: SignatureKind) -> Change:
    return lambda evidence: replace(evidence, signature=replace(evidence.signature, kind=kind))


def no_side(which: Side, photo: PhotoEvidence) -> Change:
    def change(evidence: Evidence) -> Evidence:
        photos = {**evidence.card.photos, which: photo}
        evidence = card(**{which.value: None, "photos": photos})(evidence)
        lost = {"mrz": None, "codes": ()} if which is Side.BACK else {"face": face(portrait=None, ghost=None, similarity=None)}
        return replace(evidence, **lost)
    return change


def soft_back(**quality: float) -> Change:
    """A back whose picture is so poor that MRZ and codes were not read."""
    def change(evidence: Evidence) -> Evidence:
        evidence = card(back=side(Side.BACK, quality=replace(SHARP, **quality)))(evidence)
        return replace(evidence, mrz=None, codes=(), readings=front_readings())
    return change


def copy_of(which: Side, **scores: float | None) -> Change:
    return card(**{which.value: side(which, presentation=replace(Presentation(0.1, 0.1), **scores))})


def other_back(evidence: Evidence) -> Evidence:
    lines = ("IDMEX0000000011<<0000000000001", "9001011M3612314MEX<01<<00001<1", "MUESTRA<PRUEBA<<PERSONA<<<<<<<")
    return good_support(mrz_lines=lines, qr="http://qr.ine.mx/000000000000101000000001/20260102/P/000001")


def swapped(evidence: Evidence) -> Evidence:
    turned = card(front=side(Side.FRONT, capture=Side.BACK), back=side(Side.BACK, capture=Side.FRONT))(evidence)
    return card(photos={Side.FRONT: found(Side.BACK), Side.BACK: found(Side.FRONT)})(turned)


def found(shows: Side | None, **quality: float) -> PhotoEvidence:
    return PhotoEvidence(Sighting.FOUND, shows, 0.9, replace(SHARP, **quality))


def policy(**changes: Any) -> Process:
    return replace(DEMO_PROCESS, **changes)


LAPSED = (LINES[0], "8007050M1812316MEX<02<<12345<6", LINES[2])
foreign = code(CodeRole.FOREIGN, Symbology.QR, "https://example.org", CodeStatus.DECODED)
ACCEPTED, RETAKE, REVIEW, REJECTED = Outcome.ACCEPTED, Outcome.RETAKE, Outcome.REVIEW, Outcome.REJECTED

TABLE: list[tuple[str, Change, Outcome, set[str]]] = [
    ("good", lambda evidence: evidence, ACCEPTED, set()),
    ("front and back swapped", swapped, ACCEPTED, set()),
    ("model D", card(model=CardModel.D, candidates=(CardModel.D,)), REJECTED, {"card.model_without_qr"}),
    ("perhaps model D", card(model=CardModel.D, candidates=(CardModel.D,), confidence=0.5), REVIEW, {"card.model_uncertain"}),
    ("no model", card(model=None, candidates=(), confidence=0.0), REVIEW, {"card.model_unknown"}),
    ("no card in the front photo", no_side(Side.FRONT, PhotoEvidence(Sighting.NONE, None)), RETAKE, {"front.no_card"}),
    ("cut back", no_side(Side.BACK, PhotoEvidence(Sighting.CUT, None)), RETAKE, {"back.cut"}),
    ("two cards", no_side(Side.FRONT, PhotoEvidence(Sighting.SEVERAL, None)), RETAKE, {"front.several_cards"}),
    ("front twice", no_side(Side.BACK, found(Side.FRONT)), RETAKE, {"back.wrong_side"}),
    ("something else than a card", no_side(Side.FRONT, found(None)), RETAKE, {"front.not_a_credential"}),
    ("mush that looks like a front", no_side(Side.BACK, found(Side.FRONT, sharpness=0.1)), RETAKE, {"back.blurred"}),
    ("mush for a back", no_side(Side.BACK, found(None, sharpness=0.1)), RETAKE, {"back.blurred"}),
    ("broken file", no_side(Side.BACK, PhotoEvidence(Sighting.UNREADABLE, None)), RETAKE, {"back.unreadable_file"}),
    ("blurred back", soft_back(sharpness=0.1), RETAKE, {"back.blurred"}),
    ("glare on the back", soft_back(glare=0.4), RETAKE, {"back.glare"}),
    ("dark back", soft_back(brightness=0.05), RETAKE, {"back.dark"}),
    ("far back", soft_back(px_per_mm=4), RETAKE, {"back.too_far"}),
    ("sharp back, not read", soft_back(), REVIEW,
     {"back.unreadable", "qr.unreadable", "mrz.unreadable", "card.sides_unconfirmed"}),
    ("soft but legible back", card(back=side(Side.BACK, quality=replace(SHARP, sharpness=0.1))), ACCEPTED, set()),
    ("other card's back", other_back, REVIEW, {"card.sides_differ", "mrz.front_differs", "support.expiry_doubtful",
                                               "curp.inconsistent", "elector_key.inconsistent"}),
    ("one birth digit edited", front(birth_date="1980-07-06"), REVIEW,
     {"mrz.front_differs", "curp.inconsistent", "elector_key.inconsistent"}),
    ("one birth digit misread", front(0.7, birth_date="1980-07-06"), REVIEW, {"mrz.front_unconfirmed"}),
    ("other CURP", front(curp="GOVM800706MDFMLR07"), REVIEW, {"curp.inconsistent"}),
    ("a digit of the CURP edited", front(curp="GOVM800705MDFMLR08"), REVIEW, {"curp.inconsistent"}),
    ("a digit of the CURP misread", front(0.91, curp="GOVM800705MDFMLR08"), ACCEPTED, set()),
    ("a letter of a name misread", front(given_names="MARGAR1TA"), ACCEPTED, set()),
    ("another name", front(paternal_surname="ROBLES", maternal_surname="ORTIZ", given_names="PEDRO"), REVIEW, {"mrz.front_differs"}),
    ("a name that light tore", front(0.5, maternal_surname="EZ", given_names="ITA ILIO"), REVIEW, {"mrz.front_unconfirmed"}),
    ("no names on the front", front(paternal_surname=None, given_names=None), ACCEPTED, set()),
    ("sex left out, as on a G", front(sex=None), ACCEPTED, set()),
    ("MRZ against itself", lambda e: replace(e, mrz=replace(e.mrz, valid=False)), REVIEW, {"mrz.invalid", "back.unreadable"}),
    ("QR of another card", lambda _: good_support(qr=QR_TEXT.replace("583657717", "583657718").replace("5842", "5843")), REVIEW,
     {"qr.mrz_differs"}),
    ("foreign QR", lambda e: replace(e, codes=(foreign,)), REVIEW, {"qr.foreign", "back.unreadable"}),
    ("expired", lambda _: good_support(front_readings(expiry_year="2018"), LAPSED),
     REJECTED, {"support.expired"}),
    ("E of 2015", front(issue_year="2015"), REJECTED, {"support.expired"}),
    ("other face", faces(similarity=0.05), REVIEW, {"face.no_match"}),
    ("perhaps another face", faces(similarity=0.3), REVIEW, {"face.uncertain"}),
    ("poor portrait", faces(similarity=0.05, portrait=replace(face().portrait, eyes_px=10)), REVIEW, {"face.low_quality"}),
    ("blurred portrait", faces(similarity=0.05, portrait=replace(face().portrait, sharpness=0.01)), REVIEW, {"face.low_quality"}),
    ("turned selfie", faces(similarity=0.05, selfie=replace(face().selfie, yaw=-0.95)), REVIEW, {"face.low_quality"}),
    ("dark selfie", faces(similarity=0.05, selfie=replace(face().selfie, brightness=0.02)), REVIEW, {"face.low_quality"}),
    ("no face in the selfie", faces(selfie=None, selfie_faces=0, similarity=None), RETAKE, {"selfie.no_face"}),
    ("no selfie", faces(selfie=None, selfie_faces=0, similarity=None, selfie_readable=False), RETAKE,
     {"selfie.unreadable_file"}),
    ("two in the selfie", faces(selfie_faces=2), RETAKE, {"selfie.several_faces"}),
    ("no portrait", faces(portrait=None, similarity=None), REVIEW,
     {"face.no_portrait", "front.unreadable"}),
    ("other ghost", faces(ghost_similarity=0.01), REVIEW, {"face.ghost_differs"}),
    ("pale ghost", faces(ghost_similarity=0.2), ACCEPTED, set()),
    ("blank signature", signed(SignatureKind.BLANK), RETAKE, {"signature.missing"}),
    ("a dot", signed(SignatureKind.DOT), RETAKE, {"signature.not_a_signature"}),
    ("a line", signed(SignatureKind.LINE), RETAKE, {"signature.not_a_signature"}),
    ("a scribble", signed(SignatureKind.SCRIBBLE), REVIEW, {"signature.doubtful"}),
    ("pale back behind a coloured front", copy_of(Side.BACK, photocopy=0.9), ACCEPTED, set()),
    ("photocopied front", copy_of(Side.FRONT, photocopy=0.9), REVIEW, {"front.photocopy"}),
    ("screen for a back", copy_of(Side.BACK, screen=0.9), REVIEW, {"back.screen"}),
    ("colour copy of a back behind a coloured front", copy_of(Side.BACK, colour_copy=0.9), REVIEW, {"back.photocopy"}),
    ("half a copy, half a screen", copy_of(Side.FRONT, photocopy=0.0, colour_copy=0.25, screen=0.3), REVIEW, {"front.screen"}),
    ("somewhat like a copy and a screen", copy_of(Side.FRONT, photocopy=0.0, colour_copy=0.2, screen=0.3), ACCEPTED, set()),
    ("a grid over the selfie, which is not required", faces(selfie_screen=0.9), ACCEPTED, set()),
    ("a grid all over a front", copy_of(Side.FRONT, screen=0.2, grid=0.31), REVIEW, {"front.screen"}),
    ("print that is periodic in places", copy_of(Side.FRONT, grid=0.3), ACCEPTED, set()),
    ("nothing measured of a side", copy_of(Side.FRONT, photocopy=None, screen=None), REVIEW, {"support.check_missing"}),
]


@pytest.mark.parametrize(("change", "outcome", "codes"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_decide(change: Change, outcome: Outcome, codes: set[str]) -> None:
    verdict = decide(change(good_support()), context())
    assert (verdict.outcome, {reason.code for reason in verdict.reasons}) == (outcome, codes)


@pytest.mark.parametrize(("changes", "outcome", "codes"), [
    ({"info": SupportInfo(chosen_model=CardModel.G)}, REVIEW, {"card.model_not_as_chosen"}),
    ({"info": SupportInfo(chosen_model=CardModel.E)}, ACCEPTED, set()),
    ({"as_of": date(2028, 12, 31)}, ACCEPTED, set()),
    ({"as_of": date(2029, 1, 1)}, REJECTED, {"support.expired"}),
    ({"as_of": date(2029, 1, 1), "policy": policy(extensions=(Extension(2028, date(2029, 6, 7)),))}, ACCEPTED, set()),
    ({"policy": policy(accepted_models=frozenset({CardModel.G}))}, REJECTED, {"card.model_not_accepted"}),
    ({"policy": policy(sections=frozenset({"0747"}))}, ACCEPTED, set()),
    ({"policy": policy(sections=frozenset({"0001"}))}, REJECTED, {"support.outside_demarcation"}),
    ({"policy": policy(states=frozenset({"09"}), required=frozenset({CheckName.DEMARCATION}))}, REVIEW,
     {"support.demarcation_doubtful"}),
    ({"policy": policy(required=DEMO_PROCESS.required | {CheckName.DEVICE})}, REVIEW, {"support.check_missing"}),
    ({"roll": RollAnswer(False, "not in force")}, REVIEW, {"support.not_in_roll"}),
    ({"roll": RollAnswer(True, "in force")}, ACCEPTED, set()),
])
def test_policy_and_day(changes: dict[str, Any], outcome: Outcome, codes: set[str]) -> None:
    verdict = decide(good_support(), context(**changes))
    assert (verdict.outcome, {reason.code for reason in verdict.reasons}) == (outcome, codes)


def test_every_check_of_the_contract_is_in_every_result() -> None:
    names = [check.name for check in decide(good_support(), context()).checks]
    assert sorted(names) == sorted(CheckName)
    assert len(CHECKS) == len(CheckName)


def test_a_selfie_from_a_screen_is_a_doubt_that_counts_where_it_is_asked_for() -> None:
    strict = policy(required=DEMO_PROCESS.required | {CheckName.PRESENTATION_SELFIE})
    doubted = decide(faces(selfie_screen=0.9)(good_support()), context(policy=strict))
    assert (doubted.outcome, [reason.code for reason in doubted.reasons]) == (REVIEW, ["selfie.screen"])
    assert decide(faces(selfie_screen=0.1)(good_support()), context(policy=strict)).outcome is ACCEPTED


def test_the_gravest_reason_speaks_first() -> None:
    """Expired and unsigned: no new signature would help."""
    expired = good_support(front_readings(expiry_year="2018"), LAPSED)
    assert decide(signed(SignatureKind.BLANK)(expired), context()).outcome is REJECTED
    copied = copy_of(Side.FRONT, photocopy=0.9)(good_support())
    assert decide(signed(SignatureKind.BLANK)(copied), context()).outcome is RETAKE


PASSED, FAILED, NOT_EXECUTED = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.NOT_EXECUTED
NOTICES = (Notice("old", "text", until=date(2026, 6, 30)), Notice("new", "text", since=date(2026, 7, 1)))


@pytest.mark.parametrize(("version", "notices", "outcome", "codes"), [
    (None, NOTICES, NOT_EXECUTED, []), ("new", (), NOT_EXECUTED, []), ("new", NOTICES, PASSED, []),
    ("old", NOTICES, FAILED, ["consent.outdated_notice"]), ("New", NOTICES, FAILED, ["consent.unknown_notice"])])
def test_consent_is_to_a_notice_that_was_to_be_shown(version: str | None, notices: tuple[Notice, ...], outcome: CheckOutcome,
                                                     codes: list[str]) -> None:
    verdict = decide(good_support(), context(info=SupportInfo(notice_version=version), policy=policy(notices=notices)))
    check = verdict.check(CheckName.CONSENT)
    assert (check.outcome, [reason.code for reason in check.reasons]) == (outcome, codes)
    assert verdict.outcome is (REVIEW if codes else ACCEPTED)
    strict = policy(notices=notices, required=DEMO_PROCESS.required | {CheckName.CONSENT})
    required = decide(good_support(), context(info=SupportInfo(notice_version=version), policy=strict))
    assert required.outcome is (ACCEPTED if outcome is PASSED else REVIEW)


@pytest.mark.parametrize(("device", "named", "activation", "activated", "outcome", "codes"), [
    (None, None, False, False, NOT_EXECUTED, []), (None, "d", True, False, NOT_EXECUTED, []), ("d", None, False, False, PASSED, []),
    ("d", "d", False, False, PASSED, []), ("d", "e", False, True, FAILED, ["device.differs"]),
    ("d", None, True, False, FAILED, ["device.not_activated"]), ("d", None, True, True, PASSED, [])])
def test_a_device_is_one_that_proved_itself_and_where_wanted_was_activated(
        device: str | None, named: str | None, activation: bool, activated: bool, outcome: CheckOutcome, codes: list[str]) -> None:
    verdict = decide(good_support(), context(info=SupportInfo(device=named), policy=policy(activation=activation), device=device,
                                             activated=activated))
    check = verdict.check(CheckName.DEVICE)
    assert (check.outcome, [reason.code for reason in check.reasons]) == (outcome, codes)


@pytest.mark.parametrize(("round_", "outcome", "code_"), [
    (1, RETAKE, "signature.missing"), (3, RETAKE, "signature.missing"), (4, REVIEW, "support.retakes_spent")])
def test_after_so_many_retakes_a_person_looks(round_: int, outcome: Outcome, code_: str) -> None:
    """Three retakes allowed: the fourth round is the last try."""
    verdict = decide(signed(SignatureKind.BLANK)(good_support()), context(policy=policy(max_retakes=3), round=round_))
    assert (verdict.outcome, [reason.code for reason in verdict.reasons]) == (outcome, [code_])
    assert decide(good_support(), context(policy=policy(max_retakes=3), round=round_)).outcome is ACCEPTED


@given(st.sampled_from(sorted(DEMO_PROCESS.required)), st.sampled_from([row[1] for row in TABLE]))
def test_requiring_more_never_helps(name: CheckName, change: Change) -> None:
    order = [ACCEPTED, REVIEW, RETAKE, REJECTED]
    lax = replace(DEMO_PROCESS, required=DEMO_PROCESS.required - {name})
    evidence = change(good_support())
    strict, relaxed = decide(evidence, context()).outcome, decide(evidence, context(policy=lax)).outcome
    assert order.index(strict) >= order.index(relaxed)


def test_reasons_speak_three_voices() -> None:
    for code_, kind in CATALOGUE.items():
        assert code_.count(".") == 1
        assert kind.leads_to is not ACCEPTED
        assert kind.message.endswith(".") and kind.message[0].isupper()
    reasons = [reason for row in TABLE for reason in decide(row[1](good_support()), context()).reasons]
    assert all(reason.detail and "GOMEZ" not in reason.detail and "1980" not in reason.detail for reason in reasons)


def test_uncertain_and_not_executed_are_never_folded() -> None:
    doubtful = decide(front(0.5, birth_date="1980-07-06")(good_support()), context())
    assert doubtful.check(CheckName.MRZ_FRONT).outcome is CheckOutcome.UNCERTAIN
    assert decide(good_support(), context()).check(CheckName.DEVICE).outcome is CheckOutcome.NOT_EXECUTED


def test_a_doubtful_expiry_is_a_person_s() -> None:
    readings = {**front_readings(), "expiry_year": (FieldReading("2018", 0.5, "front"),)}
    evidence = replace(good_support(), mrz=None, readings=readings)
    assert decide(evidence, context()).check(CheckName.EXPIRY).outcome is CheckOutcome.UNCERTAIN
    assert calibration()["checks.reading_confident"] == 0.9

"""Which model: a table of what both sides show (layouts as the public sources have them), and the ways to disagree."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.registry import load_calibration
from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.evidence import CodeEvidence, CodeRole, CodeStatus, FieldReading, MrzEvidence, Symbology, Witness
from pipeline.networks.card_model import KINDS, CardLook
from pipeline.stages.identify_model import identify_model, plain, weigh

CONFIDENT = load_calibration()["checks.model_confident"]


@dataclass(frozen=True)
class Front:
    labels: frozenset[str] = frozenset()
    readings: dict[str, tuple[FieldReading, ...]] = field(default_factory=dict)


def front(*labels: str, **values: str) -> Front:
    return Front(frozenset(labels), {name: (FieldReading(value, 0.95, "front"),) for name, value in values.items()})


def code(role: CodeRole, status: CodeStatus = CodeStatus.CONSISTENT) -> CodeEvidence:
    symbology = {CodeRole.PDF417: Symbology.PDF417, CodeRole.LINEAR: Symbology.CODE128}.get(role, Symbology.QR)
    return CodeEvidence(symbology, role, status, ((0, 0), (1, 0), (1, 1), (0, 1)), None, None, 0, None, 1)


MRZ = MrzEvidence(("IDMEX0000000011<<0000000000001", "9001011M3612314MEX<01<<00001<1", "MUESTRA<PRUEBA<<PERSONA<<<<<<<"),
                  True, 0.99, 0, "mrz_reader")
INE, IFE = "INSTITUTO NACIONAL ELECTORAL", "INSTITUTO FEDERAL ELECTORAL"
COMMON = ("NOMBRE", "DOMICILIO", "CLAVE DE ELECTOR", "CURP", "AÑO DE REGISTRO", "SECCIÓN", "VIGENCIA")
PLACES = ("ESTADO", "MUNICIPIO", "LOCALIDAD")
OLD_FRONT = front(IFE, *COMMON, *PLACES, "EDAD", "FOLIO")
D_FRONT, E_FRONT = front(IFE, *COMMON, *PLACES, "EMISIÓN"), front(INE, *COMMON, *PLACES, "EMISIÓN")
F_FRONT = front(INE, *COMMON, "DOMICILIO DEL ELECTOR / ADDRESS", "LUGAR DE NACIMIENTO / PLACE OF BIRTH", "EMISIÓN")
G_FRONT = front(INE, *COMMON, issue_year="2021", expiry_year="2031")
H_FRONT = front(INE, *COMMON, issue_year="2021", expiry_year="2031", address="12 MAPLE ST HOUSTON TEXAS, EUA")
I_FRONT = front(INE, *COMMON, "GÉNERO", issue_year="2026", expiry_year="2036")
LARGE = (code(CodeRole.LARGE_LEFT), code(CodeRole.LARGE_RIGHT))
SMALL, PDF, LINEAR = code(CodeRole.SMALL), code(CodeRole.PDF417, CodeStatus.DECODED), code(CodeRole.LINEAR)


@pytest.mark.parametrize(("seen", "mrz", "codes", "model", "candidates"), [
    (OLD_FRONT, None, (), "C", "ABC"),
    (OLD_FRONT, None, (LINEAR,), "C", "ABC"),
    (D_FRONT, MRZ, (LINEAR, PDF), "D", "D"),
    (D_FRONT, MRZ, (LINEAR,), "D", "D"),
    (E_FRONT, MRZ, (LINEAR, PDF, SMALL), "E", "E"),
    (E_FRONT, MRZ, (SMALL,), "E", "E"),
    (E_FRONT, None, (SMALL, PDF), "E", "E"),
    (F_FRONT, MRZ, (LINEAR, PDF, SMALL), "F", "F"),
    (G_FRONT, MRZ, (LINEAR, *LARGE, SMALL), "G", "GH"),
    (G_FRONT, MRZ, (SMALL, LARGE[0]), "G", "GH"),
    (H_FRONT, MRZ, (LINEAR, *LARGE, SMALL), "H", "GH"),
    (I_FRONT, MRZ, (LINEAR, *LARGE, SMALL), "I", "IJ"),
    (None, MRZ, (PDF, SMALL), "E", "EF"),
    (None, MRZ, (*LARGE, SMALL), "G", "GH"),
])
def test_models(seen, mrz, codes, model, candidates):
    found = identify_model(seen, mrz, codes, load_calibration(), has_back=True)
    assert (found.model, "".join(found.candidates)) == (model, candidates)
    assert found.confidence >= CONFIDENT


@pytest.mark.parametrize(("seen", "model", "candidates"), [(D_FRONT, "D", "D"), (OLD_FRONT, "C", "ABC"), (G_FRONT, "G", "GH")])
def test_the_front_alone_is_enough(seen, model, candidates):
    found = identify_model(seen, None, (), load_calibration(), has_back=False)
    assert (found.model, "".join(found.candidates)) == (model, candidates) and found.confidence >= CONFIDENT


@pytest.mark.parametrize(("seen", "codes"), [
    (E_FRONT, (*LARGE, SMALL)), (G_FRONT, (PDF, SMALL)), (D_FRONT, (*LARGE, SMALL)), (OLD_FRONT, (PDF, SMALL)),
])
def test_sides_of_two_cards_are_uncertain(seen, codes):
    found = identify_model(seen, MRZ, codes, load_calibration(), has_back=True)
    assert found.confidence < CONFIDENT
    assert any(found.model not in witness.says for witness in found.witnesses)


UNREAD = front(*COMMON, *PLACES, "EMISIÓN")
"""D's or E's, whose heading was not read."""


@pytest.mark.parametrize(("codes", "look", "model", "sure"), [
    ((LINEAR, PDF), "back_d", "D", False), ((LINEAR, PDF, SMALL), "back_ef", "E", True), ((PDF,), "back_ef", "E", False),
    ((LINEAR,), "back_ef", "E", True), ((PDF, code(CodeRole.SMALL, CodeStatus.DETECTED)), "back_ef", "E", True),
])
def test_a_pdf417_without_the_small_qr_beside_it_speaks_for_d(codes, look, model, sure):
    found = identify_model(UNREAD, MRZ, codes, load_calibration(), has_back=True, looks=looks(back=look))
    assert found.model == model and (found.confidence >= CONFIDENT) is sure


def test_a_heading_that_was_read_outweighs_a_small_qr_that_was_not():
    found = identify_model(E_FRONT, MRZ, (LINEAR, PDF), load_calibration(), has_back=True)
    assert found.model == "E" and found.confidence < CONFIDENT


def test_no_witness_no_model():
    found = identify_model(None, None, (), load_calibration(), has_back=False)
    assert (found.model, found.candidates, found.confidence, found.witnesses) == (None, (), 0.0, ())


def test_newest_models_only_on_positive_evidence():
    assert not {"I", "J"} & set(identify_model(G_FRONT, MRZ, LARGE, load_calibration(), has_back=True).candidates)


def looks(**sides: str) -> dict[Side, CardLook]:
    """Each side (`front`, `back`) wholly of one kind."""
    return {Side(side): CardLook({kind.name: float(kind.name == name) for kind in KINDS}, 1.0) for side, name in sides.items()}


def test_a_look_is_a_witness_of_its_side():
    found = identify_model(E_FRONT, MRZ, (SMALL,), load_calibration(), has_back=True, looks=looks(front="front_e", back="back_ef"))
    said = {witness.name: "".join(witness.says) for witness in found.witnesses}
    assert (said["front_look"], said["back_look"]) == ("E", "EF")


def test_what_looks_like_no_credential_speaks_for_no_model():
    seen = looks(front="other_document", back="not_a_card")
    assert identify_model(G_FRONT, MRZ, LARGE, load_calibration(), has_back=True, looks=seen) == identify_model(
        G_FRONT, MRZ, LARGE, load_calibration(), has_back=True)


READ = [(E_FRONT, (LINEAR, PDF, SMALL), "E"), (G_FRONT, (*LARGE, SMALL), "G"), (D_FRONT, (LINEAR, PDF), "D"),
        (F_FRONT, (SMALL, PDF), "F")]


@pytest.mark.parametrize(("seen", "codes", "model"), READ)
@pytest.mark.parametrize("wrong", [{"front": "front_old"}, {"front": "front_d"}, {"front": "front_e"}, {"front": "front_f"},
                                   {"front": "front_gh"}, {"back": "back_old"}, {"back": "back_d"}, {"back": "back_ef"},
                                   {"back": "back_gh"}], ids=lambda sides: "".join(sides.values()))
def test_a_wrong_look_shakes_no_card_that_was_read(seen, codes, model, wrong):
    found = identify_model(seen, MRZ, codes, load_calibration(), has_back=True, looks=looks(**wrong))
    assert found.model == model and found.confidence >= CONFIDENT


@pytest.mark.parametrize(("seen", "codes", "model"), READ)
@pytest.mark.parametrize("front_kind", ["front_old", "front_d", "front_e", "front_f", "front_gh"])
@pytest.mark.parametrize("back_kind", ["back_old", "back_d", "back_ef", "back_gh"])
def test_two_wrong_looks_turn_no_card_that_was_read(seen, codes, model, front_kind, back_kind):
    alone = identify_model(seen, MRZ, codes, load_calibration(), has_back=True)
    found = identify_model(seen, MRZ, codes, load_calibration(), has_back=True, looks=looks(front=front_kind, back=back_kind))
    assert (found.model, found.candidates) == (model, alone.candidates)


def test_a_look_alone_is_no_certainty():
    found = identify_model(None, None, (), load_calibration(), has_back=False, looks=looks(front="front_d"))
    assert (found.model, "".join(found.candidates)) == ("D", "D") and found.confidence < CONFIDENT


def test_looks_make_a_mere_guess_uncertain():
    """D and E differ on the front by the institute's name alone: where it was not read, only E's greater number speaks for it."""
    unread = front(*COMMON, *PLACES, "EMISIÓN")
    alone = identify_model(unread, MRZ, (LINEAR,), load_calibration(), has_back=True)
    doubted = identify_model(unread, MRZ, (LINEAR,), load_calibration(), has_back=True, looks=looks(front="front_d", back="back_d"))
    assert alone.model == "E" and alone.confidence >= CONFIDENT > doubted.confidence
    agreed = identify_model(unread, MRZ, (LINEAR,), load_calibration(), has_back=True, looks=looks(front="front_e", back="back_ef"))
    assert agreed.model == "E" and agreed.confidence >= CONFIDENT


def test_a_layout_is_a_weak_witness_and_leaves_the_newest_to_gs():
    layouts = {Side.FRONT: (CardModel.G, CardModel.H), Side.BACK: (CardModel.E, CardModel.F)}
    found = identify_model(G_FRONT, MRZ, (*LARGE, SMALL), load_calibration(), has_back=True, layouts=layouts)
    said = {witness.name: "".join(witness.says) for witness in found.witnesses}
    assert (said["front_layout"], said["back_layout"]) == ("GHIJ", "EF")
    assert found.model == "G" and found.confidence >= CONFIDENT


@pytest.mark.parametrize(("seen", "codes", "model"), READ)
@pytest.mark.parametrize("front_layout", ["D", "E", "F", "GH"])
@pytest.mark.parametrize("back_layout", ["DEF", "EF", "GH", ""])
def test_two_wrong_layouts_turn_no_card_that_was_read(seen, codes, model, front_layout, back_layout):
    layouts = {side: tuple(map(CardModel, letters)) for side, letters in zip(Side, (front_layout, back_layout), strict=True)}
    alone = identify_model(seen, MRZ, codes, load_calibration(), has_back=True)
    found = identify_model(seen, MRZ, codes, load_calibration(), has_back=True, layouts=layouts)
    assert (found.model, found.candidates) == (model, alone.candidates)


@pytest.mark.parametrize(("sides", "layout", "candidates"), [
    ({}, "", "EF"), ({}, "E", "EF"), ({}, "F", "EF"),  # a layout alone leaves out nobody
    ({"front": "front_e"}, "", "E"), ({"front": "front_e"}, "E", "E"), ({"front": "front_e", "back": "back_ef"}, "", "E"),
    ({"front": "front_f"}, "", "F"), ({"front": "front_f", "back": "back_ef"}, "", "F"), ({"front": "front_f"}, "E", "F"),
    ({"front": "front_e"}, "F", "E"),  # a sure look at F's own order, or at one that is not, outweighs a layout
    ({"front": "front_gh"}, "", "E"), ({"back": "back_ef"}, "", "EF"),
])
def test_a_look_chooses_the_likely_model_where_print_does_not(sides, layout, candidates):
    """E and F, whose front could not be read: their backs print the same."""
    layouts = {Side.FRONT: tuple(map(CardModel, layout))} if layout else {}
    found = identify_model(None, MRZ, (PDF, SMALL), load_calibration(), has_back=True, looks=looks(**sides), layouts=layouts)
    assert "".join(found.candidates) == candidates and found.model in found.candidates and found.confidence >= CONFIDENT


@pytest.mark.parametrize(("share", "candidates"), [(1.0, "F"), (0.995, "F"), (0.98, "EF"), (0.5, "EF"), (0.02, "E"), (0.005, "E")])
def test_only_a_sure_look_names_the_rarer_one(share, candidates):
    """E's greater number is not given up for less."""
    shares = {kind.name: 0.0 for kind in KINDS} | {"front_f": share, "front_e": 1 - share}
    found = identify_model(None, MRZ, (PDF, SMALL), load_calibration(), has_back=True, looks={Side.FRONT: CardLook(shares, 1.0)})
    assert "".join(found.candidates) == candidates


def test_labels_are_compared_without_accents():
    assert plain(" Año  de Emisión ") == "ANO DE EMISION"


@given(st.lists(st.tuples(st.sets(st.sampled_from(list(CardModel)), min_size=1), st.floats(0.5, 0.99)), min_size=1, max_size=8))
def test_weighing_is_a_probability_and_names_a_candidate(said):
    found = weigh(tuple(Witness(str(i), tuple(sorted(says)), weight) for i, (says, weight) in enumerate(said)))
    assert found.model in found.candidates and 0 < found.confidence <= 1 + 1e-9

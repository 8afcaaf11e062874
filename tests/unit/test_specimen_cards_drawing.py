"""Drawn credentials: what is printed is where the truth says, decodes to what it says, and is the same for the same seed."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import lru_cache
from itertools import combinations

import cv2
import numpy as np
import pytest
import zxingcpp
from numpy.typing import NDArray

from models.specimens.canvas import PX_PER_MM, DrawnText
from models.specimens.card import CardSpec, DrawnCard, DrawnSide, draw_card
from models.specimens.people import invent_person
from pipeline.domain.card_model import CardModel
from pipeline.domain.evidence import FIELD_NAMES
from pipeline.domain.mrz import Td1
from pipeline.domain.qr import SmallQr, large_side

MODELS = "ABCDEFGH"
NOT_FIELDS = {"heading", "specimen", "mrz", "separator", "age", "folio", "birth_place", "officer", "signature", "fingerprint"}


def _portrait() -> NDArray[np.uint8]:
    """A face of circles: enough to be printed."""
    picture = np.full((500, 390, 3), (200, 190, 180), np.uint8)
    cv2.ellipse(picture, (195, 230), (110, 150), 0, 0, 360, (120, 150, 200), -1)
    cv2.circle(picture, (150, 200), 14, (40, 40, 60), -1)
    cv2.circle(picture, (240, 200), 14, (40, 40, 60), -1)
    return picture


def _spec(model: str, seed: int = 4, **changes: object) -> CardSpec:
    letter = CardModel(model)
    issued = {"A": 1996, "B": 2003, "C": 2010, "D": 2013, "E": 2017, "F": 2018, "G": 2021, "H": 2022}[model]
    person = invent_person(random.Random(seed), "nobody", abroad=letter.issued_abroad, adult_by=min(issued, 2013))
    return replace(CardSpec(letter, person, issued, issued + 10, seed, show_sex=True), **changes)  # type: ignore[arg-type]


@lru_cache(maxsize=16)
def _card(model: str) -> DrawnCard:
    return draw_card(_spec(model), _portrait())


def _values(side: DrawnSide) -> dict[str, str]:
    return {text.name: text.text for text in side.texts if text.name in FIELD_NAMES}


@pytest.mark.parametrize("model", MODELS)
def test_sides_are_of_the_promised_size_and_marked(model: str) -> None:
    for side in (_card(model).front, _card(model).back):
        assert side.image.shape == (2159, 3424, 3) and side.image.dtype == np.uint8
        assert any(text.name == "specimen" and text.text == "MUESTRA" for text in side.texts)
        for text in side.texts:
            assert text.name.removeprefix("label.") in {*FIELD_NAMES, *NOT_FIELDS}
            x0, y0, x1, y1 = text.box_mm
            assert 0.5 < x0 < x1 < 85.1 and 0.5 < y0 < y1 < 53.6, text


@pytest.mark.parametrize("model", MODELS)
def test_no_text_runs_into_another(model: str) -> None:
    for seed in (1, 2):
        card = draw_card(_spec(model, seed), _portrait())
        for side in (card.front, card.back):
            printed = [text for text in side.texts if text.name != "specimen"]
            for one, other in combinations(printed, 2):
                assert not _overlap(one, other), (one, other)


def _overlap(one: DrawnText, other: DrawnText) -> bool:
    a, b = one.box_mm, other.box_mm
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


FIELDS_BY_MODEL = {
    "A": {"elector_key", "address", "state", "section", "registration_year"}, "C": {"curp", "expiry_year", "locality"},
    "D": {"curp", "state", "municipality", "locality", "section", "issue_year", "expiry_year", "birth_date", "sex"},
    "E": {"curp", "state", "municipality", "locality", "section", "issue_year", "expiry_year", "birth_date", "sex"},
    "F": {"curp", "registration_year", "expiry_year", "birth_date", "sex"},
    "G": {"curp", "section", "issue_year", "expiry_year", "birth_date", "sex", "issue_number"},
}
ABSENT_BY_MODEL = {
    "A": {"curp", "expiry_year", "birth_date"}, "F": {"municipality", "section", "locality", "state"},
    "G": {"state", "municipality", "locality"}, "H": {"state", "municipality", "locality"},
}


@pytest.mark.parametrize("model", MODELS)
def test_each_model_prints_its_fields(model: str) -> None:
    values = _values(_card(model).front)
    assert FIELDS_BY_MODEL.get(model, set()) <= set(values)
    assert not ABSENT_BY_MODEL.get(model, set()) & set(values)
    person = _spec(model).person
    assert (values["paternal_surname"], values["elector_key"]) == (person.paternal, person.elector_key)
    heading = " ".join(text.text for text in _card(model).front.texts if text.name == "heading")
    assert ("FEDERAL" in heading) == (model in "ABCD") and ("NACIONAL" in heading) == (model in "EFGH")
    assert ("EXTRANJERO" in heading) == (model == "F")


@pytest.mark.parametrize(("name", "value"), [("curp", "AAAA"), ("given_names", "ANA"), ("section", "7777")])
@pytest.mark.parametrize("model", ["E", "G"])
def test_a_text_is_exactly_where_its_box_says(model: str, name: str, value: str) -> None:
    spec = _spec(model, overrides={name: value})
    with_text = draw_card(spec, _portrait()).front
    without = draw_card(replace(spec, overrides={name: " "}), _portrait()).front
    changed = np.abs(with_text.image.astype(int) - without.image.astype(int)).max(axis=2) > 2
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    seen = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    box = next(text.box_mm for text in with_text.texts if text.name == name)
    assert np.abs(seen - np.array(box) * PX_PER_MM).max() <= 1.5


CODES_BY_MODEL = {
    "A": ["linear"], "B": ["linear"], "C": ["linear"], "D": ["linear", "pdf417"], "E": ["linear", "pdf417", "small"],
    "F": ["linear", "pdf417", "small"], "G": ["large_left", "large_right", "linear", "small"],
    "H": ["large_left", "large_right", "linear", "small"],
}
FORMATS = {"qr": zxingcpp.BarcodeFormat.QRCode, "pdf417": zxingcpp.BarcodeFormat.PDF417,
           "code128": zxingcpp.BarcodeFormat.Code128}


@pytest.mark.parametrize("model", MODELS)
def test_codes_read_as_the_truth_says_where_it_says(model: str) -> None:
    back = _card(model).back
    assert sorted(code.role.value for code in back.codes) == CODES_BY_MODEL[model]
    image = cv2.resize(cv2.cvtColor(back.image, cv2.COLOR_BGR2GRAY), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    for code in back.codes:
        found = zxingcpp.read_barcodes(image, formats=FORMATS[code.symbology.value], text_mode=zxingcpp.TextMode.Plain)
        match = next((barcode for barcode in found if bytes(barcode.bytes) == code.payload), None)
        assert match is not None, code.role
        corners = (match.position.top_left, match.position.top_right, match.position.bottom_right, match.position.bottom_left)
        seen = np.array([(corner.x, corner.y) for corner in corners]) / (PX_PER_MM / 2)
        tolerance = 0.4 if code.symbology.value == "qr" else 1.2  # zxing rounds the ends of bars
        assert np.abs(seen - np.array(code.corners_mm))[:, 0].max() < tolerance


@pytest.mark.parametrize("model", "EFGH")
def test_small_qr_mrz_and_person_agree(model: str) -> None:
    back, person = _card(model).back, _spec(model).person
    small = SmallQr.parse(next(code.payload for code in back.codes if code.role.value == "small").decode())
    assert back.mrz is not None
    zone = Td1.parse(back.mrz)
    assert zone.valid and zone.expiry_year == _spec(model).expiry_year
    for says in (small, zone):
        assert (says.cic, says.section, says.citizen_id) == (person.cic, person.section, person.citizen_id)
    assert small.issue_number == zone.issue_number == person.issue_number and zone.sex == person.sex
    for code in back.codes:
        if code.role.value.startswith("large"):
            assert code.role.value == f"large_{large_side(code.payload)}"


@pytest.mark.parametrize("model", MODELS)
def test_machine_readable_lines_stand_within_the_known_bounds(model: str) -> None:
    lines = [text for text in _card(model).back.texts if text.name == "mrz"]
    assert tuple(line.text for line in lines) == (_card(model).back.mrz or ())
    assert len(lines) == (3 if model in "DEFGH" else 0)
    for line in lines:
        assert line.box_mm[0] >= 0.03 * 85.6 and line.box_mm[2] <= 0.97 * 85.6 and line.box_mm[1] > 0.69 * 53.98


def test_equal_specs_give_equal_bytes_and_other_seeds_others() -> None:
    again = draw_card(_spec("G"), _portrait())
    for one, other in ((again.front, _card("G").front), (again.back, _card("G").back)):
        assert np.array_equal(one.image, other.image) and (one.texts, one.codes) == (other.texts, other.codes)
    reseeded = draw_card(replace(_spec("G"), seed=5), _portrait())
    assert not np.array_equal(reseeded.back.image, again.back.image)
    assert reseeded.back.codes[1].payload != again.back.codes[1].payload


def test_jitter_moves_every_element_a_little_and_changes_no_payload() -> None:
    still, moved = _card("E"), draw_card(_spec("E", jitter_mm=0.8), _portrait())
    for a, b in ((still.front, moved.front), (still.back, moved.back)):
        shifts = np.array([np.subtract(q.box_mm[:2], p.box_mm[:2]) for p, q in zip(a.texts, b.texts, strict=True)])
        assert 0.2 < np.abs(shifts).max() <= 0.85 and len(np.unique(shifts[:, 0].round(3))) > 3
        assert [code.payload for code in a.codes] == [code.payload for code in b.codes]


def test_what_the_citizen_leaves_off_is_absent_with_its_label() -> None:
    person = replace(_spec("G").person, street=None)
    front = draw_card(replace(_spec("G", show_sex=False), person=person), _portrait()).front
    names = [text.name for text in front.texts]
    assert "sex" not in names and "label.sex" not in names and names.count("address") == 2 and "label.address" in names


def test_a_card_older_than_its_holders_registration_is_refused() -> None:
    person = invent_person(random.Random(1), "nobody", adult_by=2013)
    with pytest.raises(ValueError, match="adult_by=1990"):
        CardSpec(CardModel.A, person, 1990, 2000, 1)


@pytest.mark.parametrize("model", [CardModel.I, CardModel.J])
def test_unpublished_layouts_are_not_invented(model: CardModel) -> None:
    with pytest.raises(ValueError, match="no layout"):
        draw_card(replace(_spec("G"), model=model), _portrait())

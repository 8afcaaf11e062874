"""Where quality is looked at: what was read where it was read, what was not where the registered template has it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.domain.evidence import CodeRole, CodeStatus
from pipeline.stages.needed_regions import back_places, front_places
from pipeline.stages.register import fit_template
from tests.unit.test_align_sides import codes_of, mrz_of, template_of
from tests.unit.test_register import anchors_of


def fit_of(name: str):
    return fit_template(anchors_of(template_of(name)), template_of(name))


def test_a_torn_mrz_is_looked_at_whole() -> None:
    torn = replace(mrz_of("gh_back"), valid=False, box_mm=(30.0, 38.0, 82.0, 50.0))
    place = back_places(fit_of("gh_back"), (), torn)["mrz"]
    assert not place.read and place.box[0] < 5 and place.box[2] > 80
    whole = back_places(fit_of("gh_back"), (), replace(torn, valid=True))["mrz"]
    assert whole.read and whole.box == torn.box_mm


@pytest.mark.parametrize(("status", "read"), [(CodeStatus.CONSISTENT, True), (CodeStatus.DECODED, True), (CodeStatus.DETECTED, False)])
def test_a_code_counts_as_read_once_decoded(status: CodeStatus, read: bool) -> None:
    small = next(code for code in codes_of("e_back") if code.role is CodeRole.SMALL)
    away = replace(small, status=status, corners_card=small.corners_card + 60)
    place = back_places(fit_of("e_back"), (away,), None)["small_qr"]
    element = template_of("e_back").element("small_qr")
    assert element is not None and place.read == read
    assert (place.box == pytest.approx(element.box, abs=0.1)) == (not read)


def test_models_without_a_qr_need_none() -> None:
    assert set(back_places(fit_of("d_back"), (), None)) == {"mrz"}
    assert back_places(None, (), None) == {} == front_places(None, (), has_portrait=True)


def test_the_front_needs_its_photo_and_the_values_it_is_judged_by() -> None:
    places = front_places(fit_of("gh_front"), {"curp": ()}, has_portrait=False)
    assert {name: place.read for name, place in places.items()} == {
        "photo": False, "paternal_surname": False, "given_names": False, "elector_key": False, "curp": True}

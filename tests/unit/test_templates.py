"""Templates are read at the edge: what the files of this release say, and what a bad file is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.registry import load_templates, read_templates
from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.template import Certainty, ElementKind
from pipeline.errors import Misconfigured

CODE = '{name = "qr", kind = "code", role = "small", box = [60, 5, 72, 17], certainty = "one"}'
LABEL = '{name = "label.curp", kind = "label", texts = ["CURP"], box = [25, 40, 31, 42], certainty = "one", needed_for = ["curp"]}'


def text_of(*elements: str, models: str = '["E"]', side: str = "back") -> str:
    return f'models = {models}\nside = "{side}"\nelements = [{", ".join(elements)}]\n'


def test_every_model_from_d_to_h_has_a_front_and_a_back() -> None:
    found = {(model, template.side) for template in load_templates() for model in template.models}
    assert found == {(model, side) for model in CardModel if CardModel.D <= model <= CardModel.H for side in Side}


@pytest.mark.parametrize(("side", "codes"), [
    # design, domain.md: E and F one QR and a PDF417, D no QR, G and H three QRs and no PDF417
    ("d_back", {"linear", "pdf417"}), ("e_back", {"linear", "pdf417", "small"}), ("f_back", {"linear", "pdf417", "small"}),
    ("gh_back", {"linear", "small", "large_left", "large_right"}),
])
def test_backs_carry_the_codes_that_official_texts_name(side: str, codes: set[str]) -> None:
    template = next(one for one in load_templates() if one.name == side)
    assert {element.role for element in template.elements if element.role} == codes


def test_the_crop_boxes_that_a_public_source_gives_are_the_files() -> None:
    """Fractions of layouts.md: CURP of D and E x .38-.68; small QR of E x .73-.98, y .06-.36; MRZ lines x .03-.97, y .71-.94."""
    boxes = {template.name: template for template in load_templates()}
    curp, qr, mrz = (boxes["e_front"].element("curp"), boxes["e_back"].element("small_qr"), boxes["gh_back"].element("mrz"))
    assert curp is not None and qr is not None and mrz is not None
    assert (curp.box[0], curp.box[2]) == pytest.approx((0.38 * 85.6, 0.68 * 85.6), abs=0.1)
    assert 0.73 * 85.6 <= qr.box[0] < qr.box[2] <= 0.98 * 85.6 and 0.06 * 53.98 <= qr.box[1] < qr.box[3] <= 0.36 * 53.98
    assert mrz.box == pytest.approx((0.03 * 85.6, 0.71 * 53.98, 0.97 * 85.6, 0.94 * 53.98), abs=0.1)


def test_nothing_without_a_public_place_pretends_to_have_one() -> None:
    for template in load_templates():
        photo = template.element("photo")
        assert photo is None or photo.certainty is Certainty.INFERRED
        assert all(element.certainty is not Certainty.OFFICIAL for element in template.elements)
        assert all(element.certainty is Certainty.INFERRED for element in template.elements
                   if template.name == "f_front" or element.kind is ElementKind.GHOST)


@pytest.mark.parametrize(("text", "error"), [
    (text_of(CODE), None),
    (text_of(LABEL, side="front"), None),
    ("models = [", "cannot be read"),
    (text_of(CODE).replace('side = "back"', ""), "'side' is missing"),
    (text_of(CODE, models='["K"]'), "'K'"),
    (text_of(CODE, models="[]"), "needs a model"),
    (text_of(CODE, CODE), "qr is named twice"),
    (text_of(CODE.replace('role = "small", ', "")), "codes have a role"),
    (text_of(LABEL.replace('texts = ["CURP"], ', "")), "labels and headings have texts"),
    (text_of(LABEL.replace("needed_for", "needed")), "unknown key 'needed'"),
    (text_of(LABEL.replace('"curp"]', '"curpp"]')), "curpp"),
    (text_of(CODE.replace("72, 17", "92, 17")), "the box of qr"),
    (text_of(CODE.replace("60, 5,", "75, 5,")), "the box of qr"),
    (text_of(CODE.replace('"one"', '"sure"')), "sure"),
])
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, error: str | None) -> None:
    (tmp_path / "e_back.toml").write_text(text, encoding="utf-8")
    if error is None:
        assert read_templates(tmp_path)[0].models == (CardModel.E,)
        return
    with pytest.raises(Misconfigured, match=error) as caught:
        read_templates(tmp_path)
    assert "e_back.toml" in caught.value.detail


def test_two_files_for_one_side_of_a_model_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(text_of(CODE), encoding="utf-8")
    (tmp_path / "b.toml").write_text(text_of(CODE, models='["E", "F"]'), encoding="utf-8")
    with pytest.raises(Misconfigured, match="the back of E"):
        read_templates(tmp_path)

"""Whole drawn supports: the same seed the same bytes, whole folders, and a truth that follows from the case."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from models.specimens.camera import Shot
from models.specimens.cases import CASES, DEMO
from models.specimens.make import AS_OF, MIXED, make_specimens
from models.specimens.signatures import HEIGHT, WIDTH, draw_signature, strokes_json
from models.specimens.truth import Taken, expected, hard_to_read
from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.curp import Curp
from pipeline.domain.evidence import FIELD_NAMES, SignatureKind
from pipeline.domain.support import SupportInfo
from pipeline.errors import BadInput

FILES = {"front.jpg", "back.jpg", "selfie.jpg", "signature.png", "support.json", "truth.json"}
SMALL = 900
"""Long side of the photos here: enough for the truth, quick to draw."""


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four cases that differ in what they need, drawn in this process."""
    out = tmp_path_factory.mktemp("drawn")
    return make_specimens(out, 4, 3, "normal", ("good", "other_card_back", "edited_curp", "expired"), long_side=SMALL, jobs=1)


def truth_of(folder: Path) -> dict:
    return json.loads((folder / "truth.json").read_text(encoding="utf-8"))


def test_a_support_is_whole_and_its_words_parse(drawn: list[Path]) -> None:
    assert [folder.name for folder in drawn] == ["0000-good-E", "0001-other_card_back-E", "0002-edited_curp-E", "0003-expired-E"]
    for folder in drawn:
        assert {path.name for path in folder.iterdir()} == FILES
        info = SupportInfo.parse((folder / "support.json").read_bytes())
        assert info.as_of == AS_OF and info.process == "demo" and info.chosen_model is CardModel.E and info.strokes
        truth = truth_of(folder)
        assert set(truth["fields"]) <= set(FIELD_NAMES)
        for photo in ("front", "back"):
            with Pillow.open(folder / f"{photo}.jpg") as image:
                turned = image.getexif()[0x0112] >= 5
                size = image.size[::-1] if turned else image.size
            assert size == (truth[photo]["width"], truth[photo]["height"]) and max(size) == SMALL


def test_other_processes_draw_the_same_bytes(drawn: list[Path], tmp_path: Path) -> None:
    again = make_specimens(tmp_path, 2, 3, "normal", ("good", "other_card_back", "edited_curp", "expired"), long_side=SMALL, jobs=2)
    assert [digests(folder) for folder in again] == [digests(folder) for folder in drawn[:2]]


def test_what_is_complete_is_not_drawn_again_and_what_is_not_is(tmp_path: Path) -> None:
    def draw(seed: int) -> Path:
        return make_specimens(tmp_path, 1, seed, "easy", ("no_credential",), long_side=SMALL, jobs=1)[0]

    folder = draw(1)
    first, written = digests(folder), (folder / "front.jpg").stat().st_mtime_ns
    assert (draw(1) / "front.jpg").stat().st_mtime_ns == written
    (folder / "truth.json").unlink()
    assert digests(draw(1)) == first and (folder / "front.jpg").stat().st_mtime_ns > written
    assert digests(draw(2)) != first
    other = make_specimens(tmp_path, 1, 1, "easy", ("no_signature",), long_side=SMALL, jobs=1)
    assert [path.name for path in tmp_path.iterdir()] == [other[0].name]


def test_an_edited_curp_differs_in_one_digit_of_the_date(drawn: list[Path]) -> None:
    truth = truth_of(drawn[2])
    birth = truth["mrz"][1][:6]
    assert sum(a != b for a, b in zip(truth["fields"]["curp"][4:10], birth, strict=True)) == 1
    with pytest.raises(BadInput):
        Curp.parse(truth["fields"]["curp"])
    good = truth_of(drawn[0])
    assert str(Curp.parse(good["fields"]["curp"])) == good["fields"]["curp"] and good["fields"]["curp"][4:10] == good["mrz"][1][:6]


def test_the_back_of_another_card_is_another_persons(drawn: list[Path]) -> None:
    truth = truth_of(drawn[1])
    assert truth["fields"]["curp"][4:10] != truth["mrz"][1][:6]
    assert truth["fields"]["cic"] not in truth["mrz"][0]


def test_vigencia_follows_the_case(drawn: list[Path]) -> None:
    assert int(truth_of(drawn[0])["fields"]["expiry_year"]) >= AS_OF.year
    assert int(truth_of(drawn[3])["fields"]["expiry_year"]) < AS_OF.year


def test_a_mixture_is_mostly_good_and_an_unknown_case_is_refused(tmp_path: Path) -> None:
    from models.specimens.make import _order

    names = [_order(index, 1, MIXED, None, None).case for index in range(400)]
    assert names.count("good") > 180 and len(set(names)) > 15
    with pytest.raises(ValueError, match="nonsense"):
        make_specimens(tmp_path, 1, 1, "easy", ("nonsense",))


def test_the_demo_shows_what_the_issue_asks_for_and_the_accepted_have_faces_of_their_own() -> None:
    assert {name for name, _ in DEMO} >= {"good", "model_d", "expired", "other_face", "no_signature", "blurred_back", "photocopy",
                                          "swapped", "other_card_back", "no_credential"}
    assert {model for name, model in DEMO if name == "good"} == {CardModel.E, CardModel.F, CardModel.G, CardModel.H}
    accepted = [index for index, (name, _) in enumerate(DEMO) if CASES[name].verdict == "accepted"]
    assert len({index % 5 for index in accepted}) == len(accepted)


PLAIN = {"defect": None, "blur_sigma_px": 1.0}


def taken(corner_px: float, **facts: float) -> Taken:
    """A front whose card is `corner_px` pixels a millimetre."""
    corners = np.array([[0, 0], [85.6, 0], [85.6, 53.98], [0, 53.98]]) * corner_px
    from models.specimens.card import DrawnSide

    side = DrawnSide(np.zeros((1, 1, 3), np.uint8), (), (), None, None, None)
    return Taken(Shot(b"", corners, 4000, 3000, {**PLAIN, **facts}), Side.FRONT, side)


@pytest.mark.parametrize("photo, why", [
    (taken(20), []),
    (taken(5), ["small", "soft"]),
    (taken(20, blur_sigma_px=6.0), ["soft"]),
    (taken(20, motion_px=16.0), ["soft"]),
    (taken(20, finger_covers_mm2=9.0), ["finger"]),
    (taken(20, glare_covers_mm2=9.0), ["glare"]),
    (taken(5, defect="blurred"), []),
])
def test_a_photo_that_is_hard_to_read_may_be_asked_for_again(photo: Taken, why: list[str]) -> None:
    assert hard_to_read(photo) == why
    answer = expected(CASES["good"], (photo, taken(20)))
    assert answer["verdicts"] == (["accepted", "retake", "review"] if why else ["accepted"])
    spoiled = expected(CASES["no_signature"], (photo, taken(20)))
    assert (spoiled["verdicts"], spoiled["subjects"]) == (["retake"], ["signature"])


@pytest.mark.parametrize("kind, most, least", [
    (SignatureKind.BLANK, 0.0, 0.0), (SignatureKind.DOT, 0.002, 1e-5), (SignatureKind.LINE, 0.02, 1e-3),
    (SignatureKind.SIGNATURE, 0.15, 0.01), (SignatureKind.SCRIBBLE, 0.6, 0.05),
])
def test_drawings_hold_as_much_ink_as_their_kind(kind: SignatureKind, most: float, least: float) -> None:
    for seed in range(6):
        png, strokes = draw_signature(np.random.default_rng(seed), kind)
        picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert picture.shape == (HEIGHT, WIDTH) and Pillow.open(io.BytesIO(png)).format == "PNG"
        assert least <= (picture < 160).mean() <= most
        words = json.dumps({"strokes": strokes_json(strokes)})
        assert len(SupportInfo.parse(words).strokes) == len(strokes)
        inside = all(0 <= point.x < WIDTH and 0 <= point.y < HEIGHT for stroke in strokes for point in stroke)
        assert inside, "a finger stays on the screen"


def test_a_print_is_no_drawing() -> None:
    with pytest.raises(ValueError, match="cannot be drawn"):
        draw_signature(np.random.default_rng(0), SignatureKind.PRINT)

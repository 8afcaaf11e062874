"""Codes of drawn backs: roles, statuses, directions; damage is a result. Expected values: what was drawn."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.domain.calibration import Calibration, Threshold
from pipeline.domain.evidence import CodeRole, CodeStatus
from pipeline.stages.read_codes import half_turned, missing_roles, read_codes
from pipeline.wiring import local_networks
from tests.unit.drawn_backs import CIC, SMALL_TEXT, back_e, back_g, blank, blurred, large_payload, paste, qr

CALIBRATION = Calibration({"codes.fast_width": Threshold("codes.fast_width", 856, "px", "test")})
NETWORKS = local_networks()
L, R, S, P, N, F = (CodeRole.LARGE_LEFT, CodeRole.LARGE_RIGHT, CodeRole.SMALL, CodeRole.PDF417, CodeRole.LINEAR, CodeRole.FOREIGN)


def by_role(codes):
    assert len({code.role for code in codes}) == len(codes)
    return {code.role: code for code in codes}


@pytest.mark.parametrize("turn", [False, True])
def test_back_g(turn):
    card = back_g()
    codes = by_role(read_codes(np.rot90(card, 2) if turn else card, NETWORKS, CALIBRATION, deep=True))
    assert set(codes) == {L, R, S, N}
    assert {code.status for code in codes.values()} == {CodeStatus.CONSISTENT}
    assert {code.upside_down for code in codes.values()} == {turn}
    assert {code.tries for code in codes.values()} == {1}
    assert codes[L].payload == large_payload(False) and codes[L].text is None
    assert codes[R].payload == large_payload(True)
    assert codes[S].text == SMALL_TEXT and codes[N].text == CIC
    assert codes[L].px_per_module == pytest.approx(20 * 20 / 105 * 23 / 20, rel=0.02)


def test_half_turned_codes_lie_where_the_turned_card_shows_them():
    card = back_g()
    lying = by_role(half_turned(read_codes(card[::-1, ::-1], NETWORKS, CALIBRATION, deep=False)))
    for role, code in by_role(read_codes(card, NETWORKS, CALIBRATION, deep=False)).items():
        assert np.abs(code.corners.mean(axis=0) - lying[role].corners.mean(axis=0)).max() < 4
        assert not lying[role].upside_down


@pytest.mark.parametrize("turn", [False, True])
def test_back_e(turn):
    codes = by_role(read_codes(np.rot90(back_e(), 2) if turn else back_e(), NETWORKS, CALIBRATION, deep=True))
    assert set(codes) == {S, P, N}
    assert codes[P].status is CodeStatus.DECODED and len(codes[P].payload) == 250
    assert {code.upside_down for code in codes.values()} == {turn}


def test_colour_and_grey_read_alike():
    card = back_e()
    colour = np.repeat(card[:, :, None], 3, axis=2)
    of_colour, of_grey = (read_codes(image, NETWORKS, CALIBRATION, deep=False) for image in (colour, card))
    assert [code.payload for code in of_colour] == [code.payload for code in of_grey] != []


def test_ladder_reads_what_the_fast_path_does_not():
    card = blurred(back_g(), 2.4)
    fast = by_role(read_codes(card, NETWORKS, CALIBRATION, deep=False))
    deep = by_role(read_codes(card, NETWORKS, CALIBRATION, deep=True))
    assert {role for role in (L, R) if role in fast and fast[role].status is CodeStatus.CONSISTENT} != {L, R}
    assert deep[L].status is deep[R].status is CodeStatus.CONSISTENT
    assert max(deep[L].tries, deep[R].tries) > 1 == deep[S].tries


def test_going_on_from_known_codes_gives_the_same():
    card = blurred(back_g(), 2.4)
    known = read_codes(card, NETWORKS, CALIBRATION, deep=False)
    whole, went_on = (by_role(codes) for codes in (read_codes(card, NETWORKS, CALIBRATION, deep=True),
                                                   read_codes(card, NETWORKS, CALIBRATION, deep=True, known=known)))
    assert {role: code.payload for role, code in whole.items()} == {role: code.payload for role, code in went_on.items()}


def test_a_damaged_code_is_detected_not_decoded():
    card = back_g()
    card[350:520, 430:640] = 255
    codes = by_role(read_codes(card, NETWORKS, CALIBRATION, deep=True))
    assert codes[L].status is CodeStatus.DETECTED
    assert codes[L].payload == b"" and codes[L].text is None and codes[L].upside_down is None
    assert codes[R].status is codes[S].status is CodeStatus.CONSISTENT


@pytest.mark.parametrize(("text", "role", "status"), [
    (SMALL_TEXT, S, CodeStatus.CONSISTENT),
    (SMALL_TEXT.replace("http:", "https:"), S, CodeStatus.CONSISTENT),
    ("https://qr.ine.mx/004697", S, CodeStatus.CONSISTENT),
    ("http://qr.ine.mx.example.com/" + SMALL_TEXT[18:], F, CodeStatus.DECODED),
    ("http://127.0.0.1:1/canary", F, CodeStatus.DECODED),
    ("javascript:alert(1)", F, CodeStatus.DECODED),
    (SMALL_TEXT.replace("20190102", "20190231"), F, CodeStatus.DECODED),
])
def test_small_qr_follows_the_grammar_or_is_foreign(text, role, status):
    codes = [code for code in read_codes(back_e(text), NETWORKS, CALIBRATION, deep=True) if code.symbology.value == "qr"]
    assert [(code.role, code.status, code.text) for code in codes] == [(role, status, text)]


def test_a_large_qr_of_another_header_is_decoded_not_consistent():
    card = blank()
    paste(card, qr(b"\x07\x07" + bytes(range(256)) * 3 + bytes(88), 23, 20), 17, 11)
    (code,) = read_codes(card, NETWORKS, CALIBRATION, deep=False)
    assert (code.role, code.status) == (L, CodeStatus.DECODED)


def test_nothing_on_a_blank_side():
    assert read_codes(blank(), NETWORKS, CALIBRATION, deep=True) == ()


@pytest.mark.parametrize(("drawn", "missing"), [
    (back_g(), set()), (back_e(), set()), (blank(), {L, R, S, P}),
])
def test_what_should_be_there_is_missed(drawn, missing):
    assert missing_roles(read_codes(drawn, NETWORKS, CALIBRATION, deep=True)) == missing


def test_a_lone_large_qr_makes_one_look_for_the_others():
    card = blank()
    paste(card, qr(large_payload(False), 23, 20), 17, 11)
    assert missing_roles(read_codes(card, NETWORKS, CALIBRATION, deep=False)) == {R, S}


def test_a_lone_small_qr_misses_by_its_place():
    upper, lower = blank(), blank()
    paste(upper, qr(SMALL_TEXT, 15), 68, 3)
    paste(lower, qr(SMALL_TEXT, 15), 68, 30)
    assert missing_roles(read_codes(upper, NETWORKS, CALIBRATION, deep=False)) == {P}
    assert missing_roles(read_codes(upper[::-1, ::-1], NETWORKS, CALIBRATION, deep=False)) == {P}
    assert missing_roles(read_codes(lower, NETWORKS, CALIBRATION, deep=False)) == {L, R}

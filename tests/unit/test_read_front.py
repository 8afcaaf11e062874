"""From lines to fields: labels found in slips, values by label and by shape, on the layouts that are known; and drawn fronts read."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.registry import load_calibration
from models.specimens.fonts import sans_fonts
from pipeline.networks.line_reader import Reading
from pipeline.stages import field_values as values
from pipeline.stages import read_front as read_front_stage
from pipeline.stages.find_lines import find_lines
from pipeline.stages.labels import distance, find_labels
from pipeline.stages.read_front import interpret, read_front
from pipeline.stages.read_lines import ReadLine, pieces_of, read_lines
from pipeline.wiring import local_networks
from tests.unit.drawn_text import Print, printed

E_FRONT: tuple[Print, ...] = (
    ("INSTITUTO NACIONAL ELECTORAL", 26.4, 6.2, 2.1), ("NOMBRE", 26.4, 15.0, 1.15), ("PEÑA", 26.4, 18.2, 2.0), ("SOL", 26.4, 21.2, 2.0),
    ("MARIA FERNANDA", 26.4, 24.2, 2.0), ("FECHA DE NACIMIENTO", 66.6, 15.0, 1.15), ("27/04/1956", 69.6, 18.3, 1.75),
    ("SEXO", 74.6, 21.6, 1.15), ("M", 80.6, 21.6, 2.0), ("DOMICILIO", 26.4, 27.4, 1.15), ("C NOGAL 12", 26.4, 30.2, 1.75),
    ("COL CENTRO 06000", 26.4, 32.9, 1.75), ("MONTERREY, N.L.", 26.4, 35.6, 1.75), ("CLAVE DE ELECTOR", 26.4, 38.9, 1.15),
    ("PXSLMR56042730M300", 42.6, 38.9, 1.6), ("CURP", 26.4, 42.2, 1.15), ("HEGM560427MVZRRL04", 32.4, 42.2, 1.6),
    ("AÑO DE REGISTRO", 59.4, 42.2, 1.15), ("1994", 73.6, 42.2, 1.75), ("02", 80.0, 42.2, 1.75), ("ESTADO", 26.4, 46.2, 1.15),
    ("19", 34.0, 46.2, 1.75), ("MUNICIPIO", 42.4, 46.2, 1.15), ("039", 52.0, 46.2, 1.75), ("SECCIÓN", 62.4, 46.2, 1.15),
    ("1234", 71.0, 46.2, 1.75), ("LOCALIDAD", 26.4, 50.2, 1.15), ("0001", 36.2, 50.2, 1.75), ("EMISIÓN", 46.0, 50.2, 1.15),
    ("2016", 54.2, 50.2, 1.75), ("VIGENCIA", 63.4, 50.2, 1.15), ("2026", 72.2, 50.2, 1.75),
)
E_VALUES = {
    "paternal_surname": "PEÑA", "maternal_surname": "SOL", "given_names": "MARIA FERNANDA", "birth_date": "1956-04-27", "sex": "M",
    "address": "C NOGAL 12 COL CENTRO 06000 MONTERREY, N.L.", "elector_key": "PXSLMR56042730M300", "curp": "HEGM560427MVZRRL04",
    "registration_year": "1994", "issue_number": "02", "state": "19", "municipality": "039", "section": "1234", "locality": "0001",
    "issue_year": "2016", "expiry_year": "2026",
}
"""The CURP is the one of RENAPO's own example."""
G_FRONT: tuple[Print, ...] = (
    ("NOMBRE", 25.4, 13.4, 1.15), ("PEÑA", 25.4, 16.7, 2.0), ("SOL", 25.4, 19.9, 2.0), ("MARIA FERNANDA", 25.4, 23.1, 2.0),
    ("DOMICILIO", 25.4, 26.9, 1.15), ("COL CENTRO 06000", 25.4, 29.8, 1.75), ("MONTERREY, N.L.", 25.4, 32.6, 1.75),
    ("CLAVE DE ELECTOR", 25.4, 39.2, 1.15), ("PXSLMR56042730M300", 41.6, 39.2, 1.75), ("CURP", 25.4, 42.0, 1.15),
    ("HEGM560427MVZRRL04", 25.4, 45.0, 1.75), ("AÑO DE REGISTRO", 58.6, 42.0, 1.15), ("1994", 58.6, 45.0, 1.75), ("02", 65.2, 45.0, 1.75),
    ("FECHA DE NACIMIENTO", 25.4, 48.2, 1.15), ("27/04/1956", 25.4, 51.2, 1.75), ("SECCIÓN", 47.0, 48.0, 1.15), ("1234", 47.0, 51.3, 2.4),
    ("VIGENCIA", 61.4, 48.2, 1.15), ("2021", 61.4, 51.2, 1.75), ("-", 68.4, 51.2, 1.75), ("2031", 70.2, 51.2, 1.75),
)
G_VALUES = {
    "paternal_surname": "PEÑA", "maternal_surname": "SOL", "given_names": "MARIA FERNANDA", "address": "COL CENTRO 06000 MONTERREY, N.L.",
    "elector_key": "PXSLMR56042730M300", "curp": "HEGM560427MVZRRL04", "registration_year": "1994", "issue_number": "02",
    "birth_date": "1956-04-27", "section": "1234", "issue_year": "2021", "expiry_year": "2031",
}


def as_lines(prints: tuple[Print, ...], shift: float = 0.0) -> tuple[ReadLine, ...]:
    """Prints as a perfect reader would give them; every second element moved down by `shift` mm."""
    return tuple(ReadLine(text, 0.99, (x, base - height + shift * (place % 2), x + 0.75 * height * len(text), base + shift * (place % 2)))
                 for place, (text, x, base, height) in enumerate(prints))


def found(lines: tuple[ReadLine, ...]) -> dict[str, str]:
    return {name: readings[0].value for name, readings in interpret(lines, 0.0).readings.items()}


@pytest.mark.parametrize(("prints", "expected"), [(E_FRONT, E_VALUES), (G_FRONT, G_VALUES)], ids=["E", "G"])
@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_fields_of_known_layouts(prints: tuple[Print, ...], expected: dict[str, str], shift: float) -> None:
    assert found(as_lines(prints, shift)) == expected


@pytest.mark.parametrize("misread", ["DOSNCIJO", "DOMBCLKO", "OONICUZ"])
@pytest.mark.parametrize(("prints", "expected"), [(E_FRONT, E_VALUES), (G_FRONT, G_VALUES)], ids=["E", "G"])
def test_a_label_that_was_misread_is_no_name(prints: tuple[Print, ...], expected: dict[str, str], misread: str) -> None:
    got = found(as_lines(tuple((misread if text == "DOMICILIO" else text, x, base, height) for text, x, base, height in prints)))
    names = ("paternal_surname", "maternal_surname", "given_names")
    assert [got[name] for name in names] == [expected[name] for name in names]


@given(st.floats(-3, 3), st.floats(-3, 3))
@settings(deadline=None)
def test_a_front_that_lies_elsewhere_reads_the_same(dx: float, dy: float) -> None:
    moved = tuple((text, x + dx, base + dy, height) for text, x, base, height in E_FRONT)
    assert found(as_lines(moved)) == E_VALUES


def test_without_its_second_year_a_range_gives_no_expiry() -> None:
    """Else a card would expire ten years early by a spot of glare."""
    lines = as_lines(tuple(text for text in G_FRONT if text[0] not in ("2031", "-")))
    assert "expiry_year" not in found(lines)
    assert found(lines)["issue_year"] == "2021"


def test_a_value_beyond_another_label_is_not_taken() -> None:
    """LOCALIDAD's digits are unreadable: EMISIÓN's year, four digits too, is not the locality."""
    lines = as_lines(tuple(text for text in E_FRONT if text[0] != "0001"))
    assert "locality" not in found(lines)
    assert found(lines)["issue_year"] == "2016"


def test_without_labels_keys_and_date_are_taken_by_their_shape() -> None:
    lines = as_lines(tuple(text for text in E_FRONT if text[0] in ("PXSLMR56042730M300", "HEGM560427MVZRRL04", "27/04/1956")))
    assert found(lines) == {name: E_VALUES[name] for name in ("elector_key", "curp", "birth_date")}


@pytest.mark.parametrize(("text", "labels"), [
    ("NOMBRE", ["NOMBRE"]), ("N0MBRE", ["NOMBRE"]), ("AÑO DE REGISTRO 1994 02", ["AÑO DE REGISTRO"]),
    ("ANO DE REGlSTRO", ["AÑO DE REGISTRO"]), ("ESTADO 19 MUNICIPIO 039 SECCIÓN 1234", ["ESTADO", "MUNICIPIO", "SECCIÓN"]),
    ("Domicilio del elector/Address", ["DOMICILIO DEL ELECTOR / ADDRESS"]), ("FERNANDA", []), ("CURP", ["CURP"]), ("CUMP", []),
    ("INSTITUTO FEDERAL ELECTORAL", ["INSTITUTO FEDERAL ELECTORAL"]), ("INSTITUTO NACIONAL ELECTORL", ["INSTITUTO NACIONAL ELECTORAL"]),
    ("1994 02", []), ("DOMICIL", ["DOMICILIO"]), ("MICILIO", ["DOMICILIO"]), ("LECTOR", []),
])
def test_labels_are_found_in_slips(text: str, labels: list[str]) -> None:
    assert [one.label.text for one in find_labels(text)] == labels


@pytest.mark.parametrize("text", ["AÑO DE REGISTRO/REGISTRATIONYEAR 2012 02", "AÑO DE REGISTRO/REGISTRATION YEAR 2012 02",
                                  "ANO DE REGISTRO/REGISTRATI0NYEAR 2012 02"])
def test_a_long_label_does_not_swallow_the_numbers_behind_it(text: str) -> None:
    pieces = pieces_of(ReadLine(text, 0.9, (4.0, 48.0, 42.0, 50.0)))
    assert [(piece.text, piece.label is None) for piece in pieces][-1] == ("2012 02", True) and len(pieces) == 2


def test_pieces_of_a_line_keep_their_order_and_places() -> None:
    pieces = pieces_of(ReadLine("ESTADO 19 SECCIÓN 1234", 0.9, (10.0, 5.0, 54.0, 7.0)))
    assert [(piece.text, piece.label is not None) for piece in pieces] == [("ESTADO", True), ("19", False), ("SECCIÓN", True), ("1234", False)]
    assert [piece.x0 for piece in pieces] == pytest.approx([10, 24, 30, 46])


@pytest.mark.parametrize(("text", "apart"), [
    ("HEGM560427MVZRRL04AÑO DE REGISTRO", "HEGM560427MVZRRL04 AÑO DE REGISTRO"), ("CURPHEGM560427MVZRRL04", "CURP HEGM560427MVZRRL04"),
    ("PXSLMR56042730M300", "PXSLMR56042730M300"), ("XXXXXXXXXXXXXXXXXXXXX", "XXXXXXXXXXXXXXXXXXXXX"),
])
def test_keys_stand_apart(text: str, apart: str) -> None:
    assert values.unglued(text) == apart


words = st.text("ABCÑ01", max_size=9)


@pytest.mark.parametrize(("text", "expected"), [
    ("HEGM560427MVZRRL04 2", "HEGM560427MVZRRL04"), ("- HEGM560427MVZRRL04", "HEGM560427MVZRRL04"),
    ("HEGM560427MVZRRL042", None), ("HEGM560427MVZRRL0 4 22", None)])
def test_a_key_beside_a_speck(text: str, expected: str | None) -> None:
    assert values.curp(text) == expected


def test_a_portrait_edge_before_a_name_is_no_letter_of_it() -> None:
    text = interpret(as_lines((("NOMBRE", 26.4, 15.0, 1.15), ("T SOL", 24.9, 18.2, 2.0), ("PEÑA", 26.4, 21.2, 2.0),
                             ("A ROSA", 26.4, 24.2, 2.0))), 0.3)
    assert [text.readings[name][0].value for name in ("paternal_surname", "maternal_surname", "given_names")] \
        == ["SOL", "PEÑA", "A ROSA"]


def test_two_years_ten_apart_are_the_validity_without_their_label() -> None:
    text = interpret(as_lines((("2019", 60.0, 50.0, 2.0), ("2029", 68.0, 50.0, 2.0), ("2011", 26.4, 50.0, 2.0))), 0.3)
    assert (text.readings["issue_year"][0].value, text.readings["expiry_year"][0].value) == ("2019", "2029")


@given(words, words)
@settings(deadline=None)
def test_distance_is_levenshteins(a: str, b: str) -> None:
    rows = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, rows[0] = rows[0], i
        for j, y in enumerate(b, 1):
            previous, rows[j] = rows[j], min(rows[j] + 1, rows[j - 1] + 1, previous + (x != y))
    assert distance(a, b) == rows[-1]


@pytest.mark.parametrize(("parse", "text", "value"), [
    (values.curp, "HEGM560427MVZRRL04", "HEGM560427MVZRRL04"), (values.curp, "HEGM56O427MVZRRLO4", "HEGM560427MVZRRL04"),
    (values.curp, "HE6M560427MVZRRL04", "HEGM560427MVZRRL04"), (values.curp, "HEGM560427MVZRRL0", None),
    (values.curp, "PXSLMR56042730M300", None), (values.elector_key, "PXSLMR56042730M3OO", "PXSLMR56042730M300"),
    (values.elector_key, "HEGM560427MVZRRL04", None), (values.day, "27/04/1956", "1956-04-27"), (values.day, "27/O4/1956", "1956-04-27"),
    (values.day, "31/02/1990", None), (values.day, "1994 02", None), (values.year, "2O26", "2026"), (values.year, "1234", None),
    (values.sex, "H", "H"), (values.sex, "HM", None), (values.words, "1 ROMERO", "ROMERO"), (values.words, "R0MERO", "ROMERO"),
    (values.words, "06000", None), (values.words, "MA. LUZ", "MA. LUZ"),
])
def test_values_are_typed_and_not_bent(parse: object, text: str, value: str | None) -> None:
    assert callable(parse)
    assert parse(text) == value


@pytest.mark.parametrize(("text", "line"), [
    ("C FRESNO 70O", "C FRESNO 700"), ("Col Centro 0600O", "COL CENTRO 06000"), ("MZ 4 LT O", "MZ 4 LT O"), ("Q. ROO", "Q. ROO"),
    ("12-A INT O3", "12-A INT 03"), ("OOO", "OOO"),
])
def test_zeros_in_an_addresss_numbers(text: str, line: str) -> None:
    assert values.address_line(text) == line


@pytest.mark.parametrize(("text", "years"), [("2021 - 2031", ("2021", "2031")), ("2021-2031", ("2021", "2031")), ("2026", ("2026",)),
                                             ("20212031", ("2021", "2031")), ("CURP", ()), ("- 2031", ("2031",))])
def test_years(text: str, years: tuple[str, ...]) -> None:
    assert values.years(text) == years


def test_drawn_fronts_are_read() -> None:
    """Both layouts in two faces, a little blurred: at most one field in thirty may be missed or misread."""
    networks, calibration = local_networks(), load_calibration()
    wrong = []
    for prints, expected in ((E_FRONT, E_VALUES), (G_FRONT, G_VALUES)):
        for font in (1, 4):
            read = read_front(printed(prints, sans_fonts()[font], 5, 1.2), networks, calibration).readings
            wrong += [(name, font) for name, value in expected.items() if name not in read or read[name][0].value != value]
    assert len(wrong) <= 56 / 30, wrong


@pytest.mark.parametrize(("first", "sure", "second", "second_sure", "expected"), [
    ("IORRES", 0.5, "TORRES", 0.95, "TORRES"), ("IORRES", 0.9, "TORRES", 0.95, "IORRES"), ("TORRES", 0.5, "IORRES", 0.8, "TORRES"),
    ("PEÑA", 0.5, "PENA", 0.99, "PEÑA")])
def test_a_doubtful_name_is_read_again(monkeypatch: pytest.MonkeyPatch, first: str, sure: float, second: str, second_sure: float,
                                       expected: str) -> None:
    lines = tuple(replace(line, confidence=sure) if line.text == first else line
                  for line in as_lines((("NOMBRE", 26.4, 15.0, 1.15), (first, 26.4, 18.2, 2.0), ("SOL", 26.4, 21.2, 2.0),
                                        ("ROSA", 26.4, 24.2, 2.0))))
    monkeypatch.setattr(read_front_stage, "read_lines", lambda *_: lines)
    monkeypatch.setattr(read_front_stage, "read_ppocr", lambda crops, _: [Reading(second, second_sure, second_sure) for _ in crops])
    text = read_front(np.full((1080, 1712), 200, np.uint8), local_networks(), load_calibration())
    assert text.readings["paternal_surname"][0].value == expected


@pytest.mark.parametrize(("second", "gap", "born"), [("/03/1979", 0.5, "1979-03-11"), ("/03/1979", 3.0, None), ("03", 0.5, None)])
def test_a_birth_date_found_as_two_pieces_is_one(second: str, gap: float, born: str | None) -> None:
    lines = (ReadLine("11", 0.9, (26.0, 49.5, 28.1, 51.2)), ReadLine(second, 0.8, (28.1 + gap, 49.5, 39.4, 51.2)))
    readings = interpret(lines, 0.3).readings
    assert [one.value for one in readings.get("birth_date", ())] == ([born] if born else [])


MUTE = (("BETANCOURT", 26.1, 17.9, 2.0), ("OCHOA", 25.9, 21.0, 2.0), ("ITZEL", 26.0, 24.0, 2.0))
ADDRESS = (("8450 ELM AVE", 26.6, 30.1, 1.7), ("APT 22 77814", 26.6, 32.8, 1.7), ("HOUSTON, TEXAS, EUA", 26.6, 35.5, 1.7))


@pytest.mark.parametrize(("prints", "names"), [
    ((*MUTE, *ADDRESS), ("BETANCOURT", "OCHOA", "ITZEL")),
    ((("CREDENCIAL PARA VOTAR", 25.7, 8.6, 1.7), *MUTE, *ADDRESS), ("BETANCOURT", "OCHOA", "ITZEL")),
    ((*MUTE, ("DQMICLI", 26.4, 27.4, 1.0), *ADDRESS), ("BETANCOURT", "OCHOA", "ITZEL")),  # a label, misread
    ((*MUTE[:2], *ADDRESS), None),  # two lines may be anything
    (ADDRESS, None),
    (tuple((text, x + 34, y, size) for text, x, y, size in MUTE), None),  # not where the column is
])
def test_without_their_labels_names_are_taken_by_their_place_and_never_sure(prints: tuple[Print, ...],
                                                                            names: tuple[str, str, str] | None) -> None:
    readings = interpret(as_lines(prints), 0.3).readings
    read = [readings[name][0] for name in ("paternal_surname", "maternal_surname", "given_names") if name in readings]
    assert [one.value for one in read] == list(names or ()) and all(one.confidence <= 0.5 for one in read)


@pytest.mark.parametrize(("years", "issue", "expiry"), [
    (("2017", "2027"), "2017", "2027"), (("2007", "2017", "2027"), "2017", "2027"), (("2012", "2017", "2027"), "2017", "2027"),
    (("2017",), None, None), (("2012", "2027"), None, None),
])
def test_without_their_labels_two_years_of_a_row_are_a_cards_life(years: tuple[str, ...], issue: str | None,
                                                                  expiry: str | None) -> None:
    prints = tuple((year, 20.0 + 20 * place, 49.6, 1.7) for place, year in enumerate(years))
    readings = interpret(as_lines(prints), 0.3).readings
    read = [readings[name][0] if name in readings else None for name in ("issue_year", "expiry_year")]
    assert [one.value if one else None for one in read] == [issue, expiry]
    assert all(one is None or one.confidence <= 0.5 for one in read)


@pytest.mark.parametrize(("key", "sure", "curp", "second", "expected", "surer"), [
    # another day than the CURP's, read alike twice: that is what is printed
    ("PXSLMR56042830M300", 0.6, "HEGM560427MVZRRL04", "PXSLMR56042830M300", "PXSLMR56042830M300", True),
    # another day, and the second reading has the CURP's: a slip
    ("PXSLMR56042830M300", 0.6, "HEGM560427MVZRRL04", "PXSLMR56042730M300", "PXSLMR56042730M300", True),
    # another day, and the second reading a third one: the doubt stays
    ("PXSLMR56042830M300", 0.6, "HEGM560427MVZRRL04", "PXSLMR56042130M300", "PXSLMR56042830M300", False),
    # the same day: nobody is asked
    ("PXSLMR56042730M300", 0.8, "HEGM560427MVZRRL04", "PXSLMR56042830M300", "PXSLMR56042730M300", False),
    # a CURP whose own check digit does not hold names no day
    ("PXSLMR56042830M300", 0.8, "HEGM560427MVZRRL05", "PXSLMR56042730M300", "PXSLMR56042830M300", False),
])
def test_a_clave_of_another_day_is_read_again(monkeypatch: pytest.MonkeyPatch, key: str, sure: float, curp: str, second: str,
                                              expected: str, surer: bool) -> None:
    lines = tuple(replace(line, confidence=sure) if line.text == key else line
                  for line in as_lines((("CLAVE DE ELECTOR", 26.4, 38.9, 1.15), (key, 42.6, 38.9, 1.6), ("CURP", 26.4, 42.2, 1.15),
                                        (curp, 32.4, 42.2, 1.6))))
    monkeypatch.setattr(read_front_stage, "read_lines", lambda *_: lines)
    monkeypatch.setattr(read_front_stage, "read_ppocr", lambda crops, _: [Reading(second, 0.88, 0.88) for _ in crops])
    found = read_front(np.full((1080, 1712), 200, np.uint8), local_networks(), load_calibration()).readings["elector_key"][0]
    assert (found.value, found.confidence > sure) == (expected, surer)


@pytest.mark.parametrize(("spots", "torn"), [
    ((), set()), (((29.0, 17.2),), {"PEÑA"}), (((60.0, 30.0),), set()),
    (tuple((x, y) for x in range(2, 86, 6) for y in range(2, 54, 6)), set()),
], ids=["no spot", "on the first letters", "elsewhere", "an overexposed card"])
def test_a_line_that_light_cut_is_never_sure(spots: tuple[tuple[float, float], ...], torn: set[str]) -> None:
    """Letters under a spot are lost without a trace: what is left reads like a word of its own."""
    texts: tuple[Print, ...] = (("NOMBRE", 27.0, 12.0, 1.15), ("PEÑA", 30.4, 18.2, 2.0), ("SOLEDAD", 30.4, 24.2, 2.0))
    card = printed(texts, sans_fonts()[0], 3)
    for x, y in spots:
        cv2.circle(card, (round(x * 20), round(y * 20)), 34, 255, -1)
    lines = read_lines(card, find_lines(card), local_networks())
    assert {line.text for line in lines if line.confidence <= 0.5} & {"NOMBRE", "PEÑA", "SOLEDAD"} == torn
    assert {line.text for line in lines} >= {"NOMBRE", "PEÑA", "SOLEDAD"}

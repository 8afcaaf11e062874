"""CURP, clave de elector, MRZ, small QR: examples from public documents, an independent library, and properties."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import date
from typing import Any

import pytest
import stdnum.mx.curp as independent
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain import curp, mrz
from pipeline.domain.curp import Curp
from pipeline.domain.elector_key import ElectorKey
from pipeline.domain.identifiers import CURP_STATES, Malformed
from pipeline.domain.qr import LARGE_LENGTH, ShortQr, SmallQr, large_side

OK = nullcontext()


def bad(code: str) -> AbstractContextManager[Any]:
    return pytest.raises(Malformed, check=lambda error: error.code == code)


# INE's public specimen strings carry wrong check digits (shared layouts §6); the corrected ones are theirs with the sum redone.
@pytest.mark.parametrize(("text", "outcome"), [
    ("GOVM800705MCLMLR07", OK),
    ("GOVM800705MDFMLR06", OK),
    ("GOVM800705MCLMLR01", bad("curp_check")),
    ("GOVM800705MDFMLR08", bad("curp_check")),
    ("GOVM801305MDFMLR06", bad("curp_date")),
    ("GOVM800705MZZMLR06", bad("curp_state")),
    ("GOVM800705QDFMLR06", bad("curp_shape")),
    ("GOVM800705MDFMLR0", bad("curp_shape")),
    ("", bad("curp_shape")),
])
def test_curp_parse(text: str, outcome: AbstractContextManager[Any]) -> None:
    with outcome:
        assert str(Curp.parse(text)) == text


names = st.text(alphabet="ABCDEFGHIJKLMNÑOPQRSTUVWXYZ", min_size=2, max_size=12)
births = st.dates(date(1915, 1, 1), date(2008, 12, 31))


@given(names, names, names, births, st.sampled_from("HM"), st.sampled_from(sorted(CURP_STATES)), st.integers(0, 9))
def test_built_curps_satisfy_an_independent_library(paternal: str, maternal: str, given_name: str, birth: date, sex: str,
                                                    state: str, key: int) -> None:
    homoclave = str(key) if birth.year < 2000 else "ABCDEFGHIJ"[key]
    built = Curp.build(paternal, maternal, given_name, birth, sex, state, homoclave)
    assert independent.is_valid(str(built))
    assert independent.get_birth_date(str(built)) == birth
    assert independent.get_gender(str(built)) == {"H": "M", "M": "F"}[sex]
    assert built.birth == birth
    assert built.agrees_with_names(paternal, maternal, given_name)


@given(st.integers(0, 16), st.sampled_from(curp.ALPHABET))
def test_a_substituted_curp_letter_is_seen_or_known_to_be_unseen(place: int, letter: str) -> None:
    """The digit weighs position p by 18 - p modulo 10, so a change of value d is unseen exactly where d * (18 - p) % 10 == 0."""
    text = "GOVM800705MDFMLR06"
    if text[place] == letter:
        return
    changed = text[:place] + letter + text[place + 1:]
    step = (curp.ALPHABET.index(letter) - curp.ALPHABET.index(text[place])) * (18 - place)
    assert (curp.check_digit(changed[:17]) == changed[17]) == (step % 10 == 0)


@pytest.mark.parametrize(("names", "expected"), [
    (("GOMEZ", "VELAZQUEZ", "MARGARITA"), "GMVLMR"),
    (("ORTIZ", "LOPEZ", "MARIA ANA"), "ORLPAN"),
    (("DE LA CRUZ", "PEÑA", "JOSE LUIS"), "CRPXLS"),
])
def test_elector_key_letters(names: tuple[str, str, str], expected: str) -> None:
    assert str(ElectorKey.build(*names, date(1980, 7, 5), "09", "M", "100")).startswith(expected)


@pytest.mark.parametrize(("text", "outcome"), [
    ("GMVLMR80070501M100", OK),
    ("GMVLMR80070587H900", OK),
    ("GMVLMR80070533M100", bad("elector_key_shape")),
    ("GAVLMR80070501M100", bad("elector_key_shape")),
    ("GMVLMR80130501M100", bad("elector_key_shape")),
    ("GMVLMR80070501X100", bad("elector_key_shape")),
])
def test_elector_key_parse(text: str, outcome: AbstractContextManager[Any]) -> None:
    with outcome:
        assert ElectorKey.parse(text).birth_yymmdd == "800705"


MARGARITA = ("IDMEX1836577177<<0747116375842", "8007050M1812316MEX<02<<12345<6", "GOMEZ<VELAZQUEZ<<MARGARITA<<<<")
AS_COPIED = ("IDMEX1836577170<<0747116375842", "8007057M1812315MEX<02<<12345<7", MARGARITA[2])
INVENTED = ("IDMEX0000000011<<0000000000001", "9001011M3612314MEX<01<<00001<1", "MUESTRA<PRUEBA<<PERSONA<<<<<<<")


# Worked in the shared layouts §4: INE's specimen as third parties copied it fails, corrected it holds.
@pytest.mark.parametrize(("lines", "results"), [
    (MARGARITA, (True, True, True, True)),
    (INVENTED, (True, True, True, True)),
    (AS_COPIED, (False, False, False, True)),
    ((MARGARITA[0].replace("5842", "58Ñ2"), MARGARITA[1], MARGARITA[2]), (True, True, True, False)),
    (("", "", ""), (False, False, False, False)),
    (("IDMEX", "８007050M1812316MEX<02<<12345<6", ""), (False, False, True, False)),
])
def test_mrz_check_digits(lines: mrz.Lines, results: tuple[bool, ...]) -> None:
    assert mrz.check_results(lines) == results


@pytest.mark.parametrize(("lines", "valid"), [(MARGARITA, True), (INVENTED, True), (AS_COPIED, False)])
def test_a_td1_is_valid_where_all_four_hold(lines: mrz.Lines, valid: bool) -> None:
    assert mrz.Td1.parse(lines).valid == valid


# ICAO Doc 9303 part 3, appendix A to section 4.9: the worked examples.
@pytest.mark.parametrize(("text", "digit"), [("520727", "3"), ("AB2134<<<", "5")])
def test_icao_worked_examples(text: str, digit: str) -> None:
    assert mrz.check_digit(text) == digit


def test_td1_fields() -> None:
    card = mrz.Td1.parse(MARGARITA)
    assert (card.cic, card.section, card.citizen_id, card.issue_number) == ("183657717", "0747", "116375842", "02")
    assert (card.birth_date, card.expiry_year, card.sex) == (date(1980, 7, 5), 2018, "M")
    assert card.names == ("GOMEZ", "VELAZQUEZ", "MARGARITA")


@pytest.mark.parametrize(("line", "names"), [
    ("GOMEZ<VELAZQUEZ<<MARGARITA<<<<", ("GOMEZ", "VELAZQUEZ", "MARGARITA")),
    ("DE<LA<CRUZ<MEDINA<<MARIA<DEL<C", ("DE LA CRUZ", "MEDINA", "MARIA DEL C")),
    ("PEREZ<DE<LA<O<<ANA<<<<<<<<<<<<", ("PEREZ", "DE LA O", "ANA")),
    ("XOOL<<JOSE<<<<<<<<<<<<<<<<<<<<", ("XOOL", "", "JOSE")),
    ("ZEMPOALTECATLXOCHITIOTZINCUAUH", ("ZEMPOALTECATLXOCHITIOTZINCUAUH", "", "")),
])
def test_names_of_the_third_line(line: str, names: tuple[str, str, str]) -> None:
    assert mrz.split_names(line) == names


@pytest.mark.parametrize("lines", [
    ("IDMEX183657717", MARGARITA[1], MARGARITA[2]),
    ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<"),
    (MARGARITA[0], "701204M" + MARGARITA[1][7:], MARGARITA[2]),
])
def test_other_shapes_are_refused(lines: mrz.Lines) -> None:
    with pytest.raises(Malformed):
        mrz.Td1.parse(lines)


people = st.tuples(st.from_regex(r"[0-9]{9}", fullmatch=True), st.from_regex(r"[0-9]{4}", fullmatch=True),
                   st.from_regex(r"[0-9]{9}", fullmatch=True), births, st.sampled_from("HM"), st.integers(2026, 2036),
                   st.integers(0, 99), st.from_regex(r"[0-9]{5}", fullmatch=True))


@given(people, names, names, names)
def test_formatted_mrz_parses_back(person: tuple[Any, ...], paternal: str, maternal: str, given_name: str) -> None:
    cic, section, citizen_id, birth, sex, expiry, issue, optional = person
    lines = mrz.format_td1(cic, section, citizen_id, birth, sex, expiry, issue, optional, paternal, maternal, given_name)
    card = mrz.Td1.parse(lines)
    assert card.valid
    assert all(len(line) == 30 for line in lines)
    assert (card.cic, card.section, card.citizen_id, card.sex) == (cic, section, citizen_id, sex)
    assert card.issue_number == f"{issue:02d}"


@given(st.integers(0, 1), st.integers(0, 29), st.sampled_from(mrz.ALPHABET))
def test_every_single_error_is_seen_or_listed_as_undetectable(line: int, place: int, letter: str) -> None:
    """Weights 7, 3 and 1 have no common factor with 10, so one substitution is unseen only between congruent values."""
    old = MARGARITA[line][place]
    if old == letter or mrz.undetectable(old, letter):
        return
    protected = {0: set(range(5, 30)), 1: {*range(7), *range(8, 15), *range(18, 30)}}[line]
    changed = list(MARGARITA)
    changed[line] = MARGARITA[line][:place] + letter + MARGARITA[line][place + 1:]
    holds = all(mrz.check_results((changed[0], changed[1], changed[2])))
    assert holds == (place not in protected)


@pytest.mark.parametrize(("read", "meant", "changes"), [
    (MARGARITA, MARGARITA, 0),
    (("1DMEX18365771T7<<0747116375842".replace("T", "7"), MARGARITA[1], MARGARITA[2]), MARGARITA, 1),
    (("IDMEX1836577177<<O747116375842", "8OO7O50M1812316MEX<02<<12345<6", "G0MEZ<VELA2QUEZ<<MARGAR1TA<<<<"), MARGARITA, 7),
    ((MARGARITA[0], "8007050M1812316MEXK02<<12345<6", MARGARITA[2]), MARGARITA, 1),
])
def test_correction_by_field_type(read: mrz.Lines, meant: mrz.Lines, changes: int) -> None:
    assert mrz.correct(read) == (meant, changes)


def test_correction_never_pleases_a_check_digit() -> None:
    assert mrz.correct(AS_COPIED) == (AS_COPIED, 0)


LONG = "http://qr.ine.mx/074711637584202183657717/20190102/P/000001"


@pytest.mark.parametrize(("text", "outcome"), [
    (LONG, OK),
    (LONG.replace("http:", "https:"), OK),
    (LONG.replace("20190102", "20191302"), bad("small_qr_date")),
    (LONG.replace("qr.ine.mx", "qr.ine.mx.example"), bad("small_qr_shape")),
    (LONG + "/x", bad("small_qr_shape")),
    (LONG.replace("0747", "074A"), bad("small_qr_shape")),
    (LONG + "0" * 200, bad("small_qr_shape")),
    ("https://qr.ine.mx/004697", bad("small_qr_shape")),
    ("http://qr.ine.mx/٠٧٤٧11637584202183657717/20190102/P/000001", bad("small_qr_shape")),
    (LONG + "\n", bad("small_qr_shape")),
])
def test_small_qr(text: str, outcome: AbstractContextManager[Any]) -> None:
    with outcome:
        parsed = SmallQr.parse(text)
        assert (parsed.section, parsed.citizen_id, parsed.issue_number, parsed.cic) == ("0747", "116375842", "02", "183657717")
        assert parsed.url() == LONG


def test_a_small_qr_is_written_as_it_was_read() -> None:
    """A year before 1000 keeps its zeros."""
    text = "http://qr.ine.mx/123412345678900123456789/00200131/A/45"
    assert SmallQr.parse(text).url() == text


def test_short_qr() -> None:
    assert ShortQr.parse("https://qr.ine.mx/004697").number == "004697"
    with pytest.raises(Malformed):
        ShortQr.parse(LONG)


@pytest.mark.parametrize(("payload", "side"), [
    (b"\x00\x00" + bytes(856), "left"), (b"\x00\x01" + bytes(856), "right"),
    (b"\x00\x02" + bytes(856), None), (b"\x00\x00" + bytes(855), None), (b"", None),
])
def test_large_qr_header(payload: bytes, side: str | None) -> None:
    assert large_side(payload) == side
    assert LARGE_LENGTH == 858

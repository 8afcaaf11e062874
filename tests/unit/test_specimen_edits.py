"""A forged card differs from the right one in one character of one place, and everything else of it agrees."""

from __future__ import annotations

import random
from datetime import date

import pytest

from models.specimens.card import CardSpec, printed_values, right_mrz
from models.specimens.edits import Edit, edited
from models.specimens.people import invent_person
from pipeline.domain.card_model import CardModel
from pipeline.domain.mrz import check_results

SEEDS = range(40)


def spec_of(seed: int) -> CardSpec:
    return CardSpec(CardModel.E, invent_person(random.Random(seed), "a", adult_by=2013), 2017, 2027, seed)


def differences(a: str, b: str) -> int:
    assert len(a) == len(b)
    return sum(x != y for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("edit, name", [(Edit.CURP, "curp"), (Edit.ELECTOR_KEY, "elector_key"), (Edit.BIRTH_DATE, "birth_date"),
                                        (Edit.EXPIRY, "expiry_year")])
def test_one_character_of_the_front(edit: Edit, name: str) -> None:
    for seed in SEEDS:
        right = spec_of(seed)
        forged = edited(right, edit, random.Random(seed))
        was, printed = printed_values(right), printed_values(forged)
        assert {key for key in was if was[key] != printed[key]} == {name}
        assert differences(was[name], printed[name]) == 1 and forged.mrz_lines is None and forged.qr_person is None


@pytest.mark.parametrize("edit", [Edit.MRZ_BIRTH, Edit.MRZ_EXPIRY, Edit.MRZ_CIC])
def test_the_forged_mrz_has_right_check_digits(edit: Edit) -> None:
    for seed in SEEDS:
        right = spec_of(seed)
        forged = edited(right, edit, random.Random(seed))
        assert forged.mrz_lines is not None and all(check_results(forged.mrz_lines))
        assert printed_values(forged) == printed_values(right)
        changed = [differences(a, b) for a, b in zip(right_mrz(right), forged.mrz_lines, strict=True)]
        assert 2 <= sum(changed) <= 3  # the digit, its check digit, the composite (which may come out the same)


@pytest.mark.parametrize("edit, name", [(Edit.QR_CIC, "cic"), (Edit.QR_CITIZEN_ID, "citizen_id")])
def test_the_small_qr_names_another_number(edit: Edit, name: str) -> None:
    for seed in SEEDS:
        right = spec_of(seed)
        forged = edited(right, edit, random.Random(seed))
        assert forged.qr_person is not None and forged.person == right.person
        assert differences(getattr(right.person, name), getattr(forged.qr_person, name)) == 1


@pytest.mark.parametrize("birth", [date(1980, 2, 28), date(1980, 2, 29), date(1999, 12, 31), date(2001, 1, 1), date(1975, 6, 9),
                                   date(1975, 6, 19), date(1975, 6, 30), date(1975, 6, 10), date(1975, 6, 20)])
def test_every_birth_date_has_a_neighbour_one_digit_away(birth: date) -> None:
    from models.specimens.edits import _other_day

    assert differences(f"{birth:%y%m%d}", f"{_other_day(birth):%y%m%d}") == 1

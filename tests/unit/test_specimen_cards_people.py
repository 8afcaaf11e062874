"""Invented citizens: identifiers that hold by rules read elsewhere, and agree with each other."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.mx import curp as stdnum_curp

from models.specimens import faces
from models.specimens.people import invent_person
from pipeline.domain.elector_key import ElectorKey
from pipeline.errors import Misconfigured


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), adult_by=st.integers(2008, 2022))
def test_identifiers_agree(seed: int, adult_by: int) -> None:
    person = invent_person(random.Random(seed), "nobody", adult_by=adult_by)
    # an independent implementation of the CURP's check digit, date and state
    assert stdnum_curp.is_valid(person.curp)
    assert stdnum_curp.get_birth_date(person.curp) == person.birth
    assert stdnum_curp.get_gender(person.curp) == {"H": "M", "M": "F"}[person.sex]
    key = ElectorKey.parse(person.elector_key)
    assert (key.birth_yymmdd, key.sex) == (f"{person.birth:%y%m%d}", person.sex)
    assert key.agrees_with_curp_state(person.curp[11:13])
    assert key.agrees_with_names(person.paternal, person.maternal, person.given)
    assert person.birth.year + 18 <= person.registration_year <= adult_by
    lengths = [len(text) for text in (person.cic, person.citizen_id, person.section, person.issue_number, person.postcode)]
    assert lengths == [9, 9, 4, 2, 5]
    assert len(person.given) <= 32 and len(person.address) == (2 if person.street is None else 3)


def test_the_same_seed_invents_the_same_person_and_names_vary() -> None:
    crowd = [invent_person(random.Random(seed), "person_a") for seed in range(300)]
    assert crowd[7] == invent_person(random.Random(7), "person_a")
    assert {person.sex for person in crowd} == {"H"}
    names = [name for person in crowd for name in (person.paternal, person.maternal, person.given)]
    assert any("Ñ" in name for name in names) and any(" " in name for name in names)
    assert any(person.given.startswith("JOSE ") for person in crowd) and any(person.street is None for person in crowd)
    assert len({person.curp for person in crowd}) == len({person.cic for person in crowd}) == 300


def test_abroad_gives_an_address_outside_mexico() -> None:
    person = invent_person(random.Random(5), "astronaut", abroad=True)
    assert person.sex == "M" and any(country in person.address[-1] for country in ("EUA", "ESPAÑA", "CANADA"))


def test_missing_portraits_say_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces, "PORTRAITS", tmp_path)
    with pytest.raises(Misconfigured, match="make weights"):
        faces.load_faces()


def test_seven_photographs_of_five_persons_with_credits() -> None:
    if not (faces.PORTRAITS / "person_a_1.jpg").is_file():
        pytest.skip("`make weights` has not put the portraits here")
    photos = faces.load_faces()
    assert len(photos) == 7 and {photo.identity for photo in photos} == set(faces.SEX_OF_FACE)
    for photo in photos:
        height, width = photo.portrait().shape[:2]
        assert abs(width / height - 0.78) < 0.01 and len(photo.credit) > 10

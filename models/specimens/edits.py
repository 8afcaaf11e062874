"""One character of a card changed in one place, as a forger would: what the cross-checks have to find."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from enum import StrEnum

from models.specimens.card import CardSpec, right_mrz
from models.specimens.people import Person


class Edit(StrEnum):
    """What is changed. On the front the print alone; in the MRZ the check digits follow; in the small QR its grammar holds."""

    CURP = "curp"
    ELECTOR_KEY = "elector_key"
    BIRTH_DATE = "birth_date"
    EXPIRY = "expiry"
    MRZ_BIRTH = "mrz_birth"
    MRZ_EXPIRY = "mrz_expiry"
    MRZ_CIC = "mrz_cic"
    QR_CIC = "qr_cic"
    QR_CITIZEN_ID = "qr_citizen_id"


def edited(spec: CardSpec, edit: Edit, chooser: random.Random) -> CardSpec:
    """The same card with one character changed in one place."""
    person = spec.person
    if edit in _PRINTED:
        name, printed = _PRINTED[edit]
        return replace(spec, overrides={**spec.overrides, name: printed(spec, chooser)})
    if edit is Edit.QR_CIC:
        return replace(spec, qr_person=replace(person, cic=one_digit(chooser, person.cic)))
    if edit is Edit.QR_CITIZEN_ID:
        return replace(spec, qr_person=replace(person, citizen_id=one_digit(chooser, person.citizen_id)))
    if edit is Edit.MRZ_EXPIRY:
        return replace(spec, mrz_lines=right_mrz(replace(spec, expiry_year=spec.expiry_year + 1)))
    other = replace(person, cic=one_digit(chooser, person.cic)) if edit is Edit.MRZ_CIC else _older(person)
    return replace(spec, mrz_lines=right_mrz(replace(spec, person=other)))


def one_digit(chooser: random.Random, text: str, places: Sequence[int] | None = None) -> str:
    """`text` with another digit at one of `places` (default: anywhere); there must be a digit at each of them."""
    place = chooser.choice(places or range(len(text)))
    return text[:place] + str((int(text[place]) + chooser.randint(1, 9)) % 10) + text[place + 1:]


def _older(person: Person) -> Person:
    return replace(person, birth=_other_day(person.birth))


def _other_day(birth: date) -> date:
    """Another day of the same month, one digit away."""
    if birth.day == 30:
        return birth.replace(day=20)
    return birth.replace(day=birth.day + 1 if birth.day % 10 < 9 and birth.day < 28 else birth.day - 1)


_BIRTH_IN_CURP, _BIRTH_IN_KEY = (5, 7, 9), (7, 9, 11)
"""The second digits of year, month and day."""
_PRINTED: Mapping[Edit, tuple[str, Callable[[CardSpec, random.Random], str]]] = {
    Edit.CURP: ("curp", lambda spec, chooser: one_digit(chooser, spec.person.curp, _BIRTH_IN_CURP)),
    Edit.ELECTOR_KEY: ("elector_key", lambda spec, chooser: one_digit(chooser, spec.person.elector_key, _BIRTH_IN_KEY)),
    Edit.BIRTH_DATE: ("birth_date", lambda spec, _: f"{_other_day(spec.person.birth):%d/%m/%Y}"),
    Edit.EXPIRY: ("expiry_year", lambda spec, _: str(spec.expiry_year + 1)),
}
"""The value on the front that is changed, and what is printed instead."""

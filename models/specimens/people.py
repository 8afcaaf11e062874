"""Invented citizens whose identifiers agree with each other, as a registry's would."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

from models.specimens import names
from models.specimens.faces import SEX_OF_FACE
from pipeline.domain.curp import Curp
from pipeline.domain.elector_key import ElectorKey


@dataclass(frozen=True, slots=True)
class Person:
    """A citizen that does not exist. Names in upper case without accents but with Ñ, as a card prints them."""

    paternal: str
    maternal: str
    given: str
    birth: date
    sex: str
    """H (hombre) or M (mujer)."""
    birth_state: str
    """Two letters, as in the CURP."""
    street: str | None
    """None where the citizen left it off the card."""
    colony: str
    postcode: str
    municipality: str
    state: str
    section: str
    state_code: str
    municipality_code: str
    locality: str
    registration_year: int
    issue_number: str
    """Two digits."""
    curp: str
    elector_key: str
    cic: str
    citizen_id: str
    face: str
    """Identity whose face is this citizen's (`FacePhoto.identity`)."""

    @property
    def address(self) -> tuple[str, ...]:
        """The two or three lines of the domicilio."""
        rest = (f"{self.colony} {self.postcode}", f"{self.municipality}, {self.state}")
        return rest if self.street is None else (self.street, *rest)

    def age_in(self, year: int) -> int:
        """Full years on 31 December of `year`."""
        return year - self.birth.year


def invent_person(rng: random.Random, face: str, *, adult_by: int = 2013, abroad: bool = False) -> Person:
    """A citizen of `face`'s sex who was an adult by `adult_by` and registered by then; `abroad` gives a foreign address."""
    sex = SEX_OF_FACE.get(face) or rng.choice("HM")
    paternal, maternal = rng.choice(names.SURNAMES), rng.choice(names.SURNAMES)
    given = rng.choice(names.MEN if sex == "H" else names.WOMEN)
    born = date(adult_by - rng.randint(18, 60), 1, 1) + timedelta(days=rng.randrange(365))
    birth_code, birth_state, *_ = rng.choice(names.STATES)
    homoclave = str(rng.randrange(10)) if born.year < 2000 else rng.choice("ABCDEFGH")
    state_code, _, state, town, prefix = rng.choice(names.STATES)
    street = f"{rng.choice(names.STREETS)} {rng.randint(1, 2999)}" if rng.random() < 0.9 else None
    colony = rng.choice(names.COLONIES)
    if abroad:
        town, state, prefix = rng.choice(names.ABROAD)
        street, colony = f"{rng.randint(10, 9999)} {rng.choice(names.STREETS_ABROAD)}", f"APT {rng.randint(1, 99)}"
    return Person(
        paternal, maternal, given, born, sex, birth_state, street, colony, f"{prefix}{rng.randrange(1000):03d}", town, state,
        section=f"{rng.randint(1, 6999):04d}", state_code=state_code, municipality_code=f"{rng.randint(1, 199):03d}",
        locality=f"{rng.choice((1, 1, 1, rng.randint(2, 180))):04d}",
        registration_year=rng.randint(max(1991, born.year + 18), adult_by), issue_number=f"{rng.choice((0, 1, 1, 2, 3, 5)):02d}",
        curp=str(Curp.build(paternal, maternal, given, born, sex, birth_state, homoclave)),
        elector_key=str(ElectorKey.build(paternal, maternal, given, born, birth_code, sex, f"{rng.randrange(10) * 100:03d}")),
        cic=f"{rng.randint(100_000_000, 299_999_999)}", citizen_id=f"{rng.randint(1, 130_000_000):09d}", face=face,
    )

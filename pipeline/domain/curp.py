"""CURP, the population registry's 18-character key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from pipeline.domain.identifiers import (
    CURP_STATES,
    Malformed,
    first_letter,
    inner_consonant,
    inner_vowel,
    significant,
)

ALPHABET = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
_SHAPE = re.compile(r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}[0-9A-Z]\d", re.ASCII)
FORBIDDEN = frozenset(
    "BACA BAKA BUEI BUEY CACA CACO CAGA CAGO CAKA CAKO COGE COGI COJA COJE COJI COJO COLA CULO FALO FETO GETA GUEI GUEY JETA "
    "JOTO KACA KACO KAGA KAGO KAKA KAKO KOGE KOGI KOJA KOJE KOJI KOJO KOLA KULO LILO LOCA LOCO LOKA LOKO MAME MAMO MEAR MEAS "
    "MEON MIAR MION MOCO MOKO MULA MULO NACA NACO PEDA PEDO PENE PIPI PITO POPO PUTA PUTO QULO RATA ROBA ROBE ROBO RUIN SENO "
    "TETA VACA VAGA VAGO VAKA VUEI VUEY WUEI WUEY".split()
)
"""Words that the registry masks: their second letter becomes X."""


def check_digit(first17: str) -> str:
    """10 - (sum of value * (18 - position)) mod 10, values by `ALPHABET` (RENAPO's Instructivo normativo)."""
    total = sum(ALPHABET.index(letter) * (18 - place) for place, letter in enumerate(first17))
    return str((10 - total % 10) % 10)


def head(paternal: str, maternal: str, given: str) -> str:
    """The four letters that start a CURP."""
    last, mother, name = significant(paternal), significant(maternal), significant(given, given=True)
    letters = first_letter(last) + inner_vowel(last) + first_letter(mother) + first_letter(name)
    return letters[0] + "X" + letters[2:] if letters in FORBIDDEN else letters


def tail_consonants(paternal: str, maternal: str, given: str) -> str:
    """The three inner consonants, positions 14 to 16."""
    return "".join(map(inner_consonant, (significant(paternal), significant(maternal), significant(given, given=True))))


@dataclass(frozen=True, slots=True)
class Curp:
    """A CURP whose shape, date, state and check digit hold."""

    text: str

    @staticmethod
    def parse(text: str) -> Curp:
        """Raises `Malformed` that names the rule broken."""
        if not _SHAPE.fullmatch(text):
            raise Malformed("a CURP is 18 characters: 4 letters, 6 digits, H/M/X, state, 3 consonants, 2 more", code="curp_shape")
        if text[11:13] not in CURP_STATES:
            raise Malformed("the CURP's state of birth is unknown", code="curp_state")
        try:
            _birth(text)
        except ValueError as error:
            raise Malformed("the CURP's date of birth does not exist", code="curp_date") from error
        if check_digit(text[:17]) != text[17]:
            raise Malformed("the CURP's check digit does not hold", code="curp_check")
        return Curp(text)

    @staticmethod
    def build(paternal: str, maternal: str, given: str, birth: date, sex: str, state: str, homoclave: str) -> Curp:
        """From a person's data. `sex` H, M or X; `state` two letters; `homoclave`: a digit if born before 2000, else a letter."""
        first17 = (head(paternal, maternal, given) + birth.strftime("%y%m%d") + sex + state
                   + tail_consonants(paternal, maternal, given) + homoclave)
        return Curp.parse(first17 + check_digit(first17))

    @property
    def birth(self) -> date:
        return _birth(self.text)

    @property
    def sex(self) -> str:
        """H (hombre), M (mujer) or X."""
        return self.text[10]

    @property
    def state(self) -> str:
        return self.text[11:13]

    def agrees_with_names(self, paternal: str, maternal: str, given: str) -> bool:
        """Whether the letters follow from the names. Registered exceptions exist: a hint, never a proof."""
        return (self.text[:4] == head(paternal, maternal, given)
                and self.text[13:16] == tail_consonants(paternal, maternal, given))

    def __str__(self) -> str:
        return self.text


def _birth(text: str) -> date:
    century = 1900 if text[16].isdigit() else 2000
    return date(century + int(text[4:6]), int(text[6:8]), int(text[8:10]))

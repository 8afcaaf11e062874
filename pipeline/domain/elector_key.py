"""Clave de elector, the electoral registry's 18-character key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from pipeline.domain.identifiers import CURP_STATES, Malformed, first_letter, inner_consonant, significant

_SHAPE = re.compile(
    r"(?:[A-Z][B-DF-HJ-NP-TV-Z]){3}\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|[12]\d|3[0-2]|87|88)[HM]\d{3}",
    re.ASCII,
)
"""First letter and first inner consonant of each name, birth, state of birth, sex, three digits whose rule is not public."""


@dataclass(frozen=True, slots=True)
class ElectorKey:
    """A clave de elector of the right shape. Nothing more is public, so nothing more is checked."""

    text: str

    @staticmethod
    def parse(text: str) -> ElectorKey:
        """Raises `Malformed`."""
        if not _SHAPE.fullmatch(text):
            raise Malformed("a clave de elector is 6 letters, 8 digits, H or M, 3 digits", code="elector_key_shape")
        return ElectorKey(text)

    @staticmethod
    def build(paternal: str, maternal: str, given: str, birth: date, birth_state: str, sex: str, tail: str) -> ElectorKey:
        """From a person's data. `birth_state` 01-32, 87 or 88; `tail` three digits."""
        return ElectorKey.parse(letters(paternal, maternal, given) + birth.strftime("%y%m%d") + birth_state + sex + tail)

    @property
    def birth_yymmdd(self) -> str:
        return self.text[6:12]

    @property
    def birth_state(self) -> str:
        return self.text[12:14]

    @property
    def sex(self) -> str:
        return self.text[14]

    def agrees_with_names(self, paternal: str, maternal: str, given: str) -> bool:
        """A hint, never a proof: how a missing second surname or an Ñ is written is not public."""
        return self.text[:6] == letters(paternal, maternal, given)

    def agrees_with_curp_state(self, curp_state: str) -> bool:
        digits = CURP_STATES.get(curp_state)
        return digits == self.birth_state or (digits == "87" and self.birth_state == "88")

    def __str__(self) -> str:
        return self.text


def letters(paternal: str, maternal: str, given: str) -> str:
    """The six letters that start the key."""
    words = (significant(paternal), significant(maternal), significant(given, given=True))
    return "".join(first_letter(word) + inner_consonant(word) for word in words)

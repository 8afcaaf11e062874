"""The machine-readable zone: ICAO 9303 check digits, and INE's use of TD1 (three lines of 30).

L1 `IDMEX` CIC(9) check `<<` sección(4) identificador(9)
L2 birth(6) check sex expiry(6) check `MEX` `<EE<<NNNNN<` composite
L3 `PATERNO<MATERNO<<NOMBRES`, cut at 30 without a mark. `M` is mujer and `H` is hombre: not ICAO's letters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from pipeline.domain.identifiers import PARTICLES, Malformed, plain

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<"
_LETTERS = frozenset(ALPHABET)
Lines = tuple[str, str, str]
VALID_YEARS, YOUNGEST = 10, 17


def value(letter: str) -> int:
    """0-9 as they are, A-Z 10-35, filler 0 (ICAO 9303-3, 4.9)."""
    return 0 if letter == "<" else ALPHABET.index(letter)


def check_digit(text: str) -> str:
    """Weights 7 3 1, modulo 10."""
    return str(sum(value(letter) * (7, 3, 1)[place % 3] for place, letter in enumerate(text)) % 10)


def undetectable(a: str, b: str) -> bool:
    """Whether a check digit cannot see `a` read for `b`: their values are congruent modulo 10."""
    return (value(a) - value(b)) % 10 == 0


@dataclass(frozen=True, slots=True)
class Td1:
    """INE's three lines, split. Existence says that the shape is right; `valid` says that the check digits hold."""

    lines: Lines
    cic: str
    section: str
    citizen_id: str
    birth: str
    sex: str
    expiry: str
    issue_number: str
    names: tuple[str, str, str]
    """Paternal, maternal, given; as far as 30 characters carry them."""
    valid: bool

    @staticmethod
    def parse(lines: Lines) -> Td1:
        """Raises `Malformed` where the three lines are not INE's shape, whatever their check digits say."""
        one, two, three = lines
        if not _LINE1.fullmatch(one) or not _LINE2.fullmatch(two) or not _LINE3.fullmatch(three):
            raise Malformed("three lines of 30 that begin with IDMEX are expected", code="mrz_shape")
        return Td1(lines, one[5:14], one[17:21], one[21:30], two[:6], two[7], two[8:14], two[19:21], split_names(three),
                   all(check_results(lines)))

    @property
    def expiry_year(self) -> int:
        return 2000 + int(self.expiry[:2])

    @property
    def birth_date(self) -> date | None:
        """The day of birth, its century told by the card's own age: issued ten years before it expires, to a person of
        17 or more (INE issues them from 17 on, for who turns 18 before the election). None if no such day exists.
        """
        for century in (2000, 1900):
            try:
                birth = date(century + int(self.birth[:2]), int(self.birth[2:4]), int(self.birth[4:6]))
            except ValueError:
                continue
            if birth.year + VALID_YEARS + YOUNGEST <= self.expiry_year:
                return birth
        return None


def split_names(line: str) -> tuple[str, str, str]:
    """Paternal, maternal, given. One filler stands both between surnames and inside a compound one: leading particles
    (DE LA CRUZ) are taken with the word they lead to, anything else is the front's to tell."""
    surnames, _, given = line.partition("<<")
    words = surnames.strip("<").split("<")
    first = next((place for place, word in enumerate(words) if word not in PARTICLES), len(words) - 1) + 1
    return " ".join(words[:first]), " ".join(words[first:]), given.replace("<", " ").strip()


_LINE1 = re.compile(r"IDMEX\d{9}\d<<\d{4}\d{9}", re.ASCII)
_LINE2 = re.compile(r"\d{6}\d[HMX<]\d{6}\dMEX<\d{2}<<\d{5}<\d", re.ASCII)
_LINE3 = re.compile(r"[A-Z<]{30}", re.ASCII)


def check_results(lines: Lines) -> tuple[bool, bool, bool, bool]:
    """Document, birth, expiry, composite; each True where the printed digit is the computed one."""
    one, two, _ = lines
    composite = one[5:30] + two[0:7] + two[8:15] + two[18:29]
    return (_holds(one[5:14], one[14:15]), _holds(two[:6], two[6:7]), _holds(two[8:14], two[14:15]),
            _holds(composite, two[29:30]))


def _holds(text: str, digit: str) -> bool:
    """A general recogniser may read a letter that no MRZ has: then nothing holds."""
    return set(text) <= _LETTERS and check_digit(text) == digit


def format_td1(cic: str, section: str, citizen_id: str, birth: date, sex: str, expiry_year: int, issue_number: int,
               optional: str, paternal: str, maternal: str, given: str) -> Lines:
    """The three lines of a card, with right check digits. `optional`: the five digits whose meaning is not public."""
    one = f"IDMEX{cic}{check_digit(cic)}<<{section}{citizen_id}"
    born, expires = birth.strftime("%y%m%d"), f"{expiry_year % 100:02d}1231"
    two = f"{born}{check_digit(born)}{sex}{expires}{check_digit(expires)}MEX<{issue_number:02d}<<{optional}<"
    two += check_digit(one[5:30] + two[0:7] + two[8:15] + two[18:29])
    three = f"{mrz_name(paternal)}<{mrz_name(maternal)}<<{mrz_name(given)}"
    return one, two, three[:30].ljust(30, "<")


def mrz_name(name: str) -> str:
    """A name as the third line writes it: Ñ as N, spaces and marks as fillers."""
    return re.sub(r"[^A-Z]+", "<", plain(name).replace("Ñ", "N")).strip("<")


_TO_DIGIT = str.maketrans("OQDIZSGBL", "000125681")
_TO_LETTER = str.maketrans("0125685", "OIZSGBS")
_SHAPES = ("LLLLLDDDDDDDDDD<<DDDDDDDDDDDDD", "DDDDDDDSDDDDDDDLLL<DD<<DDDDD<D", "N" * 30)
"""What each place may hold: L letter, D digit, S sex, N letter or filler, and fixed fillers."""


def correct(lines: Lines) -> tuple[Lines, int]:
    """Puts digits where only digits can stand and letters where only letters can; returns the lines and how many changed.

    Lines that are not 30 long are left alone. The check digits judge the outcome; nothing is changed to please them.
    """
    fixed = tuple(_correct_line(line, shape) if len(line) == 30 else line for line, shape in zip(lines, _SHAPES, strict=True))
    changed = sum(a != b for old, new in zip(lines, fixed, strict=True) for a, b in zip(old, new, strict=False))
    return (fixed[0], fixed[1], fixed[2]), changed


def _correct_line(line: str, shape: str) -> str:
    def one(letter: str, kind: str) -> str:
        if kind == "D":
            return letter.translate(_TO_DIGIT)
        if kind in "LN":
            return letter.translate(_TO_LETTER)
        if kind == "<" and letter in "KCL":
            return "<"
        return letter

    return "".join(map(one, line, shape))

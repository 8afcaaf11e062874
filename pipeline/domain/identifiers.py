"""What CURP and clave de elector share: how names are written in them, and Mexico's states."""

from __future__ import annotations

from pipeline.errors import BadInput

VOWELS = "AEIOU"
CONSONANTS = "BCDFGHJKLMNPQRSTVWXYZÑ"
COMMON_FIRST_NAMES = ("JOSE", "J", "MARIA", "MA")
"""Skipped as the first of several given names, since they tell nobody apart."""
PARTICLES = ("DE", "DEL", "LA", "LAS", "LOS", "Y", "MC", "MAC", "VON", "VAN", "MI")
"""Skipped at the start of a compound name (RENAPO's Instructivo normativo for the CURP)."""

CURP_STATES = {
    "AS": "01", "BC": "02", "BS": "03", "CC": "04", "CL": "05", "CM": "06", "CS": "07", "CH": "08", "DF": "09", "DG": "10",
    "GT": "11", "GR": "12", "HG": "13", "JC": "14", "MC": "15", "MN": "16", "MS": "17", "NT": "18", "NL": "19", "OC": "20",
    "PL": "21", "QT": "22", "QR": "23", "SP": "24", "SL": "25", "SR": "26", "TC": "27", "TS": "28", "TL": "29", "VZ": "30",
    "YN": "31", "ZS": "32", "NE": "87",
}
"""The CURP's state of birth to the two digits of the clave de elector (INEGI order; 87 and 88: born abroad)."""


class Malformed(BadInput):
    """A text that is not the identifier it was taken for. The message names the rule, never the value."""

    code = "malformed_identifier"


_ACCENTS = str.maketrans("ÁÀÄÂÉÈËÊÍÌÏÎÓÒÖÔÚÙÜÛ", "AAAAEEEEIIIIOOOOUUUU")


def plain(name: str) -> str:
    """Upper case without accents; Ñ stays."""
    return name.upper().translate(_ACCENTS)


def significant(name: str, *, given: bool = False) -> str:
    """The word of a name that identifiers are built from: particles and (for given names) JOSE/MARIA are skipped."""
    words = plain(name).replace(".", " ").replace("-", " ").replace("/", " ").split()
    while len(words) > 1 and words[0] in PARTICLES:
        words = words[1:]
    if given and len(words) > 1 and words[0] in COMMON_FIRST_NAMES:
        words = words[1:]
        while len(words) > 1 and words[0] in PARTICLES:
            words = words[1:]
    return words[0] if words else ""


def first_letter(word: str) -> str:
    return ("X" if word[0] == "Ñ" else word[0]) if word else "X"


def inner_vowel(word: str) -> str:
    """The first vowel after the first letter; X where there is none."""
    return next((letter for letter in word[1:] if letter in VOWELS), "X")


def inner_consonant(word: str) -> str:
    """The first consonant after the first letter; Ñ is written X; X where there is none."""
    letter = next((letter for letter in word[1:] if letter in CONSONANTS), "X")
    return "X" if letter == "Ñ" else letter

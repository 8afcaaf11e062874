"""From what was read beside a label to a field's value: typed correction, and grammar. Nothing is bent to fit. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date

from pipeline.domain.curp import Curp
from pipeline.domain.identifiers import Malformed, plain

_TO_DIGIT = str.maketrans("OQDUILZSGBTA", "000011256874")
_TO_LETTER = str.maketrans("0125687", "OIZSGBT")
CURP_SHAPE = "LLLLDDDDDDLLLLLL*D"
ELECTOR_KEY_SHAPE = "LLLLLLDDDDDDDDLDDD"
KEY_LENGTH = 18
LAST_AMBIGUOUS_YEAR = "12"
"""Two digits of a birth year up to which a CURP's 17th place may hold a letter (2000 and later; minors have no credential)."""
MOST_CORRECTIONS = 3
"""A key that needs more letters changed than this was not read; what was read is kept as it is."""


def typed(text: str, shape: str) -> tuple[str, int]:
    """Digits where only digits stand, letters where only letters stand; returns the text and how many places changed."""
    fixed = "".join(letter.translate(_TO_DIGIT) if kind == "D" else letter.translate(_TO_LETTER) if kind == "L" else letter
                    for letter, kind in zip(text, shape, strict=True))
    return fixed, sum(a != b for a, b in zip(text, fixed, strict=True))


def fits(text: str, shape: str) -> bool:
    return len(text) == len(shape) and all(
        kind == "*" or (letter.isdigit() if kind == "D" else letter.isalpha()) for letter, kind in zip(text, shape, strict=True))


def compact(text: str) -> str:
    """Capitals and digits only, accents taken off (but Ñ is a letter of its own)."""
    return "".join(letter for letter in plain(text) if letter.isalnum())


def key(text: str, shape: str) -> str | None:
    """A CURP or a clave de elector: 18 places by type, alone or as the one word of that length. None for another length or too
    many wrong places."""
    joined = compact(text)
    if len(joined) != KEY_LENGTH:
        whole = [word for word in map(compact, text.split()) if len(word) == KEY_LENGTH]
        if len(whole) != 1:
            return None
        joined = whole[0]
    fixed, changed = typed(joined, shape)
    return fixed if fits(fixed, shape) and changed <= MOST_CORRECTIONS else None


def curp(text: str) -> str | None:
    """A CURP's 18 characters. The 17th is a digit for who was born before 2000: certain where the year is not 00 to 12."""
    found = key(text, CURP_SHAPE)
    if found is None:
        return None
    if found[4:6] > LAST_AMBIGUOUS_YEAR:
        found = found[:16] + found[16].translate(_TO_DIGIT) + found[17]
    return found


def is_curp(text: str) -> bool:
    """Whether shape, date, state and check digit hold."""
    try:
        Curp.parse(text)
    except Malformed:
        return False
    return True


def elector_key(text: str) -> str | None:
    return key(text, ELECTOR_KEY_SHAPE)


def unglued(text: str) -> str:
    """A line in which a CURP or a clave de elector stands apart, although it was printed close to what follows or precedes."""
    return " ".join(_split_key(word) if len(word) > KEY_LENGTH else word for word in text.split())


def _split_key(word: str) -> str:
    capitals = plain(word)
    if len(capitals) != len(word):
        return word
    for start in range(len(word) - KEY_LENGTH + 1):
        end = start + KEY_LENGTH
        for shape in (CURP_SHAPE, ELECTOR_KEY_SHAPE):
            fixed, changed = typed(capitals[start:end], shape)
            if changed == 0 and fits(fixed, shape):
                return f"{word[:start]} {word[start:end]} {word[end:]}".strip()
    return word


def digits(text: str, count: int) -> str | None:
    """Exactly `count` digits, look-alikes put right; None for anything else."""
    joined = compact(text).translate(_TO_DIGIT)
    return joined if len(joined) == count and joined.isdigit() and _mostly_digits(text) else None


def _mostly_digits(text: str) -> bool:
    joined = compact(text)
    return 2 * sum(letter.isdigit() for letter in joined) >= len(joined)


def day(text: str) -> str | None:
    """dd/mm/yyyy as an ISO date; None where no such day exists."""
    joined = plain(text).translate(_TO_DIGIT).replace(" ", "")
    match = re.fullmatch(r"(\d{2})[/.\-1|]?(\d{2})[/.\-1|]?(\d{4})", joined)
    if match is None:
        return None
    try:
        return date(int(match[3]), int(match[2]), int(match[1])).isoformat()
    except ValueError:
        return None


YEARS = (1985, 2060)
"""Registrations began in 1990; the newest cards end in 2036."""


def year(text: str) -> str | None:
    found = digits(text, 4)
    return found if found is not None and YEARS[0] <= int(found) <= YEARS[1] else None


def years(text: str) -> tuple[str, ...]:
    """One year, or the two of `YYYY - YYYY`."""
    found = [value for part in re.split(r"[\s\-]+", text) if part and (value := year(part)) is not None]
    if not found and len(compact(text)) == 8:
        found = [value for part in (compact(text)[:4], compact(text)[4:]) if (value := year(part)) is not None]
    return tuple(found)


def registration(text: str) -> tuple[str, str] | None:
    """`YYYY NN`: year of registration and issue number."""
    both = digits(text, 6)
    first = year(both[:4]) if both is not None else None
    return (first, both[4:]) if first is not None and both is not None else None


def sex(text: str) -> str | None:
    """H, M or X; NB as printed from 2026 on."""
    joined = compact(text)
    return joined if joined in ("H", "M", "X", "NB") else None


def words(text: str) -> str | None:
    """A name in capitals: letters, and what may stand between them. Signs and digits at its ends are dust beside it."""
    cleaned = " ".join(re.sub(r"^[^A-ZÑÁÉÍÓÚÜ]+|[^A-ZÑÁÉÍÓÚÜ.]+$", "", text.upper()).translate(_TO_LETTER).split())
    letters = sum(letter.isalpha() for letter in cleaned)
    return cleaned if letters and letters >= 0.8 * len(cleaned.replace(" ", "")) else None


def address_line(text: str) -> str:
    """A line of an address in capitals; an O among the digits of a number is a zero, a letter of its own stays."""
    return " ".join(word.translate(_ROUND) if _is_number(word) else word for word in text.upper().split())


_ROUND = str.maketrans("OQ", "00")


def _is_number(word: str) -> bool:
    figures = sum(letter.isdigit() for letter in word)
    return figures > 0 and all(letter in "0123456789OQ-/.,()#" for letter in word) and 2 * figures >= len(word)


PARSERS: Mapping[str, Callable[[str], str | None]] = {
    "curp": curp, "elector_key": elector_key, "birth_date": day, "sex": sex, "issue_year": year,
    "state": lambda text: digits(text, 2), "municipality": lambda text: digits(text, 3),
    "section": lambda text: digits(text, 4), "locality": lambda text: digits(text, 4),
}
"""Fields of one value, by the name of their label's field."""

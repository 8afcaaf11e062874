"""The folio: a support's id as a citizen writes it down and reads it out, and as a desk finds the support by it.

Of an id (UUIDv7, RFC 9562, 5.7) it holds the 48 bits of its moment and the first 32 of its chance: 16 characters in Crockford's
base 32, whose letters are not taken for digits, and one that checks them (Luhn's way for 32 characters: it finds each single
wrong character, and nearly each pair that changed places). Two supports of one millisecond share a folio once in 2^32.
"""

from __future__ import annotations

import uuid

from pipeline.errors import BadInput

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH, GROUP = 17, 4
PATTERN = "^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}-[0-9A-HJKMNP-TV-Z]$"
"""As it is written. What is read may be in small letters, with O, I and L for the digits they look like, grouped otherwise."""
_LIKE_DIGITS = str.maketrans("OIL", "011", "- ")
_VERSION, _VARIANT = 7 << 76, 2 << 62
_REST = 42
"""Bits at an id's end that the folio leaves out."""


def folio_of(support_id: str) -> str:
    """support_id: a UUIDv7 as text."""
    value = uuid.UUID(support_id).int
    moment, first, second = value >> 80, value >> 64 & 0xFFF, value >> _REST & 0xFFFFF
    number = moment << 32 | first << 20 | second
    digits = [number >> shift & 31 for shift in range(75, -1, -5)]
    text = "".join(ALPHABET[digit] for digit in (*digits, _check(digits)))
    return "-".join(text[at:at + GROUP] for at in range(0, LENGTH, GROUP))


def ids_of(folio: str) -> tuple[str, str]:
    """The least and the greatest id that have this folio. Raises `BadInput` (`bad_folio`)."""
    text = folio.upper().translate(_LIKE_DIGITS)
    if len(text) != LENGTH or not set(text) <= set(ALPHABET):
        raise BadInput(f"a folio has {LENGTH} letters and digits, as 0DX1-2345-6789-ABCD-E", code="bad_folio")
    *digits, check = (ALPHABET.index(letter) for letter in text)
    if check != _check(digits):
        raise BadInput("the folio has a wrong character: read it again", code="bad_folio")
    number = sum(digit << shift for digit, shift in zip(digits, range(75, -1, -5), strict=True))
    least = (number >> 32) << 80 | _VERSION | (number >> 20 & 0xFFF) << 64 | _VARIANT | (number & 0xFFFFF) << _REST
    return str(uuid.UUID(int=least)), str(uuid.UUID(int=least | (1 << _REST) - 1))


def _check(digits: list[int]) -> int:
    """Luhn's: every second digit counts twice, with the digits of its double, in base 32, added up; all and this end in 0."""
    total = 0
    for number, digit in enumerate(reversed(digits)):
        doubled = digit * (1 if number % 2 else 2)
        total += doubled // 32 + doubled % 32
    return -total % 32

"""The folio: its id again, whatever is read out of it, and no other's."""

from __future__ import annotations

import uuid

import pytest
import uuid_utils.compat
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.folio import ALPHABET, PATTERN, folio_of, ids_of
from pipeline.errors import BadInput

ids = st.builds(lambda moment, first, second: str(uuid.UUID(int=moment << 80 | 7 << 76 | first << 64 | 2 << 62 | second)),
                st.integers(0, 2**48 - 1), st.integers(0, 2**12 - 1), st.integers(0, 2**62 - 1))


@pytest.mark.parametrize(("support_id", "digits"), [
    ("00000000-0000-7000-8000-000000000000", "0000-0000-0000-0000-"),
    ("00000000-0001-7000-8000-000000000000", "0000-0000-0400-0000-"),  # one millisecond: bit 32 of 80
    ("00000000-0000-7000-8000-040000000000", "0000-0000-0000-0001-"),  # the least of what is kept of chance: bit 42 of the id
    ("ffffffff-ffff-7fff-bfff-ffffffffffff", "ZZZZ-ZZZZ-ZZZZ-ZZZZ-")])
def test_by_hand(support_id: str, digits: str) -> None:
    assert folio_of(support_id)[:-1] == digits


@given(ids)
def test_an_id_lies_between_those_of_its_folio(support_id: str) -> None:
    least, greatest = ids_of(folio_of(support_id))
    assert least <= support_id <= greatest
    assert folio_of(least) == folio_of(greatest) == folio_of(support_id)


def test_its_form_and_how_it_may_be_written_again() -> None:
    import re

    for _ in range(50):
        support_id = str(uuid_utils.compat.uuid7())
        folio = folio_of(support_id)
        assert re.match(PATTERN, folio)
        for written in (folio.lower(), folio.replace("-", ""), folio.replace("-", " "), folio.replace("0", "O").replace("1", "l")):
            assert ids_of(written) == ids_of(folio)


@given(ids, st.integers(0, 16), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_found(support_id: str, at: int, letter: str) -> None:
    text = folio_of(support_id).replace("-", "")
    if text[at] != letter:
        with pytest.raises(BadInput, match="read it again"):
            ids_of(text[:at] + letter + text[at + 1:])


@given(ids, st.integers(0, 15))
def test_neighbours_that_changed_places_are_found(support_id: str, at: int) -> None:
    """But for 0 and Z, Luhn's own exception (0 and 9 in base 10)."""
    text = folio_of(support_id).replace("-", "")
    pair = text[at:at + 2]
    if pair[0] != pair[1] and set(pair) != {"0", "Z"}:
        with pytest.raises(BadInput):
            ids_of(text[:at] + pair[::-1] + text[at + 2:])


@pytest.mark.parametrize("text", ["", "0000-0000-0000-0000", "0000-0000-0000-0000-00", "UUUU-0000-0000-0000-0", "0000-0000-0000-0000-é", "x" * 999])
def test_what_is_none(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        ids_of(text)
    assert caught.value.code == "bad_folio"

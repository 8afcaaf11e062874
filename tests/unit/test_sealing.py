"""Seals: what was sealed for one place opens there and nowhere else, and any other bytes are Corrupt."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from pipeline.blobs.sealing import Keyring, SupportKey, WrappedKey
from pipeline.errors import Corrupt, Misconfigured

KEY = bytes(range(32))
RING = Keyring(bytes(range(32, 64)))


@given(st.binary(max_size=2000), st.sampled_from(["front", "info"]), st.integers(1, 9))
def test_sealed_opens_at_its_place(data: bytes, part: str, version: int) -> None:
    key = SupportKey("id", KEY)
    assert key.open(part, version, key.seal(part, version, data)) == data


def test_the_format_is_what_the_docstring_says() -> None:
    sealed = SupportKey("id", KEY).seal("front", 1, b"data")
    assert sealed[:3] == b"AP1"
    assert AESGCM(KEY).decrypt(sealed[3:15], sealed[15:], b"id|front|1") == b"data"


@pytest.mark.parametrize(("support", "part", "version"), [("other", "front", 1), ("id", "back", 1), ("id", "front", 2)])
def test_sealed_opens_nowhere_else(support: str, part: str, version: int) -> None:
    sealed = SupportKey("id", KEY).seal("front", 1, b"data")
    with pytest.raises(Corrupt):
        SupportKey(support, KEY).open(part, version, sealed)


def by_a_client(key: bytes, place: bytes) -> bytes:
    nonce = bytes(12)
    return b"AP2" + nonce + AESGCM(key).encrypt(nonce, b"data", place)


def test_what_a_client_sealed_opens_at_its_place_in_whatever_support_has_its_key() -> None:
    assert SupportKey("id", KEY).open("front", 1, by_a_client(KEY, b"front|1")) == b"data"


@pytest.mark.parametrize(("key", "place"), [(KEY, b"back|1"), (KEY, b"front|2"), (KEY, b"id|front|1"), (bytes(32), b"front|1")])
def test_what_a_client_sealed_otherwise_opens_nowhere(key: bytes, place: bytes) -> None:
    with pytest.raises(Corrupt):
        SupportKey("id", KEY).open("front", 1, by_a_client(key, place))


@given(st.data())
def test_any_flipped_bit_and_any_cut_is_found(data: st.DataObject) -> None:
    key = SupportKey("id", KEY)
    sealed = bytearray(key.seal("front", 1, b"some data of a card"))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    cut = data.draw(st.integers(0, len(sealed) - 1))
    with pytest.raises(Corrupt):
        key.open("front", 1, bytes(sealed[:cut]))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Corrupt):
        key.open("front", 1, bytes(sealed))


def test_the_same_bytes_sealed_twice_differ() -> None:
    key = SupportKey("id", KEY)
    assert key.seal("front", 1, b"x") != key.seal("front", 1, b"x")


def test_a_wrapped_key_opens_what_the_open_key_sealed() -> None:
    key, wrapped = RING.new_key("id")
    assert RING.unwrap("id", wrapped).open("front", 1, key.seal("front", 1, b"x")) == b"x"


@pytest.mark.parametrize(("wrapped", "error"), [
    (lambda w: WrappedKey(w.kek_id, bytes(len(w.wrapped))), Corrupt), (lambda w: WrappedKey(w.kek_id, w.wrapped[:-8]), Corrupt),
    (lambda w: WrappedKey(w.kek_id, b""), Corrupt), (lambda w: WrappedKey("other", w.wrapped), Misconfigured)])
def test_a_key_that_was_damaged_or_is_anothers_does_not_open(wrapped: object, error: type[Exception]) -> None:
    _, good = RING.new_key("id")
    with pytest.raises(error):
        RING.unwrap("id", wrapped(good))  # type: ignore[operator]


def test_an_open_key_neither_shows_nor_travels() -> None:
    key, wrapped = RING.new_key("id")
    assert "wrapped" not in repr(wrapped)
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_the_key_file_is_made_once_private_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "kek"
    ring = Keyring.open(path)
    assert Keyring.open(path).kek_id == ring.kek_id
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(Misconfigured):
        Keyring.open(path)


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, "00" * 31])
def test_a_key_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kek"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(Misconfigured):
        Keyring.open(path)

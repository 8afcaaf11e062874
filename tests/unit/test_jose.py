"""Tokens against the RFCs' own examples; and nothing that is thrown at the parser gets through it or breaks it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import example, given
from hypothesis import strategies as st

from api.identity import jose
from pipeline.errors import BadToken
from tests.phones import Phone, b64, packed

RFC_9449 = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldW"
    "QVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
    ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYy"
    "NjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg")
"""RFC 9449, 4.1: the example of a proof."""
RFC_9449_THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
"""RFC 9449, 6.1: the `jkt` of that key."""


def test_the_rfc_s_proof_is_read_and_its_key_is_named_as_there() -> None:
    token = jose.parse(RFC_9449)
    key = jose.ec_key(token.header["jwk"])
    jose.verify(token, key)
    assert jose.thumbprint(key) == RFC_9449_THUMBPRINT
    assert dict(token.claims) == {"jti": "-BwC3ESc6acc2lTc", "htm": "POST", "htu": "https://server.example.com/token", "iat": 1562262616}


def test_ed25519_is_verified_as_the_rfc_s_example_says() -> None:
    """RFC 8037, A.4 and A.5; one bit of its signature turned; and the key's algorithm under another's name."""
    key = Ed25519PublicKey.from_public_bytes(jose.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"))
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    signature = jose.decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
    jose.verify(jose.Token({"alg": "EdDSA"}, {}, signed, signature), key)
    for header, other, code in (({"alg": "EdDSA"}, bytes([signature[0] ^ 1]) + signature[1:], "signature"),
                                ({"alg": "ES256"}, signature, "algorithm"), ({"alg": "none"}, b"", "algorithm"), ({}, signature, "algorithm")):
        with pytest.raises(BadToken) as caught:
            jose.verify(jose.Token(header, {}, signed, other), key)
        assert caught.value.code == code


@pytest.mark.parametrize("place", [10, 200, 300, len(RFC_9449) - 3])
def test_a_changed_letter_breaks_it(place: int) -> None:
    changed = RFC_9449[:place] + ("A" if RFC_9449[place] != "A" else "B") + RFC_9449[place + 1:]
    with pytest.raises(BadToken):
        token = jose.parse(changed)
        jose.verify(token, jose.ec_key(token.header["jwk"]))


@pytest.mark.parametrize("text", [
    "", ".", "..", "a.b", "a.b.c.d", "{}.{}.", f"{RFC_9449}=", f"{RFC_9449} ", f" {RFC_9449}", RFC_9449.replace(".", "..", 1),
    f"{packed([1])}.{packed({})}.AA", f"{packed({})}.{packed('text')}.AA", f"{b64(b'{')}.{packed({})}.AA",
    f"{b64(b'{' + b'x' * 9000)}.{packed({})}.AA", f"{b64(bytes([0xFF, 0xFE]))}.{packed({})}.AA", "é.é.é",
    f"{b64(b'{' + chr(34).encode() + b'a' + chr(34).encode() + b':1,' + chr(34).encode() + b'a' + chr(34).encode() + b':2}')}.{packed({})}.AA",
    f"{packed({})}.{b64(b'{' + chr(34).encode() + b'iat' + chr(34).encode() + b':NaN}')}.AA", f"{b64(b'[' * 5000)}.{packed({})}.AA",
    "eyJ.e30.AB"])
def test_what_is_not_exactly_a_token_is_malformed(text: str) -> None:
    with pytest.raises(BadToken) as caught:
        jose.parse(text)
    assert caught.value.code == "malformed"


@given(st.text(alphabet=st.characters(max_codepoint=300), max_size=300) | st.from_regex(r"[A-Za-z0-9_=-]{0,80}(\.[A-Za-z0-9_=-]{0,80}){0,4}", fullmatch=True))
@example("AB..")
def test_any_text_is_a_token_or_malformed(text: str) -> None:
    try:
        token = jose.parse(text)
    except BadToken as error:
        assert error.code == "malformed"
    else:
        assert ".".join((text.split(".")[0], text.split(".")[1])).encode() == token.signed


@given(st.binary(max_size=200))
def test_base64url_has_one_spelling(data: bytes) -> None:
    text = jose.encode(data)
    if data:
        assert jose.decode(text) == data
    others = [text + "=", text + "\n", text.replace("-", "+").replace("_", "/")]
    for other in others:
        if other != text:
            with pytest.raises(BadToken):
                jose.decode(other)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8)


@given(st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "d"]) | st.text(max_size=5), JSON, max_size=6))
def test_any_jwk_is_a_key_or_refused(jwk: dict[str, Any]) -> None:
    for reader in (jose.ec_key, jose.rsa_key):
        with pytest.raises(BadToken) as caught:
            reader(jwk)
        assert caught.value.code == "key"


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_what_is_signed_is_read_as_it_was(claims: dict[str, Any]) -> None:
    phone = Phone()
    token = jose.parse(jose.sign({"typ": "t"}, claims, phone.key))
    jose.verify(token, phone.key.public_key())
    assert (dict(token.claims), token.header["alg"]) == (json.loads(json.dumps(claims)), "ES256")


@pytest.mark.parametrize("jwk", [
    {"x": "A" * 43, "y": "A" * 43}, {"crv": "P-384"}, {"crv": "secp256k1"}, {"kty": "OKP"}, {"kty": "oct", "k": "AAAA"}, {"x": "short"},
    {"x": 7}, {"y": None}])
def test_a_key_that_is_no_point_of_the_curve_is_refused(jwk: dict[str, Any]) -> None:
    with pytest.raises(BadToken) as caught:
        jose.ec_key({**Phone().jwk, **jwk})
    assert caught.value.code == "key"


@pytest.mark.parametrize(("bits", "exponent", "taken"), [(1024, 65537, False), (2048, 65537, True), (2048, 17, False), (16384, 65537, False)])
def test_an_rsa_key_is_of_a_usual_size(bits: int, exponent: int, taken: bool) -> None:
    modulus = (1 << (bits - 1)) + 1
    jwk = {"kty": "RSA", "n": b64(modulus.to_bytes(bits // 8, "big")), "e": b64(exponent.to_bytes(3, "big").lstrip(b"\0"))}
    if taken:
        assert jose.rsa_key(jwk).key_size == bits
        return
    with pytest.raises(BadToken):
        jose.rsa_key(jwk)

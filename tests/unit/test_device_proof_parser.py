"""Whatever a phone signs, the reader of proofs takes it whole or says why not: no other exception, and nothing taken that was changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.identity.device_proof import AHEAD_SECONDS, NONCE_SECONDS, Claimed, DeviceProofs
from api.limits import RateLimiter
from api.problems import Problem
from pipeline.blobs.sealing import KEY_BYTES, Keyring
from pipeline.errors import BadToken
from pipeline.settings import IdentitySettings
from tests.phones import Phone, sha256s
from tests.unit.test_jose import JSON

NOW, URL, PATH = 1_795_651_200, "https://apoyo.example", "/v1/supports"
PHONE, PARTS = Phone(), {"front": b"picture"}
MEMBERS = ["typ", "alg", "jwk", "kid", "crit", "x5c", "jku"]
CLAIMS = ["jti", "htm", "htu", "iat", "nonce", "ath", "parts", "exp"]


class Hand:
    """A clock that is set by hand."""

    def __init__(self, at: int = NOW) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


def proofs(clock: Hand | None = None, **changes: Any) -> DeviceProofs:
    return DeviceProofs(URL, IdentitySettings.model_validate(changes), Keyring(b"k" * KEY_BYTES), clock or Hand(), RateLimiter(60))


def header(**changes: Any) -> dict[str, Any]:
    return {"typ": "dpop+jwt", "alg": "ES256", "jwk": PHONE.jwk, **changes}


def claims(**changes: Any) -> dict[str, Any]:
    return {"jti": "12345678", "htm": "POST", "htu": f"{URL}{PATH}", "iat": NOW, "parts": sha256s(PARTS), **changes}


def read(made: str, by: DeviceProofs | None = None) -> Claimed:
    return (by or proofs()).read(made, "POST", PATH)


def test_a_right_one_is_taken() -> None:
    taken = read(PHONE.sign(header(), claims()))
    assert (taken.device, taken.accept(sha256s(PARTS)).device) == (PHONE.thumbprint, PHONE.thumbprint)


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=3), st.dictionaries(st.sampled_from(CLAIMS) | st.text(max_size=4), JSON, max_size=4))
def test_whatever_is_signed_is_taken_whole_or_refused(head: dict[str, Any], body: dict[str, Any]) -> None:
    made = PHONE.sign(header(**head), claims(**body))
    try:
        taken = read(made)
        taken.accept(sha256s(PARTS))
    except BadToken as error:
        assert error.code.startswith("device_proof_")
    except Problem as error:
        assert error.code in ("device_proof_time", "device_nonce_required")
    else:  # then what was changed changes nothing that counts
        assert {**header(), **head} == header()
        assert taken.device == PHONE.thumbprint
        told = claims(**body)
        assert (told["htm"], told["htu"], told["parts"]) == ("POST", f"{URL}{PATH}", sha256s(PARTS))
        assert NOW - 300 <= told["iat"] <= NOW + AHEAD_SECONDS and set(told) <= {*CLAIMS} - {"exp"}


@given(st.binary(min_size=1, max_size=4), st.integers(0, 10_000))
def test_a_changed_byte_is_refused(change: bytes, place: int) -> None:
    made = PHONE.sign(header(), claims())
    at = place % len(made)
    changed = made[:at] + change.decode("latin-1") + made[at + len(change):]
    if changed == made:
        return
    with pytest.raises(BadToken):
        read(changed)


@pytest.mark.parametrize(("iat", "taken"), [(NOW - 301, False), (NOW - 300, True), (NOW, True), (NOW + 60, True), (NOW + 61, False), (10**30, False), (-(10**30), False)])
def test_time_is_bounded_on_both_sides(iat: int, taken: bool) -> None:
    claimed = read(PHONE.sign(header(), claims(iat=iat)))
    if taken:
        claimed.accept(sha256s(PARTS))
        return
    with pytest.raises(Problem) as caught:
        claimed.accept(sha256s(PARTS))
    assert caught.value.code == "device_proof_time"


@pytest.mark.parametrize(("later", "taken"), [(0, True), (NONCE_SECONDS, True), (2 * NONCE_SECONDS, False), (-NONCE_SECONDS, False)])
def test_a_nonce_lives_for_one_or_two_of_its_times(later: int, taken: bool) -> None:
    clock = Hand()
    by = proofs(clock, require_nonce=True)
    made = PHONE.sign(header(), claims(nonce=by.nonce(), iat=0))
    clock.at += later
    claimed = read(made, by)
    if taken:
        claimed.accept(sha256s(PARTS))
        return
    with pytest.raises(Problem) as caught:
        claimed.accept(sha256s(PARTS))
    assert caught.value.code == "device_nonce_required"


def test_another_deployment_s_nonce_is_none() -> None:
    other = DeviceProofs(URL, IdentitySettings(), Keyring(b"o" * KEY_BYTES), Hand(), RateLimiter(60))
    with pytest.raises(Problem):
        read(PHONE.sign(header(), claims(nonce=other.nonce()))).accept(sha256s(PARTS))


def test_two_phones_may_use_one_jti() -> None:
    one, other = Phone(), Phone()
    uses = {read(phone.sign(header(jwk=phone.jwk), claims())).accept(sha256s(PARTS)).use for phone in (one, other)}
    assert len(uses) == 2

"""Providers' words: which are believed, and that nothing is believed on old keys. Against a real server on loopback."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import anyio
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.identity.fetch import MAX_BYTES, Fetcher
from api.identity.key_set import REFETCH_SECONDS, RETRY_SECONDS, KeySet
from api.identity.providers import Providers
from pipeline.clock import utc_now
from pipeline.errors import ApoyoError, BadInput, BadToken, Unavailable
from pipeline.settings import IdentitySettings
from tests.identity_providers import EMAIL, Provider, new_key, provider, rsa_jwk
from tests.phones import Phone, b64, packed

OTHER_KEY = new_key()


@pytest.fixture
def known() -> Iterator[Provider]:
    with provider() as running:
        yield running


def providers(known: Provider) -> Providers:
    return Providers(IdentitySettings(stand_in_url=known.url, google_audiences=("app.google",), google_keys_url=f"{known.url}/google",
                                      facebook_audiences=("app.facebook",), facebook_keys_url=f"{known.url}/facebook",
                                      x_api_url=known.url), utc_now)


def verify(known: Provider, token: str, name: str = "stand_in") -> str:
    return anyio.run(providers(known).verify, name, token)


def refusal(known: Provider, token: str, name: str = "stand_in") -> str:
    with pytest.raises(BadToken) as caught:
        verify(known, token, name)
    assert EMAIL not in caught.value.detail
    return caught.value.code


def hs256(known: Provider) -> str:
    pem = known.keys["key-1"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    _, claims, _ = known.token().split(".")
    signed = f"{packed({'alg': 'HS256', 'kid': 'key-1'})}.{claims}"
    return f"{signed}.{b64(hmac.digest(pem, signed.encode(), 'sha256'))}"


NOW = int(time.time())
REFUSED: dict[str, Callable[[Provider], str]] = {
    "no token": lambda _: "token",
    "a megabyte": lambda _: "a" * (1 << 20),
    "alg none": lambda known: f"{packed({'alg': 'none', 'kid': 'key-1'})}.{known.token().split('.')[1]}.AA",
    "HS256 by the public key": hs256,
    "ES256 by a key of one's own": lambda known: Phone().sign({"alg": "ES256", "kid": "key-1", "jwk": Phone().jwk}, {"iss": known.url}),
    "RS512 named": lambda known: known.token(header={"alg": "RS512"}),
    "crit": lambda known: known.token(header={"crit": ["exp"]}),
    "no kid": lambda known: known.token(header={"kid": None}),
    "kid that is a path": lambda known: known.token(header={"kid": "../../dev/null"}),
    "another's key": lambda known: known.token(key=OTHER_KEY),
    "another issuer": lambda known: known.token(iss="https://evil.example"),
    "issuer with more": lambda known: known.token(iss=f"{known.url}/"),
    "no issuer": lambda known: known.token(without="iss"),
    "another audience": lambda known: known.token(aud="another"),
    "audience that holds ours": lambda known: known.token(aud="apoyo2"),
    "several audiences": lambda known: known.token(aud=["apoyo", "another"]),
    "no audience": lambda known: known.token(without="aud"),
    "expired": lambda known: known.token(exp=NOW - 120),
    "no end": lambda known: known.token(without="exp"),
    "end is a text": lambda known: known.token(exp="9999999999"),
    "end is true": lambda known: known.token(exp=True),
    "of tomorrow": lambda known: known.token(iat=NOW + 86_400, exp=NOW + 90_000),
    "not valid yet": lambda known: known.token(nbf=NOW + 3600),
    "of yesterday, with a long life": lambda known: known.token(iat=NOW - 86_400, exp=NOW + 86_400),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_token_that_is_not_right_is_refused(case: str, known: Provider) -> None:
    assert refusal(known, REFUSED[case](known)) == "provider_token_refused"


@pytest.mark.parametrize("changes", [
    {"email_verified": False}, {"email_verified": "true"}, {"without": "email_verified"}, {"without": "email"}, {"email": ""},
    {"email": "no address"}, {"email": "a@b"}, {"email": f"{'a' * 65}@b.example"}, {"email": "a@b.example\r\nBcc: c@d.example"},
    {"email": "a@b.example\n"}, {"email": ["a@b.example"]}, {"email": "ñ@b.example"}])
def test_an_account_without_a_verified_address_is_refused(changes: dict[str, Any], known: Provider) -> None:
    assert refusal(known, known.token(**changes)) == "provider_email_missing"


@pytest.mark.parametrize(("name", "claims"), [
    ("stand_in", {}), ("stand_in", {"aud": ["apoyo"]}),
    ("google", {"iss": "https://accounts.google.com", "aud": "app.google"}), ("google", {"iss": "accounts.google.com", "aud": "app.google"}),
    ("facebook", {"iss": "https://www.facebook.com", "aud": "app.facebook", "without": "email_verified"}),
    ("facebook", {"iss": "https://limited.facebook.com", "aud": "app.facebook", "without": "email_verified"})])
def test_each_provider_s_own_are_taken(name: str, claims: dict[str, Any], known: Provider) -> None:
    assert verify(known, known.token(**claims), name) == EMAIL


def test_one_provider_s_token_is_not_another_s(known: Provider) -> None:
    google = known.token(iss="https://accounts.google.com", aud="app.google")
    assert refusal(known, google, "facebook") == "provider_token_refused"
    assert refusal(known, known.token(iss="https://accounts.google.com", aud="app.google", without="email_verified"), "google") == "provider_email_missing"


@pytest.mark.parametrize(("token", "user", "code"), [
    ("access-token", {"id": "1", "confirmed_email": EMAIL}, None), ("access-token", {"id": "1"}, "provider_email_missing"),
    ("access-token", None, "provider_token_refused"), ("bad token", {"confirmed_email": EMAIL}, "provider_token_refused"),
    ("a\r\nX: y-token", {"confirmed_email": EMAIL}, "provider_token_refused")])
def test_x_is_asked_whose_its_token_is(token: str, user: dict[str, Any] | None, code: str | None, known: Provider) -> None:
    if user is not None:
        known.users[token] = user
    if code is None:
        assert verify(known, token, "x") == EMAIL
        assert known.asked == ["/2/users/me?user.fields=confirmed_email"]
    else:
        assert refusal(known, token, "x") == code


@pytest.mark.parametrize("name", ["stand_in", "x"])
@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 429}, {"status": 302}, {"body": b"{"}, {"body": b"[]"},
                                   {"body": b'{"keys": "' + b"a" * MAX_BYTES + b'"}'}])
def test_a_provider_that_gives_no_usable_answer_lets_nobody_in(name: str, fault: dict[str, Any], known: Provider) -> None:
    known.users["access-token"] = {"confirmed_email": EMAIL}
    for key, value in fault.items():
        setattr(known, key, value)
    with pytest.raises(Unavailable) as caught:
        verify(known, known.token() if name == "stand_in" else "access-token", name)
    assert caught.value.code == "provider_unavailable"
    assert "/elsewhere" not in known.asked


def test_a_provider_that_is_away_lets_nobody_in() -> None:
    with provider() as gone:
        token = gone.token()
    with pytest.raises(Unavailable):
        verify(gone, token)


def test_what_is_not_set_up_is_not_taken(known: Provider) -> None:
    with pytest.raises(BadInput) as caught:
        anyio.run(Providers(IdentitySettings(), utc_now).verify, "google", known.token())
    assert caught.value.code == "provider_unknown"


class Watch:
    """A clock of seconds that is turned by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def with_keys(known: Provider, steps: Callable[[KeySet, Watch], Awaitable[None]]) -> None:
    async def run() -> None:
        watch = Watch()
        await steps(KeySet("stand_in", f"{known.url}/keys", Fetcher(), watch), watch)

    anyio.run(run)


async def code_of(key_set: KeySet, kid: str) -> str:
    try:
        await key_set.find(kid)
    except ApoyoError as error:
        return error.code
    return "found"


def test_keys_are_asked_for_once_by_however_many(known: Provider) -> None:
    async def steps(key_set: KeySet, _watch: Watch) -> None:
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(partial(key_set.find, "key-1"))
        assert len(known.asked) == 1

    with_keys(known, steps)


def test_a_new_key_is_found_and_an_old_one_forgotten(known: Provider) -> None:
    async def steps(key_set: KeySet, watch: Watch) -> None:
        assert await code_of(key_set, "key-1") == "found"
        known.keys = {"key-2": new_key()}
        assert await code_of(key_set, "key-2") == "provider_token_refused"  # asked for a moment ago
        watch.now += REFETCH_SECONDS
        assert [await code_of(key_set, kid) for kid in ("key-2", "key-1")] == ["found", "provider_token_refused"]
        assert len(known.asked) == 2

    with_keys(known, steps)


def test_made_up_keys_cost_the_provider_nothing(known: Provider) -> None:
    async def steps(key_set: KeySet, watch: Watch) -> None:
        for number in range(200):
            assert await code_of(key_set, f"made-up-{number}") == "provider_token_refused"
            watch.now += 1
        assert len(known.asked) <= 1 + 200 / REFETCH_SECONDS

    with_keys(known, steps)


def test_old_keys_are_not_used_past_their_time(known: Provider) -> None:
    known.max_age = 600

    async def steps(key_set: KeySet, watch: Watch) -> None:
        assert await code_of(key_set, "key-1") == "found"
        known.status = 503
        watch.now += 599
        assert await code_of(key_set, "key-1") == "found"
        assert await code_of(key_set, "key-2") == "provider_token_refused"  # could not be asked for: it is not believed
        watch.now += 2
        asked = len(known.asked)
        assert [await code_of(key_set, "key-1") for _ in range(3)] == ["provider_unavailable"] * 3
        assert len(known.asked) <= asked + 1
        known.status = 200
        watch.now += RETRY_SECONDS
        assert await code_of(key_set, "key-1") == "found"

    with_keys(known, steps)


def test_of_a_set_only_usable_keys_are_kept(known: Provider) -> None:
    good, small = rsa_jwk("good", new_key()), {**rsa_jwk("small", new_key()), "n": b64(b"\xff" * 64)}
    known.body = json.dumps({"keys": [7, {}, {"kid": "k"}, small, {**rsa_jwk("enc", new_key()), "use": "enc"}, good]}).encode()

    async def steps(key_set: KeySet, _watch: Watch) -> None:
        assert await code_of(key_set, "good") == "found"
        for kid in ("small", "enc", "k"):
            assert await code_of(key_set, kid) == "provider_token_refused"

    with_keys(known, steps)

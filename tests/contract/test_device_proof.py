"""The phone's proof: what is taken, what is refused before anything is stored, and that each is used once."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import func, select, update

from api.app import create_app
from pipeline.domain.verdict import Outcome
from pipeline.errors import BadToken
from pipeline.records import device_proofs
from pipeline.records.device_proofs import DeviceProof, demand_unspent, spend
from pipeline.records.engine import reading, writing
from pipeline.records.storage import Storage, open_storage
from pipeline.records.supports import get_support
from pipeline.records.tables import device_proofs as rows
from pipeline.settings import ApiSettings, IdentitySettings, StorageSettings
from pipeline.worker import Worker
from tests.contract.intake_makers import GOOD, NOTHING, ONE, URL, Service, files, service
from tests.contract.judges import judge
from tests.contract.test_api_refusals import check_problem
from tests.contract.test_api_rounds import NEW, judge_round, retake
from tests.phones import BASE, Phone, b64, packed
from tests.unit.test_worker import SETTINGS

NOW = int(time.time())
PHONE, OTHER = Phone(), Phone()
WORDS = b'{"process":  "demo"}'


def with_proof(value: str) -> dict[str, str]:
    return {"Apoyo-Device-Proof": value}


def right(**changes: Any) -> str:
    return PHONE.proof(URL, GOOD, **changes)


def hs256_by_public_key(pem: bytes) -> str:
    """The classic confusion: the public key's text as the secret of an HMAC."""
    head, claims, _ = right().split(".")
    header = {**json.loads(base64.urlsafe_b64decode(head + "==")), "alg": "HS256"}
    signed = f"{packed(header)}.{claims}"
    return f"{signed}.{b64(hmac.digest(pem, signed.encode(), 'sha256'))}"


def spki(encoding: Encoding) -> bytes:
    return PHONE.key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


P384 = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
PRIVATE = {**PHONE.jwk, "d": b64(PHONE.key.private_numbers().private_value.to_bytes(32, "big"))}
HEAD, BODY, _ = right().split(".")
REFUSED: dict[str, tuple[Callable[[], str], str]] = {
    "no token": (lambda: "proof", "malformed"),
    "an empty one": (lambda: "", "malformed"),
    "a megabyte": (lambda: "a" * (1 << 20), "malformed"),
    "two parts": (lambda: f"{HEAD}.{BODY}", "malformed"),
    "no signature": (lambda: f"{HEAD}.{BODY}.", "malformed"),
    "alg none": (lambda: right(header={"alg": "none"}), "algorithm"),
    "alg None, unsigned": (lambda: f"{packed({'typ': 'dpop+jwt', 'alg': 'None', 'jwk': PHONE.jwk})}.{BODY}.AA", "algorithm"),
    "HS256 by the public key": (lambda: hs256_by_public_key(spki(Encoding.PEM)), "algorithm"),
    "HS256 by it with CRLF": (lambda: hs256_by_public_key(spki(Encoding.PEM).replace(b"\n", b"\r\n")), "algorithm"),
    "HS256 by it in DER": (lambda: hs256_by_public_key(spki(Encoding.DER)), "algorithm"),
    "RS256": (lambda: right(header={"alg": "RS256"}), "algorithm"),
    "ES384": (lambda: right(header={"alg": "ES384"}), "algorithm"),
    "alg is a list": (lambda: right(header={"alg": ["ES256"]}), "algorithm"),
    "another curve": (lambda: right(header={"jwk": {"kty": "EC", "crv": "P-384", "x": b64(P384.x.to_bytes(48, "big")),
                                                    "y": b64(P384.y.to_bytes(48, "big"))}}), "key"),
    "a curve's name and another's point": (lambda: right(header={"jwk": {**PHONE.jwk, "y": b64(b"\1" * 32)}}), "key"),
    "a private key": (lambda: right(header={"jwk": PRIVATE}), "key"),
    "a secret": (lambda: right(header={"jwk": {"kty": "oct", "k": "AAAA"}}), "key"),
    "another's key": (lambda: right(header={"jwk": OTHER.jwk}), "signature"),
    "signature cut": (lambda: f"{HEAD}.{BODY}.{b64(bytes(60))}", "signature"),
    "signature of zeros": (lambda: f"{HEAD}.{BODY}.{b64(bytes(64))}", "signature"),
    "typ JWT": (lambda: right(header={"typ": "JWT"}), "malformed"),
    "crit": (lambda: right(header={"crit": ["exp"]}), "malformed"),
    "kid that is a path": (lambda: right(header={"kid": "../../etc/passwd"}), "malformed"),
    "jku": (lambda: right(header={"jku": "https://evil.example/keys"}), "malformed"),
    "no jti": (lambda: right(without="jti"), "malformed"),
    "jti too short": (lambda: right(jti="1234567"), "malformed"),
    "jti endless": (lambda: right(jti="j" * 129), "malformed"),
    "no iat": (lambda: right(without="iat"), "malformed"),
    "iat a text": (lambda: right(iat=str(NOW)), "malformed"),
    "iat true": (lambda: right(iat=True), "malformed"),
    "no htm": (lambda: right(without="htm"), "malformed"),
    "an unknown claim": (lambda: right(admin=True), "malformed"),
    "another method": (lambda: PHONE.proof(URL, GOOD, method="PUT"), "target"),
    "method in small letters": (lambda: PHONE.proof(URL, GOOD, method="post"), "target"),
    "another host": (lambda: right(htu=f"https://evil.example{URL}"), "target"),
    "the host of the Host header": (lambda: right(htu=f"http://test{URL}"), "target"),
    "another path": (lambda: right(htu=f"{BASE}/v1/webhooks"), "target"),
    "a query": (lambda: right(htu=f"{BASE}{URL}?a=1"), "target"),
    "old": (lambda: right(iat=NOW - 400), "time"),
    "of tomorrow": (lambda: right(iat=NOW + 86_400), "time"),
    "of the year 1": (lambda: right(iat=-(10**15)), "time"),
    "another front": (lambda: PHONE.proof(URL, {**GOOD, "front": NEW["front"]}), "parts"),
    "no parts": (lambda: PHONE.proof(URL), "parts"),
    "a part too few": (lambda: PHONE.proof(URL, {name: GOOD[name] for name in ("front", "back", "selfie")}), "parts"),
    "a part too many": (lambda: PHONE.proof(URL, {**GOOD, "support": WORDS}), "parts"),
    "digests in capitals": (lambda: right(parts=dict.fromkeys(GOOD, "A" * 64)), "malformed"),
    "parts a list": (lambda: right(parts=["front"]), "malformed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_proof_is_refused_and_nothing_is_stored(case: str, tmp_path: Path) -> None:
    make, code = REFUSED[case]

    async def run() -> None:
        with service(tmp_path) as under_test:
            answer = await under_test.send(headers=with_proof(make()))
            check_problem(answer, 401, f"device_proof_{code}")
            assert answer.headers["www-authenticate"].startswith("DPoP ")
            assert under_test.kept() == NOTHING

    anyio.run(run)


def test_two_proofs_are_none(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path) as under_test:
            key = {"Idempotency-Key": "k"}
            answer = await under_test.client.post(URL, files=files(), headers=[*key.items(), *with_proof(right()).items(), *with_proof(right()).items()])
            check_problem(answer, 401, "device_proof_malformed")

    anyio.run(run)


@pytest.mark.parametrize("words", [None, WORDS])
def test_the_device_is_kept_with_the_support_and_its_check_passes(words: bytes | None, pair: StorageSettings) -> None:
    parts = GOOD if words is None else {**GOOD, "support": words}

    async def run() -> None:
        with service(pair) as under_test:
            sent = files() if words is None else [*files(), ("support", ("", words))]
            answer = await under_test.send(files=sent, headers=with_proof(PHONE.proof(URL, parts)))
            assert answer.status_code == 202, answer.text
            assert under_test.kept() == ONE
            assert Worker(under_test.storage, judge(), SETTINGS, "w").run_once() == 1
            resource = (await under_test.client.get(answer.headers["location"])).json()
            assert resource["device"] == PHONE.thumbprint
            assert {check["name"]: check["outcome"] for check in resource["checks"]}["device"] == "passed"
            seen = (await under_test.client.get(f"{answer.headers['location']}?view=citizen")).text
            assert PHONE.thumbprint not in seen

    anyio.run(run)


@pytest.mark.parametrize(("named", "outcome"), [(PHONE.thumbprint, "passed"), ("another", "failed")])
def test_the_words_name_no_other_device(named: str, outcome: str, tmp_path: Path) -> None:
    words = json.dumps({"device": named}).encode()

    async def run() -> None:
        with service(tmp_path) as under_test:
            place = (await under_test.send(files=[*files(), ("support", ("", words))],
                                           headers=with_proof(PHONE.proof(URL, {**GOOD, "support": words})))).headers["location"]
            Worker(under_test.storage, judge(), SETTINGS, "w").run_once()
            resource = (await under_test.client.get(place)).json()
            assert {check["name"]: check["outcome"] for check in resource["checks"]}["device"] == outcome
            assert resource["verdict"] == ("accepted" if outcome == "passed" else "review")

    anyio.run(run)


async def send_retake(under_test: Service, place: str, phone: Phone | None, key: str) -> httpx.Response:
    path = f"{place}/captures/back"
    headers = {} if phone is None else with_proof(phone.proof(path, {"back": NEW["back"]}, method="PUT"))
    return await retake(under_test, place, "back", key, headers=headers)


def test_what_one_phone_began_no_other_goes_on_with(pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            place = (await under_test.send(headers=with_proof(right()))).headers["location"]
            judge_round(under_test.storage, Outcome.RETAKE, "back")
            before = under_test.kept()
            check_problem(await send_retake(under_test, place, None, "r1"), 401, "device_proof_missing")
            check_problem(await send_retake(under_test, place, OTHER, "r2"), 401, "device_proof_other_key")
            wrong = with_proof(PHONE.proof(f"{place}/captures/back", {"back": GOOD["back"]}, method="PUT"))
            check_problem(await retake(under_test, place, "back", "r3", headers=wrong), 401, "device_proof_parts")
            assert under_test.kept() == before
            assert (await send_retake(under_test, place, PHONE, "r4")).status_code == 202
            assert get_support(under_test.storage.engine, place.rpartition("/")[2]).device == PHONE.thumbprint

    anyio.run(run)


def test_without_a_proof_all_goes_on_as_before(tmp_path: Path) -> None:
    """A later part with one makes the whole no more proven than it was."""
    async def run() -> None:
        with service(tmp_path) as under_test:
            place = (await under_test.send()).headers["location"]
            judge_round(under_test.storage, Outcome.RETAKE, "back")
            assert (await send_retake(under_test, place, PHONE, "r1")).status_code == 202
            assert get_support(under_test.storage.engine, place.rpartition("/")[2]).device is None

    anyio.run(run)


def test_a_repeated_request_is_answered_as_the_first_however_late(pair: StorageSettings) -> None:
    """And only its own: by another phone, or without proof, it is another request."""
    clock = [datetime.now(UTC)]

    async def run() -> None:
        with service(pair, clock=lambda: clock[0]) as under_test:
            proof = right()
            first = await under_test.send(headers=with_proof(proof))
            clock[0] += timedelta(days=2)
            again = await under_test.send(headers=with_proof(proof))
            assert (again.status_code, again.json()) == (202, first.json())
            check_problem(await under_test.send(headers=with_proof(OTHER.proof(URL, GOOD))), 422, "idempotency_mismatch")
            check_problem(await under_test.send(), 422, "idempotency_mismatch")
            check_problem(await under_test.send("key-2", headers=with_proof(proof)), 401, "device_proof_time")
            assert under_test.kept() == ONE

    anyio.run(run)


def test_a_phone_past_its_rate_waits_and_others_do_not(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path, limits={"device_requests_a_minute": 2}) as under_test:
            for key in ("key-1", "key-2"):
                assert (await under_test.send(key, headers=with_proof(right()))).status_code == 202
            kept = under_test.kept()
            refused = await under_test.send("key-3", headers=with_proof(right()))
            check_problem(refused, 429, "too_many_requests")
            assert 1 <= int(refused.headers["retry-after"]) <= 60
            assert under_test.kept() == kept
            assert (await under_test.send("key-4", headers=with_proof(OTHER.proof(URL, GOOD)))).status_code == 202
            assert (await under_test.send("key-5")).status_code == 202

    anyio.run(run)


def test_of_fifty_replays_at_once_one_is_accepted(pair: StorageSettings) -> None:
    proof = right()

    async def run() -> None:
        with service(pair) as under_test:
            answers: list[httpx.Response] = []

            async def one(number: int) -> None:
                answers.append(await under_test.send(f"key-{number}", headers=with_proof(proof)))

            async with anyio.create_task_group() as group:
                for number in range(50):
                    group.start_soon(one, number)
            codes = sorted(answer.status_code for answer in answers)
            busy = [answer for answer in answers if answer.status_code == 503]
            for answer in answers:
                if answer.status_code == 401:
                    check_problem(answer, 401, "device_proof_replayed")
            assert codes.count(202) == 1
            assert codes.count(401) + len(busy) == 49
            assert under_test.kept() == ONE

    anyio.run(run)


def test_of_fifty_spenders_at_once_one_has_it(storage: Storage) -> None:
    """Each with a connection of its own, as processes have; and a spender whose transaction fails has spent nothing."""
    proof = DeviceProof("device", "a" * 64)
    with pytest.raises(RuntimeError), writing(storage.engine) as connection:
        spend(connection, proof)
        raise RuntimeError
    demand_unspent(storage.engine, proof)
    start, came = threading.Barrier(50), []

    def run() -> None:
        start.wait()
        try:
            with writing(storage.engine) as connection:
                spend(connection, proof)
            came.append("spent")
        except BadToken as error:
            came.append(error.code)

    threads = [threading.Thread(target=run) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(came) == [*["device_proof_replayed"] * 49, "spent"]
    with pytest.raises(BadToken):
        demand_unspent(storage.engine, proof)


def test_what_is_forgotten_makes_room(storage: Storage) -> None:
    def count() -> int:
        with reading(storage.engine) as connection:
            return int(connection.execute(select(func.count()).select_from(rows)).scalar_one())

    def spend_one(number: int) -> None:
        with writing(storage.engine) as connection:
            spend(connection, DeviceProof("device", f"{number:064x}"))

    for number in range(30):
        spend_one(number)
    with writing(storage.engine) as connection:
        connection.execute(update(rows).values(expires_at=1))
    spend_one(30)
    assert count() == 31 - device_proofs.PRUNED
    spend_one(31)
    assert count() == 2


def test_a_nonce_makes_up_for_a_wrong_clock_and_is_wanted_where_it_is_required(tmp_path: Path) -> None:
    clock = [datetime.now(UTC)]

    async def run() -> None:
        identity = IdentitySettings(public_url="https://apoyo.example", require_nonce=True)
        with service(tmp_path, clock=lambda: clock[0], identity=identity) as under_test:
            def proof(**claims: Any) -> dict[str, str]:
                return with_proof(right(htu=f"https://apoyo.example{URL}", **claims))

            refused = await under_test.send(headers=proof())
            check_problem(refused, 401, "device_nonce_required")
            assert 'error="use_dpop_nonce"' in refused.headers["www-authenticate"]
            nonce = refused.headers["apoyo-device-nonce"]
            check_problem(await under_test.send(headers=proof(nonce="made-up")), 401, "device_nonce_required")
            assert under_test.kept() == NOTHING
            told = await under_test.send(headers=proof(nonce=nonce, iat=0))
            assert told.status_code == 202 and told.headers["apoyo-device-nonce"]
            clock[0] += timedelta(minutes=11)
            check_problem(await under_test.send("k-2", headers=proof(nonce=nonce)), 401, "device_nonce_required")

    anyio.run(run)


def test_a_database_that_is_away_lets_no_proof_through(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path) as under_test:
            with writing(under_test.storage.engine) as connection:
                connection.exec_driver_sql("ALTER TABLE device_proofs RENAME TO gone")
            answer = await under_test.send(headers=with_proof(right()))
            assert answer.status_code == 503
            assert under_test.kept() == NOTHING

    anyio.run(run)


def test_a_used_proof_is_known_to_every_process_and_after_a_restart(pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            proof = right()
            assert (await under_test.send(headers=with_proof(proof))).status_code == 202
            reopened = open_storage(pair)
            for storage in (under_test.storage, reopened):
                app = create_app(storage, ApiSettings())
                async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as other:
                    answer = await other.post(URL, files=files(), headers={
                        "Authorization": under_test.client.headers["authorization"], "Idempotency-Key": "another", **with_proof(proof)})
                    check_problem(answer, 401, "device_proof_replayed")
            reopened.engine.dispose()
            assert under_test.kept() == ONE

    anyio.run(run)

"""A phone that asks by itself: by its token and its key together, and for what it sent alone."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from api.identity import jose
from pipeline.domain.verdict import Outcome
from pipeline.records.receipts import read_receipt
from pipeline.settings import StorageSettings
from tests.contract.activation_scene import Scene, scene
from tests.contract.intake_makers import GOOD, URL, Service
from tests.contract.test_api_refusals import check_problem
from tests.contract.test_api_rounds import judge_round
from tests.phones import BASE, Phone, b64, packed


@dataclass
class Mine:
    """An activated phone, its token, and the place of a support that it sent."""

    here: Scene
    token: str
    place: str

    async def ask(self, *, place: str | None = None, token: str | None = None, phone: Phone | None = None, scheme: str = "DPoP",
                  proof: str | None = None, method: str = "GET", **claims: Any) -> httpx.Response:
        path, token = place or self.place, self.token if token is None else token
        ath = b64(hashlib.sha256(token.encode()).digest())
        made = proof or (phone or self.here.phone).proof(path, method=method, **{"ath": ath, **claims})
        return await self.here.service.client.request(
            method, path, headers={"Authorization": f"{scheme} {token}", "Apoyo-Device-Proof": made})


async def activate(here: Scene) -> Mine:
    place = await here.awaiting_code()
    token = (await here.confirm(place, here.code(place))).json()["token"]
    return Mine(here, token, f"/v1/my/supports/{await send(here.service, 'mine', here.phone)}")


async def send(service: Service, key: str, phone: Phone | None) -> str:
    headers = {} if phone is None else {"Apoyo-Device-Proof": phone.proof(URL, GOOD)}
    return str((await service.send(key, headers=headers)).json()["id"])


def test_a_phone_sees_how_its_support_stands_and_no_score(pair: StorageSettings) -> None:
    async def run() -> None:
        with scene(pair) as here:
            mine = await activate(here)
            judge_round(here.service.storage, Outcome.RETAKE, "back")
            answer = await mine.ask()
            assert answer.status_code == 200, answer.text
            told = answer.json()
            assert (told["status"], told["verdict"], told["wanted"]) == ("retake_wanted", "retake", ["back"])
            assert not {"checks", "fields", "face", "codes", "device"} & set(told)
            by_backend = await here.service.client.get(f"{mine.place.replace('/my', '')}?view=citizen")
            assert by_backend.json() == told

    anyio.run(run)


def test_what_another_sent_is_as_absent_as_what_is_not(tmp_path: Path) -> None:
    async def run() -> None:
        with scene(tmp_path) as here:
            mine = await activate(here)
            bodies = set()
            others = [await send(here.service, "another-phone", Phone()), await send(here.service, "nobody", None),
                      "0192f000-0000-7000-8000-000000000000"]
            for one in others:
                answer = await mine.ask(place=f"/v1/my/supports/{one}")
                check_problem(answer, 404, "support_not_found")
                bodies.add(json.dumps({key: value for key, value in answer.json().items() if key != "instance"}))
            assert len(bodies) == 1

    anyio.run(run)


def forged(changes: Callable[[dict[str, Any], dict[str, Any]], None]) -> Callable[[Mine], str]:
    """The token with its header and claims changed, signed by a key of one's own."""
    def make(mine: Mine) -> str:
        read = jose.parse(mine.token)
        header, claims = dict(read.header), dict(read.claims)
        changes(header, claims)
        return Phone().sign(header, claims)

    return make


TOKENS: dict[str, Callable[[Mine], str]] = {
    "made up": lambda _: "token",
    "another key": forged(lambda _header, _claims: None),
    "alg none": lambda mine: f"{packed({'typ': 'at+jwt', 'alg': 'none', 'kid': 'x'})}.{mine.token.split('.')[1]}.AA",
    "another subject": lambda mine: ".".join([mine.token.split(".")[0], packed({"sub": "x"}), mine.token.split(".")[2]]),
    "a provider's": lambda mine: mine.here.provider.token(),
    "a proof": lambda mine: mine.here.phone.proof(URL, GOOD),
}


@pytest.mark.parametrize("case", TOKENS)
def test_a_token_that_is_not_ours_is_refused(case: str, tmp_path: Path) -> None:
    async def run() -> None:
        with scene(tmp_path) as here:
            mine = await activate(here)
            check_problem(await mine.ask(token=TOKENS[case](mine)), 401, "device_token_refused")

    anyio.run(run)


@pytest.mark.parametrize("change", [
    {"iss": "https://another.example"}, {"aud": "another"}, {"exp": 1}, {"exp": None}, {"exp": True}, {"exp": "9999999999"}, {"cnf": {}},
    {"cnf": "text"}, {"cnf": None}])
def test_a_token_of_ours_for_something_else_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    """Signed by the very key, as a mistake of ours might."""
    async def run() -> None:
        with scene(tmp_path) as here:
            mine = await activate(here)
            tokens = here.service.client._transport.app.state.services.tokens  # type: ignore[attr-defined]
            read = jose.parse(mine.token)
            key: ec.EllipticCurvePrivateKey = tokens._key
            header = {name: value for name, value in read.header.items() if name != "alg"}
            check_problem(await mine.ask(token=jose.sign(header, {**read.claims, **change}, key)), 401, "device_token_refused")
            check_problem(await mine.ask(token=jose.sign({**header, "typ": "JWT"}, read.claims, key)), 401, "device_token_refused")
            assert (await mine.ask(token=jose.sign(header, read.claims, key))).status_code == 200

    anyio.run(run)


@pytest.mark.parametrize(("change", "code"), [
    ({"scheme": "Bearer"}, "unauthorized"), ({"token": ""}, "unauthorized"), ({"phone": Phone()}, "device_proof_other_key"),
    ({"ath": None}, "device_proof_token"), ({"ath": "A" * 43}, "device_proof_token"), ({"htm": "POST"}, "device_proof_target"),
    ({"htu": f"{BASE}/v1/my/supports/another"}, "device_proof_target"), ({"iat": int(time.time()) - 3600}, "device_proof_time"),
    ({"parts": {"front": "0" * 64}}, "device_proof_parts"), ({"proof": "proof"}, "device_proof_malformed")])
def test_a_token_without_its_key_s_proof_is_nothing(change: dict[str, Any], code: str, tmp_path: Path) -> None:
    async def run() -> None:
        with scene(tmp_path) as here:
            mine = await activate(here)
            check_problem(await mine.ask(**change), 401, code)

    anyio.run(run)


def test_a_proof_is_used_once_and_an_ended_activation_lets_nobody_in(pair: StorageSettings) -> None:
    async def run() -> None:
        with scene(pair) as here:
            mine = await activate(here)
            ath = b64(hashlib.sha256(mine.token.encode()).digest())
            proof = here.phone.proof(mine.place, method="GET", ath=ath)
            assert (await mine.ask(proof=proof)).status_code == 200
            check_problem(await mine.ask(proof=proof), 401, "device_proof_replayed")
            activation = jose.parse(mine.token).claims["sub"]
            assert (await here.service.client.delete(f"/v1/activations/{activation}")).status_code == 204
            check_problem(await mine.ask(), 401, "device_token_refused")

    anyio.run(run)


def test_a_citizen_withdraws_by_the_phone_that_sent_it(pair: StorageSettings) -> None:
    async def run() -> None:
        with scene(pair) as here:
            mine = await activate(here)
            judge_round(here.service.storage, Outcome.ACCEPTED)
            other = await send(here.service, "another-phone", Phone())
            check_problem(await mine.ask(method="DELETE", place=f"/v1/my/supports/{other}"), 404, "support_not_found")
            first = await mine.ask(method="DELETE")
            assert first.status_code == 200, first.text
            receipt = read_receipt(first.text, here.service.storage.receipts.public())
            assert (receipt.support, receipt.cause) == (mine.place.rpartition("/")[2], "withdrawn")
            assert (await mine.ask(method="DELETE")).json() == first.json(), "a lost answer is given again"
            check_problem(await mine.ask(), 410, "support_erased")
            place = mine.place.replace("/my", "")
            for method, path in (("GET", place), ("GET", f"{place}/events"), ("POST", f"{place}/review"), ("GET", f"{place}?view=citizen")):
                gone = await here.service.client.request(method, path)
                check_problem(gone, 410, "support_erased")
                assert gone.json()["receipt"] == receipt.id
            repeated = await here.service.send("mine", headers={"Apoyo-Device-Proof": here.phone.proof(URL, GOOD)})
            check_problem(repeated, 410, "support_erased")
            told = await here.service.client.get(f"/v1/receipts/{receipt.id}")
            assert told.json() == first.json()
            listed = (await here.service.client.get(URL)).json()["data"]
            assert {one["id"]: one["status"] for one in listed} == {receipt.support: "erased", other: "received"}

    anyio.run(run)

"""The guide's registration: a front, an account, a code by mail, one phone. With a real provider, worker, deliverer and SMTP server."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from sqlalchemy import update

from api.identity import jose
from pipeline.domain.activation import MAX_A_DAY, MAX_ATTEMPTS, MAX_SENDS
from pipeline.domain.capture import Capture
from pipeline.domain.process import DEMO_PROCESS
from pipeline.domain.verdict import CheckName, Reason, Subject
from pipeline.errors import BadPicture, LeaseLost
from pipeline.records.activations import activated, finish_check, forget_expired, get_activation
from pipeline.records.engine import writing
from pipeline.records.leases import JobKind, backlog, claim
from pipeline.records.processes import ProcessFile, apply_process
from pipeline.records.tables import jobs
from pipeline.settings import StorageSettings
from tests.contract.activation_scene import FRONT, OTHER, PLACE, Scene, scene
from tests.contract.intake_makers import GOOD, OFFICER, URL, files, picture
from tests.contract.test_api_refusals import check_problem
from tests.identity_providers import EMAIL
from tests.phones import Phone


def test_the_whole_way_from_the_front_to_the_token(pair: StorageSettings) -> None:
    async def run() -> None:
        with scene(pair) as here:
            seen: list[Capture] = []
            here.before = seen.append
            answer = await here.ask()
            assert (answer.status_code, answer.json()["state"]) == (202, "waiting"), answer.text
            place = answer.headers["location"]
            standing = await here.standing(place)
            assert (standing["state"], standing["reasons"], standing["attempts_left"], standing["sends_left"]) == (
                "waiting", [], MAX_ATTEMPTS, MAX_SENDS)
            assert here.work() == 1
            assert [(one.front, one.back, one.selfie, one.signature) for one in seen] == [(FRONT, None, None, None)]
            async with here.delivering():
                await here.until(place, "code_sent")
            (mail,) = here.mails()
            assert mail["To"] == EMAIL
            code = "".join(re.findall(r"\d{4}", mail.get_content().splitlines()[0]))
            assert code == here.code(place) and len(code) == 8
            confirmed = await here.confirm(place, code)
            assert confirmed.status_code == 200, confirmed.text
            check_token(confirmed.json(), place, here, (await here.service.client.get("/.well-known/jwks.json", headers={"Authorization": ""})).json())
            assert (await here.standing(place))["state"] == "confirmed"

    anyio.run(run)


def check_token(answer: dict[str, Any], place: str, here: Scene, keys: dict[str, Any]) -> None:
    """As another service would, with the published keys."""
    assert (answer["token_type"], answer["expires_in"]) == ("DPoP", 900)
    token = jose.parse(answer["token"])
    (jwk,) = [one for one in keys["keys"] if one["kid"] == token.header["kid"]]
    jose.verify(token, jose.ec_key(jwk))
    assert not {"d", "k"} & set(jwk)
    assert (token.claims["sub"], token.claims["cnf"]) == (place.rpartition("/")[2], {"jkt": here.phone.thumbprint})
    assert token.claims["exp"] - token.claims["iat"] == 900


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_nothing_personal_lies_in_plain_and_nothing_is_left_when_it_is_over(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Not even while it waits: database, its log, and what the processes say. The mail itself is for its server."""
    async def run() -> None:
        with scene(tmp_path) as here:
            place = await here.awaiting_code(front=picture(shade=77))
            code = here.code(place)
            async with here.delivering(mail_dir=tmp_path.parent / f"{tmp_path.name}-mail"):
                await here.until(place, "code_sent")
            kept = everything_in(tmp_path)
            for secret in (EMAIL.encode(), EMAIL.split("@")[0].encode(), code.encode(), picture(shade=77), here.provider.token().split(".")[1].encode()[:60]):
                assert secret not in kept
            assert (await here.confirm(place, code)).status_code == 200
            record = get_activation(here.service.storage.engine, place.rpartition("/")[2])
            assert (record.sealed_email, record.key.wrapped) == (b"", b"")
            metrics = (await here.service.client.get("/metrics")).text
            said = "".join(capfd.readouterr())
            for secret in (EMAIL, code, record.device):
                assert secret not in metrics and secret not in said

    anyio.run(run)


@pytest.mark.parametrize(("case", "status", "code"), [
    ({"proof": ""}, 401, "device_proof_missing"),
    ({"proof": Phone().proof(PLACE, {"front": FRONT})}, 401, "device_proof_parts"),
    ({"words": b"{"}, 422, "bad_activation_words"),
    ({"words": b'{"provider": "stand_in"}'}, 422, "bad_activation_words"),
    ({"email": EMAIL}, 422, "bad_activation_words"),
    ({"provider": "icq"}, 422, "bad_activation_words"),
    ({"provider": "google"}, 422, "provider_unknown"),
    ({"token": "made up"}, 422, "provider_token_refused"),
    ({"process": "unheard-of"}, 422, "process_unknown"),
    ({"front": b"GIF89a"}, 415, "file_type"),
    ({"front": FRONT[:40]}, 422, "file_cut"),
    ({"headers": {"Idempotency-Key": ""}}, 400, "idempotency_key_invalid"),
    ({"headers": OFFICER}, 403, "forbidden"),
])
def test_what_is_not_right_is_refused_and_nothing_is_kept(case: dict[str, Any], status: int, code: str, tmp_path: Path) -> None:
    async def run() -> None:
        with scene(tmp_path) as here:
            before = here.service.kept()
            answer = await here.ask(**case)
            check_problem(answer, status, code)
            assert EMAIL not in answer.text
            assert here.service.kept() == before

    anyio.run(run)


def test_a_provider_that_is_away_is_ours_to_say(tmp_path: Path) -> None:
    """And the same request, with its one proof, goes through when it is back."""
    async def run() -> None:
        with scene(tmp_path) as here:
            words = here.words()
            proof = here.phone.proof(PLACE, {"front": FRONT, "activation": words})
            here.provider.status = 500
            check_problem(await here.ask(words=words, proof=proof), 503, "unavailable")
            here.provider.status = 200
            here.service.client._transport.app.state.services.providers._known["stand_in"].keys._may_ask = 0  # type: ignore[attr-defined]
            first = await here.ask(words=words, proof=proof)
            assert first.status_code == 202
            assert (await here.ask(words=words, proof=proof)).json() == first.json()
            check_problem(await here.ask("key-2", words=words, proof=proof), 401, "device_proof_replayed")

    anyio.run(run)


def test_a_refused_front_says_what_to_do_and_is_forgotten(pair: StorageSettings) -> None:
    def damaged(_capture: Capture) -> None:
        raise BadPicture("bytes")

    async def run() -> None:
        with scene(pair) as here:
            here.before = damaged
            place = (await here.ask()).headers["location"]
            for _ in range(4):
                with writing(here.service.storage.engine) as connection:
                    connection.execute(update(jobs).values(claimable_at=0))
                here.work(max_attempts=3)
            standing = await here.standing(place)
            assert (standing["state"], [reason["code"] for reason in standing["reasons"]]) == ("refused", ["activation.failed"])
            assert standing["reasons"][0]["message"].startswith("No pudimos revisar la foto.")
            check_problem(await here.confirm(place, "00000000"), 409, "activation_refused")
            async with here.delivering():
                await anyio.sleep(0.2)
            assert here.mails() == []

    anyio.run(run)


def test_while_workers_are_down_it_waits_and_no_code_is_taken(tmp_path: Path) -> None:
    async def run() -> None:
        with scene(tmp_path) as here:
            place = (await here.ask()).headers["location"]
            answer = await here.service.client.get(place)
            assert (answer.json()["state"], "retry-after" in answer.headers) == ("waiting", True)
            check_problem(await here.confirm(place, here.code(place)), 409, "activation_waiting")
            assert (await here.service.client.get("/metrics")).text.count('apoyo_jobs_waiting{kind="activation"} 1.0') == 1

    anyio.run(run)


def test_a_code_is_of_one_phone_used_once_and_tried_five_times(pair: StorageSettings) -> None:
    async def run() -> None:
        with scene(pair) as here:
            place = await here.awaiting_code()
            code = here.code(place)
            check_problem(await here.confirm(place, code, Phone()), 401, "device_proof_other_key")
            check_problem(await here.confirm(place, code, headers=OTHER), 404, "activation_not_found")
            check_problem(await here.confirm(place, "1234567"), 422, "invalid_request")
            wrong = f"{(int(code) + 1) % 10**8:08}"
            check_problem(await here.confirm(place, wrong), 422, "code_wrong")
            assert (await here.standing(place))["attempts_left"] == MAX_ATTEMPTS - 1
            body = json.dumps({"code": code}).encode()
            check_problem(await here.post(place, "confirm", body=body, parts={"body": b"another"}), 401, "device_proof_parts")
            assert (await here.confirm(place, code)).status_code == 200
            check_problem(await here.confirm(place, code), 409, "activation_confirmed")
            assert (await here.post(place, "token")).status_code == 200
            check_problem(await here.post(place, "token", Phone()), 401, "device_proof_other_key")

            other = Phone()
            second = await here.awaiting_code("key-2", phone=other)
            for left in range(MAX_ATTEMPTS - 1, -1, -1):
                check_problem(await here.confirm(second, f"{(int(here.code(second)) + 1) % 10**8:08}", other), 422, "code_wrong")
                assert (await here.standing(second))["attempts_left"] == left
            check_problem(await here.confirm(second, here.code(second), other), 409, "activation_expired")
            assert [one["code"] for one in (await here.standing(second))["reasons"]] == ["activation.attempts_spent"]
            check_problem(await here.post(second, "token", other), 409, "activation_not_confirmed")

    anyio.run(run)


def test_of_many_tries_at_once_no_more_than_five_are_looked_at(pair: StorageSettings) -> None:
    async def run() -> None:
        with scene(pair) as here:
            place = await here.awaiting_code()
            code, answers = here.code(place), []

            async def one(number: int) -> None:
                answers.append(await here.confirm(place, f"{(int(code) + number) % 10**8:08}"))

            async with anyio.create_task_group() as group:
                for number in range(1, 31):
                    group.start_soon(one, number)
            codes = [answer.json()["code"] for answer in answers]
            assert (codes.count("code_wrong"), codes.count("activation_expired")) == (MAX_ATTEMPTS, 25)

    anyio.run(run)


def test_of_many_confirmations_at_once_one_has_the_token(pair: StorageSettings) -> None:
    async def run() -> None:
        with scene(pair) as here:
            place = await here.awaiting_code()
            code, answers = here.code(place), []

            async def one() -> None:
                answers.append(await here.confirm(place, code))

            async with anyio.create_task_group() as group:
                for _ in range(20):
                    group.start_soon(one)
            assert sorted(answer.status_code for answer in answers) == [200, *[409] * 19]

    anyio.run(run)


@pytest.mark.parametrize("by_command", [True, False])
def test_after_a_day_the_code_is_over_and_nothing_is_left(by_command: bool, tmp_path: Path) -> None:
    async def run() -> None:
        with scene(tmp_path) as here:
            place = await here.awaiting_code()
            here.age(expires_at=24 * 3600 - 60)
            assert (await here.standing(place))["state"] == "sending"
            here.age(expires_at=61)
            assert (await here.standing(place))["state"] == "expired"
            check_problem(await here.confirm(place, here.code(place)), 409, "activation_expired")
            check_problem(await here.post(place, "resend"), 409, "activation_expired")
            async with here.delivering():
                await anyio.sleep(0.2)
            assert here.mails() == []  # nor is one sent that could not be used
            if by_command:
                assert (forget_expired(here.service.storage.engine), forget_expired(here.service.storage.engine)) == (1, 0)
            else:  # with the next one that comes
                await here.ask("key-2", phone=Phone())
            assert get_activation(here.service.storage.engine, place.rpartition("/")[2]).sealed_email == b""

    anyio.run(run)


def test_one_mailbox_and_one_phone_are_not_flooded(pair: StorageSettings) -> None:
    async def run() -> None:
        with scene(pair) as here:
            answers: list[httpx.Response] = []

            async def one(number: int) -> None:
                answers.append(await here.ask(f"key-{number}", phone=Phone()))

            async with anyio.create_task_group() as group:
                for number in range(12):
                    group.start_soon(one, number)
            assert sorted(answer.status_code for answer in answers) == [*[202] * MAX_A_DAY, *[429] * (12 - MAX_A_DAY)]
            check_problem(await here.ask("of-the-same", phone=Phone(), token=here.provider.token(email=EMAIL.upper())), 429, "activation_limit")
            for number in range(MAX_A_DAY):
                assert (await here.ask(f"other-{number}", token=here.provider.token(email=f"a{number}@b.example"))).status_code == 202
            check_problem(await here.ask("one-more", token=here.provider.token(email="z@b.example")), 429, "activation_limit")
            here.age(created_at=24 * 3600 + 1)
            assert (await here.ask("tomorrow")).status_code == 202

    anyio.run(run)


def test_an_activated_phone_s_support_passes_where_the_process_asks_for_it(pair: StorageSettings) -> None:
    async def run() -> None:
        with scene(pair) as here:
            apply_process(here.service.storage.engine, ProcessFile(
                id="strict", activation=True, required=DEMO_PROCESS.required | {CheckName.DEVICE}))
            words = b'{"process": "strict"}'

            async def verdict(key: str, phone: Phone | None) -> tuple[str, str]:
                proof = {} if phone is None else {"Apoyo-Device-Proof": phone.proof(URL, {**GOOD, "support": words})}
                answer = await here.service.send(key, files=[*files(), ("support", ("", words))], headers=proof)
                assert here.work() == 1
                told = (await here.service.client.get(answer.headers["location"])).json()
                return told["verdict"], next(one["outcome"] for one in told["checks"] if one["name"] == "device")

            place = await here.awaiting_code()
            assert await verdict("s-1", None) == ("review", "not_executed")
            assert await verdict("s-2", here.phone) == ("review", "failed")
            assert (await here.confirm(place, here.code(place))).status_code == 200
            assert await verdict("s-3", here.phone) == ("accepted", "passed")
            assert await verdict("s-4", Phone()) == ("review", "failed")

    anyio.run(run)


def test_a_lost_phone_is_activated_no_more(pair: StorageSettings) -> None:
    """With what waited for it: a worker that had the front in hand, a mail that was not sent."""
    async def run() -> None:
        with scene(pair) as here:
            async def end(place: str, headers: dict[str, str] | None = None) -> httpx.Response:
                return await here.service.client.delete(place, headers=headers)

            place = await here.awaiting_code()
            assert (await here.confirm(place, here.code(place))).status_code == 200
            client_id = get_activation(here.service.storage.engine, place.rpartition("/")[2]).client_id
            assert activated(here.service.storage.engine, client_id, here.phone.thumbprint)
            check_problem(await end(place, OTHER), 404, "activation_not_found")
            assert [(await end(place)).status_code for _ in range(2)] == [204, 204]
            assert not activated(here.service.storage.engine, client_id, here.phone.thumbprint)
            check_problem(await here.post(place, "token"), 409, "activation_not_confirmed")
            mailed, waiting = await here.awaiting_code("key-2", phone=Phone()), (await here.ask("key-3")).headers["location"]
            for one in (waiting, mailed):
                await end(one)
                assert (await here.standing(one))["state"] == "ended"
                assert get_activation(here.service.storage.engine, one.rpartition("/")[2]).sealed_email == b""
            async with here.delivering():
                await anyio.sleep(0.2)
            assert here.mails() == []
            with writing(here.service.storage.engine) as connection:
                connection.execute(update(jobs).values(claimable_at=0))
            assert here.work() == 1
            assert (await here.standing(waiting))["state"] == "ended"
            assert backlog(here.service.storage.engine, JobKind.ACTIVATION).count == 0

    anyio.run(run)


def test_a_worker_that_lost_its_lease_writes_nothing(pair: StorageSettings) -> None:
    async def run() -> None:
        with scene(pair) as here:
            place = (await here.ask()).headers["location"]
            engine = here.service.storage.engine
            (late,) = claim(engine, JobKind.ACTIVATION, "late", 60)
            with writing(engine) as connection:
                connection.execute(update(jobs).values(claimable_at=0))
            assert here.work() == 1
            with pytest.raises(LeaseLost):
                finish_check(engine, late, [Reason("activation.failed", Subject.FRONT, "late")])
            assert (await here.standing(place))["state"] == "sending"

    anyio.run(run)


def test_what_is_another_s_is_as_absent_as_what_is_not(tmp_path: Path) -> None:
    async def run() -> None:
        with scene(tmp_path) as here:
            place = await here.awaiting_code()
            bodies = set()
            for one in (place, f"{PLACE}/0192f000-0000-7000-8000-000000000000"):
                for answer in (await here.service.client.get(one, headers=OTHER), await here.post(one, "resend", headers=OTHER),
                               await here.confirm(one, "12345678", headers=OTHER), await here.post(one, "token", headers=OTHER)):
                    check_problem(answer, 404, "activation_not_found")
                    bodies.add(json.dumps({key: value for key, value in answer.json().items() if key != "instance"}))
            assert len(bodies) == 1

    anyio.run(run)

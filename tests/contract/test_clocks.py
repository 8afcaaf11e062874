"""An API whose clock is wrong lets nobody in that was not let in, and ends nothing early: what is kept for a time is kept by the
database's clock. Whole processes with such clocks: `tests/system/test_chaos.py`."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from api.identity.client_proof import ClientProofs
from api.identity.tokens import TokenIssuer
from pipeline.errors import BadToken
from pipeline.records.client_keys import add_key, read_public_part
from pipeline.records.clients import add_client, new_secret
from pipeline.records.storage import Storage, open_storage
from pipeline.settings import StorageSettings
from tests.contract.activation_scene import scene
from tests.contract.intake_makers import GOOD, ONE, URL, service
from tests.contract.test_api_refusals import check_problem
from tests.contract.test_client_keys import BASE, KEY, assertion, pem
from tests.phones import Phone

SHIFTS = [pytest.param(timedelta(seconds=seconds), id=f"{seconds:+d} s") for seconds in (3600, -3600, 86_400, -86_400)]
PHONE = Phone()


class Turned:
    """A clock that is off by `by`."""

    def __init__(self, by: timedelta = timedelta(0)) -> None:
        self.by = by

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.by


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_used_proof_stays_used_whatever_the_clock_says_next(pair: StorageSettings, shift: timedelta) -> None:
    """Used while the clock is off, and tried again when it is right, and when it is off again."""
    clock = Turned(shift)

    async def run() -> None:
        with service(pair, clock=clock) as under_test:
            proof = {"Apoyo-Device-Proof": PHONE.proof(URL, GOOD, iat=int(clock().timestamp()))}
            assert (await under_test.send("key-1", headers=proof)).status_code == 202
            clock.by = timedelta(0)
            check_problem(await under_test.send("key-2", headers=proof), 401, "device_proof_time")
            clock.by = shift
            check_problem(await under_test.send("key-3", headers=proof), 401, "device_proof_replayed")
            assert under_test.kept() == ONE

    anyio.run(run)


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_used_assertion_stays_used(storage: Storage, shift: timedelta) -> None:
    clock = Turned(shift)
    client = add_client(storage.engine, "app", new_secret())
    add_key(storage.engine, client.id, read_public_part(pem(KEY)))
    at = int(clock().timestamp())
    judge, text = ClientProofs(BASE, (), storage, clock), assertion(client, iat=at, exp=at + 60)
    assert judge.by_assertion(text) == client
    for by, code in ((timedelta(0), "time"), (shift, "replayed")):
        clock.by = by
        with pytest.raises(BadToken) as caught:
            judge.by_assertion(text)
        assert caught.value.code == code


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_code_is_mailed_once_and_taken_for_a_day_by_the_database_s_clock(tmp_path: Path, shift: timedelta) -> None:
    clock = Turned()

    async def run() -> None:
        with scene(tmp_path, clock=clock) as here:
            place = await here.awaiting_code()
            clock.by = shift
            body, proof_of = b'{"code": "%s"}' % here.code(place).encode(), f"{place}/confirm"
            at = int(clock().timestamp())
            again = here.phone.proof(proof_of, {"body": body}, iat=at)
            answer = await here.service.client.post(proof_of, content=body, headers={"Apoyo-Device-Proof": again})
            assert answer.status_code == 200, answer.text

    anyio.run(run)


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_nonce_sets_a_phone_right_that_goes_by_the_time(tmp_path: Path, shift: timedelta) -> None:
    """The API is the one whose clock is off: a phone that goes right is told how to be taken all the same."""

    async def run() -> None:
        with service(tmp_path, clock=Turned(shift)) as under_test:
            refused = await under_test.send("key-1", headers={"Apoyo-Device-Proof": PHONE.proof(URL, GOOD)})
            check_problem(refused, 401, "device_proof_time")
            nonce = refused.headers["apoyo-device-nonce"]
            proof = PHONE.proof(URL, GOOD, nonce=nonce, iat=int(time.time()), jti=secrets.token_urlsafe(12))
            assert (await under_test.send("key-1", headers={"Apoyo-Device-Proof": proof})).status_code == 202

    anyio.run(run)


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_phone_s_token_by_a_process_with_another_clock_does_not_live_longer(tmp_path: Path, shift: timedelta) -> None:
    keyring = open_storage(StorageSettings(data_dir=tmp_path)).keyring
    right, wrong = TokenIssuer(BASE, 900, keyring, Turned()), TokenIssuer(BASE, 900, keyring, Turned(shift))
    assert right.read(right.issue("activation", "device").token).device == "device"
    for issuer, reader in ((wrong, right), (right, wrong)):
        with pytest.raises(BadToken):
            reader.read(issuer.issue("activation", "device").token)
    near = TokenIssuer(BASE, 900, keyring, Turned(timedelta(seconds=50)))
    assert right.read(near.issue("activation", "device").token).device == "device"

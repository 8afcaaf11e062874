"""Webhooks by the API and through the deliverer, to real receivers: registered, signed, tried again, given up, replayed."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import update

from api.deliver import Deliverer
from api.webhooks.sender import sign
from pipeline.domain.verdict import Outcome
from pipeline.records.engine import writing
from pipeline.records.tables import webhooks
from pipeline.settings import DeliverySettings, StorageSettings
from tests.contract.intake_makers import OFFICER, OTHER_SECRET, Service, service
from tests.contract.test_api_refusals import check_problem
from tests.contract.test_api_rounds import CONFIRMED, decide, judge_round, retake, support_in
from tests.receivers import certificate, drop, endless, hang, ok_then_drop, ok_then_silence, receiver, status

HOOKS = "/v1/webhooks"
OTHER = {"Authorization": f"Bearer {OTHER_SECRET}"}
QUICK: dict[str, Any] = {"allow_loopback": True, "retake_wait_seconds": 0, "backoff_seconds": (0.05, 0.05), "poll_seconds": 0.02,
                         "attempt_seconds": 5}


def test_a_signature_is_the_specification_s() -> None:
    """The worked example of Standard Webhooks: spec/standard-webhooks.md and the simulator on its site."""
    secret, event, body = "whsec_plJ3nmyCDGBKInavdOK15jsl", "msg_loFOjxBNrRLzqYUf", b'{"event_type":"ping","data":{"success":true}}'
    assert sign([secret], event, 1731705121, body) == "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="


@asynccontextmanager
async def delivering(under_test: Service, folder: Path, **changes: Any) -> AsyncIterator[None]:
    """The deliverer beside the block."""
    settings = DeliverySettings.model_validate({**QUICK, "mail_dir": folder / "mail", **changes})
    async with anyio.create_task_group() as group:
        deliverer = Deliverer(under_test.storage, settings)
        group.start_soon(deliverer.run)
        try:
            yield
        finally:
            deliverer.stop.set()


async def until(what: Callable[[], Any], seconds: float = 30) -> Any:
    with anyio.fail_after(seconds):
        while True:  # until something happens elsewhere: in a thread, a file, another process
            if found := what():
                return found
            await anyio.sleep(0.02)


async def register(under_test: Service, url: str, **body: Any) -> dict[str, Any]:
    answer = await under_test.client.post(HOOKS, json={"url": url, **body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def settled(under_test: Service, webhook: str, **expected: int) -> dict[str, Any]:
    """The webhook's standing, once it is as expected."""
    with anyio.fail_after(30):
        while True:
            standing = (await under_test.client.get(f"{HOOKS}/{webhook}")).json()
            if expected.items() <= standing.items():
                return dict(standing)
            await anyio.sleep(0.02)


async def send_test(under_test: Service, webhook: str) -> str:
    return str((await under_test.client.post(f"{HOOKS}/{webhook}/test")).json()["event"])


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_webhook_is_registered_read_and_deleted(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path) as under_test:
            made = await register(under_test, "https://203-0-113-7.example/hook", events=["support.final"])
            assert made["secret"].startswith("whsec_") and len(made["secret"]) == 6 + 44
            secret = made.pop("secret")
            assert made["events"] == ["support.final"]
            assert (await under_test.client.get(HOOKS)).json() == {"data": [made]}
            one = await under_test.client.get(f"{HOOKS}/{made['id']}")
            assert one.json() == {**made, "waiting": 0, "delivered": 0, "dead": 0, "last_error": None}
            for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/rotate"), ("POST", "/replay")):
                foreign = await under_test.client.request(method, f"{HOOKS}/{made['id']}{path}", headers=OTHER)
                check_problem(foreign, 404, "webhook_not_found")
                check_problem(await under_test.client.request(method, f"{HOOKS}/x{path}", headers=OFFICER), 403, "forbidden")
            assert (await under_test.client.get(HOOKS, headers=OTHER)).json() == {"data": []}
            assert (await under_test.client.delete(f"{HOOKS}/{made['id']}")).status_code == 204
            assert (await under_test.client.get(HOOKS)).json() == {"data": []}
            assert secret.encode() not in on_disk(tmp_path)

    anyio.run(run)


@pytest.mark.parametrize(("body", "code"), [
    ({"url": "http://example.org/"}, "bad_webhook_url"), ({"url": "https://127.0.0.1/"}, "bad_webhook_url"),
    ({"url": "https://127.1/"}, "bad_webhook_url"), ({"url": "https://2130706433/"}, "bad_webhook_url"),
    ({"url": "https://[::ffff:7f00:1]/"}, "bad_webhook_url"), ({"url": "https://169.254.169.254/latest"}, "bad_webhook_url"),
    ({"url": "https://localhost/"}, "bad_webhook_url"), ({"url": "https://localhost./"}, "bad_webhook_url"),
    ({"url": "https://a:b@example.org/"}, "bad_webhook_url"), ({}, "invalid_request"), ({"url": 1}, "invalid_request"),
    ({"url": "https://example.org/", "events": []}, "invalid_request"),
    ({"url": "https://example.org/", "events": ["moon"]}, "invalid_request"),
    ({"url": "https://example.org/", "events": ["webhook.dead"]}, "invalid_request")])
def test_a_webhook_that_may_not_be_is_refused(body: dict[str, Any], code: str, tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path) as under_test:
            check_problem(await under_test.client.post(HOOKS, json=body), 422, code)
            assert (await under_test.client.get(HOOKS)).json() == {"data": []}

    anyio.run(run)


def test_verdict_and_decision_are_told_signed_once_each(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path, allow_loopback=True) as under_test, receiver() as hook:
            made = await register(under_test, hook.url)
            async with delivering(under_test, tmp_path):
                place = await support_in(under_test, "in_review")
                await until(lambda: hook.told)
                await decide(under_test, place, CONFIRMED)
                await settled(under_test, made["id"], delivered=2, waiting=0)
            verdict, final = hook.told
            assert verdict.signed_by(made["secret"]) and final.signed_by(made["secret"])
            assert not verdict.signed_by("whsec_" + "A" * 44)
            assert abs(int(verdict.headers["webhook-timestamp"]) - time.time()) < 60
            assert verdict.id != final.id
            support = place.rpartition("/")[2]
            assert (verdict.json["type"], verdict.json["data"]) == ("support.decided", {
                "support": support, "round": 1, "outcome": "review", "reasons": ["back.unreadable_file:back"]})
            assert (final.json["type"], final.json["data"]) == ("support.final", {
                "support": support, "round": 1, "decision": "accepted", "reason": "confirmed"})

    anyio.run(run)


def test_secrets_that_do_not_open_hold_up_their_own_webhook_alone(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path, allow_loopback=True) as under_test, receiver() as hook:
            broken, good = await register(under_test, hook.url + "/broken"), await register(under_test, hook.url)
            with writing(under_test.storage.engine) as connection:
                connection.execute(update(webhooks).where(webhooks.c.id == broken["id"]).values(sealed=b"AP1" + b"\x00" * 60))
            for one in (broken, good):
                await send_test(under_test, one["id"])
            async with delivering(under_test, tmp_path):
                await settled(under_test, good["id"], delivered=1)
                assert (await settled(under_test, broken["id"], waiting=1))["delivered"] == 0
            assert len(hook.told) == 1

    anyio.run(run)


FAULTS: dict[str, tuple[Any, str]] = {
    "an error of theirs": (status(500), "status_500"), "a refusal": (status(403), "status_403"),
    "a redirect": (status(302, Location="http://127.0.0.1:1/"), "status_302"), "no answer": (drop, "connection_broken"),
    "an answer too late": (hang(0.6), "timeout"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_fails_is_tried_again_with_the_same_event_and_body(case: str, tmp_path: Path) -> None:
    fault, code = FAULTS[case]

    async def run() -> None:
        with service(tmp_path, allow_loopback=True) as under_test, receiver() as hook:
            made = await register(under_test, hook.url)
            hook.answers += [fault]
            event = await send_test(under_test, made["id"])
            async with delivering(under_test, tmp_path, attempt_seconds=0.3, backoff_seconds=(0.4, 0.4)):
                assert (await settled(under_test, made["id"], waiting=1, last_error=code))["delivered"] == 0  # type: ignore[arg-type]
                await settled(under_test, made["id"], delivered=1, waiting=0)
            assert hook.ids() == [event, event]
            first, second = hook.told
            assert first.body == second.body
            assert second.at - first.at >= 0.3, "after a wait"
            assert second.signed_by(made["secret"])

    anyio.run(run)


@pytest.mark.parametrize("answer", [endless, ok_then_drop, ok_then_silence])
def test_an_answer_counts_by_its_status_whatever_follows(answer: Any, tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path, allow_loopback=True) as under_test, receiver() as hook:
            made = await register(under_test, hook.url)
            hook.answers += [answer]
            event = await send_test(under_test, made["id"])
            async with delivering(under_test, tmp_path, attempt_seconds=1):
                await settled(under_test, made["id"], delivered=1, waiting=0)
            assert hook.ids() == [event]

    anyio.run(run)


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path, allow_loopback=True) as under_test, receiver() as hook, receiver() as inside:
            made = await register(under_test, hook.url)
            hook.always = status(307, Location=inside.url)
            await send_test(under_test, made["id"])
            async with delivering(under_test, tmp_path):
                await settled(under_test, made["id"], dead=1)
            assert (len(hook.told), inside.told) == (3, [])

    anyio.run(run)


def test_nobody_on_this_machine_is_reached_where_it_is_not_allowed(tmp_path: Path) -> None:
    """Registered when it was allowed (as a name that turned private would be): refused at the connection."""
    async def run() -> None:
        with service(tmp_path, allow_loopback=True) as under_test, receiver() as inside:
            port = inside.url.split(":")[2]
            names = [f"http://{host}:{port}" for host in ("127.1", "0x7f000001", "localhost", "localhost.", "127.0.0.1")]
            hooks = [await register(under_test, url) for url in names]
            for one in hooks:
                await send_test(under_test, one["id"])
            async with delivering(under_test, tmp_path, allow_loopback=False):
                for one in hooks:
                    await settled(under_test, one["id"], dead=1, last_error="address_forbidden")  # type: ignore[arg-type]
            assert inside.told == []

    anyio.run(run)


@pytest.mark.parametrize(("names", "trusted", "arrives"), [
    (("127.0.0.1",), True, True), (("another.example",), True, False), (("127.0.0.1",), False, False)])
def test_https_is_spoken_with_whom_the_certificate_names(names: tuple[str, ...], trusted: bool, arrives: bool, tmp_path: Path) -> None:
    tls, file = certificate(tmp_path, *names)

    async def run() -> None:
        with service(tmp_path, allow_loopback=True) as under_test, receiver(tls) as hook:
            made = await register(under_test, hook.url)
            await send_test(under_test, made["id"])
            async with delivering(under_test, tmp_path, backoff_seconds=(), ca_file=file if trusted else None):
                standing = await settled(under_test, made["id"], waiting=0)
            assert (standing["delivered"], standing["last_error"]) == ((1, None) if arrives else (0, "connect_failed"))
            assert len(hook.told) == int(arrives)

    anyio.run(run)


def test_a_dead_receiver_delays_nobody_and_is_given_up_by_mail(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path, allow_loopback=True) as under_test, receiver() as dead, receiver() as well:
            dead.always = hang(5.0)
            hung, good = await register(under_test, dead.url), await register(under_test, well.url)
            events = {await send_test(under_test, hung["id"]) for _ in range(20)}
            async with delivering(under_test, tmp_path, attempt_seconds=2.5, backoff_seconds=()):
                await until(lambda: dead.told)
                for _ in range(20):
                    await send_test(under_test, good["id"])
                await settled(under_test, good["id"], delivered=20)
                standing = (await under_test.client.get(f"{HOOKS}/{hung['id']}")).json()
                assert standing["waiting"] > 0, "the dead one's queue is longer than the other's whole delivery"
                await settled(under_test, hung["id"], dead=20, waiting=0)
                mails = await until(lambda: len(found := list((tmp_path / "mail").glob("*.eml"))) == 20 and found)
            told = message_from_bytes(mails[0].read_bytes())
            assert told["To"] == "operator@localhost" and hung["id"] in str(told.get_payload())
            dead.always = None
            assert (await under_test.client.post(f"{HOOKS}/{hung['id']}/replay")).json() == {"deliveries": 20}
            async with delivering(under_test, tmp_path):
                await settled(under_test, hung["id"], delivered=20, dead=0)
            assert set(dead.ids()) == events, "the same event ids"

    anyio.run(run)


def test_a_rotated_secret_signs_beside_the_old_one(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path, allow_loopback=True) as under_test, receiver() as hook:
            made = await register(under_test, hook.url)
            rotated = (await under_test.client.post(f"{HOOKS}/{made['id']}/rotate")).json()
            await send_test(under_test, made["id"])
            async with delivering(under_test, tmp_path):
                await settled(under_test, made["id"], delivered=1)
            (told,) = hook.told
            assert told.signed_by(made["secret"]) and told.signed_by(rotated["secret"])
            assert len(told.headers["webhook-signature"].split(" ")) == 2

    anyio.run(run)


def test_a_citizen_who_takes_it_again_at_once_raises_one_event(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path, allow_loopback=True) as under_test, receiver() as hook:
            made = await register(under_test, hook.url)
            async with delivering(under_test, tmp_path, retake_wait_seconds=3600):
                place = await support_in(under_test, "retake_wanted", "back")
                await retake(under_test, place, "back")
                judge_round(under_test.storage, Outcome.ACCEPTED)
                await settled(under_test, made["id"], delivered=1)
            assert [(one.json["data"]["round"], one.json["data"]["outcome"]) for one in hook.told] == [(2, "accepted")]

    anyio.run(run)


def test_two_deliverers_tell_each_event_once(pair: StorageSettings, tmp_path: Path) -> None:
    async def run() -> None:
        with service(pair, allow_loopback=True) as under_test, receiver() as hook:
            made = await register(under_test, hook.url)
            async with delivering(under_test, tmp_path), delivering(under_test, tmp_path):
                events = [await send_test(under_test, made["id"]) for _ in range(40)]
                await settled(under_test, made["id"], delivered=40)
            assert sorted(hook.ids()) == sorted(events)

    anyio.run(run)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mailbox:
    """An SMTP server's handler that keeps what it gets, and refuses the first `refused`."""

    def __init__(self, refused: int) -> None:
        self.kept: list[bytes] = []
        self._refused = refused

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (the library's)
        if self._refused:
            self._refused -= 1
            return "451 later"
        self.kept.append(envelope.content)
        return "250 taken"


def test_mail_goes_by_smtp_and_is_tried_again(tmp_path: Path) -> None:
    async def run() -> None:
        box = Mailbox(refused=1)
        port = free_port()
        server = Controller(box, hostname="127.0.0.1", port=port)
        server.start()
        try:
            with service(tmp_path, allow_loopback=True) as under_test, receiver() as hook:
                hook.always = status(410)
                made = await register(under_test, hook.url)
                event = await send_test(under_test, made["id"])
                async with delivering(under_test, tmp_path, smtp_host="127.0.0.1", smtp_port=port, smtp_starttls=False,
                                      mail_to="desk@example.org"):
                    await until(lambda: box.kept)
        finally:
            server.stop()
        mail = message_from_bytes(box.kept[0])
        assert (mail["To"], len(box.kept)) == ("desk@example.org", 1)
        assert event in str(mail.get_payload()) and "status_410" in str(mail.get_payload())

    anyio.run(run)


def test_metrics_tell_of_deliveries(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path, allow_loopback=True) as under_test, receiver() as hook:
            made = await register(under_test, hook.url)
            await send_test(under_test, made["id"])
            text = (await under_test.client.get("/metrics")).text
            waiting = next(line for line in text.splitlines() if line.startswith("apoyo_oldest_delivery_seconds "))
            assert float(waiting.split()[1]) >= 0
            async with delivering(under_test, tmp_path):
                await settled(under_test, made["id"], delivered=1)
            text = (await under_test.client.get("/metrics")).text
            assert 'apoyo_delivery_attempts_total{result="delivered"}' in text
            assert "apoyo_oldest_delivery_seconds 0.0" in text

    anyio.run(run)

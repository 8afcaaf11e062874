"""What happens to a support after its verdict: a retake keeps the good parts, a person may be asked for, an officer decides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anyio
import httpx
import pytest
from sqlalchemy import select

from pipeline.domain.verdict import Outcome, Reason, Subject
from pipeline.records import audit
from pipeline.records.engine import reading
from pipeline.records.leases import JobKind, claim
from pipeline.records.storage import Storage, load_parts, open_key
from pipeline.records.supports import Finished, finish, get_support
from pipeline.records.tables import outbox
from pipeline.result import pending_resource, reason_json
from pipeline.settings import StorageSettings
from pipeline.worker import heading_of
from tests.contract.intake_makers import GOOD, OFFICER, OTHER_SECRET, URL, Service, picture, service
from tests.contract.test_api_refusals import check_problem

NEW = {"front": picture(shade=110), "back": picture(shade=120), "selfie": picture(shade=130),
       "signature": picture("PNG", shade=140)}
ALL_STATES = ["received", "processing", "accepted", "rejected", "retake_wanted", "in_review", "final"]
OUTCOMES = {"accepted": Outcome.ACCEPTED, "rejected": Outcome.REJECTED, "retake_wanted": Outcome.RETAKE, "in_review": Outcome.REVIEW}
CONFIRMED = {"decision": "accepted", "reason": "confirmed"}


def judge_round(storage: Storage, outcome: Outcome, *asked: str) -> None:
    """As a worker would: the oldest job gets this outcome, with one reason about each part of `asked`."""
    (lease,) = claim(storage.engine, JobKind.SUPPORT, "test", 30)
    reasons = tuple(Reason(f"{part}.unreadable_file", Subject(part), "test") for part in asked)
    record = get_support(storage.engine, lease.subject_id)
    key = open_key(storage, record)
    pending = pending_resource(heading_of(record), record.state, record.process, record.as_of, record.policy_version)
    resource = {**pending, "verdict": outcome.value, "card": {"model": "H"}, "reasons": [reason_json(one) for one in reasons]}
    finish(storage.engine, lease, Finished(
        outcome, reasons, "demo-1", key.seal("verdict", lease.round, json.dumps(resource).encode()), None))


async def support_in(under_test: Service, state: str, *asked: str) -> str:
    """The path of a new support in this state; a retake asks for `asked`, or for the back."""
    place: str = (await under_test.send(f"of-{state}")).headers["location"]
    if state == "processing":
        claim(under_test.storage.engine, JobKind.SUPPORT, "test", 30)
    elif state in OUTCOMES:
        judge_round(under_test.storage, OUTCOMES[state], *(asked or ("back",)))
    elif state == "final":
        judge_round(under_test.storage, Outcome.REVIEW, "back")
        await decide(under_test, place, CONFIRMED)
    assert (await under_test.client.get(place)).json()["status"] == state
    return place


async def retake(under_test: Service, place: str, side: str, key: str = "retake-1", **request: Any) -> httpx.Response:
    content = request.pop("content", NEW.get(side, b""))
    headers = {"Idempotency-Key": key, "Content-Type": "image/png" if side == "signature" else "image/jpeg",
               **request.pop("headers", {})}
    return await under_test.client.put(f"{place}/captures/{side}", content=content, headers=headers, **request)


async def decide(under_test: Service, place: str, body: dict[str, str], headers: dict[str, str] = OFFICER) -> httpx.Response:
    return await under_test.client.post(f"{place}/decisions", json=body, headers=headers)


def events(under_test: Service, place: str) -> list[tuple[str, dict[str, Any]]]:
    with reading(under_test.storage.engine) as connection:
        rows = connection.execute(select(outbox).where(outbox.c.subject_id == place.rpartition("/")[2]).order_by(outbox.c.id))
        return [(row.kind, json.loads(row.body)) for row in rows]


def capture(under_test: Service, place: str) -> dict[str, bytes]:
    parts = dict(load_parts(under_test.storage, get_support(under_test.storage.engine, place.rpartition("/")[2])))
    del parts["info"]
    return parts


@pytest.mark.parametrize("side", list(NEW))
def test_a_retake_keeps_the_good_parts_and_opens_a_round(side: str, pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            place = await support_in(under_test, "retake_wanted", side)
            assert (await under_test.client.get(place)).json()["wanted"] == [side]
            before = under_test.kept()
            answer = await retake(under_test, place, side)
            assert (answer.status_code, answer.headers["location"]) == (202, place)
            assert answer.json() == {"id": place.rpartition("/")[2], "side": side, "round": 2, "url": place}
            grown = {name: count - before[name] for name, count in under_test.kept().items() if count != before[name]}
            assert grown == {"parts": 1, "jobs": 1, "idempotency": 1, "outbox": 1, "audit": 1, "blobs": 1}
            assert capture(under_test, place) == {**GOOD, side: NEW[side]}
            told = (await under_test.client.get(place)).json()
            assert (told["status"], told["round"], told["verdict"], told["wanted"]) == ("received", 2, None, [])
            assert [one["verdict"] for one in told["rounds"]] == ["retake"]
            judge_round(under_test.storage, Outcome.ACCEPTED)
            told = (await under_test.client.get(place)).json()
            assert (told["status"], told["verdict"], told["round"]) == ("accepted", "accepted", 2)
            assert [(one["round"], one["verdict"]) for one in told["rounds"]] == [(1, "retake"), (2, "accepted")]
            assert events(under_test, place)[2] == ("support.received", {"support": told["id"], "round": 2})
            assert audit.first_broken(under_test.storage.engine) is None

    anyio.run(run)


@pytest.mark.parametrize("order", [("front", "back", "signature"), ("signature", "front", "back")])
def test_the_round_begins_with_the_last_part_that_was_asked_for(order: tuple[str, ...], pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            place = await support_in(under_test, "retake_wanted", "front", "back", "signature")
            for number, side in enumerate(order):
                told = (await under_test.client.get(place)).json()
                assert (told["status"], told["round"]) == ("retake_wanted", 1)
                assert set(told["wanted"]) == set(order[number:])
                assert capture(under_test, place) == GOOD, "what came early is not yet the capture"
                assert claim(under_test.storage.engine, JobKind.SUPPORT, "test", 30) == []
                assert (await retake(under_test, place, side, f"key-{side}")).json()["round"] == 2
            assert capture(under_test, place) == {**NEW, "selfie": GOOD["selfie"]}
            assert len(claim(under_test.storage.engine, JobKind.SUPPORT, "test", 30)) == 1

    anyio.run(run)


@pytest.mark.parametrize(("state", "code"), [
    ("received", "verdict_pending"), ("processing", "verdict_pending"), ("accepted", "retake_not_wanted"),
    ("rejected", "retake_not_wanted"), ("in_review", "retake_not_wanted"), ("final", "retake_not_wanted")])
def test_a_retake_that_nobody_asked_for_is_refused_and_leaves_nothing(state: str, code: str, pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            place = await support_in(under_test, state)
            before = under_test.kept()
            check_problem(await retake(under_test, place, "back"), 409, code)
            assert under_test.kept() == before

    anyio.run(run)


REFUSALS: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "a part that is good": ("front", {}, 409, "side_not_wanted"),
    "a part that there is not": ("passport", {"content": b"x"}, 422, "invalid_request"),
    "no picture": ("back", {"content": b""}, 422, "file_empty"),
    "half a picture": ("back", {"content": NEW["back"][:-9]}, 422, "file_cut"),
    "a PNG as a photo": ("back", {"content": NEW["signature"], "headers": {"Content-Type": "image/png"}}, 415, "file_type"),
    "a form": ("back", {"headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 415, "unsupported_media_type"),
    "no key": ("back", {"headers": {"Idempotency-Key": ""}}, 400, "idempotency_key_invalid"),
    "an endless picture": ("back", {"content": NEW["back"] + b"\x00" * (10 << 20)}, 413, "file_too_large"),
    "another's support": ("back", {"headers": {"Authorization": f"Bearer {OTHER_SECRET}"}}, 404, "support_not_found"),
    "an officer": ("back", {"headers": OFFICER}, 403, "forbidden"),
}


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """A support of which the back is wanted again; a refusal leaves it as it was."""
    with service(tmp_path_factory.mktemp("rounds")) as under_test:
        yield under_test, anyio.run(support_in, under_test, "retake_wanted")


@pytest.mark.parametrize("case", REFUSALS)
def test_a_bad_retake_is_refused_and_leaves_nothing(case: str, refusing: tuple[Service, str]) -> None:
    side, request, status, code = REFUSALS[case]
    under_test, place = refusing

    async def run() -> None:
        before = under_test.kept()
        check_problem(await retake(under_test, place, side, **request), status, code)
        assert under_test.kept() == before

    anyio.run(run)


def test_the_same_retake_again_is_the_same_answer_and_another_is_a_misuse(pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            place = await support_in(under_test, "retake_wanted", "front", "back")
            first = await retake(under_test, place, "back")
            before = under_test.kept()
            assert (await retake(under_test, place, "back")).json() == first.json()
            check_problem(await retake(under_test, place, "back", content=NEW["front"]), 422, "idempotency_mismatch")
            check_problem(await retake(under_test, place, "front", content=NEW["back"]), 422, "idempotency_mismatch")
            check_problem(await retake(under_test, place, "back", "another-key"), 409, "side_received")
            assert under_test.kept() == before
            await retake(under_test, place, "front", "retake-2")
            judge_round(under_test.storage, Outcome.RETAKE, "back")
            assert (await retake(under_test, place, "back")).json() == first.json(), "also when the round is over"
            assert (await retake(under_test, place, "back", "retake-3")).json()["round"] == 3

    anyio.run(run)


@pytest.mark.parametrize("keys", [["same"] * 12, [f"key-{number}" for number in range(12)]])
def test_of_many_at_once_one_opens_the_round(keys: list[str], pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            place = await support_in(under_test, "retake_wanted", "back")
            before = under_test.kept()
            answers: list[httpx.Response] = []

            async def one(key: str) -> None:
                answers.append(await retake(under_test, place, "back", key))

            async with anyio.create_task_group() as group:
                for key in keys:
                    group.start_soon(one, key)
            taken = [answer for answer in answers if answer.status_code == 202]
            assert {answer.status_code for answer in answers} <= {202, 409}
            assert len(taken) == 1 or keys[0] == keys[1]
            grown = {name: count - before[name] for name, count in under_test.kept().items() if count != before[name]}
            assert grown == {"parts": 1, "jobs": 1, "idempotency": 1, "outbox": 1, "audit": 1, "blobs": 1}

    anyio.run(run)


def test_the_citizen_s_wish_opens_a_round_that_is_with_a_person(pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            place = await support_in(under_test, "retake_wanted", "front", "back")
            await retake(under_test, place, "back")
            answer = await under_test.client.post(f"{place}/review")
            assert (answer.status_code, answer.json()) == (
                200, {"id": place.rpartition("/")[2], "status": "in_review", "round": 2})
            told = (await under_test.client.get(place)).json()
            assert (told["status"], told["verdict"], told["round"], told["wanted"]) == ("in_review", "review", 2, [])
            assert [reason["code"] for reason in told["reasons"]] == ["support.review_wished"]
            assert told["card"] == {"model": "H"}, "the evidence of the last round is what the person looks at"
            assert capture(under_test, place) == {**GOOD, "back": NEW["back"]}
            assert [(one["round"], one["verdict"]) for one in told["rounds"]] == [(1, "retake"), (2, "review")]
            kept = under_test.kept()
            assert (await under_test.client.post(f"{place}/review")).json() == answer.json()
            assert under_test.kept() == kept
            assert events(under_test, place)[-1] == ("support.decided", {
                "support": told["id"], "round": 2, "outcome": "review", "reasons": ["support.review_wished:support"]})
            assert claim(under_test.storage.engine, JobKind.SUPPORT, "test", 30) == []

    anyio.run(run)


@pytest.mark.parametrize("turn", range(4))
def test_of_a_retake_a_wish_and_a_decision_at_once_one_comes_first(turn: int, pair: StorageSettings) -> None:
    """Whichever does, the others find the state that it left, and rounds, jobs and verdicts fit together."""
    async def run() -> None:
        with service(pair) as under_test:
            place = await support_in(under_test, "retake_wanted", "back")
            answers: dict[str, httpx.Response] = {}

            async def ask(name: str) -> None:
                if name == "retake":
                    answers[name] = await retake(under_test, place, "back")
                elif name == "wish":
                    answers[name] = await under_test.client.post(f"{place}/review")
                else:
                    answers[name] = await decide(under_test, place, CONFIRMED)

            async with anyio.create_task_group() as group:
                names = ["retake", "wish", "decision"]
                for name in names[turn % 3:] + names[:turn % 3]:
                    group.start_soon(ask, name)
            assert {answer.status_code for answer in answers.values()} <= {200, 201, 202, 409}
            told = (await under_test.client.get(place)).json()
            done = {name for name, answer in answers.items() if answer.status_code < 300}
            jobs = claim(under_test.storage.engine, JobKind.SUPPORT, "test", 30)
            ends = {"received": {"retake"}, "in_review": {"wish"}, "final": {"decision"}}
            assert ends[told["status"]] <= done
            assert not {"retake", "wish"} <= done, "one round, one opener"
            assert [one["round"] for one in told["rounds"]] == ([1, 2] if "wish" in done else [1])
            assert (len(jobs), told["round"]) == (int("retake" in done), 1 + int(bool({"retake", "wish"} & done)))
            assert audit.first_broken(under_test.storage.engine) is None

    anyio.run(run)


@pytest.mark.parametrize("state", ["received", "processing", "accepted", "rejected", "final"])
def test_a_person_is_asked_for_only_instead_of_a_retake(state: str, pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            place = await support_in(under_test, state)
            kept = under_test.kept()
            check_problem(await under_test.client.post(f"{place}/review"), 409, "review_not_offered")
            assert under_test.kept() == kept

    anyio.run(run)


@pytest.mark.parametrize(("state", "decidable"), [(state, state in OUTCOMES) for state in ALL_STATES if state != "final"])
def test_an_officer_decides_what_has_a_verdict(state: str, decidable: bool, pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            place = await support_in(under_test, state)
            machine = (await under_test.client.get(place)).json()["verdict"]
            answer = await decide(under_test, place, {"decision": "rejected", "reason": "photocopy"})
            if not decidable:
                check_problem(answer, 409, "verdict_pending")
                return
            assert (answer.status_code, answer.json()["status"]) == (201, "final")
            told = (await under_test.client.get(place)).json()
            assert (told["status"], told["verdict"]) == ("final", machine), "beside the machine's, not in its place"
            assert (told["decision"]["decision"], told["decision"]["reason"]) == ("rejected", "photocopy")
            assert events(under_test, place)[-1] == ("support.final", {
                "support": told["id"], "round": 1, "decision": "rejected", "reason": "photocopy"})
            kept = under_test.kept()
            assert (await decide(under_test, place, {"decision": "rejected", "reason": "photocopy"})).status_code == 201
            check_problem(await decide(under_test, place, CONFIRMED), 409, "already_final")
            assert under_test.kept() == kept
            assert (await under_test.client.get(place, headers=OFFICER)).json() == told, "an officer sees any client's"

    anyio.run(run)


@pytest.mark.parametrize(("body", "status", "code"), [
    ({"decision": "accepted", "reason": "photocopy"}, 422, "invalid_request"),
    ({"decision": "rejected", "reason": "confirmed"}, 422, "invalid_request"),
    ({"decision": "maybe", "reason": "other"}, 422, "invalid_request"), ({"decision": "rejected"}, 422, "invalid_request"),
    ({"decision": "rejected", "reason": "other", "name": "x"}, 422, "invalid_request"),
    ({"decision": "x" * (65 << 10), "reason": "other"}, 413, "body_too_large")])
def test_a_decision_that_says_nothing_usable_is_refused(body: dict[str, str], status: int, code: str, pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            place = await support_in(under_test, "in_review")
            check_problem(await decide(under_test, place, body), status, code)
            check_problem(await decide(under_test, place, CONFIRMED, headers={}), 403, "forbidden")
            check_problem(await decide(under_test, URL + "/nothing", CONFIRMED), 404, "support_not_found")
            assert (await under_test.client.get(place)).json()["status"] == "in_review"

    anyio.run(run)

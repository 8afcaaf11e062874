"""What the intake promises of a support that it takes in: durable, sealed, once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from sqlalchemy import Engine, update

from api.app import create_app
from pipeline.blobs.api import BlobStore, StoredBlob
from pipeline.blobs.sealing import SupportKey
from pipeline.domain.process import DEMO_PROCESS
from pipeline.domain.verdict import Outcome
from pipeline.errors import Unavailable
from pipeline.records.engine import writing
from pipeline.records.leases import JobKind, claim
from pipeline.records.storage import Storage, load_parts, open_key, open_storage
from pipeline.records.supports import Finished, NewSupport, finish, get_support, insert_support
from pipeline.records.tables import idempotency
from pipeline.settings import ApiSettings, StorageSettings
from tests.contract.intake_makers import GOOD, NOTHING, ONE, URL, Service, files, picture, service
from tests.contract.test_api_refusals import check_problem

CONTRACT = ["id", "source", "status", "round", "process", "received_at", "as_of", "policy_version", "verdict", "reasons", "card",
            "codes", "mrz", "fields", "face", "signature", "checks", "timings_ms", "networks", "versions", "wanted", "rounds", "decision"]
"""The keys of the resource, from the contract."""
WORDS = {"process": "demo", "gatherer": "Ana Pérez", "as_of": "2026-11-02", "strokes": [[{"x": 1, "y": 2}, {"x": 3.5, "y": 4}]]}


def words(text: bytes | str) -> list[tuple[str, Any]]:
    return [*files(), ("support", ("", text, "application/json"))]


def test_a_support_is_sealed_durable_and_whole_before_202(pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            answer = await under_test.send(files=words(json.dumps(WORDS)))
            assert answer.status_code == 202
            body = answer.json()
            assert body["status"] == "received"
            assert answer.headers["location"] == body["url"] == f"{URL}/{body['id']}"
            assert under_test.kept() == ONE
            record = get_support(under_test.storage.engine, body["id"])
            assert (record.process, record.policy_version, record.as_of) == ("demo", DEMO_PROCESS.version, date(2026, 11, 2))
            kept = dict(load_parts(under_test.storage, record))
            assert json.loads(kept.pop("info")) == WORDS
            assert kept == GOOD

    anyio.run(run)


def test_nothing_of_a_support_lies_in_plain_anywhere(tmp_path: Path) -> None:
    large = picture(size=(900, 900)) + b"\x5a" * (3 << 20)  # larger than any form library keeps in memory by default

    async def run() -> None:
        with service(tmp_path) as under_test:
            assert (await under_test.send(files=[*files(front=large), *words(json.dumps(WORDS))[4:]])).status_code == 202

    anyio.run(run)
    on_disk = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert len(on_disk) > len(large)
    for secret in (*GOOD.values(), large[:200], b"Z" * 64, "Pérez".encode(), b"gatherer"):
        assert secret not in on_disk


@pytest.mark.parametrize(("now", "day"), [
    (datetime(2026, 11, 24, 5, 59, tzinfo=UTC), date(2026, 11, 23)), (datetime(2026, 11, 24, 6, 1, tzinfo=UTC), date(2026, 11, 24)),
])
def test_the_day_is_mexico_city_s_unless_told(now: datetime, day: date, pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair, clock=lambda: now) as under_test:
            answer = await under_test.send()
            assert get_support(under_test.storage.engine, answer.json()["id"]).as_of == day

    anyio.run(run)


@pytest.mark.parametrize(("captured_at", "day"), [
    ("2026-11-20T23:30:00-06:00", date(2026, 11, 20)), ("2026-11-21T05:30:00Z", date(2026, 11, 20)),
    ("2026-12-24T10:00:00-06:00", date(2026, 11, 24))])
def test_what_was_captured_offline_is_judged_by_the_day_of_its_capture(captured_at: str, day: date, pair: StorageSettings) -> None:
    """Whatever the order of arrival; a phone's clock that runs ahead gives the day of arrival."""
    async def run() -> None:
        with service(pair, clock=lambda: datetime(2026, 11, 24, 18, tzinfo=UTC)) as under_test:
            answer = await under_test.send(files=words(json.dumps({"captured_at": captured_at})))
            assert get_support(under_test.storage.engine, answer.json()["id"]).as_of == day

    anyio.run(run)


def test_a_support_waits_and_then_has_its_verdict(pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            location = (await under_test.send()).headers["location"]
            waiting = await under_test.client.get(location)
            assert waiting.status_code == 200
            assert set(CONTRACT) <= set(waiting.json())
            assert (waiting.json()["status"], waiting.json()["verdict"], waiting.json()["round"]) == ("received", None, 1)
            assert "retry-after" in waiting.headers
            judged = dict.fromkeys(CONTRACT[:-3]) | {"id": waiting.json()["id"], "verdict": "review", "fields": {"sex": "M"}}
            write_verdict(under_test.storage, waiting.json()["id"], judged)
            answer = await under_test.client.get(location)
            assert answer.json().items() >= {**judged, "status": "in_review"}.items()
            assert answer.headers["etag"] != waiting.headers["etag"]
            assert "retry-after" not in answer.headers

    anyio.run(run)


def write_verdict(storage: Storage, support_id: str, resource: dict[str, Any]) -> None:
    (lease,) = claim(storage.engine, JobKind.SUPPORT, worker="test", limit=1, lease_seconds=30)
    key: SupportKey = open_key(storage, get_support(storage.engine, support_id))
    finish(storage.engine, lease, Finished(
        outcome=Outcome.REVIEW, reasons=(), policy_version="demo-1",
        sealed_verdict=key.seal("verdict", 1, json.dumps(resource).encode())))


def test_the_same_request_again_is_the_same_support(pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            first = await under_test.send(files=words('{"process": "demo", "gatherer": "A"}'))
            again = await under_test.send(files=list(reversed(words('{"gatherer":"A","process":"demo"}'))))
            assert (again.status_code, again.json(), again.headers["location"]) == (202, first.json(), first.headers["location"])
            for other in (files(), files(selfie=picture(shade=99)), words('{"process": "demo", "gatherer": "B"}'),
                          files(selfie=b"not even a picture")):
                check_problem(await under_test.send(files=other), 422, "idempotency_mismatch")
            assert under_test.kept() == ONE
            write_verdict(under_test.storage, first.json()["id"], {"verdict": "review"})
            assert (await under_test.send(files=words('{"process": "demo", "gatherer": "A"}'))).json() == first.json()
            assert (await under_test.send("key-2")).json()["id"] != first.json()["id"]

    anyio.run(run)


def test_a_key_is_known_after_a_restart_and_after_a_day(pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            first = await under_test.send()
            with writing(under_test.storage.engine) as connection:
                connection.execute(update(idempotency).values(created_at=idempotency.c.created_at - 25 * 3_600_000))
            secret = under_test.client.headers["Authorization"]
        storage = open_storage(pair)
        app = create_app(storage, ApiSettings())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as restarted:
            headers = {"Authorization": secret, "Idempotency-Key": "key-1"}
            again = await restarted.post(URL, headers=headers, files=files())
            assert (again.status_code, again.json()) == (202, first.json())
            check_problem(await restarted.post(URL, headers=headers, files=files(back=picture(shade=77))), 422, "idempotency_mismatch")
        storage.engine.dispose()

    anyio.run(run)


def test_no_words_and_empty_words_are_the_same(pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            first = await under_test.send()
            again = await under_test.send(files=words("{ }"))
            field = await under_test.send(data={"support": "{}"}, files=files())
            assert first.json() == again.json() == field.json()

    anyio.run(run)


def test_twenty_at_once_with_one_key_make_one_support(pair: StorageSettings) -> None:
    """Through two applications over one storage, as two processes would: each knows only its own requests in flight."""
    async def run() -> None:
        with service(pair) as under_test:
            twin = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(under_test.storage, ApiSettings())),
                                     base_url="http://test", headers=under_test.client.headers)
            answers: list[httpx.Response] = []

            async def one(client: httpx.AsyncClient) -> None:
                answers.append(await client.post(URL, headers={"Idempotency-Key": "same"}, files=files()))

            async with anyio.create_task_group() as group:
                for number in range(20):
                    group.start_soon(one, (under_test.client, twin)[number % 2])
            taken = [answer for answer in answers if answer.status_code == 202]
            for answer in answers:
                if answer.status_code != 202:
                    check_problem(answer, 409, "request_in_flight")
            assert len(answers) == 20
            assert taken
            assert len({answer.json()["id"] for answer in taken}) == 1
            assert under_test.kept() == ONE, "the loser of a race takes its blobs away"
            assert (await under_test.send("same")).json() == taken[0].json()

    anyio.run(run)


class FailingBlobs:
    """A store whose k-th write fails, as a full disk does."""

    def __init__(self, inner: BlobStore, failing: int) -> None:
        self._inner = inner
        self._left = failing

    def put_if_absent(self, key: str, data: bytes) -> bool:
        self._left -= 1
        if self._left == 0:
            raise Unavailable("no space", code="storage_full")
        return self._inner.put_if_absent(key, data)

    def put_all_if_absent(self, values: Mapping[str, bytes]) -> bool:
        return all(self.put_if_absent(key, data) for key, data in values.items())

    def get(self, key: str) -> bytes:
        return self._inner.get(key)

    def delete(self, key: str) -> None:
        self._inner.delete(key)

    def exists(self, key: str) -> bool:
        return self._inner.exists(key)

    def list(self, under: str = "") -> Iterator[StoredBlob]:
        return self._inner.list(under)

    def sweep(self, before: datetime) -> int:
        return self._inner.sweep(before)


@pytest.mark.parametrize("failing", range(1, 6))
def test_a_store_that_fails_midway_leaves_nothing(failing: int, pair: StorageSettings) -> None:
    async def run() -> None:
        storage = open_storage(pair)
        broken = replace(storage, blobs=FailingBlobs(storage.blobs, failing))
        with service(pair, broken) as under_test:
            check_problem(await under_test.send(), 503, "storage_full")
            assert under_test.kept() == NOTHING
            assert (await under_test.send()).status_code == 202, "the same key works once there is room"
            assert under_test.kept() == ONE

    anyio.run(run)


def test_a_commit_that_fails_is_told_from_one_that_is_unknown(pair: StorageSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_engine: Engine, _new: NewSupport) -> tuple[str, bool]:
        raise ValueError("a fault of ours, with a citizen's name in it")

    def unheard(engine: Engine, new: NewSupport) -> tuple[str, bool]:
        insert_support(engine, new)
        raise Unavailable("the connection broke after the commit")

    async def run() -> None:
        with service(pair) as under_test:
            monkeypatch.setattr("api.supports.service.insert_support", refuse)
            failed = await under_test.send()
            check_problem(failed, 500, "internal")
            assert "citizen" not in failed.text
            assert under_test.kept() == NOTHING, "it is known that nothing was committed: the blobs go"
            monkeypatch.setattr("api.supports.service.insert_support", unheard)
            check_problem(await under_test.send(), 503, "unavailable")
            assert under_test.kept() == ONE, "it may have been committed: the blobs stay"
            monkeypatch.undo()
            again = await under_test.send()
            assert again.status_code == 202
            assert load_parts(under_test.storage, get_support(under_test.storage.engine, again.json()["id"]))

    anyio.run(run)


def test_probes_metrics_and_description_are_open(pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            open_client = httpx.AsyncClient(transport=under_test.client._transport, base_url="http://test")
            assert (await open_client.get("/livez")).json() == {"status": "live"}
            assert (await open_client.get("/readyz")).json() == {"status": "ready"}
            before = received(await open_client.get("/metrics"))
            await under_test.send()
            await under_test.send()
            await under_test.send("bad", files=files(front=b""))
            metrics = await open_client.get("/metrics")
            assert received(metrics) == before + 1
            assert 'apoyo_uploads_refused_total{code="file_empty"}' in metrics.text
            description = (await open_client.get("/openapi.json")).json()
            assert {URL, URL + "/{support_id}", "/livez", "/readyz", "/metrics"} <= set(description["paths"])
            for path, methods in description["paths"].items():
                for operation in methods.values():
                    assert ("security" in operation) is (path.startswith("/v1/") and not path.startswith("/v1/my/")), "a phone comes by its own"

    anyio.run(run)


def received(metrics: httpx.Response) -> float:
    line = next(line for line in metrics.text.splitlines() if line.startswith("apoyo_supports_received_total "))
    return float(line.split()[1])


def test_it_is_not_ready_without_its_store_and_still_lives(pair: StorageSettings) -> None:
    class Gone(FailingBlobs):
        def exists(self, key: str) -> bool:
            raise Unavailable("gone")

    async def run() -> None:
        storage = open_storage(pair)
        with service(pair, replace(storage, blobs=Gone(storage.blobs, 0))) as under_test:
            check_problem(await under_test.client.get("/readyz"), 503, "unavailable")
            assert (await under_test.client.get("/livez")).status_code == 200

    anyio.run(run)


def test_a_damaged_verdict_is_our_fault_and_says_nothing(pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            location = (await under_test.send()).headers["location"]
            spoil(under_test)
            check_problem(await under_test.client.get(location), 500, "internal")

    anyio.run(run)


def spoil(under_test: Service) -> None:
    (lease,) = claim(under_test.storage.engine, JobKind.SUPPORT, worker="test", limit=1, lease_seconds=30)
    finish(under_test.storage.engine, lease, Finished(outcome=Outcome.REVIEW, reasons=(), policy_version="demo-1",
                                                      sealed_verdict=b"AP1" + b"\x00" * 60))

"""Pictures that a backend seals and puts into the store itself, as docs/api.md tells: its own example is what sends here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import func, select, update

from benchmarks.chaos.servers import PostgreSQL, S3Server
from pipeline.domain.capture import Capture, Part
from pipeline.errors import Misconfigured
from pipeline.records import tables
from pipeline.records.engine import reading, writing
from pipeline.records.erasures import Asked, erase
from pipeline.records.keys import count_by_key
from pipeline.records.receipts import Cause
from pipeline.records.storage import load_parts
from pipeline.records.supports import get_support
from pipeline.records.upkeep import Finding, Kind, collect, reconcile
from pipeline.records.uploads import forget_uploads
from pipeline.settings import Settings, StorageSettings, WorkerSettings
from pipeline.wiring import local_networks, service_judge
from pipeline.worker import Worker
from tests.contract.intake_makers import GOOD, ONE, OTHER_SECRET, URL, Service, files, picture, service
from tests.contract.judges import judge
from tests.contract.test_api_refusals import check_problem
from tests.pairs import settings_of
from tests.phones import Phone

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
EXAMPLE: dict[str, Any] = {}
exec(PAGE.partition("```python\n")[2].partition("```")[0], EXAMPLE)  # noqa: S102 (the page's client is tried)
KEY = b"k" * 32
HEADERS = {"Idempotency-Key": "key-1"}
WORDS = json.dumps({"process": "demo", "captured_at": "2026-11-20T10:00:00-06:00"})


def sealed(part: str, data: bytes, key: bytes = KEY) -> bytes:
    nonce = b"n" * 12
    return b"AP2" + nonce + AESGCM(key).encrypt(nonce, data, f"{part}|1".encode())


def announced(key: bytes = KEY, pictures: dict[str, bytes] = GOOD, **put: bytes) -> dict[str, Any]:
    """The body that asks for addresses for these pictures, sealed; or for what is `put` in their place."""
    bytes_of = {part: put.get(part) or sealed(part, data, key) for part, data in pictures.items()}
    return {"key": EXAMPLE["b64"](key), "parts": {
        part: {"size": len(bytes_of[part]) - 31, "sha256": hashlib.sha256(data).hexdigest(),
               "sealed_sha256": hashlib.sha256(bytes_of[part]).hexdigest()} for part, data in pictures.items()}}


class Bench:
    """A service whose pictures lie in a real bucket, and a client of that bucket without any key of its own."""

    def __init__(self, running: Service, store: httpx.AsyncClient) -> None:
        self.running, self.store, self.api = running, store, running.client

    async def plan(self, **put: bytes) -> dict[str, Any]:
        answer = await self.api.post("/v1/uploads", json=announced(**put))
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def fill(self, plan: dict[str, Any], **put: bytes) -> None:
        for part, place in plan["parts"].items():
            body = put.get(part) or sealed(part, GOOD[part])
            assert (await self.store.put(place["url"], content=body, headers=place["headers"])).status_code == 200

    async def commit(self, plan: dict[str, Any], key: str = "key-1", **more: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key, **more.pop("headers", {})}
        return await self.api.post(URL, json={"upload": plan["id"], "support": WORDS, **more}, headers=headers)


@asynccontextmanager
async def _bench(settings: StorageSettings, limits: dict[str, int]) -> AsyncIterator[Bench]:
    with service(settings, limits=limits) as running:
        async with httpx.AsyncClient(trust_env=False) as store:
            yield Bench(running, store)


Try = Callable[..., None]


@pytest.fixture
def trying(tmp_path: Path, postgresql: PostgreSQL, s3: S3Server) -> Try:
    """Runs a coroutine function with a bench over an empty storage."""
    def run(what: Callable[[Bench], Awaitable[None]], **limits: int) -> None:
        async def inner(settings: StorageSettings) -> None:
            async with _bench(settings, limits) as bench:
                await what(bench)

        with settings_of(tmp_path, (postgresql, s3)) as settings:
            anyio.run(inner, settings)

    return run


def test_the_page_s_client_sends_what_a_worker_then_sees(trying: Try) -> None:
    seen: list[Capture] = []

    async def run(bench: Bench) -> None:
        answer = await EXAMPLE["send"](bench.api, bench.store, GOOD, WORDS, "key-1")
        assert answer.status_code == 202
        storage, told = bench.running.storage, answer.json()
        assert bench.running.kept() == ONE
        assert answer.headers["location"] == told["url"] == f"{URL}/{told['id']}"
        assert {name: data for name, data in load_parts(storage, get_support(storage.engine, told["id"])).items() if name != "info"} == GOOD
        assert [*reconcile(storage, deep=True)] == []
        assert await anyio.to_thread.run_sync(Worker(storage, judge(seen.append), WorkerSettings(), "w").run_once) == 1
        assert (await bench.api.get(told["url"])).json()["verdict"] == "accepted"
        assert {part: seen[0].part(Part(part)) for part in GOOD} == GOOD
        assert seen[0].info.captured_at is not None

    trying(run)


def test_a_repeated_commit_gives_the_same_answer_and_an_upload_is_spent_once(trying: Try) -> None:
    async def run(bench: Bench) -> None:
        plan = await bench.plan()
        await bench.fill(plan)
        first, again = await bench.commit(plan), await bench.commit(plan)
        assert (first.status_code, first.json()) == (again.status_code, again.json()) == (202, first.json())
        check_problem(await bench.commit(plan, "key-2"), 404, "upload_not_found")
        other = await bench.plan()
        await bench.fill(other)
        check_problem(await bench.commit(other), 422, "idempotency_mismatch")
        assert bench.running.kept() == {**ONE, "blobs": ONE["blobs"] + 4}

    trying(run)


async def _nothing(bench: Bench, plan: dict[str, Any]) -> None:
    del bench, plan


async def _three(bench: Bench, plan: dict[str, Any]) -> None:
    await bench.fill({"parts": {part: place for part, place in plan["parts"].items() if part != "selfie"}})


@pytest.mark.parametrize(("put", "lacking"), [(_nothing, "front, back, selfie, signature"), (_three, "selfie")])
def test_nothing_is_taken_in_before_all_is_there(put: Callable[[Bench, dict[str, Any]], Awaitable[None]], lacking: str, trying: Try) -> None:
    async def run(bench: Bench) -> None:
        plan = await bench.plan()
        await put(bench, plan)
        answer = await bench.commit(plan)
        check_problem(answer, 409, "upload_incomplete")
        assert f": {lacking}." in answer.json()["detail"]
        assert bench.running.kept()["supports"] == 0
        await bench.fill({"parts": {part: plan["parts"][part] for part in lacking.split(", ")}})
        assert (await bench.commit(plan)).status_code == 202, "the same request goes on"

    trying(run)


def test_an_address_takes_just_what_was_signed_for_and_once(trying: Try) -> None:
    async def run(bench: Bench) -> None:
        plan = await bench.plan()
        place, body = plan["parts"]["front"], sealed("front", GOOD["front"])
        headers = place["headers"]
        other = bytes([body[0] ^ 1]) + body[1:]
        tries: list[tuple[bytes, dict[str, str], set[int]]] = [
            (other, headers, {400}), (body[:-1], {**headers, "Content-Length": str(len(body) - 1)}, {403}),
            (body + b"0", {**headers, "Content-Length": str(len(body) + 1)}, {403}),
            *[(body, {name: value for name, value in headers.items() if name != gone}, {403})
              for gone in headers if gone != "Content-Length"],
            (body, headers, {200}), (body, headers, {412})]
        for sent, told, wanted in tries:
            assert (await bench.store.put(place["url"], content=sent, headers=told)).status_code in wanted
        assert (await bench.store.get(place["url"])).status_code == 403
        moved = place["url"].replace("/front.1.", "/back.1.")
        assert (await bench.store.put(moved, content=body, headers=headers)).status_code == 403

    trying(run)


NOT_A_PICTURE = b"GIF89a" + bytes(200)
BAD: dict[str, tuple[dict[str, bytes], dict[str, bytes]]] = {
    "not_sealed": ({"back": b"AP2" + b"z" * 300}, {}),
    "by_another_key": ({"back": sealed("back", GOOD["back"], b"o" * 32)}, {}),
    "at_another_place": ({"back": sealed("front", GOOD["back"])}, {}),
    "another_picture": ({"back": sealed("back", picture(shade=99))}, {}),
    "no_picture": ({"back": sealed("back", NOT_A_PICTURE)}, {"back": NOT_A_PICTURE}),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_part_is_not_looked_at_and_the_rest_is(what: str, trying: Try) -> None:
    put, pictures = BAD[what]
    seen: list[Capture] = []

    async def run(bench: Bench) -> None:
        answer = await bench.api.post("/v1/uploads", json=announced(KEY, {**GOOD, **pictures}, **put))
        await bench.fill(answer.json(), **put)
        assert (await bench.commit(answer.json())).status_code == 202
        storage = bench.running.storage
        assert await anyio.to_thread.run_sync(Worker(storage, judge(seen.append), WorkerSettings(), "w").run_once) == 1
        assert {part: seen[0].part(Part(part)) for part in GOOD} == {**GOOD, "back": None}
        assert set(seen[0].digests()) == {"front", "selfie", "signature"}
        assert [*reconcile(storage, deep=True)] == [], "it lies there as it was put"

    trying(run)


def test_a_bad_part_ends_as_a_retake_of_it_and_a_good_one_goes_on_with_the_round(trying: Try) -> None:
    """By the real stages: pictures without a card are a retake too, so the back's own reason is what counts."""
    async def run(bench: Bench) -> None:
        plan = await bench.plan(back=sealed("back", b"no picture at all"))
        await bench.fill(plan, back=sealed("back", b"no picture at all"))
        await bench.commit(plan)
        real = service_judge(Settings(), local_networks)
        worker = Worker(bench.running.storage, real, WorkerSettings(), "w")
        assert await anyio.to_thread.run_sync(worker.run_once) == 1
        told = (await bench.api.get(f"{URL}/{plan['id']}")).json()
        assert told["verdict"] == "retake"
        assert "back.unreadable_file" in [reason["code"] for reason in told["reasons"]]
        assert "front.unreadable_file" not in [reason["code"] for reason in told["reasons"]]
        answer = await bench.api.put(f"{URL}/{plan['id']}/captures/back", content=picture(shade=77), headers={
            "Idempotency-Key": "again", "Content-Type": "image/jpeg"})
        assert answer.status_code == 202
        assert "back" not in (await bench.api.get(f"{URL}/{plan['id']}")).json()["wanted"]

    trying(run)


def test_what_the_store_loses_afterwards_goes_to_a_person(trying: Try) -> None:
    async def run(bench: Bench) -> None:
        plan = await bench.plan()
        await bench.fill(plan)
        await bench.commit(plan)
        storage = bench.running.storage
        (key,) = [blob.key for blob in storage.blobs.list() if "/back.1." in blob.key]
        kept = storage.blobs.get(key)
        storage.blobs.delete(key)
        storage.blobs.put_if_absent(key, kept[:-1] + bytes([kept[-1] ^ 1]))
        assert await anyio.to_thread.run_sync(Worker(storage, judge(), WorkerSettings(), "w").run_once) == 1
        told = (await bench.api.get(f"{URL}/{plan['id']}")).json()
        assert (told["verdict"], told["reasons"][0]["code"]) == ("review", "support.processing_failed")
        assert [*reconcile(storage, deep=True)] == [Finding(Kind.DAMAGED, key)]

    trying(run)


def test_an_open_upload_is_no_leftover_and_one_that_is_over_is(trying: Try) -> None:
    async def run(bench: Bench) -> None:
        storage = bench.running.storage
        plan = await bench.plan()
        await bench.fill(plan)
        assert [*reconcile(storage)] == []
        assert collect(storage, grace=timedelta(0)) == 0
        assert sum(count_by_key(storage.engine).values()) == 1, "its key is wrapped anew with the others"
        with writing(storage.engine) as connection:
            connection.execute(update(tables.uploads).values(expires_at=tables.now_ms()))
        check_problem(await bench.commit(plan), 404, "upload_not_found")
        assert [one.kind for one in reconcile(storage)] == [Kind.ORPHAN] * 4
        assert (forget_uploads(storage.engine), forget_uploads(storage.engine)) == (1, 0)
        assert collect(storage, grace=timedelta(0), however_many=True) == 4
        assert bench.running.kept()["blobs"] == 0

    trying(run)


def test_a_client_has_so_many_open_and_each_sees_its_own_alone(trying: Try) -> None:
    async def run(bench: Bench) -> None:
        plan = await bench.plan()
        await bench.fill(plan)
        await bench.plan()
        refused = await bench.api.post("/v1/uploads", json=announced())
        check_problem(refused, 429, "too_many_uploads")
        assert int(refused.headers["retry-after"]) > 0
        other = {"Authorization": f"Bearer {OTHER_SECRET}"}
        check_problem(await bench.commit(plan, headers=other), 404, "upload_not_found")
        assert (await bench.api.post("/v1/uploads", json=announced(), headers=other)).status_code == 201
        assert (await bench.commit(plan)).status_code == 202
        assert (await bench.api.post("/v1/uploads", json=announced())).status_code == 201, "one was committed"
        with reading(bench.running.storage.engine) as connection:
            assert connection.execute(select(func.count()).select_from(tables.uploads)).scalar_one() == 3

    trying(run, max_uploads=2)


def test_the_phone_s_proof_is_over_the_pictures_and_the_words_as_they_were(trying: Try) -> None:
    phone = Phone()

    async def run(bench: Bench) -> None:
        plan = await bench.plan()
        await bench.fill(plan)
        for wrong in ({**GOOD, "support": b"{}"}, {**GOOD, "front": b"x", "support": WORDS.encode()}):
            refused = await bench.commit(plan, headers={"Apoyo-Device-Proof": phone.proof(URL, wrong)})
            check_problem(refused, 401, "device_proof_parts")
        proof = phone.proof(URL, {**GOOD, "support": WORDS.encode()})
        assert (await bench.commit(plan, headers={"Apoyo-Device-Proof": proof})).status_code == 202
        assert get_support(bench.running.storage.engine, plan["id"]).device == phone.thumbprint

    trying(run)


def test_it_is_erased_as_any_other(trying: Try) -> None:
    async def run(bench: Bench) -> None:
        plan = await bench.plan()
        await bench.fill(plan)
        await bench.commit(plan)
        erase(bench.running.storage, Asked(plan["id"], Cause.ASKED, "operator"))
        assert not [blob for blob in bench.running.storage.blobs.list() if blob.key.split("/")[1] == plan["id"]]
        check_problem(await bench.api.get(f"{URL}/{plan['id']}"), 410, "support_erased")
        assert not count_by_key(bench.running.storage.engine)

    trying(run)


def _without(part: str) -> dict[str, Any]:
    body = announced()
    return {**body, "parts": {name: told for name, told in body["parts"].items() if name != part}}


def _changed(part: str, **changes: Any) -> dict[str, Any]:
    body = announced()
    return {**body, "parts": {**body["parts"], part: {**body["parts"][part], **changes}}}


@pytest.mark.parametrize("body", [
    {}, {**announced(), "key": "short"}, {**announced(), "more": 1}, _without("selfie"), _changed("front", size=0),
    _changed("front", size=(10 << 20) + 1), _changed("signature", size=(4 << 20) + 1), _changed("back", sha256="0" * 63),
    _changed("back", sealed_sha256="Z" * 64)])
def test_what_is_announced_wrongly_is_refused(body: dict[str, Any], tmp_path: Path) -> None:
    with service(tmp_path) as running:
        check_problem(anyio.run(partial(running.client.post, "/v1/uploads", json=body)), 422, "invalid_request")


@pytest.mark.parametrize(("body", "code"), [
    ({"upload": "no id"}, "invalid_request"), ({}, "invalid_request"), ({"upload": "0" * 36, "more": 1}, "invalid_request"),
    ({"upload": "0" * 36, "support": "no JSON"}, "bad_support_info"), ({"upload": "0" * 36, "support": {}}, "invalid_request")])
def test_what_is_committed_wrongly_is_refused(body: dict[str, Any], code: str, tmp_path: Path) -> None:
    with service(tmp_path) as running:
        check_problem(anyio.run(partial(running.client.post, URL, json=body, headers=HEADERS)), 422, code)


def test_a_folder_takes_pictures_by_the_api_alone(tmp_path: Path) -> None:
    async def run(running: Service) -> None:
        check_problem(await running.client.post("/v1/uploads", json=announced()), 409, "direct_upload_unavailable")
        assert (await running.send(files=files())).status_code == 202

    with service(tmp_path) as running:
        anyio.run(run, running)


def test_addresses_name_the_store_as_backends_reach_it(tmp_path: Path, postgresql: PostgreSQL, s3: S3Server) -> None:
    async def run(settings: StorageSettings) -> None:
        async with _bench(settings, {}) as bench:
            assert {urlsplit(place["url"]).netloc for place in (await bench.plan())["parts"].values()} == {"pictures.example"}

    with settings_of(tmp_path, (postgresql, s3)) as settings:
        anyio.run(run, settings.model_copy(update={"s3_public_endpoint": "https://pictures.example"}))
        with pytest.raises(Misconfigured, match="S3 endpoint"):
            anyio.run(run, settings.model_copy(update={"s3_public_endpoint": "pictures.example/folder"}))

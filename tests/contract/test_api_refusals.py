"""Every refusal of the intake: its status and code, a problem that says what to do, and nothing kept."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from api.problems import KINDS, TYPE_PREFIX
from pipeline.blobs import MemoryStore
from pipeline.domain.upload import CODES
from tests.contract.intake_makers import GOOD, NOTHING, ONE, OTHER_SECRET, PHOTOS, URL, Service, files, picture, service
from tests.contract.record_makers import storage_in

FORM = {"Content-Type": "multipart/form-data; boundary=b"}
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + b"\x00" * 40
CANARY = "GARC850101MDFRRN09"
TIME_HELPS = {"request_in_flight", "verdict_pending", "round_moved", "activation_waiting", "resend_too_soon"}
"""The 409 that a repetition after Retry-After may mend."""


def info(value: Any) -> dict[str, Any]:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return {"files": [*files(), ("support", ("support.json", text))]}


def part(name: str, data: bytes = b"x") -> bytes:
    return b"--b\r\nContent-Disposition: form-data; name=\"" + name.encode() + b"\"; filename=\"f\"\r\n\r\n" + data + b"\r\n"


async def _chunks(size: int) -> AsyncIterator[bytes]:
    yield part("front")[:-3]
    for _ in range(size // 65536):
        yield b"\x00" * 65536


REFUSALS: dict[str, tuple[dict[str, Any], int, str]] = {
    "no secret": ({"headers": {"Authorization": ""}}, 401, "unauthorized"),
    "another scheme": ({"headers": {"Authorization": "Basic YTpi"}}, 401, "unauthorized"),
    "a wrong secret": ({"headers": {"Authorization": "Bearer apoyo_wrong"}}, 401, "unauthorized"),
    "an endless secret": ({"headers": {"Authorization": "Bearer " + "x" * 5000}}, 401, "unauthorized"),
    "no key": ({"key": None}, 400, "idempotency_key_missing"),
    "an empty key": ({"key": ""}, 400, "idempotency_key_invalid"),
    "a key of 201": ({"key": "k" * 201}, 400, "idempotency_key_invalid"),
    "a key with a space": ({"key": "a b"}, 400, "idempotency_key_invalid"),
    "JSON that names no upload": ({"content": b"{}", "headers": {"Content-Type": "application/json"}}, 422, "invalid_request"),
    "XML instead of a form": ({"content": b"<a/>", "headers": {"Content-Type": "application/xml"}},
                              415, "unsupported_media_type"),
    "a urlencoded form": ({"content": b"front=1", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
                          415, "unsupported_media_type"),
    "no content type": ({"content": b"front"}, 415, "unsupported_media_type"),
    "no boundary": ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "bad_multipart"),
    "an endless boundary": ({"content": b"x", "headers": {"Content-Type": f"multipart/form-data; boundary={'b' * 71}"}},
                            400, "bad_multipart"),
    "no multipart inside": ({"content": b"hello", "headers": FORM}, 400, "bad_multipart"),
    "an empty body": ({"content": b"", "headers": FORM}, 400, "bad_multipart"),
    "an empty form": ({"content": b"--b--\r\n", "headers": FORM}, 422, "part_missing"),
    "no closing boundary": ({"content": part("front"), "headers": FORM}, 400, "bad_multipart"),
    "a part without a name": ({"content": b"--b\r\nContent-Type: image/jpeg\r\n\r\nx\r\n--b--\r\n", "headers": FORM},
                              422, "part_unknown"),
    "headers without end": ({"content": b"--b\r\n" + b"X-A: b\r\n" * 5000, "headers": FORM}, 400, "bad_multipart"),
    "too large by its length": ({"content": b"\x00" * (1 << 20), "headers": FORM}, 413, "body_too_large"),
    "too large as it streams": ({"content": _chunks(1 << 20), "headers": {**FORM, "Transfer-Encoding": "chunked"}},
                                413, "body_too_large"),
    **{f"no {name}": ({"files": files(**{name: None})}, 422, "part_missing") for name in GOOD},
    "a part of another name": ({"files": files(passport=b"x")}, 422, "part_unknown"),
    "a part twice": ({"files": [*files(), *files(PHOTOS)]}, 422, "part_duplicate"),
    "support is not JSON": (info(b"{process: demo}"), 422, "bad_support_info"),
    "support is not UTF-8": (info(b'{"process": "\xff\xfe"}'), 422, "bad_support_info"),
    "support is a list": (info([1]), 422, "bad_support_info"),
    "support is endless nesting": (info(b"[" * 100_000), 422, "bad_support_info"),
    "support holds NaN": (info(b'{"strokes": [[{"x": NaN, "y": 1}]]}'), 422, "bad_support_info"),
    "an unknown key": (info({CANARY: 1}), 422, "bad_support_info"),
    "a model that is none": (info({"chosen_model": "Z"}), 422, "bad_support_info"),
    "a date that is none": (info({"as_of": CANARY}), 422, "bad_support_info"),
    "a moment without offset": (info({"captured_at": "2026-11-24T10:00:00"}), 422, "bad_support_info"),
    "an unknown process": (info({"process": CANARY}), 422, "process_unknown"),
    "an empty photo": ({"files": files(selfie=b"")}, 422, "file_empty"),
    "HEIC": ({"files": files(front=HEIC)}, 415, "file_heic"),
    "a PNG photo": ({"files": files(back=picture("PNG"))}, 415, "file_type"),
    "text as signature": ({"files": files(signature=b"Juan " + CANARY.encode())}, 415, "file_type"),
    "a cut photo": ({"files": files(front=GOOD["front"][:-9])}, 422, "file_cut"),
    "a damaged signature": ({"files": files(signature=GOOD["signature"].replace(b"IHDR", b"IHDX"))}, 422, "file_damaged"),
}


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One application for the whole table: a refusal leaves it as it was."""
    with service(tmp_path_factory.mktemp("refusing"), limits={"max_body_bytes": 1 << 19}) as under_test:
        yield under_test


@pytest.mark.parametrize("case", REFUSALS)
def test_a_bad_request_is_refused_and_leaves_nothing(case: str, refusing: Service) -> None:
    request, status, code = REFUSALS[case]

    async def run() -> None:
        before = refusing.kept()
        answer = await refusing.send(**{"key": case.replace(" ", "-"), **request})
        check_problem(answer, status, code)
        if code.startswith(("part_m", "part_d", "file_")):
            assert f"`{answer.json()['part']}`" in answer.json()["detail"]
        assert refusing.kept() == before
        assert (await refusing.send(case.replace(" ", "-"))).status_code == 202, "the key and the room are free again"
        assert refusing.kept() == {name: before[name] + count for name, count in ONE.items()}

    anyio.run(run)


def check_problem(answer: httpx.Response, status: int, code: str) -> None:
    """RFC 9457, and the manners that every answer has."""
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["type"] == TYPE_PREFIX + code
    assert body["status"] == status
    assert body["title"] == KINDS[code][1]
    assert len(body["detail"]) > 20
    assert body["instance"].endswith(answer.headers["request-id"])
    assert CANARY not in answer.text
    assert ("www-authenticate" in answer.headers) is (status == 401)
    assert ("retry-after" in answer.headers) is (status in (429, 503) or code in TIME_HELPS)
    assert answer.headers["ratelimit"].startswith('"client";r=')
    assert answer.headers["cache-control"] == "no-store"


def test_every_code_of_the_door_has_a_problem() -> None:
    assert set(CODES) <= set(KINDS)
    assert all(400 <= KINDS[code][0] < 500 for code in CODES)


def test_paths_and_methods_that_are_not_there(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path) as under_test:
            for method, path, status, code in (
                ("GET", "/", 404, "not_found"), ("GET", f"/{CANARY}", 404, "not_found"), ("POST", URL + "/", 404, "not_found"),
                ("GET", "/docs", 404, "not_found"),
            ):
                answer = await under_test.client.request(method, path)
                check_problem(answer, status, code)
                assert "allow" not in answer.headers
            for method, path, offered in (
                ("DELETE", URL, "GET, POST"), ("PATCH", URL, "GET, POST"), ("POST", "/livez", "GET"), ("OPTIONS", f"{URL}/x", "DELETE, GET"),
                ("GET", f"{URL}/x/captures/back", "PUT"), ("PUT", "/v1/webhooks/x", "DELETE, GET"),
            ):
                answer = await under_test.client.request(method, path)
                check_problem(answer, 405, "method_not_allowed")
                assert answer.headers["allow"] == offered

    anyio.run(run)


def test_a_foreign_support_looks_like_none(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path) as under_test:
            mine = (await under_test.send()).json()["id"]
            other = {"Authorization": f"Bearer {OTHER_SECRET}"}
            bodies = set()
            for wanted in (mine, "0192f000-0000-7000-8000-000000000000", "nonsense", CANARY, "%00", "x" * 2000):
                answer = await under_test.client.get(f"{URL}/{wanted}", headers=other)
                check_problem(answer, 404, "support_not_found")
                bodies.add(json.dumps({key: value for key, value in answer.json().items() if key != "instance"}))
            assert len(bodies) == 1
            assert (await under_test.client.get(f"{URL}/{mine}")).status_code == 200
            check_problem(await under_test.client.get(f"{URL}/{mine}", headers={"Authorization": ""}), 401, "unauthorized")

    anyio.run(run)


def test_one_client_s_key_is_not_another_s(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path) as under_test:
            first = await under_test.send()
            other = {"Authorization": f"Bearer {OTHER_SECRET}"}
            second = await under_test.send(headers=other, files=files(front=picture(shade=1)))
            assert (first.status_code, second.status_code) == (202, 202)
            assert first.json()["id"] != second.json()["id"]

    anyio.run(run)


def test_a_client_past_its_rate_waits(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path, limits={"requests_a_minute": 3}) as under_test:
            left = []
            for number in range(3):
                answer = await under_test.client.get(f"{URL}/{number}")
                left.append(answer.headers["ratelimit"].split(";")[1])
            assert left == ["r=2", "r=1", "r=0"]
            refused = await under_test.send()
            check_problem(refused, 429, "too_many_requests")
            assert 1 <= int(refused.headers["retry-after"]) <= 60
            assert under_test.kept() == NOTHING
            other = await under_test.send(headers={"Authorization": f"Bearer {OTHER_SECRET}"})
            assert other.status_code == 202, "another client has its own"
            assert (await under_test.client.get("/livez")).status_code == 200, "probes are not counted"

    anyio.run(run)


def test_bytes_in_flight_are_bounded(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path, limits={"max_in_flight_bytes": 20_000}) as under_test:
            gate = under_test.client._transport.app.state.services.gate  # type: ignore[attr-defined]
            release = anyio.Event()
            opened = anyio.Event()

            async def slow() -> AsyncIterator[bytes]:
                yield part("front", b"x" * 15_000)[:-2]
                opened.set()
                await release.wait()

            async with anyio.create_task_group() as group:
                group.start_soon(lambda: _post_stream(under_test, slow()))
                with anyio.fail_after(20):
                    await opened.wait()
                assert gate.in_flight >= 15_000
                check_problem(await under_test.send(), 409, "request_in_flight")
                refused = await under_test.send("other-key", files=files(front=GOOD["front"] + b"\x00" * 6_000))
                check_problem(refused, 503, "busy")
                release.set()
            assert gate.in_flight == 0
            assert under_test.kept() == NOTHING
            assert (await under_test.send("other-key")).status_code == 202

    anyio.run(run)


def test_more_than_can_be_stored_is_refused_at_once_and_before_anything_is_read(tmp_path: Path) -> None:
    storage, inside, go_on = storage_in(tmp_path), threading.Event(), threading.Event()

    class Slow(MemoryStore):
        def put_if_absent(self, key: str, data: bytes) -> bool:
            inside.set()
            go_on.wait(20)
            return super().put_if_absent(key, data)

    async def run() -> None:
        with service(tmp_path, replace(storage, blobs=Slow()), limits={"max_storing": 1}) as under_test:
            answers: list[httpx.Response] = []

            async def first() -> None:
                answers.append(await under_test.send())

            async def body() -> AsyncIterator[bytes]:
                raise AssertionError("a body was read")
                yield b""

            async with anyio.create_task_group() as group:
                group.start_soon(first)
                await anyio.to_thread.run_sync(inside.wait, 20)
                refused = await under_test.send("second", content=body(), headers={**FORM, "Authorization": "Bearer unknown"})
                check_problem(refused, 503, "busy")
                assert 1 <= int(refused.headers["retry-after"]) <= 5
                assert (await under_test.client.get("/readyz")).status_code == 200, "reading goes on"
                go_on.set()
            assert answers[0].status_code == 202
            assert under_test.kept() == ONE, "what was refused left nothing"
            assert (await under_test.send("second")).status_code == 202

    anyio.run(run)


def test_whoever_sends_slowly_loses_the_place_and_not_the_request(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path, limits={"max_storing": 1}) as under_test:
            gate = under_test.client._transport.app.state.services.storing  # type: ignore[attr-defined]
            gate._quick_seconds = 0.05
            begun, go_on = anyio.Event(), anyio.Event()
            whole = httpx.Request("POST", "http://test", files=files(), headers=FORM).read()
            answers: list[httpx.Response] = []

            async def slow() -> AsyncIterator[bytes]:
                yield whole[:1000]
                begun.set()
                await go_on.wait()
                yield whole[1000:]

            async def first() -> None:
                answers.append(await under_test.send("slow", content=slow(), headers={**FORM, "Transfer-Encoding": "chunked"}))

            async with anyio.create_task_group() as group:
                group.start_soon(first)
                await begun.wait()
                for _ in range(400):
                    early = await under_test.send("quick")
                    if early.status_code != 503:
                        break
                    await anyio.sleep(0.05)
                assert early.status_code == 202, "the place was free before the body was there"
                go_on.set()
            assert answers[0].status_code == 202
            assert gate.inside == 0

    anyio.run(run)


@pytest.mark.parametrize("wrong", [{"Authorization": "Bearer unknown"}, {"Idempotency-Key": ""}, {"Content-Type": "text/plain"}])
def test_a_request_that_fails_gives_its_place_back(tmp_path: Path, wrong: dict[str, str]) -> None:
    async def run() -> None:
        with service(tmp_path, limits={"max_storing": 1}) as under_test:
            for _ in range(3):
                assert 400 <= (await under_test.send("k", headers=wrong)).status_code < 500
            assert (await under_test.send("k")).status_code == 202

    anyio.run(run)


async def _post_stream(under_test: Service, stream: AsyncIterator[bytes]) -> None:
    answer = await under_test.send(content=stream, headers={**FORM, "Transfer-Encoding": "chunked"})
    assert answer.status_code == 400


def test_a_body_that_does_not_come_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.reception.BODY_SECONDS", 0.2)

    async def stalled() -> AsyncIterator[bytes]:
        yield part("front")
        await anyio.sleep(30)

    async def run() -> None:
        with service(tmp_path) as under_test:
            answer = await under_test.send(content=stalled(), headers={**FORM, "Transfer-Encoding": "chunked"})
            check_problem(answer, 408, "body_too_slow")
            assert answer.headers["connection"] == "close"
            assert under_test.kept() == NOTHING
            assert (await under_test.send()).status_code == 202

    anyio.run(run)

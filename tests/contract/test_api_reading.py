"""Looking at supports: in whole and as the citizen, unchanged since the last look, in pages, in counts, as events."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from api.supports import events as events_module
from api.supports.events import changes
from pipeline.domain.folio import folio_of
from pipeline.domain.verdict import Outcome
from pipeline.errors import NotFound
from pipeline.records.listing import id_of
from pipeline.settings import StorageSettings, WorkerSettings
from pipeline.worker import Worker
from tests.contract.intake_makers import OFFICER, OTHER_SECRET, URL, Service, files, service
from tests.contract.judges import judge
from tests.contract.test_api_refusals import check_problem
from tests.contract.test_api_rounds import CONFIRMED, NEW, decide, judge_round, retake, support_in
from tests.contract.test_processes import apply

OTHER = {"Authorization": f"Bearer {OTHER_SECRET}"}
CITIZEN = {"id", "folio", "status", "round", "process", "received_at", "verdict", "wanted", "reasons", "decision", "other_way"}


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in leaves(one)]
    return [leaf for one in value for leaf in leaves(one)] if isinstance(value, list) else [value]


async def of(under_test: Service, place: str, **options: Any) -> dict[str, Any]:
    return dict((await under_test.client.get(place, **options)).json())


def test_a_citizen_sees_no_score_reading_or_developer_s_word(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path) as under_test:
            place = (await under_test.send()).headers["location"]
            assert set(await of(under_test, place, params={"view": "citizen"})) == CITIZEN, "also while it waits"
            await anyio.to_thread.run_sync(Worker(under_test.storage, judge(), WorkerSettings(count=1), "w").run_once)
            await decide(under_test, place, CONFIRMED)
            whole = await of(under_test, place)
            assert any(isinstance(leaf, float) for leaf in leaves(whole)), "there is something to hide"
            told = await of(under_test, place, params={"view": "citizen"})
            assert set(told) == CITIZEN
            assert (told["status"], told["verdict"], told["decision"]["decision"]) == ("final", "accepted", "accepted")
            assert not [leaf for leaf in leaves(told) if isinstance(leaf, float)]
            assert (await under_test.client.get(place, params={"view": "operator"})).json() == whole
            check_problem(await under_test.client.get(place, params={"view": "all"}), 422, "invalid_request")

    anyio.run(run)


def test_a_citizen_s_reasons_are_code_subject_and_sentence(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path) as under_test:
            place = await support_in(under_test, "retake_wanted", "back")
            await under_test.client.post(f"{place}/review")
            told = await of(under_test, place, params={"view": "citizen"})
            assert [set(reason) for reason in told["reasons"]] == [{"code", "subject", "message"}]
            assert told["reasons"][0]["message"].startswith("Pediste que una persona")

    anyio.run(run)


@pytest.mark.parametrize(("header", "status"), [
    ("{}", 304), ("W/{}", 304), ('"x", {}', 304), ("*", 304), ('"x"', 200), ("", 200), ("nonsense", 200)])
def test_what_is_known_is_not_sent_again(header: str, status: int, pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            place = await support_in(under_test, "retake_wanted", "back")
            tag = (await under_test.client.get(place)).headers["etag"]
            answer = await under_test.client.get(place, headers={"If-None-Match": header.format(tag)})
            assert (answer.status_code, answer.headers["etag"], answer.content == b"") == (status, tag, status == 304)
            assert "ratelimit" in answer.headers and "request-id" in answer.headers
            await retake(under_test, place, "back")
            changed = await under_test.client.get(place, headers={"If-None-Match": tag})
            assert (changed.status_code, changed.headers["etag"] != tag) == (200, True)
            check_problem(await under_test.client.get(place, headers={**OTHER, "If-None-Match": "*"}), 404, "support_not_found")

    anyio.run(run)


async def pages(under_test: Service, headers: dict[str, str] | None = None, **params: Any) -> list[list[str]]:
    found, cursor = [], None
    while True:
        query = {**params, **({"cursor": cursor} if cursor else {})}
        page = (await under_test.client.get(URL, params=query, headers=headers)).json()
        found.append([one["id"] for one in page["data"]])
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_pages_hold_every_support_once_newest_first(pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            assert await pages(under_test) == [[]]
            mine = [(await under_test.send(f"key-{number}")).json()["id"] for number in range(5)]
            theirs = (await under_test.send(headers=OTHER)).json()["id"]
            assert await pages(under_test, limit=2) == [mine[:2:-1], mine[2:0:-1], mine[:1]]
            assert await pages(under_test, limit=5) == [mine[::-1]]
            assert await pages(under_test, OTHER) == [[theirs]]
            assert await pages(under_test, OFFICER) == [[theirs, *mine[::-1]]]
            first = (await under_test.client.get(URL, params={"limit": 2})).json()
            await under_test.send("later")
            then = await under_test.client.get(URL, params={"limit": 2, "cursor": first["next_cursor"]})
            assert [one["id"] for one in then.json()["data"]] == mine[2:0:-1], "what came in meanwhile shifts no page"

    anyio.run(run)


def test_pages_are_narrowed(pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            in_state = {state: (await support_in(under_test, state)).rpartition("/")[2]
                        for state in ("accepted", "retake_wanted", "in_review", "final", "received")}
            for state, support_id in in_state.items():
                assert await pages(under_test, state=state) == [[support_id]]
            assert await pages(under_test, state="rejected") == [[]]
            assert await pages(under_test, process="demo", state="final") == [[in_state["final"]]]
            assert await pages(under_test, process="other") == [[]]
            (one,) = (await under_test.client.get(URL, params={"state": "retake_wanted"})).json()["data"]
            assert (one["verdict"], one["reasons"], one["round"]) == ("retake", ["back.unreadable_file:back"], 1)

    anyio.run(run)


def test_a_support_is_found_by_its_folio_by_those_who_may_see_it(pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            sent = [(await under_test.send(f"key-{number}")).json() for number in range(3)]
            for one in sent:
                for written in (one["folio"], one["folio"].lower().replace("-", " ")):
                    assert await pages(under_test, folio=written) == [[one["id"]]]
                    assert await pages(under_test, OFFICER, folio=written) == [[one["id"]]]
                    assert await pages(under_test, OTHER, folio=written) == [[]]
                assert (await of(under_test, f"{URL}/{one['id']}?view=citizen"))["folio"] == one["folio"]
                assert id_of(under_test.storage.engine, one["folio"]) == id_of(under_test.storage.engine, one["id"]) == one["id"]
            with pytest.raises(NotFound):
                id_of(under_test.storage.engine, folio_of("0192f000-0000-7000-8000-000000000000"))

    anyio.run(run)


@pytest.mark.parametrize(("params", "code"), [
    ({"folio": "x"}, "bad_folio"), ({"folio": "0000-0000-0000-0000-1"}, "bad_folio"), ({"folio": "0" * 41}, "invalid_request"),
    ({"cursor": "x"}, "bad_cursor"), ({"cursor": "é"}, "bad_cursor"), ({"cursor": "A" * 22 + "AA"}, "bad_cursor"),
    ({"cursor": "A" * 201}, "invalid_request"), ({"state": "lost"}, "invalid_request"), ({"limit": "0"}, "invalid_request"),
    ({"limit": "201"}, "invalid_request")])
def test_a_page_that_is_none_is_refused(params: dict[str, str], code: str, tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path) as under_test:
            check_problem(await under_test.client.get(URL, params=params), 422, code)

    anyio.run(run)


def test_counts_tell_where_supports_stand_and_why(pair: StorageSettings) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            assert (await under_test.client.get("/v1/counts")).json() == {"data": []}
            for number, (outcome, asked) in enumerate([
                    (Outcome.RETAKE, ("front", "back")), (Outcome.RETAKE, ("back",)), (Outcome.ACCEPTED, ())]):
                await under_test.send(f"key-{number}")
                judge_round(under_test.storage, outcome, *asked)
            await under_test.send("waits")
            assert (await under_test.client.get("/v1/counts")).json()["data"] == [{
                "process": "demo", "applicant": None, "total": 4,
                "states": {"accepted": 1, "received": 1, "retake_wanted": 2},
                "reasons": {"back.unreadable_file": 2, "front.unreadable_file": 1}}]
            assert (await under_test.client.get("/v1/counts", headers=OTHER)).json() == {"data": []}
            assert (await under_test.client.get("/v1/counts", params={"process": "other"})).json() == {"data": []}
            assert (await under_test.client.get("/v1/counts", headers=OFFICER)).json()["data"][0]["total"] == 4

    anyio.run(run)


def test_counts_are_kept_apart_by_applicant(pair: StorageSettings, tmp_path: Path) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            apply(under_test.storage, tmp_path, 'id = "x"\napplicants = ["A", "B"]')
            for number, applicant in enumerate(("B", "A", "B")):
                words = json.dumps({"process": "x", "applicant": applicant}).encode()
                await under_test.send(f"key-{number}", files=[*files(), ("support", ("", words))])
            counts = (await under_test.client.get("/v1/counts")).json()["data"]
            assert [(one["process"], one["applicant"], one["total"]) for one in counts] == [("x", "A", 1), ("x", "B", 2)]
            only = (await under_test.client.get("/v1/counts", params={"applicant": "B"})).json()["data"]
            assert only == counts[1:]
            assert len((await pages(under_test, applicant="A"))[0]) == 1

    anyio.run(run)


def told(stream: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in stream.text.splitlines() if line.startswith("data: ")]


@pytest.mark.parametrize("state", ["accepted", "rejected", "final"])
def test_a_stream_ends_with_a_last_state(state: str, tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path) as under_test:
            place = await support_in(under_test, state)
            with anyio.fail_after(10):
                stream = await under_test.client.get(f"{place}/events")
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert [one["status"] for one in told(stream)] == [state]
            version = stream.text.partition("\n")[0].removeprefix("id: ")
            known = await under_test.client.get(f"{place}/events", headers={"Last-Event-ID": version})
            assert told(known) == []
            for headers, path in ((OTHER, place), ({}, f"{URL}/nothing")):
                check_problem(await under_test.client.get(f"{path}/events", headers=headers), 404, "support_not_found")

    anyio.run(run)


def test_streams_are_bounded(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path, limits={"max_streams": 0}) as under_test:
            place = await support_in(under_test, "accepted")
            check_problem(await under_test.client.get(f"{place}/events"), 503, "busy")

    anyio.run(run)


def test_a_quiet_stream_says_that_it_lives_and_ends_when_the_process_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(events_module, "POLL_SECONDS", 0.02)

    async def run() -> None:
        with service(tmp_path) as under_test:
            place = await support_in(under_test, "retake_wanted", "back")
            closing = threading.Event()
            stream = changes(under_test.storage.engine, place.rpartition("/")[2], None, None, closing)
            with anyio.fail_after(20):
                first = await anext(stream)
                assert "event: state\n" in first and '"status": "retake_wanted"' in first
                assert (await anext(stream)).startswith(":")
                await retake(under_test, place, "back", content=NEW["back"])
                event = await anext(stream)
                while event.startswith(":"):
                    event = await anext(stream)
                assert '"status": "received"' in event and event.partition("\n")[0] != first.partition("\n")[0]
                closing.set()
                assert all([event.startswith(":") async for event in stream])

    anyio.run(run)

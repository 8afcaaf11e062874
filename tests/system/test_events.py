"""A stream of events from a process of its own: told as it happens, in order, bounded, and no hindrance to its end."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.domain.verdict import Outcome
from pipeline.records.storage import open_storage
from pipeline.settings import StorageSettings
from tests.contract.intake_makers import URL, files
from tests.contract.test_api_rounds import NEW, judge_round
from tests.system.processes import until
from tests.system.test_intake import server

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]


def states(stream: httpx.Response) -> Iterator[dict[str, Any]]:
    return (json.loads(line.removeprefix("data: ")) for line in stream.iter_lines() if line.startswith("data: "))


def test_changes_are_told_as_they_happen_until_the_last(tmp_path: Path) -> None:
    with server(tmp_path) as (client, _):
        storage = open_storage(StorageSettings(data_dir=tmp_path))
        place = client.post(URL, headers={"Idempotency-Key": "one"}, files=files()).headers["location"]
        with client.stream("GET", f"{place}/events") as stream:
            told = states(stream)
            assert next(told)["status"] == "received"
            judge_round(storage, Outcome.RETAKE, "back")
            assert until_status(told, "retake_wanted")["reasons"] == ["back.unreadable_file:back"]
            client.put(f"{place}/captures/back", content=NEW["back"],
                       headers={"Idempotency-Key": "two", "Content-Type": "image/jpeg"}).raise_for_status()
            assert until_status(told, "received")["round"] == 2
            judge_round(storage, Outcome.ACCEPTED)
            assert until_status(told, "accepted")["verdict"] == "accepted"
            assert list(told) == [], "and it ends"


def until_status(told: Iterator[dict[str, Any]], status: str) -> dict[str, Any]:
    """The next event of this status; between two looks a support may also have been seen in processing."""
    one = next(told)
    return next(told) if one["status"] == "processing" and status != "processing" else one


def test_open_streams_are_bounded_and_do_not_hold_a_process_that_is_to_end(tmp_path: Path) -> None:
    with server(tmp_path, max_streams=2) as (client, process):
        place = client.post(URL, headers={"Idempotency-Key": "one"}, files=files()).headers["location"]
        with client.stream("GET", f"{place}/events") as first, client.stream("GET", f"{place}/events") as second:
            told = [states(first), states(second)]  # kept: a reader that is dropped closes its stream
            assert next(told[0]) == next(told[1])
            refused = client.get(f"{place}/events")
            assert (refused.status_code, refused.json()["code"], "retry-after" in refused.headers) == (503, "busy", True)
            assert client.get(place).status_code == 200, "only streams are bounded"
        with contextlib.closing(until(lambda: opened(client, place))) as stream:
            events = states(stream)
            assert next(events)["status"] == "received"
            start = time.monotonic()
            process.terminate()
            assert list(events) == []
            assert process.wait(30) == -signal.SIGTERM, "uvicorn ends by the signal when it has drained"
            assert time.monotonic() - start < 10, "long before requests under way would be cut off"


def opened(client: httpx.Client, place: str) -> Any:
    """A stream, once the server has noticed that another was left."""
    answer = client.send(client.build_request("GET", f"{place}/events"), stream=True)
    if answer.status_code == 200:
        return answer
    answer.close()
    return None

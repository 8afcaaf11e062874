"""An activation's way as one trace, from the backend's span over the worker to the mail; nothing of the citizen is in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from pipeline import tracing
from pipeline.settings import TracingSettings
from tests.contract.activation_scene import Scene, scene
from tests.receivers import Receiver, receiver, status

TRACE, ABOVE = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Takes traces of this process."""
    with receiver() as known:
        known.always = status(200)
        exporter = tracing.Exporter(TracingSettings(url=known.url), "test")
        monkeypatch.setitem(tracing._running, "exporter", exporter)
        yield known
        exporter.close()


def spans_of(collector: Receiver, activation: str) -> list[dict[str, Any]]:
    """By OTLP's JSON (opentelemetry-proto, trace/v1)."""
    told = [span for one in collector.told for resource in one.json["resourceSpans"] for scope in resource["scopeSpans"]
            for span in scope["spans"]]
    return [span for span in told if {"key": "apoyo.activation", "value": {"stringValue": activation}} in span["attributes"]]


async def mailed(here: Scene, traceparent: str) -> str:
    """The id of an activation whose code was mailed."""
    place = await here.awaiting_code(headers={"traceparent": traceparent})
    async with here.delivering():
        await here.until(place, "code_sent")
    return place.rpartition("/")[2]


async def until_told(collector: Receiver, activation: str, names: set[str]) -> list[dict[str, Any]]:
    with anyio.fail_after(20):
        while True:  # until the exporter has had its turn
            spans = spans_of(collector, activation)
            if names <= {span["name"] for span in spans}:
                return spans
            await anyio.sleep(0.05)


def test_its_way_is_one_trace_and_says_nothing_of_the_citizen(tmp_path: Path, collector: Receiver) -> None:
    async def run() -> None:
        with scene(tmp_path) as here:
            activation = await mailed(here, f"00-{TRACE}-{ABOVE}-01")
            spans = await until_told(collector, activation, {"intake", "verify", "deliver", "conclude"})
            code = here.code(f"/{activation}")
        known = {span["spanId"]: span for span in spans}
        assert len(known) == len(spans)
        assert {span["traceId"] for span in spans} == {TRACE}
        above = {span["name"]: known.get(span["parentSpanId"], {}).get("name", span["parentSpanId"]) for span in spans}
        assert {name: above[name] for name in ("intake", "read", "provider", "store", "wait", "verify", "fetch", "examine", "conclude",
                                               "deliver")} == {
            "intake": ABOVE, "read": "intake", "provider": "intake", "store": "intake", "wait": "intake", "verify": "intake",
            "fetch": "verify", "examine": "verify", "conclude": "verify", "deliver": "verify"}
        assert all(int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) for span in spans)
        said = b"".join(one.body for one in collector.told).decode()
        assert code not in said and "@" not in said

    anyio.run(run)


def test_one_that_the_backend_does_not_sample_is_not_told(tmp_path: Path, collector: Receiver) -> None:
    async def run() -> None:
        with scene(tmp_path) as here:
            quiet = await mailed(here, f"00-{TRACE}-{ABOVE}-00")
            told = (await here.ask("key-2", headers={"traceparent": "not-a-trace"})).headers["location"].rpartition("/")[2]
            assert {span["traceId"] for span in await until_told(collector, told, {"intake"})} == {told.replace("-", "")}
            assert spans_of(collector, quiet) == []

    anyio.run(run)

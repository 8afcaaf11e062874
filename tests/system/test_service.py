"""`apoyo serve` whole: HTTP in, workers in Ray, the verdict out; a part that dies is started again; nothing outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.cli.serve import Service, running_service
from pipeline.errors import Misconfigured
from pipeline.settings import (
    ApiSettings,
    DeliverySettings,
    Settings,
    StorageSettings,
    TracingSettings,
    WorkerSettings,
    child_environment,
)
from tests.contract.intake_makers import files
from tests.receivers import Receiver, receiver, status
from tests.system.processes import open_to_others, processes_naming, until

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
WORKERS = "tests.system.stand_in_workers"


def settings_in(folder: Path, collector: str = "") -> Settings:
    return Settings(
        storage=StorageSettings(data_dir=folder / "var"), api=ApiSettings(port=0),
        worker=WorkerSettings(count=1, lease_seconds=2, heartbeat_seconds=0.5, hard_deadline_seconds=4),
        delivery=DeliverySettings(allow_loopback=True), tracing=TracingSettings(url=collector))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def collector() -> Iterator[Receiver]:
    """Takes traces."""
    with receiver() as known:
        known.always = status(200)
        yield known


@pytest.fixture(scope="module")
def service(folder: Path, collector: Receiver) -> Iterator[Service]:
    with running_service(settings_in(folder, collector.url), log_file=folder / "log", workers=WORKERS) as running:
        yield running
    until(lambda: not processes_naming(str(folder)))


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {service.secret}"}, timeout=10) as client:
        yield client


def submit(client: httpx.Client, **headers: str) -> str:
    answer = client.post("/v1/supports", files=files(), headers={"Idempotency-Key": str(uuid.uuid4()), **headers})
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


def judged(client: httpx.Client, location: str) -> dict[str, Any] | None:
    resource = client.get(location).json()
    return resource if resource["verdict"] is not None else None


def verdict_of_one(client: httpx.Client) -> dict[str, Any]:
    location = submit(client)
    resource: dict[str, Any] = until(lambda: judged(client, location))
    return resource


def test_a_support_sent_over_http_gets_its_verdict(client: httpx.Client) -> None:
    location = submit(client)
    resource = until(lambda: judged(client, location))
    assert (resource["verdict"], resource["status"], resource["id"]) == ("accepted", "accepted", location.rpartition("/")[2])


def test_metrics_show_the_workers_too(client: httpx.Client) -> None:
    verdict_of_one(client)
    text = client.get("/metrics").text
    assert 'apoyo_verdicts_total{outcome="accepted"}' in text
    assert "apoyo_supports_received_total" in text
    assert 'apoyo_jobs_waiting{kind="support"} 0.0' in text


def test_intake_goes_on_while_the_workers_are_down_and_they_come_back(client: httpx.Client, folder: Path) -> None:
    (driver,) = [line.split()[0] for line in processes_naming(str(folder)) if WORKERS in line]
    os.kill(int(driver), signal.SIGKILL)
    until(lambda: not [line for line in processes_naming(str(folder)) if "Verifier" in line])
    location = submit(client)
    assert client.get(location).json()["status"] == "received"
    assert until(lambda: judged(client, location))["verdict"] == "accepted"


def test_a_verdict_is_told_to_the_webhook_signed(client: httpx.Client) -> None:
    with receiver() as hook:
        made = client.post("/v1/webhooks", json={"url": hook.url}).json()
        resource = verdict_of_one(client)
        until(lambda: hook.told)
        assert hook.told[0].json["data"] == {"support": resource["id"], "round": 1, "outcome": "accepted", "reasons": []}
        assert hook.told[0].signed_by(made["secret"])
        assert client.delete(f"/v1/webhooks/{made['id']}").status_code == 204


def spans_of(collector: Receiver, support: str) -> list[dict[str, Any]]:
    """What OTLP's JSON says of one support (opentelemetry-proto, trace/v1)."""
    told = [span for one in collector.told for resource in one.json["resourceSpans"] for scope in resource["scopeSpans"]
            for span in scope["spans"]]
    return [span for span in told if {"key": "apoyo.support", "value": {"stringValue": support}} in span["attributes"]]


def whole_way(collector: Receiver, support: str) -> list[dict[str, Any]]:
    """All spans of a support, once each of the three programs has told its own."""
    spans = spans_of(collector, support)
    return spans if {"intake", "verify", "deliver"} <= {span["name"] for span in spans} else []


TRACE, ABOVE = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_supports_way_is_one_trace_from_the_backends_span_to_the_webhook(client: httpx.Client, collector: Receiver) -> None:
    with receiver() as hook:
        made = client.post("/v1/webhooks", json={"url": hook.url}).json()
        support = submit(client, traceparent=f"00-{TRACE}-{ABOVE}-01").rpartition("/")[2]
        spans = until(lambda: whole_way(collector, support))
        client.delete(f"/v1/webhooks/{made['id']}")
    known = {span["spanId"]: span for span in spans}
    assert len(known) == len(spans)
    assert {span["traceId"] for span in spans} == {TRACE}
    assert [span["name"] for span in spans if span["parentSpanId"] not in known] == ["intake"]
    assert known[next(one for one in known if known[one]["name"] == "intake")]["parentSpanId"] == ABOVE
    above = {span["name"]: known.get(span["parentSpanId"], {}).get("name") for span in spans}
    assert {name: above[name] for name in ("read", "store", "wait", "verify", "fetch", "examine", "conclude", "deliver")} == {
        "read": "intake", "store": "intake", "wait": "intake", "verify": "intake", "fetch": "verify", "examine": "verify",
        "conclude": "verify", "deliver": "verify"}
    assert all(int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) for span in spans)


def test_without_a_traceparent_the_trace_has_the_supports_id_and_an_unsampled_one_is_none(client: httpx.Client,
                                                                                         collector: Receiver) -> None:
    quiet = submit(client, traceparent=f"00-{TRACE}-{ABOVE}-00").rpartition("/")[2]
    location = submit(client, traceparent="00-not-a-trace-01")
    support = location.rpartition("/")[2]
    until(lambda: judged(client, location))
    spans = until(lambda: [span for span in spans_of(collector, support) if span["name"] == "verify"])
    assert spans[0]["traceId"] == support.replace("-", "")
    until(lambda: judged(client, f"/v1/supports/{quiet}"))
    assert spans_of(collector, quiet) == []


def test_nothing_sent_or_read_is_in_the_traces(client: httpx.Client, collector: Receiver) -> None:
    verdict_of_one(client)
    said = b"".join(until(lambda: [one.body for one in collector.told])).decode()
    assert not [canary for canary in ("VELAZQUEZ", "MARGARITA", "1836577177", "Bearer") if canary in said]


def test_a_second_service_on_the_port_says_so(service: Service, tmp_path: Path) -> None:
    taken = settings_in(tmp_path).model_copy(update={"api": ApiSettings(port=int(service.url.rpartition(":")[2]))})
    with pytest.raises(Misconfigured) as caught, running_service(taken, workers=WORKERS):
        pass
    assert caught.value.code == "port_taken"


def test_nobody_beyond_this_machine_is_listened_to(client: httpx.Client, folder: Path) -> None:
    verdict_of_one(client)
    assert any("gcs_server" in process for process in processes_naming(str(folder)))
    assert open_to_others(str(folder)) == []


def test_nothing_sent_or_read_is_in_the_logs(client: httpx.Client, folder: Path) -> None:
    verdict_of_one(client)
    log = (folder / "log").read_text()
    assert '"event": "verdict"' in log
    assert not [canary for canary in ("VELAZQUEZ", "MARGARITA", "1836577177", "Bearer") if canary in log]


def test_nothing_outlives_a_service_that_is_killed(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    program = (f"import sys\nfrom pipeline.settings import Settings\nfrom pipeline.cli.serve import running_service\n"
               f"with running_service(Settings.load(), workers={WORKERS!r}):\n  print('up', flush=True); sys.stdin.read()\n")
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(
            [sys.executable, "-c", program], cwd=ROOT, env=child_environment(settings), text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=log) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "up", (tmp_path / "log").read_text()[-2000:]
        assert len(processes_naming(str(tmp_path))) > 3
        process.kill()
    until(lambda: not processes_naming(str(tmp_path)))

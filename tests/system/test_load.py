"""The load harness against the real API and real workers: what it counts is what the service did."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos.deployment import Deployment
from benchmarks.chaos.places import Place, empty_place
from benchmarks.load.arrivals import steady
from benchmarks.load.bodies import Stock
from benchmarks.load.client import Client
from benchmarks.load.processes import ServiceProcesses
from benchmarks.load.run import Runner, Step, step_json
from benchmarks.load.verdicts import by_listing
from tests.contract.intake_makers import GOOD

pytestmark = pytest.mark.system


@pytest.fixture()
def place() -> Iterator[Place]:
    with empty_place(None) as empty:
        yield empty


def run_step(place: Place, folder: Path, rate: float, api: dict[str, int]) -> tuple[Step, list[Step]]:
    for part, data in GOOD.items():
        (folder / part).with_suffix(".png" if part == "signature" else ".jpg").write_bytes(data)
    told: list[Step] = []
    with Deployment(place, api=api) as deployment:
        client = Client(f"http://127.0.0.1:{deployment.port}", deployment.secret)
        runner = Runner(client, Stock([folder], ["demo"]), ServiceProcesses(str(place.folder)), lambda step, _at: told.append(step))

        async def run() -> Step:
            async with by_listing(client, runner.on_verdict, runner.oldest_waiting):
                return await runner.run(steady(rate, 2.0), 3)

        return asyncio.run(run()), told


def test_every_acknowledged_support_has_its_verdict_counted(place: Place, tmp_path: Path) -> None:
    step, told = run_step(place, tmp_path, 12.0, {})
    figures = step_json(step)
    supports, verdicts = place.database().rows("SELECT (SELECT count(*) FROM supports), (SELECT count(*) FROM verdicts)")[0]
    assert step.offered == step.intake.total == step.verdict.total == supports == verdicts > 5
    assert step.answers == {"202": supports}
    assert step.outcomes.total() == supports
    assert step.drained is not None
    assert step.verdict.percentile(50) > step.intake.percentile(50)
    assert figures["cpu_ms_a_support"] > 1
    assert set(figures["cpu_s_beside"]) == {"client", "others", "stolen"}
    assert sum(figures["by_second"]["acknowledged"]) == supports
    assert told
    assert step.looks[-1]["api"]["processes"] >= 1


def test_refusals_are_counted_apart_and_leave_nothing(place: Place, tmp_path: Path) -> None:
    step, _ = run_step(place, tmp_path, 12.0, {"requests_a_minute": 5})
    assert step.answers["429"] == step.offered - step.answers["202"] > 0
    assert step.refusals.total == step.answers["429"] == step.seconds["refused"].total()
    assert step.rude == 0
    assert place.database().rows("SELECT count(*) FROM supports")[0][0] == step.intake.total == step.answers["202"]

"""The simulation against what queueing theory says in closed form, and against itself."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

from benchmarks.capacity import (
    OBJECTIVE_SECONDS,
    TOLD_SECONDS,
    Demand,
    cores_needed,
    demand_of,
    plan,
    scenarios,
    simulate,
    validate,
)
from benchmarks.load.arrivals import arrivals, steady
from benchmarks.soak import rises


def erlang_c(servers: int, offered: float) -> float:
    """The share of arrivals that wait (A. K. Erlang, 1917)."""
    top = offered**servers / math.factorial(servers) * servers / (servers - offered)
    return top / (sum(offered**n / math.factorial(n) for n in range(servers)) + top)


@pytest.mark.parametrize(("servers", "share"), [(1, 0.5), (2, 0.7), (4, 0.8), (16, 0.85)])
def test_waits_are_those_of_erlang(servers: int, share: float) -> None:
    draw, mean = random.Random(11), 0.25
    demand = Demand([draw.expovariate(1 / mean) for _ in range(20_000)], 0.0, 0.0)
    rate = share * servers / demand.mean
    count = 60_000
    played = simulate(arrivals(steady(rate, count / rate), 3), demand, servers, 5)
    expected = erlang_c(servers, share * servers) * demand.mean / (servers * (1 - share)) + demand.mean + TOLD_SECONDS
    assert played.verdict.summary()["mean_ms"] / 1000 == pytest.approx(expected, rel=0.08)
    assert played.busy == pytest.approx(share, rel=0.03)


def test_every_support_comes_to_an_end_and_the_same_seed_to_the_same_one() -> None:
    demand = Demand([0.2, 0.3], 0.02, 0.01)
    moments = list(arrivals(steady(10, 60), 1))
    one, again = (simulate(moments, demand, 2, 7) for _ in range(2))
    assert one.intake.total == one.verdict.total == len(moments)
    assert one.verdict.summary() == again.verdict.summary()
    assert one.end == pytest.approx(len(moments) * demand.mean / 2, rel=0.05), "two cores, always busy"
    assert simulate([], demand, 2, 7).verdict.total == 0


def test_intake_goes_first() -> None:
    """A backend is not kept waiting by a backlog: at most by what is being worked on."""
    played = simulate([0.0] * 50, Demand([1.0], 0.01, 0.0), 1, 1)
    assert played.intake.most <= 50 * 0.01 + 1.0
    assert played.verdict.most == pytest.approx(50 * 1.01 + TOLD_SECONDS)


def test_twice_as_fast_needs_half_the_cores() -> None:
    profile, demand = steady(40, 600), Demand([0.25], 0.02, 0.01)
    cores, played = cores_needed(profile, demand, 1, 3)
    assert played.verdict.percentile(99) <= OBJECTIVE_SECONDS
    assert cores == pytest.approx(40 * demand.mean, abs=2)
    assert simulate(arrivals(profile, 3), demand, cores - 2, 3).verdict.percentile(99) > played.verdict.percentile(99)
    assert cores_needed(profile, demand, 1, 3, speed=2.0)[0] == pytest.approx(cores / 2, abs=1)


def test_the_numbers_of_the_task() -> None:
    day, burst, drive = scenarios()
    assert day.supports == 150_000
    assert burst.peak.peak == 50
    assert (drive.supports, drive.days) == (13_000_000, 60)
    assert 13_000_000 / 64 * 5 / 86_400 < drive.peak.peak < 2 * 13_000_000 / 64 * 5 / 86_400


def test_a_plan_has_its_prices_from_the_file() -> None:
    file = json.loads((Path(__file__).parents[2] / "benchmarks" / "hardware.json").read_text())
    assert all(set(one) == {"name", "cores", "usd_an_hour", "speed", "source", "seen"} for one in file["hardware"])
    demand = Demand([0.05], 0.005, 0.005)
    rows = plan(demand, [{"name": "n", "cores": 4, "usd_an_hour": 1.0, "speed": 1.0}], 3)
    assert [row["scenario"] for row in rows] == [scenario.name for scenario in scenarios()]
    assert rows[0]["usd_always_on"] == rows[0]["nodes"] * 24
    assert rows[0]["usd_a_thousand_by_core_seconds"] == round(1000 * 0.06 / 3600 / 4, 4)
    assert all(row["verdict_p99_s"] <= OBJECTIVE_SECONDS for row in rows)


def test_demand_and_error_come_from_raw_results() -> None:
    stages = {"apoyo": {"rows": [{"cpu_ms": 200.0}, {"cpu_ms": 300.0}]}}
    step = {"profile": "p", "factor": 0.7, "seconds": 100.0, "drained_s": 0.0, "offered_a_second": 2.0,
            "verdict": {"count": 200, "p50_ms": 350.0, "p99_ms": 600.0}, "cpu_s": {"api": 4.0, "workers": 52.0, "ray": 2.0},
            "cpu_s_beside": {"client": 0.0, "others": 0.0, "stolen": 0.0}, "by_second": {"offered": [2] * 100}}
    load = {"steps": [step], "machine": {"cores": 2}}
    demand = demand_of(stages, load)
    assert (demand.intake, demand.other) == (pytest.approx(0.02), pytest.approx(0.02))
    assert demand.mean == pytest.approx(58 / 200)
    (row,) = validate(demand, load, 3)
    assert row["cores_left"] == 2
    assert abs(row["verdicts_a_second"]["error"]) < 0.2
    assert row["verdict_p50_ms"]["error"] == pytest.approx(row["verdict_p50_ms"]["simulated"] / 350 - 1, abs=1e-3)


@pytest.mark.parametrize(("grows", "flat"), [(0.0, True), (0.02, True), (0.2, False)])
def test_a_soak_tells_what_rises_from_what_only_varies(grows: float, flat: bool) -> None:
    draw = random.Random(3)
    looks = [{"at": float(at), "waiting": 1, "open": 0, "api": {"rss_mb": 120 + draw.uniform(-5, 5) + grows * at, "descriptors": 30,
                                                                  "sockets": 9, "processes": 1}} for at in range(600)]
    found = {row["figure"]: row for row in rises(looks)}
    assert found["rss_mb"]["flat"] is flat
    assert found["rss_mb"]["rise"] == pytest.approx(grows * 480, abs=2)
    assert all(found[name]["rise"] == 0 and found[name]["flat"] for name in ("descriptors", "sockets", "processes"))

"""How many cores does a collection need? Supports through cores, event by event, with measured times; and what they cost.

One queue for all cores, as in the service: workers lease what is oldest from one database, so nodes share their line. Taking in
goes before verifying, since a backend waits for it. Nothing here reads a clock: the same seed gives the same answer.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.load.arrivals import SPIKE, Profile, arrivals, daily, steady
from benchmarks.load.histogram import Histogram

DAY = 86_400.0
OBJECTIVE_SECONDS = 60.0
"""99 of 100 verdicts within this time."""
TOLD_SECONDS = 0.1
"""From the verdict's commit to the webhook: half of the least time between two looks of the deliverer, and the sending."""
BUSIEST_SECONDS = 10_800.0
"""Of a day only the three hours around its peak are played through: at night the line is empty."""
BURST_SECONDS = 600.0
"""How long 50 a second last: as long as phones that come back into coverage keep coming."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Core seconds. verify: samples of one support's examination.  intake, other: means of what the rest of the service takes."""

    verify: Sequence[float]
    intake: float
    other: float

    @property
    def mean(self) -> float:
        return sum(self.verify) / len(self.verify) + self.intake + self.other


@dataclass
class Played:
    """What came of it. busy: share of the cores' time, until the last verdict."""

    intake: Histogram = field(default_factory=Histogram)
    verdict: Histogram = field(default_factory=Histogram)
    busy: float = 0.0
    end: float = 0.0


def simulate(moments: Iterable[float], demand: Demand, cores: int, seed: int, speed: float = 1.0) -> Played:
    """Each support takes a core for its intake, then one for its verification. speed: of these cores, 1.0 as measured."""
    played, draw = Played(), random.Random(seed)
    coming: Iterator[float] = iter(moments)
    next_arrival = next(coming, math.inf)
    intakes: deque[float] = deque()
    verifications: deque[float] = deque()
    running: list[tuple[float, bool, float]] = []
    worked = now = 0.0
    while next_arrival < math.inf or running or intakes or verifications:
        while len(running) < cores and (intakes or verifications):
            taking_in = bool(intakes)
            arrived = intakes.popleft() if taking_in else verifications.popleft()
            takes = (demand.intake if taking_in else draw.choice(demand.verify) + demand.other) / speed
            worked += takes
            heapq.heappush(running, (now + takes, taking_in, arrived))
        if not running or next_arrival <= running[0][0]:
            now = next_arrival
            intakes.append(now)
            next_arrival = next(coming, math.inf)
            continue
        now, taking_in, arrived = heapq.heappop(running)
        if taking_in:
            played.intake.record(now - arrived)
            verifications.append(arrived)
        else:
            played.verdict.record(now - arrived + TOLD_SECONDS)
    played.end = now
    played.busy = worked / (cores * now) if now else 0.0
    return played


@dataclass(frozen=True, slots=True)
class Scenario:
    """supports: in all; days: over which nodes are paid for; peak: the curve that decides how many are needed."""

    name: str
    assumes: str
    supports: float
    days: float
    peak: Profile


def scenarios() -> list[Scenario]:
    """The three that are asked for."""
    a_day, drive, length = 150_000.0, 13_000_000.0, 60
    other_days = drive / (length - 1 + SPIKE)
    last = SPIKE * other_days
    return [
        Scenario("150,000 a day", "a day whose quietest hour has a tenth of its busiest", a_day, 1, _busiest(a_day)),
        Scenario("bursts of 50/s", f"{BURST_SECONDS / 60:.0f} minutes long, in the day above", a_day, 1,
                 steady(50.0, BURST_SECONDS, "burst")),
        Scenario("13 million in 60 days", f"{SPIKE:.0f} times as many on the last day ({last:,.0f})", drive, length,
                 _busiest(last)),
    ]


def _busiest(supports: float) -> Profile:
    whole = daily(supports / DAY, DAY)
    start = (DAY - BUSIEST_SECONDS) / 2
    return Profile("busiest hours", BUSIEST_SECONDS, whole.peak, lambda at: whole.rate(start + at))


def cores_needed(profile: Profile, demand: Demand, step: int, seed: int, speed: float = 1.0) -> tuple[int, Played]:
    """The fewest cores, in multiples of `step`, with which 99 of 100 verdicts come within `OBJECTIVE_SECONDS`; and the run."""
    nodes = max(1, math.floor(profile.mean * demand.mean / speed / step * 0.5))
    while True:
        played = simulate(arrivals(profile, seed), demand, nodes * step, seed, speed)
        if played.verdict.percentile(99) <= OBJECTIVE_SECONDS:
            return nodes * step, played
        nodes += max(1, nodes // 20)


def plan(demand: Demand, hardware: Sequence[Mapping[str, Any]], seed: int) -> list[dict[str, Any]]:
    """A row for each scenario and kind of node: how many (one more stands by for one that fails), busy share, cost."""
    rows = []
    for scenario in scenarios():
        for kind in hardware:
            cores, played = cores_needed(scenario.peak, demand, kind["cores"], seed, kind["speed"])
            nodes = cores // kind["cores"] + 1
            cost = nodes * kind["usd_an_hour"] * 24 * scenario.days
            rows.append({
                "scenario": scenario.name, "assumes": scenario.assumes, "hardware": kind["name"], "nodes": nodes, "cores": cores,
                "busy_at_the_peak": round(played.busy, 2), "verdict_p50_s": round(played.verdict.percentile(50), 2),
                "verdict_p99_s": round(played.verdict.percentile(99), 2), "usd_always_on": round(cost, 2),
                "usd_a_thousand_always_on": round(1000 * cost / scenario.supports, 4),
                "usd_a_thousand_by_core_seconds": round(
                    1000 * demand.mean / kind["speed"] / 3600 * kind["usd_an_hour"] / kind["cores"], 4)})
    return rows


def demand_of(stages: Mapping[str, Any], load: Mapping[str, Any]) -> Demand:
    """Verification as measured by `bench stages`; the API as the load saw it; and what remains of its CPU a support."""
    verify = [row["cpu_ms"] / 1000 for row in stages["apoyo"]["rows"]]
    step = _judged(load)
    supports = step["verdict"]["count"]
    intake = step["cpu_s"]["api"] / supports
    other = sum(step["cpu_s"].values()) / supports - intake - sum(verify) / len(verify)
    return Demand(verify, intake, max(0.0, other))


def _judged(load: Mapping[str, Any]) -> Mapping[str, Any]:
    """The step at 0.7 of the most: neither idle nor in each other's way."""
    return next(step for step in load["steps"] if step["factor"] == 0.7)


def validate(demand: Demand, load: Mapping[str, Any], seed: int) -> list[dict[str, Any]]:
    """Each real step's own arrivals played through with the cores that the service could have, beside what was measured.

    What it could have is what client and others left it in the flood, the one step in which it wanted all.
    """
    rows = []
    cores, flood = load["machine"]["cores"], load["steps"][0]
    left = cores - sum(flood["cpu_s_beside"].get(name, 0.0) for name in ("client", "others", "stolen")) / _took(flood)
    for step in load["steps"]:
        took = _took(step)
        moments = [second + (number + 0.5) / count for second, count in enumerate(step["by_second"]["offered"])
                   for number in range(count)]
        played = simulate(moments, demand, cores, seed, max(0.05, left / cores))
        rows.append({"step": step["profile"], "cores_left": round(left, 2),
                     "verdicts_a_second": _pair(step["verdict"]["count"] / took, played.verdict.total / max(played.end, 1e-9)),
                     **{f"verdict_{name}": _pair(step["verdict"][name], 1000 * played.verdict.percentile(per_cent))
                        for name, per_cent in (("p50_ms", 50), ("p99_ms", 99))}})
    return rows


def _took(step: Mapping[str, Any]) -> float:
    return float(step["seconds"] + (step["drained_s"] or 0.0))


def _pair(measured: float, simulated: float) -> dict[str, float | None]:
    return {"measured": round(measured, 2), "simulated": round(simulated, 2),
            "error": round(simulated / measured - 1, 3) if measured else None}

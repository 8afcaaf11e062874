"""`make soak`: hours at 70 % of the most, with the service's memory, descriptors and sockets looked at all the while.

Flat means: after what warms up in the first fifth, a straight line through what is left rises by no more than a bound by the end.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.load.arrivals import steady
from benchmarks.load.plan import FLOOD_RATE, WARM_RATE, WARM_SECONDS
from benchmarks.load.run import Runner, step_json

SHARE = 0.7
FLOOD_SECONDS = 3.0
KEPT_LOOKS = 60
"""In the raw file, for the drawing: all of them were looked at."""
WARM_SHARE = 0.2
"""Caches fill, arenas find their size."""
BOUNDS = {"rss_mb": 30.0, "descriptors": 8.0, "sockets": 8.0, "processes": 0.5}
"""By how much a part of the service may seem to rise over the whole run. Memory: a tenth of what a worker may take beyond what it
begins with; the others: connections that come and go between two looks."""


async def soak(runner: Runner, minutes: float, seed: int) -> dict[str, Any]:
    """Figures of one long step, and what rose in it."""
    await runner.run(steady(WARM_RATE, WARM_SECONDS, "warm up"), seed)
    flood = await runner.run(steady(FLOOD_RATE, FLOOD_SECONDS, "flood"), seed + 1)
    if flood.drained is None:
        raise RuntimeError("the flood did not get its verdicts")
    most = flood.verdict.total / (FLOOD_SECONDS + flood.drained)
    step = step_json(await runner.run(steady(SHARE * most, 60 * minutes, "soak"), seed + 2))
    found = rises(step["looks"])
    step["looks"] = step["looks"][::max(1, len(step["looks"]) // KEPT_LOOKS)]
    return {"minutes": minutes, "most_a_second": round(most, 2), "rises": found, **step}


def rises(looks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each part and figure, after warming up: means of the first and the last tenth, the line's rise, and is it flat."""
    kept = looks[int(WARM_SHARE * len(looks)):]
    groups = sorted({group for look in kept for group in look} - {"at", "waiting", "open"})
    found = []
    for group in groups:
        for name, bound in BOUNDS.items():
            points = [(look["at"], float(look[group][name])) for look in kept if group in look]
            if len(points) < 3:
                continue
            rise = _slope(points) * (points[-1][0] - points[0][0])
            tenth = max(1, len(points) // 10)
            found.append({"group": group, "figure": name, "first": round(statistics.fmean(y for _, y in points[:tenth]), 1),
                          "last": round(statistics.fmean(y for _, y in points[-tenth:]), 1), "rise": round(rise, 2),
                          "flat": rise <= bound})
    return found


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line with the least squares."""
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope

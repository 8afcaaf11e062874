"""Latencies in buckets that grow by a fixed share: percentiles to within it, whatever the range, in memory that never grows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

SMALLEST, LARGEST = 1e-4, 3600.0
"""Seconds. What is below or above falls into the first or the last bucket."""
GROWTH = 1.02
"""From one bucket to the next: a percentile is told to within one per cent either way."""
BUCKETS = math.ceil(math.log(LARGEST / SMALLEST) / math.log(GROWTH)) + 1
PERCENTILES = (50.0, 90.0, 99.0, 99.9)


class Histogram:
    """Counts of durations. `total`: how many; `most`: the longest, exactly."""

    def __init__(self) -> None:
        self._counts = [0] * BUCKETS
        self.total, self.most, self._sum = 0, 0.0, 0.0

    def record(self, seconds: float) -> None:
        """One duration; negative ones (clocks of two machines) count as none."""
        self._counts[_bucket(seconds)] += 1
        self.total += 1
        self._sum += seconds
        self.most = max(self.most, seconds)

    def percentile(self, per_cent: float) -> float:
        """Seconds that so many per cent of the durations do not exceed; 0 where there are none."""
        wanted, seen = math.ceil(self.total * per_cent / 100), 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if seen >= wanted > 0:
                return min(SMALLEST * GROWTH**bucket, self.most)
        return self.most

    def add(self, other: Histogram) -> None:
        """Everything of the other as well."""
        self._counts = [mine + its for mine, its in zip(self._counts, other._counts, strict=True)]
        self.total, self.most, self._sum = self.total + other.total, max(self.most, other.most), self._sum + other._sum

    def summary(self) -> dict[str, Any]:
        """Milliseconds, and the buckets that are not empty, by the milliseconds at their upper end."""
        told: dict[str, Any] = {f"p{per_cent:g}_ms": _ms(self.percentile(per_cent)) for per_cent in PERCENTILES}
        buckets = {f"{1000 * SMALLEST * GROWTH**bucket:.6g}": count for bucket, count in enumerate(self._counts) if count}
        mean = self._sum / self.total if self.total else 0.0
        return {"count": self.total, "mean_ms": _ms(mean), **told, "max_ms": _ms(self.most), "buckets": buckets}


def shares(summary: Mapping[str, Any]) -> list[tuple[float, float]]:
    """From a summary: (milliseconds, share of the durations that do not exceed them), for a drawing."""
    seen, points = 0, []
    for ms, count in summary["buckets"].items():
        seen += count
        points.append((float(ms), seen / summary["count"]))
    return points


def _bucket(seconds: float) -> int:
    if seconds <= SMALLEST:
        return 0
    return min(BUCKETS - 1, math.ceil(math.log(seconds / SMALLEST) / math.log(GROWTH)))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)

"""When supports arrive: a Poisson process whose rate is a curve over time. Pure, from a seed; nothing waits for an answer."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

TROUGH = 0.1
"""The quietest hour has a tenth of the busiest: what is usual where people send (docs/capacity assumptions)."""
SPIKE = 5.0
"""The last day of a collection against its others."""
BURST_SECONDS = 2.0
"""Phones that come back into coverage together send within this time."""
STORM_RETRIES = 5
"""Tries of a client without manners: at once, whatever Retry-After says."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A curve: supports a second at each moment of `seconds`, never above `peak`. retries: more tries of what is refused, at
    once."""

    name: str
    seconds: float
    peak: float
    rate: Callable[[float], float]
    retries: int = 0

    @property
    def mean(self) -> float:
        """Supports a second, over the whole."""
        steps = 1000
        return sum(self.rate((step + 0.5) * self.seconds / steps) for step in range(steps)) / steps


def steady(rate: float, seconds: float, name: str = "steady") -> Profile:
    return Profile(name, seconds, rate, lambda _at: rate)


def daily(mean: float, seconds: float) -> Profile:
    """A day, made as short as `seconds`: its quietest moment at the beginning, its busiest in the middle."""
    peak = 2 * mean / (1 + TROUGH)

    def rate(at: float) -> float:
        return peak * (TROUGH + (1 - TROUGH) * (1 - math.cos(2 * math.pi * at / seconds)) / 2)

    return Profile("daily", seconds, peak, rate)


def last_day(before: float, seconds: float) -> Profile:
    """The middle third has five times as many."""
    return Profile("last day", seconds, SPIKE * before,
                   lambda at: before * (SPIKE if seconds / 3 <= at < 2 * seconds / 3 else 1.0))


def sync_burst(before: float, seconds: float, together: int) -> Profile:
    """So many within `BURST_SECONDS`, on top of what comes anyway."""
    start = seconds / 4
    return Profile("sync burst", seconds, before + together / BURST_SECONDS,
                   lambda at: before + (together / BURST_SECONDS if start <= at < start + BURST_SECONDS else 0.0))


def retry_storm(rate: float, seconds: float) -> Profile:
    """More than can be taken, from clients that send again at once."""
    return Profile("retry storm", seconds, rate, lambda _at: rate, STORM_RETRIES)


def arrivals(profile: Profile, seed: int) -> Iterator[float]:
    """The moments, in seconds from the beginning, in order (thinning: Lewis and Shedler, 1979)."""
    draw, at = random.Random(seed), 0.0
    while True:
        at += draw.expovariate(profile.peak)
        if at >= profile.seconds:
            return
        if draw.random() * profile.peak < profile.rate(at):
            yield at

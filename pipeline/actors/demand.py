"""How many workers the backlog asks for. Pure: numbers in, a number out."""

from __future__ import annotations

import math
from dataclasses import dataclass

JOBS_A_WORKER = 8
"""A worker ends this many in some three seconds (docs/performance.md): fewer do not need another, whose start takes longer."""
LOOK_SECONDS = 5.0
"""How often the backlog is asked for."""
PATIENCE_SECONDS = 120.0
"""Workers stay this long after the last look that needed them: a lull between two waves costs no starts."""


@dataclass
class Quiet:
    """Whether there has been no work for `seconds`. 0: it never is so long."""

    seconds: float
    _since: float | None = None

    def is_over(self, backlog: float, now: float) -> bool:
        """For `backlog` jobs without an end (NaN: not known, so there may be some) at `now` seconds of a monotonic clock."""
        if backlog != 0:
            self._since = None
            return False
        self._since = now if self._since is None else self._since
        return 0 < self.seconds <= now - self._since


@dataclass
class Demand:
    """The number of workers to keep, between `least` and `most`. Rises at once, falls after `PATIENCE_SECONDS`."""

    least: int
    most: int
    _kept: int = 0
    _needed_at: float = -math.inf

    def wanted(self, backlog: float, now: float) -> int:
        """For `backlog` jobs without an end (NaN: not known, nothing changes) at `now` seconds of a monotonic clock."""
        self._kept = max(self._kept, self.least)
        if math.isnan(backlog):
            return self._kept
        needed = min(max(math.ceil(backlog / JOBS_A_WORKER), self.least), max(self.most, self.least))
        if needed >= self._kept or now - self._needed_at > PATIENCE_SECONDS:
            self._kept, self._needed_at = needed, now
        return self._kept

"""A rate with its 95 % interval, as every evaluation prints it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rate:
    """`hits` of `trials`, with the 95 % interval (Wilson); 0 of n is bounded by 3/n."""

    hits: int
    trials: int

    def __str__(self) -> str:
        if self.trials == 0:
            return "0/0"
        low, high = self.bounds()
        return f"{self.hits}/{self.trials} = {100 * self.share:.2f} % [{100 * low:.2f}, {100 * high:.2f}]"

    @property
    def share(self) -> float:
        return self.hits / self.trials

    def bounds(self) -> tuple[float, float]:
        n, p, z = self.trials, self.share, 1.96
        if self.hits == 0:
            return 0.0, min(1.0, 3 / n)
        if self.hits == n:
            return max(0.0, 1 - 3 / n), 1.0
        middle, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)

    def json(self) -> dict[str, Any]:
        low, high = self.bounds() if self.trials else (0.0, 1.0)
        return {"hits": self.hits, "trials": self.trials, "low95": low, "high95": high, "said": str(self)}

"""Time by stage, for the evidence: wall milliseconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


class Stopwatch:
    """Adds up wall time by stage, in milliseconds."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.ms[name] = self.ms.get(name, 0.0) + (time.perf_counter() - start) * 1000

    def timed(self, name: str, items: Iterator[Item]) -> Iterator[Item]:
        """The items; the time that each takes to come counts as the stage's."""
        while True:
            with self.stage(name):
                item = next(items, None)
            if item is None:
                return
            yield item

"""The index of fingerprints as an actor: one process a deployment, which every worker asks. It holds no truth."""

from __future__ import annotations

import os
import threading
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError

from pipeline.cores import forbid_core_dumps
from pipeline.domain.evidence import Fingerprints
from pipeline.domain.reuse import Neighbour
from pipeline.errors import Unavailable
from pipeline.settings import Settings
from pipeline.telemetry import configure_logging
from pipeline.wiring import service_index

NAME = "reuse-index"
CALLS_AT_ONCE = 16
"""Threads of the actor: workers wait for each other inside, where a call takes milliseconds."""
ANSWER_SECONDS = 10.0
"""Half of an attempt's time: then the support is given back, and waits."""


class IndexServer:
    """The actor. Ready once it has read all fingerprints there are; `work` runs until `drain`."""

    def __init__(self, settings: Settings) -> None:
        forbid_core_dumps()
        configure_logging(file=settings.worker.log_file)
        self._stop = threading.Event()
        self._index = service_index(settings)
        self._index.follow()

    def pid(self) -> int:
        """Answers once the index is full."""
        return os.getpid()

    def work(self) -> None:
        self._stop.wait()

    def drain(self) -> None:
        self._stop.set()

    def look_up(self, support_id: str, process: str | None, prints: Fingerprints) -> tuple[frozenset[Neighbour], int]:
        return self._index.look_up(support_id, process, prints)


class RemoteIndex:
    """`pipeline.reuse.Index` in a worker: asks the actor by its name, also after it was started again."""

    def __init__(self) -> None:
        self._actor: Any = None

    def look_up(self, support_id: str, process: str | None, prints: Fingerprints) -> tuple[frozenset[Neighbour], int]:
        """Raises `Unavailable` where no answer comes: without it a copy would pass, so the support waits."""
        kept = self._actor is not None
        try:
            self._actor = self._actor or ray.get_actor(NAME)
            found: tuple[frozenset[Neighbour], int] = ray.get(
                self._actor.look_up.remote(support_id, process, prints), timeout=ANSWER_SECONDS)
        except (RayError, ValueError) as error:  # ValueError: there is no actor of that name now
            self._actor = None
            if kept and not isinstance(error, GetTimeoutError):  # it was replaced since: its successor is asked, once
                return self.look_up(support_id, process, prints)
            raise Unavailable(f"the index of fingerprints: {type(error).__name__}", code="index_unavailable") from error
        return found

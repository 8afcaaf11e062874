"""One worker as an actor: its own process, its own networks, one support at a time."""

from __future__ import annotations

import faulthandler
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline import faults
from pipeline.actors.index_server import RemoteIndex
from pipeline.reuse import Index
from pipeline.settings import Settings
from pipeline.telemetry import configure_logging
from pipeline.worker import Guard, Worker

MakeWorker = Callable[[Settings, str, Guard, Index], Worker]
"""Builds a warm worker; settings go in by value, secrets by the paths of their files."""


@contextmanager
def process_deadline(seconds: float) -> Iterator[None]:
    """Ends this process if the block lasts longer: by a thread of C, so that native code that holds the GIL cannot prevent it."""
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


class Verifier:
    """The actor. `work` runs until `drain`; the two are on separate threads."""

    def __init__(self, settings: Settings, make_worker: MakeWorker) -> None:
        configure_logging(file=settings.worker.log_file)
        self._stop = threading.Event()
        self._worker = make_worker(settings, f"{os.uname().nodename}:{os.getpid()}", process_deadline, RemoteIndex())
        faults.arm(settings.faults.points)

    def pid(self) -> int:
        """Answers once the networks are warm."""
        return os.getpid()

    def work(self) -> None:
        self._worker.run(self._stop)

    def drain(self) -> None:
        """Claim no more; `work` returns when the support in hand is finished."""
        self._stop.set()

"""`python -m benchmarks.chaos.workers`: one worker of the service in a process of its own, with a judge that looks at no pixel.

With `ray` as its argument: the real supervisor and actors in an embedded Ray.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

from benchmarks.chaos.standin import judge
from pipeline import faults
from pipeline.cores import bound_memory
from pipeline.deadline import process_deadline
from pipeline.networks.api import Networks
from pipeline.records.storage import open_storage
from pipeline.reuse import Index
from pipeline.settings import Settings
from pipeline.telemetry import configure_logging
from pipeline.worker import Guard, Worker


def make_worker(settings: Settings, name: str, guard: Guard, index: Index | None = None,
                _networks: Callable[[], Networks] | None = None) -> Worker:
    return Worker(open_storage(settings.storage), judge(), settings.worker, name, guard, index)


def main() -> None:
    settings = Settings.load()
    if "ray" in sys.argv[1:]:
        from pipeline.cli.work import run_workers

        run_workers(settings, make_worker)
        return
    configure_logging()
    bound_memory(settings.worker.memory_bytes)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    worker = make_worker(settings, f"{os.uname().nodename}:{os.getpid()}", process_deadline)
    faults.arm(settings.faults.points)
    worker.run(stop)


if __name__ == "__main__":
    main()

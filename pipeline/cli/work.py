"""`apoyo work`: the workers alone, in an embedded Ray, until SIGINT or SIGTERM."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.actors.verifier import MakeWorker

READY_LINE = "workers ready"
"""Written to stdout once every worker is warm; nothing else is."""


def work() -> None:
    """Verify supports from the database until interrupted; the supports in hand are finished first."""
    from pipeline.wiring import service_worker

    run_workers(Settings.load(), service_worker)


def run_workers(settings: Settings, make_worker: MakeWorker) -> None:
    """Start Ray and the workers in this process, and keep them until SIGINT or SIGTERM. Raises `Misconfigured`."""
    from pipeline.actors.cluster import embedded_ray
    from pipeline.telemetry import configure_logging

    configure_logging()
    stop = threading.Event()
    with embedded_ray(settings):
        from pipeline.actors.supervisor import Supervisor

        for name in (signal.SIGINT, signal.SIGTERM):  # after ray.init, which sets handlers of its own
            signal.signal(name, lambda *_: stop.set())
        Supervisor(settings, make_worker).run(stop, ready=lambda: print(READY_LINE, flush=True))


if __name__ == "__main__":
    work()

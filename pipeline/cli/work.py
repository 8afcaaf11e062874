"""`apoyo work`: the workers alone, in an embedded Ray or a cluster's, until SIGINT or SIGTERM."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from pipeline.cores import forbid_core_dumps
from pipeline.errors import ApoyoError, Unavailable
from pipeline.settings import Settings, child_environment
from pipeline.telemetry import READY_LINE, WORKERS, configure_logging, logger

if TYPE_CHECKING:
    from pipeline.actors.supervisor import CountBacklog
    from pipeline.actors.verifier import MakeWorker


def work() -> None:
    """Verify supports from the database until interrupted; the supports in hand are finished first."""
    from pipeline.wiring import service_worker

    run_workers(Settings.load(), service_worker)


def run_workers(settings: Settings, make_worker: MakeWorker) -> None:
    """Start the workers, and keep them until SIGINT or SIGTERM; without work for long, let them go until there is some.

    Raises `Misconfigured`.
    """
    from pipeline.actors.cluster import connected_ray

    configure_logging()
    forbid_core_dumps()
    stop = threading.Event()
    as_started = child_environment(settings)
    with connected_ray(settings) as plan:
        from pipeline.actors.supervisor import Supervisor

        _stop_on_signals(stop)  # after ray.init, which sets handlers of its own
        supervisor = Supervisor(settings, plan, make_worker, _backlog(settings))
        asleep = supervisor.run(stop, ready=lambda: print(READY_LINE, flush=True))
    if not asleep:
        return
    _stop_on_signals(stop)  # after ray.shutdown, which takes them away
    log = logger("workers")
    log.info("asleep")
    WORKERS.set(0)
    if _wait_for_work(settings, stop):
        log.info("awake")
        # As new, under the same number: a second Ray in one process would find what the first has left there.
        os.execve(sys.executable, sys.orig_argv, as_started)  # noqa: S606


def _stop_on_signals(stop: threading.Event) -> None:
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())


def _wait_for_work(settings: Settings, stop: threading.Event) -> bool:
    """Until there is some, or `stop`: whether there is."""
    from pipeline.records.bell import Channel, bell_of
    from pipeline.records.leases import ripe_kinds
    from pipeline.records.storage import open_storage

    engine = open_storage(settings.storage).engine
    bell = bell_of(engine, Channel.JOBS)
    while not stop.is_set():
        bell.arm()
        try:
            if ripe_kinds(engine):
                return True
        except Unavailable as error:
            logger("workers").warning("cannot look for work", code=error.code)
        bell.wait(stop, settings.worker.poll_seconds)
    return False


def _backlog(settings: Settings) -> CountBacklog:
    """How many jobs have no end. The database is opened by the first who asks."""
    from functools import cache

    from pipeline.records.leases import JobKind, backlog
    from pipeline.records.storage import Storage, open_storage

    @cache
    def storage() -> Storage:
        return open_storage(settings.storage)

    def count() -> float:
        try:
            return sum(backlog(storage().engine, kind).count for kind in JobKind)
        except Unavailable:
            return math.nan

    return count


def main() -> int:
    """As a child of `apoyo serve`: what is wrong with the installation goes to the log, and the exit code is 2."""
    try:
        work()
    except ApoyoError as error:
        logger("workers").error("cannot_start", code=error.code, detail=error.detail)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

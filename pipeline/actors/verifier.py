"""One worker as an actor: its own process, its own networks, one support at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial

from pipeline import faults, tracing
from pipeline.actors.index_server import RemoteIndex
from pipeline.actors.remote import worker_networks
from pipeline.cores import bound_memory, forbid_core_dumps
from pipeline.deadline import process_deadline
from pipeline.domain.plan import Plan
from pipeline.networks.api import Networks
from pipeline.reuse import Index
from pipeline.settings import Settings
from pipeline.telemetry import configure_logging
from pipeline.worker import Guard, Worker

MakeWorker = Callable[[Settings, str, Guard, Index, Callable[[], Networks]], Worker]
"""Builds a warm worker; settings go in by value, secrets by the paths of their files, networks as what opens the plan's."""


class Verifier:
    """The actor. `work` runs until `drain`; the two are on separate threads."""

    def __init__(self, settings: Settings, make_worker: MakeWorker, plan: Plan) -> None:
        forbid_core_dumps()
        if not plan.on_gpu:  # its driver reserves far more than it uses
            bound_memory(settings.worker.memory_bytes)
        configure_logging(file=settings.worker.log_file)
        tracing.start(settings.tracing, "worker")
        self._stop = threading.Event()
        name = f"{os.uname().nodename}:{os.getpid()}"
        self._worker = make_worker(settings, name, process_deadline, RemoteIndex(), partial(worker_networks, plan, settings))
        faults.arm(settings.faults.points)

    def pid(self) -> int:
        """Answers once the networks are warm."""
        return os.getpid()

    def work(self) -> None:
        self._worker.run(self._stop)

    def drain(self) -> None:
        """Claim no more; `work` returns when the support in hand is finished."""
        self._stop.set()

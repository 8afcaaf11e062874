"""Keeps the wanted number of verifiers alive. Knows nothing of supports: what a dead worker held, another claims."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import ray
from ray.exceptions import RayError

from pipeline import telemetry
from pipeline.actors.demand import LOOK_SECONDS, Demand, Quiet
from pipeline.actors.index_server import CALLS_AT_ONCE, NAME, IndexServer
from pipeline.actors.network_server import begin_server
from pipeline.actors.verifier import MakeWorker, Verifier
from pipeline.domain.plan import Plan
from pipeline.errors import Misconfigured
from pipeline.settings import Settings

TICK_SECONDS = 0.2
"""How soon a dead worker is noticed."""
FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.1, 30.0
"""Waits before a worker is started again double while it dies young, so that one that cannot start does not eat the machine."""
YOUNG_SECONDS = 30.0
"""A worker that lived this long did start; its slot's wait begins anew."""
ASK_SECONDS = 5.0
"""How often each actor is asked whether it answers: a process that was stopped (SIGSTOP) cannot end itself."""
CountBacklog = Callable[[], float]
"""Jobs without an end; NaN where that is not known."""


@dataclass
class Slot:
    """One actor's place: by what it is started, the actor while there is one, and when another may be started."""

    begin: Callable[[], Any]
    actor: Any = None
    up: Any = None
    """Done when the actor is warm: before, a cluster may still have no room for it."""
    working: Any = None
    answer: Any = None
    """To what was asked last, at `asked_at`."""
    asked_at: float = 0.0
    started_at: float = 0.0
    start_after: float = 0.0
    backoff: float = FIRST_BACKOFF_SECONDS
    leaving: bool = False


class Supervisor:
    """Starts and restarts the index of fingerprints, the servers of a remote plan, and verifiers in the Ray that is connected: as
    many as the plan says, or as are wanted."""

    def __init__(self, settings: Settings, plan: Plan, make_worker: MakeWorker, backlog: CountBacklog = lambda: math.nan) -> None:
        """backlog: asked every `LOOK_SECONDS` where `settings.worker.max_count` lets the number vary, or workers may sleep."""
        self._settings, self._make_worker, self._backlog = settings, make_worker, backlog
        self._plan = plan
        self._index = Slot(self._begin_index)
        self._servers = [Slot(partial(begin_server, settings, plan, number)) for number in range(self._plan.servers)]
        self._slots = [Slot(self._begin_worker) for _ in range(self._plan.workers)]
        self._demand = Demand(self._plan.workers, settings.worker.max_count)
        self._quiet = Quiet(0.0 if settings.ray.address else settings.worker.sleep_seconds)
        self._look_at = 0.0
        self._log = telemetry.logger("supervisor")

    def run(self, stop: threading.Event, ready: Callable[[], None]) -> bool:
        """Until `stop`, or until there was no work for long: then drain, and end what has not drained by the hard deadline.
        Whether it was for want of work. `ready`: called when all are warm.

        Raises `Misconfigured` where one of the first workers cannot start: a wrong installation ends with its message.
        """
        for slot in self._every():
            self._start(slot)
        self._await_start()
        ready()
        quiet = False
        while not stop.is_set() and not quiet:
            self._end_silent()
            self._replace_dead()
            quiet = self._look_at_the_backlog()
            stop.wait(TICK_SECONDS)
        self._drain()
        return quiet

    def _every(self) -> list[Slot]:
        return [self._index, *self._servers, *self._slots]

    def _await_start(self) -> None:
        try:
            ray.get([slot.up for slot in self._every()])
        except RayError as error:
            said = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise Misconfigured(f"a worker, a server of networks, or the index, could not start: "
                                f"{said[-1] if said else type(error).__name__}", code="worker_not_started") from error

    def _begin_worker(self) -> Any:
        # Two threads: `work` holds one for good, the other answers beside it. Ray restarts nothing, see _replace_dead.
        kind: Any = ray.remote(Verifier)
        return kind.options(
            num_cpus=1, num_gpus=self._plan.gpu_a_worker, max_restarts=0, max_task_retries=0, max_concurrency=2).remote(
            self._settings, self._make_worker, self._plan)

    def _begin_index(self) -> Any:
        kind: Any = ray.remote(IndexServer)  # no CPU of its own: a worker waits while it answers
        return kind.options(name=NAME, num_cpus=0, max_restarts=0, max_task_retries=0, max_concurrency=CALLS_AT_ONCE).remote(
            self._settings)

    def _start(self, slot: Slot) -> None:
        slot.actor = slot.begin()
        slot.up, slot.working = slot.actor.pid.remote(), slot.actor.work.remote()
        slot.started_at = slot.asked_at = time.monotonic()
        slot.answer = slot.up

    def _end_silent(self) -> None:
        """An actor that was warm and answers nothing for longer than an attempt and its lease may last."""
        now, bounds = time.monotonic(), self._settings.worker
        for slot in self._every():
            if slot.actor is None or now - slot.asked_at < ASK_SECONDS:
                continue
            if ray.wait([slot.answer], timeout=0)[0]:
                slot.answer, slot.asked_at = slot.actor.pid.remote(), now
            elif slot.answer is not slot.up and now - slot.asked_at > bounds.hard_deadline_seconds + bounds.lease_seconds:
                self._log.warning("actor does not answer")
                ray.kill(slot.actor)

    def _replace_dead(self) -> None:
        now = time.monotonic()
        alive = [slot.working for slot in self._every() if slot.actor is not None]
        over = set(ray.wait(alive, num_returns=len(alive), timeout=0)[0]) if alive else set()
        for slot in self._every():
            if slot.actor is not None and slot.working in over:
                if not slot.leaving:
                    telemetry.ACTORS_ENDED.inc()
                    self._log.warning("actor ended", error_type=_why(slot.working))
                slot.backoff = (FIRST_BACKOFF_SECONDS if now - slot.started_at > YOUNG_SECONDS
                                else min(2 * slot.backoff, MAX_BACKOFF_SECONDS))
                slot.actor, slot.working, slot.start_after = None, None, now + slot.backoff
            if slot.actor is None and now >= slot.start_after and not slot.leaving:
                self._start(slot)
        self._slots = [slot for slot in self._slots if slot.actor is not None or not slot.leaving]
        telemetry.WORKERS.set(sum(not slot.leaving for slot in self._slots))

    def _look_at_the_backlog(self) -> bool:
        """Follows it, now and then. Whether there was none for long."""
        now, varies = time.monotonic(), self._settings.worker.max_count > self._plan.workers
        if now < self._look_at or not (varies or self._quiet.seconds):
            return False
        self._look_at = now + LOOK_SECONDS
        backlog = self._backlog()
        if varies:
            self._follow(backlog, now)
        return self._quiet.is_over(backlog, now)

    def _follow(self, backlog: float, now: float) -> None:
        """More slots where the backlog asks for them; fewer by draining, so that nothing in hand is dropped."""
        staying = [slot for slot in self._slots if not slot.leaving]
        change = self._demand.wanted(backlog, now) - len(staying)
        if change:
            self._log.info("workers", wanted=len(staying) + change, before=len(staying))
        self._slots += [Slot(self._begin_worker) for _ in range(change)]  # _replace_dead starts them
        for slot in staying[len(staying) + change:]:
            slot.leaving = True
            if slot.actor is not None:
                _end(slot)

    def _drain(self) -> None:
        working = [slot.working for slot in self._slots if slot.actor is not None]
        for slot in self._slots:
            if slot.actor is not None:
                slot.actor.drain.remote()
        if working:
            ray.wait(working, num_returns=len(working), timeout=self._settings.worker.hard_deadline_seconds)


def _end(slot: Slot) -> None:
    """Drained if it works; if the cluster has found no room for it yet, it need not be started to be told."""
    if ray.wait([slot.up], timeout=0)[0]:
        slot.actor.drain.remote()
    else:
        ray.kill(slot.actor)


def _why(working: Any) -> str:
    try:
        ray.get(working)
    except RayError as error:
        return type(error).__name__
    return "returned"

"""One step of a load: send by a profile, wait for what comes of it, and say what it took."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from benchmarks.load.arrivals import Profile, arrivals
from benchmarks.load.bodies import MEDIA_TYPE, Stock
from benchmarks.load.client import BROKEN, Client
from benchmarks.load.histogram import Histogram
from benchmarks.load.processes import MB, ServiceProcesses, Taken, machine_cpu, own_cpu

MAX_OPEN = 4096
"""Requests under way at one time. What would be more is counted as not sent, and a step with such is no measurement."""
DRAIN_SECONDS = 300.0
LOOK_SECONDS = 1.0
REFUSED = (429, 503)


@dataclass
class Step:
    """What one profile did. Times are seconds from its beginning; latencies count from when a support was meant to be sent."""

    profile: Profile
    intake: Histogram = field(default_factory=Histogram)
    refusals: Histogram = field(default_factory=Histogram)
    verdict: Histogram = field(default_factory=Histogram)
    answers: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, Counter[int]] = field(default_factory=lambda: {name: Counter() for name in (
        "offered", "acknowledged", "refused", "verdicts")})
    """By second: how many."""
    rude: int = 0
    """Refusals without Retry-After."""
    not_sent: int = 0
    drained: float | None = None
    """From the last arrival to the last verdict; None: not all came in time."""
    looks: list[dict[str, Any]] = field(default_factory=list)
    taken: dict[str, float] = field(default_factory=dict)
    """CPU seconds by part of the service, from the beginning until it drained."""
    beside: dict[str, float] = field(default_factory=dict)
    """The same of the client; and, where the service is on this machine, of all others and what its host took."""

    @property
    def offered(self) -> int:
        return self.seconds["offered"].total()

    def within(self, name: str) -> float:
        """A second, over the profile's time alone."""
        return sum(count for at, count in self.seconds[name].items() if at < self.profile.seconds) / self.profile.seconds


Told = Callable[[Step, float], None]
"""Called about once a second with the step as it stands and the seconds since it began."""


class Runner:
    """Runs steps against one deployment, one after another."""

    def __init__(self, client: Client, stock: Stock, processes: ServiceProcesses | None, told: Told,
                 look_seconds: float = LOOK_SECONDS) -> None:
        self._look_seconds = look_seconds
        self._client, self._stock, self._processes, self._told = client, stock, processes, told
        self._waiting: dict[str, float] = {}
        self._early: dict[str, tuple[str, float]] = {}
        self._step = Step(Profile("none", 1.0, 1.0, lambda _at: 0.0))
        self._all_judged = asyncio.Event()
        self._began = 0.0
        self._open = 0

    def oldest_waiting(self) -> str | None:
        return min(self._waiting, default=None)

    def on_verdict(self, support_id: str, outcome: str, at: float) -> None:
        """May come before the answer that names the id; what is not ours, or known already, is passed over."""
        meant = self._waiting.pop(support_id, None)
        if not self._waiting:
            self._all_judged.set()
        if meant is not None:
            self._step.verdict.record(at - meant)
            self._step.outcomes[outcome] += 1
            self._step.seconds["verdicts"][int(at - self._began)] += 1
        elif self._open and len(self._early) < MAX_OPEN:
            self._early[support_id] = outcome, at

    async def run(self, profile: Profile, seed: int, *, drain: bool = True) -> Step:
        """Send, then wait until each request has its answer and (drain) each acknowledged support its verdict."""
        loop = asyncio.get_running_loop()
        step = self._step = Step(profile)
        self._early.clear()
        self._all_judged.set()
        before, client_before, machine_before = self._look(), own_cpu(), machine_cpu()
        self._began = loop.time()
        looking = asyncio.ensure_future(self._watch(step))
        try:
            async with asyncio.TaskGroup() as group:
                for at in arrivals(profile, seed):
                    await asyncio.sleep(self._began + at - loop.time())
                    step.seconds["offered"][int(at)] += 1
                    if self._open >= MAX_OPEN:
                        step.not_sent += 1
                    else:
                        self._open += 1
                        group.create_task(self._send(step, self._began + at))
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS if drain else 0):
                    await self._all_judged.wait()
            step.drained = None if self._waiting else max(0.0, loop.time() - self._began - profile.seconds)
        finally:
            looking.cancel()
        self._waiting.clear()
        after = self._look()
        step.taken = {group: after[group].cpu - before.get(group, Taken()).cpu for group in after}
        step.beside["client"] = own_cpu() - client_before
        if self._processes is not None:
            worked, stolen = (now - then for now, then in zip(machine_cpu(), machine_before, strict=True))
            step.beside |= {"others": worked - sum(step.taken.values()) - step.beside["client"], "stolen": stolen}
        return step

    async def _send(self, step: Step, meant: float) -> None:
        loop = asyncio.get_running_loop()
        key, pieces = self._stock.draw()
        try:
            for _ in range(1 + step.profile.retries):
                try:
                    reply = await self._client.request(
                        "POST", "/v1/supports", {"Idempotency-Key": key, "Content-Type": MEDIA_TYPE}, pieces)
                except BROKEN as error:
                    step.answers[type(error).__name__] += 1
                    continue
                now = loop.time()
                step.answers[str(reply.status)] += 1
                if reply.status not in REFUSED:
                    break
                step.refusals.record(now - meant)
                step.seconds["refused"][int(now - self._began)] += 1
                step.rude += "retry-after" not in reply.headers
            else:
                return
        finally:
            self._open -= 1
        if reply.status == 202:
            step.intake.record(now - meant)
            step.seconds["acknowledged"][int(now - self._began)] += 1
            support_id = reply.json()["id"]
            self._waiting[support_id] = meant
            self._all_judged.clear()
            if support_id in self._early:
                self.on_verdict(support_id, *self._early.pop(support_id))

    def _look(self) -> Mapping[str, Taken]:
        return {} if self._processes is None else self._processes.look()

    async def _watch(self, step: Step) -> None:
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time() - self._began
            found = self._look()
            step.looks.append({"at": round(now, 1), "waiting": len(self._waiting), "open": self._open, **{
                group: {"cpu_s": round(one.cpu, 2), "rss_mb": round(one.rss / MB, 1), "processes": one.processes,
                        "descriptors": one.descriptors, "sockets": one.sockets}
                for group, one in found.items() if one.processes}})
            self._told(step, now)
            await asyncio.sleep(self._look_seconds)


def step_json(step: Step) -> dict[str, Any]:
    """Everything a page or a program needs."""
    verdicts = step.verdict.total
    service = sum(step.taken.values())
    last = 1 + max((at for counts in step.seconds.values() for at in counts), default=0)
    return {
        "profile": step.profile.name, "seconds": step.profile.seconds, "offered": step.offered,
        "offered_a_second": round(step.offered / step.profile.seconds, 2),
        "acknowledged_a_second": round(step.within("acknowledged"), 2),
        "verdicts_a_second": round(step.within("verdicts"), 2),
        "answers": dict(sorted(step.answers.items())), "outcomes": dict(sorted(step.outcomes.items())),
        "refusals_without_retry_after": step.rude, "not_sent": step.not_sent,
        "drained_s": None if step.drained is None else round(step.drained, 2),
        "intake": step.intake.summary(), "refusals": step.refusals.summary(), "verdict": step.verdict.summary(),
        "cpu_s": {group: round(cpu, 2) for group, cpu in sorted(step.taken.items())},
        "cpu_s_beside": {group: round(cpu, 2) for group, cpu in step.beside.items()},
        "cpu_ms_a_support": round(1000 * service / verdicts, 1) if verdicts and service else None,
        "by_second": {name: [counts[at] for at in range(last)] for name, counts in step.seconds.items()},
        "looks": step.looks,
    }

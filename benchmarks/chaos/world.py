"""One run: load, faults beside it, then healing, draining, a last reading, and the checker."""

from __future__ import annotations

import asyncio
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.chaos.checker import Checker, Report, in_plain
from benchmarks.chaos.deployment import Deployment
from benchmarks.chaos.history import History, Told, read_history
from benchmarks.chaos.load import CANARY, Load, Plan
from benchmarks.chaos.places import Place
from benchmarks.chaos.receiver import Receiver

DRAIN_SECONDS = 300.0
"""After the faults: by then every support has its verdict, or I2 is broken."""


@dataclass
class World:
    """What a fault may reach. `fired`: how often each struck; one that never did proves nothing."""

    place: Place
    deployment: Deployment
    history: History
    seed: int
    receiver: Receiver
    fired: Counter[str] = field(default_factory=Counter)
    damaged: set[str] = field(default_factory=set)
    """Supports whose objects were harmed: they must go to a person."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def strike(self, name: str, count: int = 1) -> None:
        if count:
            self.fired[name] += count
            self.history.write("fault", name=name)


Fault = Callable[[World, float], None]
"""Does its harm for about so many seconds, and undoes what does not undo itself."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """deaths: of workers, each of which cost an attempt.  drained: seconds from the end of the faults to the last verdict,
    None where it did not come to that."""

    pair: str
    plan: Plan
    report: Report
    told: Told
    fired: Counter[str]
    deaths: int
    drained: float | None


def run(place: Place, plan: Plan, faults: Sequence[Fault] = (), *, window: float = 3.0, mutant: str = "", ray: bool = False,
        api: dict[str, int] | None = None, drain: float = DRAIN_SECONDS, clocks: bool = False) -> Outcome:
    """Faults take turns of `window` seconds while supports arrive, each at least one. The history stays in the place's folder."""
    file = place.folder / "history.jsonl"
    with History(file) as history, Receiver(history, plan.seed) as receiver, Deployment(
            place, mutant=mutant, ray=ray, api=api, receiver=receiver if plan.rounds else None,
            clocks=clocks) as deployment:
        world = World(place, deployment, history, plan.seed, receiver)
        load = Load(deployment.port, deployment.secret, history, plan)
        over = threading.Event()
        loading = threading.Thread(target=lambda: asyncio.run(load.run(lambda: not over.is_set())), name="load")
        loading.start()
        end = time.monotonic() + plan.seconds
        turn = 0
        while time.monotonic() < end or turn < len(faults):
            (faults[turn % len(faults)] if faults else _nothing)(world, window)
            turn += 1
        over.set()
        deployment.heal()
        healed = time.monotonic()
        loading.join()
        drained = drained_after(place, healed, drain, WAITING if plan.rounds else WAITING[:1])
        known = {sent.key: next(iter(sent.acked)) for sent in read_history(file.open()).sent.values() if sent.acked}
        asyncio.run(load.read(known))
        deaths = sum(count for kept in deployment.workers for code, count in kept.ends.items() if code not in IN_ORDER)
        history.write("end")
    told = read_history(file.open())
    report = Checker(told, place.database(), place.objects(), place.settings().key_file, frozenset(world.damaged)).check()
    _scan(place, report)
    return Outcome(place.pair, plan, report, told, world.fired, deaths, drained)


IN_ORDER = (0, -signal.SIGTERM)
"""How a life ends that was asked to end."""
WAITING = (
    "SELECT count(*) FROM jobs WHERE done_at IS NULL",
    "SELECT count(*) FROM outbox WHERE delivered_at IS NULL",
    "SELECT count(*) FROM deliveries d JOIN webhooks w ON w.id = d.target "
    "WHERE w.url LIKE '%/living' AND d.delivered_at IS NULL AND d.dead_at IS NULL")
"""What a run waits for at its end: verdicts, events, and their way to whoever answers."""


def _nothing(_world: World, seconds: float) -> None:
    time.sleep(seconds)


def drained_after(place: Place, healed: float, seconds: float, waiting: Sequence[str]) -> float | None:
    database, end = place.database(), time.monotonic() + seconds
    while time.monotonic() < end:
        if all(database.rows(query)[0][0] == 0 for query in waiting):
            return time.monotonic() - healed
        time.sleep(0.1)
    return None


def _scan(place: Place, report: Report) -> None:
    """Nothing in plain, and a planted canary that must be found: else the search itself is broken."""
    planted = place.folder / "planted"
    planted.write_text(f"{CANARY}-planted")
    found = list(in_plain(CANARY.encode(), *place.at_rest()))
    planted.unlink()
    if str(planted) not in found:
        raise RuntimeError("the search does not find what was planted")
    for file in found:
        if Path(file) not in (planted, place.folder / "history.jsonl"):
            report.say("I5", f"{Path(file).name} holds what was sent, in plain")

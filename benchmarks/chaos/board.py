"""The scoreboard: each check by its name, what is wrong in words, and its figures."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.chaos import faults
from benchmarks.chaos.clocks import can_be_turned
from benchmarks.chaos.deployment import Deployment
from benchmarks.chaos.history import History, read_history
from benchmarks.chaos.load import Load, Plan
from benchmarks.chaos.lost_cache import lost_after_power_failure
from benchmarks.chaos.mutants import MUTANTS
from benchmarks.chaos.places import Place
from benchmarks.chaos.world import DRAIN_SECONDS, Fault, Outcome, run

RETRYABLE = {0, 202, 409, 429, 503}
"""What a client may see under faults: no answer, or one that tells it to go on."""
PARTED = {"trouble_store": "store_", "trouble_receiver": "receiver_"}
"""Faults that are told in parts, and how those begin."""
SPENT_SHARE = 0.01
"""Of the supports, how many may go to a person because three attempts happened to be killed; or as many as were killed thrice."""
ATTEMPTS = 3
GOODPUT = 0.9
"""Of the most, at ten times as much: the issue of being overrun."""
POISONS = ("segv", "loop", "memory", "hang")
"""What a front may do to the process that examines it: a fault, a loop without an end, all memory, native code that hangs."""
SLOWER, QUICK_MS = 3.0, 200.0
"""How many times longer others may wait beside a poison; below so many milliseconds nobody minds."""
SLOWEST_MS = 1000.0
"""The 99th percentile of an acknowledgement at capacity."""


@dataclass(frozen=True, slots=True)
class Result:
    """wrong: empty where the check holds."""

    check: str
    pair: str
    wrong: tuple[str, ...]
    figures: dict[str, float | int | str | dict[str, int]]
    outcome: Outcome | None = field(default=None, repr=False)


def under_faults(check: str, place: Place, plan: Plan, struck: Sequence[Fault], *, window: float = 2.5,
                 ray: bool = False, clocks: bool = False) -> Result:
    """A run whose every fault must strike and whose every invariant must hold."""
    start = time.monotonic()
    outcome = run(place, plan, struck, window=window, ray=ray, clocks=clocks)
    report, statuses = outcome.report, Counter(status for _, status, _ in outcome.told.answers)
    wrong = [f"{name}: {len(found)}, such as: {found[0]}" for name, found in report.violations.items() if found]
    named = {fault.__name__ for fault in struck}
    for name in sorted(named):
        under = PARTED.get(name, name)
        if not any(fired.startswith(under) for fired in outcome.fired):
            wrong.append(f"{name} never struck")
    wrong += [f"{count} answers {status}" for status, count in statuses.items() if status not in RETRYABLE]
    if outcome.told.rude:
        wrong.append(f"{outcome.told.rude} refusals without Retry-After")
    if outcome.drained is None:
        wrong.append("supports still wait for a verdict")
    spent = report.unexamined - len(plan.poisons) - outcome.fired["harm_objects"]
    if spent > max(2, SPENT_SHARE * report.acked, outcome.deaths / ATTEMPTS):
        wrong.append(f"{spent} supports went to a person for no reason of their own")
    figures: dict[str, float | int | str | dict[str, int]] = {
        "acknowledged": report.acked, "verdicts": report.verdicts, "lost at most (95 %)": f"{3 / max(report.acked, 1):.2%}",
        "later rounds": sum(len(sent.again) for sent in outcome.told.sent.values()), "webhooks": len(outcome.told.hooks),
        "spent": max(0, spent), "struck": dict(sorted(outcome.fired.items())),
        "answers": {str(status): count for status, count in sorted(statuses.items())},
        "drained s": round(outcome.drained or -1, 1), "seconds": round(time.monotonic() - start), "seed": plan.seed}
    return Result(check, place.pair, tuple(wrong), figures, outcome)


def lost_cache(place: Place, count: int) -> Result:
    """Embedded pair alone: an S3 store's flushing is its own."""
    lost = lost_after_power_failure(place.folder / "power", count)
    return Result("lost_cache", place.pair, tuple(lost[:3]), {"acknowledged": count, "lost": len(lost)})


def mutant(name: str, place: Place, seconds: float) -> Result:
    """Right where the checker names the invariant that the bug breaks."""
    one = MUTANTS[name]
    plan = Plan(one.rate, seconds, poisons=one.poisons, rounds=one.rounds)
    outcome = run(place, plan, [getattr(faults, fault) for fault in one.faults], mutant=name, drain=seconds)
    found = {invariant: len(said) for invariant, said in outcome.report.violations.items() if said}
    wrong = () if one.invariant in found else (f"nobody saw that {one.what} ({one.invariant} was to be broken)",)
    return Result(f"mutant {name}", place.pair, wrong, {"what": one.what, "caught by": one.invariant, "found": found})


def poison(place: Place, seconds: float, rate: float) -> Result:
    """How long others wait beside a front that ends, or holds, whoever examines it, and how long without it.

    rate: what one worker takes while the other is gone.
    """
    waited = {}
    with Deployment(place) as deployment:
        for name in ("none", *POISONS):
            file = place.folder / f"poison-{name}.jsonl"
            with History(file) as history:
                plan = Plan(rate, seconds, twice=0, misused=0, poisons=() if name == "none" else (name,))
                asyncio.run(Load(deployment.port, deployment.secret, history, plan).run())
            own = {one for sent in read_history(file.open()).sent.values() if not sent.poison for one in sent.acked}
            waited[name] = _waited(place, own)
    most = SLOWER * max(waited["none"], QUICK_MS)
    wrong = [f"others waited {waited[name]:.0f} ms (p99) beside one that does {name}, {waited['none']:.0f} ms without"
             for name in POISONS if waited[name] > most]
    return Result("poison", place.pair, tuple(wrong), {f"p99 ms {name}": round(ms) for name, ms in waited.items()})


def _waited(place: Place, own: set[str]) -> float:
    """Milliseconds from a support's commit to its verdict's, the 99th percentile, once all have theirs."""
    database, end = place.database(), time.monotonic() + DRAIN_SECONDS
    query = "SELECT s.id, v.decided_at - s.received_at FROM supports s JOIN verdicts v ON v.support_id = s.id"
    while time.monotonic() < end:
        found = sorted(took for one, took in database.rows(query) if one in own)
        if len(found) == len(own):
            return float(found[int(len(found) * 0.99)])
        time.sleep(0.2)
    return float("inf")


def overload(place: Place, seconds: float, times: Sequence[int] = (1, 2, 5, 10)) -> Result:
    """The most by 16 senders that wait for their answers; then arrivals that do not wait, at multiples of it."""
    figures: dict[str, float | int | str | dict[str, int]] = {}
    with Deployment(place) as deployment:
        most = _capacity(deployment, place.folder / "capacity.jsonl", seconds)
        good, slow = {}, 0.0
        for factor in times:
            file = place.folder / f"overload-{factor}.jsonl"
            plan = Plan(factor * most, seconds, seed=factor, twice=0, misused=0, tries=1)
            with History(file) as history:
                asyncio.run(Load(deployment.port, deployment.secret, history, plan).run())
            told = read_history(file.open())
            took = sorted(ms for _, status, ms in told.answers if status == 202)
            good[factor] = sum(1 for at, status, _ in told.answers if status == 202 and at <= seconds + 0.5) / seconds
            slow = took[int(len(took) * 0.99)] if took and factor == 1 else slow
            statuses = Counter(status for _, status, _ in told.answers)
            figures[f"{factor}x"] = {"offered/s": round(len(told.answers) / seconds), "good/s": round(good[factor]),
                                     "p99 ms": round(took[int(len(took) * 0.99)]) if took else 0,
                                     **{str(status): count for status, count in sorted(statuses.items())}}
    best = max(good.values())
    wrong = [f"at {factor}x only {rate:.0f} of {best:.0f} a second" for factor, rate in good.items()
             if factor == max(times) and rate < GOODPUT * best]
    if slow > SLOWEST_MS:
        wrong.append(f"acknowledged in {slow:.0f} ms (p99) at capacity")
    return Result("overload", place.pair, tuple(wrong), {"capacity/s": round(most), **figures})


def _capacity(deployment: Deployment, file: Path, seconds: float) -> float:
    async def closed() -> None:
        load = Load(deployment.port, deployment.secret, history, Plan(1, seconds, twice=0, misused=0))
        end = asyncio.get_running_loop().time() + seconds
        async with asyncio.TaskGroup() as group:
            for _ in range(16):
                group.create_task(load.one_after_another(end))

    with History(file) as history:
        asyncio.run(closed())
    return sum(1 for at, status, _ in read_history(file.open()).answers if status == 202 and at <= seconds) / seconds


Check = Callable[[Place], Result]


def checks(pair: str, *, short: bool, seed: int) -> dict[str, Check]:
    """Those of one pair, by name, in their order."""
    seconds, rate = 45.0 if short else 300.0, {"sqlite+folder": 15.0, "postgresql+s3": 10.0}[pair]
    plan = Plan(rate, seconds, seed, poisons=POISONS, rounds=True)
    found: dict[str, Check] = {
        "mixed": lambda place: under_faults("mixed", place, plan, faults.MIXED[pair]),
    }
    found["crash_points"] = lambda place: under_faults(
        "crash_points", place, Plan(rate, 5.0, seed, rounds=True), (faults.crash_everywhere,))
    if can_be_turned():
        window = 4.0 if short else 20.0
        found["clocks"] = lambda place: under_faults(
            "clocks", place, Plan(rate, 5.0, seed, rounds=True), (faults.turn_clocks,), window=window, clocks=True)
    if not short:
        found["ray"] = lambda place: under_faults(
            "ray", place, Plan(4.0, 90.0, seed), (faults.kill_actors, faults.kill_ray), window=25.0, ray=True)
    if pair == "sqlite+folder":
        found["lost_cache"] = lambda place: lost_cache(place, 50 if short else 500)
    if not short or pair == "sqlite+folder":
        found["poison"] = lambda place: poison(place, 10.0 if short else 30.0, rate)
    if not short:  # on a busy machine it measures its neighbours
        found["overload"] = lambda place: overload(place, 20.0)
    return found

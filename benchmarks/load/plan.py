"""The whole measurement: the most that is verified, steps around it to find the knee, the shapes of real days, and overload."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from benchmarks.load.arrivals import Profile, daily, last_day, retry_storm, steady, sync_burst
from benchmarks.load.run import Runner, Step, step_json

WARM_RATE, WARM_SECONDS = 2.0, 3.0
FLOOD_RATE = 20.0
"""Far above what a few cores verify, and little enough that they still verify while it comes in."""
STEPS = (0.5, 0.7, 0.85, 1.0, 1.15)
"""Of the most. 0.7 is where latencies are told for."""
QUICK_STEPS = (0.5, 0.7, 0.9, 1.05)
KEEPS_UP_SECONDS, KEEPS_UP_SHARE = 1.0, 0.05
"""After the last arrival the last verdict comes within a second and this share of the step, or it was beyond the knee."""
INTAKE_FACTORS = (1, 2, 5, 10)
INTAKE_RATES = (15.0, 30.0, 60.0, 120.0)
"""Until less is acknowledged than at the one before, or a third is refused."""
REFUSED_SHARE = 1 / 3


@dataclass(frozen=True, slots=True)
class Lengths:
    """Seconds of each kind of step. shapes: 0 leaves them out; overload too."""

    flood: float
    step: float
    shape: float
    overload: float
    factors: tuple[float, ...]


QUICK = Lengths(flood=2.0, step=12.0, shape=0.0, overload=5.0, factors=QUICK_STEPS)
WHOLE = Lengths(flood=4.0, step=40.0, shape=60.0, overload=10.0, factors=STEPS)


@dataclass
class Measured:
    """Steps by kind, each as JSON. most: verdicts a second while a backlog waits."""

    most: float = 0.0
    steps: list[dict[str, Any]] = field(default_factory=list)
    shapes: list[dict[str, Any]] = field(default_factory=list)
    overload: list[dict[str, Any]] = field(default_factory=list)


def expected_supports(lengths: Lengths, cores: int) -> int:
    """About how many supports with a verdict that counts will be sent: so many must not be copies of each other."""
    rate = 8.0 * cores
    return int(FLOOD_RATE * lengths.flood + rate * (lengths.step * sum(lengths.factors) + 4 * lengths.shape))


async def measure_most(runner: Runner, lengths: Lengths, seed: int) -> tuple[float, dict[str, Any]]:
    """Verdicts a second, from the first arrival of a flood to the last verdict."""
    await runner.run(steady(WARM_RATE, WARM_SECONDS, "warm up"), seed)
    step = await runner.run(steady(FLOOD_RATE, lengths.flood, "flood"), seed + 1)
    if step.drained is None or not step.verdict.total:
        raise RuntimeError(f"the flood of {step.offered} did not get its verdicts: {dict(step.answers)}")
    return step.verdict.total / (step.profile.seconds + step.drained), step_json(step)


async def measure_all(runner: Runner, lengths: Lengths, seed: int) -> Measured:
    """Everything against one deployment; overload last, since it leaves a backlog."""
    found = Measured()
    found.most, flood = await measure_most(runner, lengths, seed)
    found.steps.append({**flood, "factor": None, "keeps_up": False})
    for number, factor in enumerate(lengths.factors):
        step = await runner.run(steady(factor * found.most, lengths.step, f"{factor:g} of the most"), seed + 10 + number)
        found.steps.append({**step_json(step), "factor": factor, "keeps_up": keeps_up(step)})
    if lengths.shape:
        half = found.most / 2
        shapes: tuple[Profile, ...] = (
            daily(half, lengths.shape), last_day(half / 2, lengths.shape),
            sync_burst(half / 2, lengths.shape, round(5 * found.most)), retry_storm(4 * found.most, lengths.shape / 4))
        for number, profile in enumerate(shapes):
            found.shapes.append(step_json(await runner.run(profile, seed + 30 + number)))
    if lengths.overload:
        found.overload = await measure_overload(runner, lengths.overload, seed + 50)
    return found


def keeps_up(step: Step) -> bool:
    most = KEEPS_UP_SECONDS + KEEPS_UP_SHARE * step.profile.seconds
    return step.drained is not None and step.drained <= most and not step.not_sent


async def measure_overload(runner: Runner, seconds: float, seed: int) -> list[dict[str, Any]]:
    """The most that is taken in, by offering more and more; then multiples of it. Workers are busy throughout."""
    steps: list[dict[str, Any]] = []
    for number, rate in enumerate(INTAKE_RATES):
        step = await runner.run(steady(rate, seconds, f"intake at {rate:g}/s"), seed + number, drain=False)
        steps.append({**step_json(step), "times": None})
        if step.seconds["refused"].total() > REFUSED_SHARE * step.offered:
            break
    most = max(step["acknowledged_a_second"] for step in steps)
    for times in INTAKE_FACTORS:
        profile = steady(times * most, seconds, f"intake at {times} x {most:.0f}/s")
        step = await runner.run(profile, seed + 10 + times, drain=False)
        steps.append({**step_json(step), "times": times})
    return steps


def knee(found: Measured) -> dict[str, Any] | None:
    """The highest step that kept up, and what intake did there; None where none did."""
    kept = [step for step in found.steps if step["keeps_up"]]
    if not kept:
        return None
    best = max(kept, key=lambda step: float(step["offered_a_second"]))
    return {"factor": best["factor"], "supports_a_second": best["offered_a_second"],
            "cpu_ms_a_support": best["cpu_ms_a_support"],
            **{f"{what}_{name}": best[what][name] for what in ("intake", "verdict") for name in ("p50_ms", "p99_ms")}}


def goodput(found: Measured) -> dict[str, Any] | None:
    """What overload left of the most that was taken in."""
    if not found.overload:
        return None
    most = max(step["acknowledged_a_second"] for step in found.overload)
    last = next(step for step in found.overload if step["times"] == INTAKE_FACTORS[-1])
    return {"most_a_second": most, "at_ten_times_a_second": last["acknowledged_a_second"],
            "share": round(last["acknowledged_a_second"] / most, 3) if most else None,
            "intake_p99_ms": last["intake"]["p99_ms"], "refusal_p99_ms": last["refusals"]["p99_ms"],
            "refusals_without_retry_after": sum(step["refusals_without_retry_after"] for step in found.overload),
            "broken": sum(count for step in found.overload for name, count in step["answers"].items() if not name.isdigit())}

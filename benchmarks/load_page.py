"""What docs/performance.md says of a service under load, from raw results alone."""

from __future__ import annotations

from typing import Any

from benchmarks.plots import lines

COLUMNS = ("offered/s", "verdicts/s", "refused", "intake p50 · p99, ms", "verdict p50 · p99, ms", "CPU a support, ms",
           "cores of others")


def load_lines(result: dict[str, Any], made_on: str) -> list[str]:
    """The section on `apoyo bench load`."""
    told = ["## Under load", "",
            f"Captures of {result['captures']}; {result['where']}; {result['workers']} workers; {made_on}.",
            "Arrivals wait for no answer (Poisson); latencies count from the moment a support was meant to be sent. Made by",
            f"`apoyo bench load{' --quick' if result['quick'] else ''}`; raw: `benchmarks/results/load.json`; with drawings:",
            "`benchmarks/results/load.html`.", "",
            "| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    told += [_row(step) for step in [*result["steps"], *result["shapes"]]]
    told += ["", f"The most verified: {result['most_a_second']} a second."]
    if result["knee"]:
        told += [f"Knee: {result['knee']['supports_a_second']} supports a second still kept up (verdicts p99 "
                 f"{result['knee']['verdict_p99_ms']:.0f} ms, intake p99 {result['knee']['intake_p99_ms']:.0f} ms)."]
    if "scaling" in result:
        scaling = result["scaling"]
        one, all_ = scaling["one_worker"], next(step for step in result["steps"] if step["profile"] == "flood")
        told += [f"Workers: one verifies {scaling['one_worker_a_second']} a second ({one['cpu_ms_a_support']} ms of CPU a",
                 f"support, {beside(one)} cores taken by others), {scaling['workers']} verify {scaling['all_workers_a_second']}",
                 f"({all_['cpu_ms_a_support']} ms, {beside(all_)} taken by others): efficiency {scaling['efficiency']:.0%}, with",
                 "the API and the client on the same cores."]
    if result["goodput"]:
        good = result["goodput"]
        told += [f"Overload: at most {good['most_a_second']} a second are taken in, at ten times as many offered",
                 f"{good['at_ten_times_a_second']} ({good['share']:.0%}, p99 {good['intake_p99_ms']:.0f} ms)."]
    return [*told, ""]


def beside(step: dict[str, Any]) -> str:
    """Cores that others, and the machine's host, had meanwhile."""
    seconds = step["seconds"] + (step["drained_s"] or 0.0)
    found = step["cpu_s_beside"]
    return f"{(found.get('others', 0.0) + found.get('stolen', 0.0)) / seconds:.2f}" if "others" in found else ""


def _row(step: dict[str, Any]) -> str:
    refused = sum(step["answers"].get(status, 0) for status in ("429", "503"))
    latencies = [" · ".join(f"{step[what][name]:.0f}" for name in ("p50_ms", "p99_ms")) for what in ("intake", "verdict")]
    cells = [f"{step['offered_a_second']} ({step['profile']})", step["verdicts_a_second"], refused, *latencies,
             step["cpu_ms_a_support"], beside(step)]
    return "| " + " | ".join(map(str, cells)) + " |"


def load_drawing(result: dict[str, Any]) -> str:
    """Latency against load, as SVG."""
    steps = [step for step in result["steps"] if step["factor"] is not None]
    curves = {f"{what} {name.removesuffix('_ms')}":
              [(step["offered_a_second"], step[what][name]) for step in steps if step[what]["count"]]
              for what in ("intake", "verdict") for name in ("p50_ms", "p99_ms")}
    return lines(curves, "latency, ms, against supports offered a second", "offered/s", "ms", log=True)

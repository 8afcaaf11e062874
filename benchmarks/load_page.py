"""What docs/performance.md says of a service under load, from raw results alone."""

from __future__ import annotations

from typing import Any

from benchmarks.plots import lines

COLUMNS = ("offered/s", "verdicts/s", "refused", "intake p50 · p99, ms", "verdict p50 · p99, ms", "CPU a support, ms",
           "cores of others")


PLAN_COLUMNS = ("collection", "assumed", "nodes", "of", "busy at the peak", "verdict p99, s", "USD, always on",
                "USD a 1,000, always on", "by core seconds")


def load_lines(result: dict[str, Any], made_on: str) -> list[str]:
    """The section on `apoyo bench load`."""
    told = ["## Under load", "",
            f"Captures of {result['captures']}; {result['where']}; {result['workers']} workers; {made_on}.",
            "Arrivals wait for no answer (Poisson); latencies count from the moment a support was meant to be sent. Made by",
            f"`apoyo bench load{' --quick' if result['quick'] else ''}`; raw: `benchmarks/results/load.json`; with drawings:",
            "`benchmarks/results/load.html`." + (f" {result['note']}" if result["note"] else ""), "",
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


def capacity_lines(result: dict[str, Any]) -> list[str]:
    """The section on `apoyo bench capacity`."""
    demand = result["demand_ms"]
    told = ["## What a collection needs", "",
            f"Supports through cores, event by event (`apoyo bench capacity`, seed {result['seed']}; raw:",
            f"`benchmarks/results/capacity.json`). A support takes {demand['verify_mean']} ms of a core to examine (samples of",
            f"`bench stages`), {demand['intake']} to take in and {demand['other']} for the rest of the service (`bench load`).",
            "Nodes are as many as bring 99 of 100 verdicts within a minute at the peak, and one that stands by. **Prices, curves",
            "and the speed of a vCPU are assumptions** (`benchmarks/hardware.json` names each source).", "",
            "| " + " | ".join(PLAN_COLUMNS) + " |", "|---" * len(PLAN_COLUMNS) + "|"]
    told += [f"| {row['scenario']} | {row['assumes']} | {row['nodes']} | {row['hardware']} | {row['busy_at_the_peak']:.0%} | "
             f"{row['verdict_p99_s']} | {row['usd_always_on']:,.2f} | {row['usd_a_thousand_always_on']:.3f} | "
             f"{row['usd_a_thousand_by_core_seconds']:.4f} |" for row in result["plan"]]
    told += ["", "The same simulation, fed with the arrivals of the load that was measured, and the cores that others left it",
             "when it wanted all:", "",
             "| step | cores left | verdicts/s measured · simulated | p50, ms | p99, ms |", "|---|---|---|---|---|"]
    for row in result["validation"]:
        cells = [f"{row[name]['measured']} · {row[name]['simulated']} ({row[name]['error']:+.0%})"
                 for name in ("verdicts_a_second", "verdict_p50_ms", "verdict_p99_ms")]
        told.append(f"| {row['step']} | {row['cores_left']} | " + " | ".join(cells) + " |")
    return [*told, ""]


def soak_lines(result: dict[str, Any], made_on: str) -> list[str]:
    """The section on `make soak`, and its drawing's name."""
    told = ["## Over hours", "",
            f"{result['minutes']:g} minutes at 70 % of the most, {result['verdict']['count']} verdicts; {made_on}.",
            "Made by `make soak`; raw: `benchmarks/results/soak.json`. A straight line after the first fifth:", "",
            "| part | figure | first tenth | last tenth | rise of the line | |", "|---|---|---|---|---|---|"]
    told += [f"| {row['group']} | {row['figure'].replace('_', ' ')} | {row['first']} | {row['last']} | {row['rise']:+.2f} | "
             f"{'flat' if row['flat'] else '**rises**'} |" for row in result["rises"]]
    return [*told, ""]


def soak_drawing(result: dict[str, Any]) -> str:
    """Memory of each part over the run, as SVG."""
    groups = [row["group"] for row in result["rises"] if row["figure"] == "rss_mb"]
    curves = {group: [(look["at"] / 60, look[group]["rss_mb"]) for look in result["looks"] if group in look] for group in groups}
    return lines(curves, "resident memory, MB, by part of the service", "minutes", "MB")


def intake_lines(result: dict[str, Any], made_on: str) -> list[str]:
    """What `apoyo bench intake` says."""
    needed = result["hashing_ms"] + result["sealing_ms"]
    size = max(one["body_bytes"] for one in result["ways"].values()) / 1e6
    return [f"Intake alone, one support of {size:.1f} MB after another, over SQLite (`apoyo bench intake`; {made_on}).",
            f"To hash and seal it takes {needed:.1f} ms of CPU; 3 ms beyond were aimed at.", "",
            "| the pictures go | the API's CPU, ms | beyond hashing and sealing | answers p50 · p99, ms |", "|---|---|---|---|",
            *(_intake_row(way, one, needed) for way, one in result["ways"].items()), ""]


WAYS = {"folder": "by the API into a folder", "s3": "by the API into an S3 store", "past the api": "by the client into the store"}


def _intake_row(way: str, one: dict[str, Any], needed: float) -> str:
    """Past the API it is the client that hashes and seals."""
    beyond = one["cpu_ms"] - (0 if way == "past the api" else needed)
    return f"| {WAYS[way]} | {one['cpu_ms']} | {beyond:.1f} | {one['intake']['p50_ms']:.0f} · {one['intake']['p99_ms']:.0f} |"


def load_drawing(result: dict[str, Any]) -> str:
    """Latency against load, as SVG."""
    steps = [step for step in result["steps"] if step["factor"] is not None]
    curves = {f"{what} {name.removesuffix('_ms')}":
              [(step["offered_a_second"], step[what][name]) for step in steps if step[what]["count"]]
              for what in ("intake", "verdict") for name in ("p50_ms", "p99_ms")}
    return lines(curves, "latency, ms, against supports offered a second", "offered/s", "ms", log=True)

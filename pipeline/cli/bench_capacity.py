"""`apoyo bench capacity`: how many nodes a collection needs and what it costs, from what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.errors import Misconfigured

SEED_CAPACITY = 41_441
RESULTS = Path("benchmarks/results")


def capacity(
    seed: Annotated[int, typer.Option(help="Another seed, other arrivals.")] = SEED_CAPACITY,
    results: Annotated[Path, typer.Option(help="Where stages.json and load.json are, and the JSON goes.")] = RESULTS,
    hardware: Annotated[Path, typer.Option(help="Kinds of nodes with their prices.")] = Path("benchmarks/hardware.json"),
) -> None:
    """Nodes and cost of a collection, from measured times; and how far the same simulation is from the load that was measured."""
    from benchmarks.capacity import demand_of, plan, validate
    from benchmarks.report import write

    stages, load = (_result(results, name) for name in ("stages", "load"))
    kinds, demand = json.loads(hardware.read_text(encoding="utf-8")), demand_of(stages, load)
    figures = {"seed": seed, "demand_ms": {"verify_mean": round(1000 * sum(demand.verify) / len(demand.verify), 1),
                                           "intake": round(1000 * demand.intake, 1), "other": round(1000 * demand.other, 1)},
               "assumptions": kinds, "validation": validate(demand, load, seed), "plan": plan(demand, kinds["hardware"], seed)}
    print_capacity(figures)
    typer.echo(f"raw: {write('capacity', figures, results)}")


def _result(folder: Path, name: str) -> dict[str, Any]:
    """Raises `Misconfigured` that says which command makes it."""
    try:
        found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Misconfigured(f"{folder / name}.json is not there: run `apoyo bench {name}` first", code="no_result") from None
    return found


def print_capacity(figures: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="what a collection needs (prices and curves are assumptions: see the file)")
    for column in ("scenario", "nodes", "of", "busy at the peak", "verdict p99 s", "USD always on", "USD a 1,000",
                   "by core seconds"):
        table.add_column(column)
    for row in figures["plan"]:
        table.add_row(row["scenario"], str(row["nodes"]), row["hardware"], f"{row['busy_at_the_peak']:.0%}",
                      f"{row['verdict_p99_s']:.1f}", f"{row['usd_always_on']:,.2f}", f"{row['usd_a_thousand_always_on']:.3f}",
                      f"{row['usd_a_thousand_by_core_seconds']:.4f}")
    check = Table(title="the simulation against the measured load")
    for column in ("step", "cores left to it", "verdicts/s: measured, simulated", "p50 ms", "p99 ms"):
        check.add_column(column)
    for row in figures["validation"]:
        check.add_row(row["step"], str(row["cores_left"]), *(
            f"{row[name]['measured']:.1f}, {row[name]['simulated']:.1f} ({row[name]['error']:+.0%})"
            for name in ("verdicts_a_second", "verdict_p50_ms", "verdict_p99_ms")))
    console = Console(width=max(150, Console().width))
    console.print(table)
    console.print(check)

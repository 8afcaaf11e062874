"""`apoyo bench soak`: is the service the same after hours of work?"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.bench import CACHE
from pipeline.cli.bench_load import CAPTURES, MOST_PROCESSES, Captures, draw, embedded, with_runner
from pipeline.errors import Misconfigured
from pipeline.settings import available_cores

SEED_SOAK = 51_551
LOOKS = 600
"""In a run of any length, but no more than one a second."""
ASSUMED_RATE = 6.0
"""Supports a second and core, for the room on the disk: more than a core verifies."""


def soak(
    minutes: Annotated[float, typer.Option(help="How long.", min=1)] = 120.0,
    seed: Annotated[int, typer.Option(help="Another seed, other arrivals.")] = SEED_SOAK,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("benchmarks/results"),
) -> None:
    """Hours at 70 % of the most: memory, descriptors and sockets must stay flat. Exit code 1 where one does not."""
    from benchmarks.load.bodies import Stock
    from benchmarks.report import write
    from benchmarks.soak import soak as run_soak

    folders, workers = draw(Captures.APP), available_cores()
    count = ASSUMED_RATE * workers * minutes * 60
    needed = count * Stock(folders, ["demo"]).mean_bytes
    CACHE.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(CACHE).free < needed:
        raise Misconfigured(f"{CACHE} needs room for {needed / 1e9:.0f} GB while it runs: free some, or run fewer minutes",
                            code="no_room")
    with embedded(workers, min(MOST_PROCESSES, 1 + int(count / CAPTURES))) as place:
        result = with_runner(place, folders, lambda runner: run_soak(runner, minutes, seed), max(1.0, 60 * minutes / LOOKS))
    print_soak(result)
    typer.echo(f"raw: {write('soak', {'seed': seed, 'workers': workers, **result}, out)}")
    if not all(row["flat"] for row in result["rises"]):
        raise typer.Exit(1)


def print_soak(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{result['minutes']:g} minutes, {result['verdict']['count']} verdicts, answers {result['answers']}")
    for column in ("part", "figure", "first tenth", "last tenth", "rise of the line", ""):
        table.add_column(column)
    for row in result["rises"]:
        table.add_row(row["group"], row["figure"], str(row["first"]), str(row["last"]), f"{row['rise']:+.2f}",
                      "flat" if row["flat"] else "[red]rises[/]")
    Console().print(table)

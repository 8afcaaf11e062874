"""`python -m benchmarks.chaos [--short] [--out DIR]`: the scoreboard on both pairs, and the mutants. Exit code 1: one is red."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.chaos.board import Result, checks, mutant
from benchmarks.chaos.mutants import MUTANTS
from benchmarks.chaos.places import PAIRS, Embedded, empty_place, running_servers
from benchmarks.chaos.report import write_report

MUTANT_SECONDS = 6.0
"""Of load: two turns of a fault."""
LONGER = 4
MUTANTS_AT_ONCE = 2
"""Services beside each other: most of their time is waiting."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--short", action="store_true", help="about ten minutes instead of an hour")
    parser.add_argument("--pair", choices=PAIRS, action="append", help="only this storage (may be repeated)")
    parser.add_argument("--only", action="append", help="only the checks of this name (may be repeated)")
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--out", type=Path, default=Path("out/chaos"), help="where histories and the report go")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results = []
    for result in _all(options):
        results.append(result)
        holds, said = ("RED  ", "; ".join(result.wrong)) if result.wrong else ("holds", _short(result))
        print(f"{holds}  {result.check:34} {result.pair:14} {said}", flush=True)
    page = write_report(options.out, results, _commit())
    print(f"report: {page}")
    return int(any(result.wrong for result in results))


def _all(options: argparse.Namespace) -> Iterator[Result]:
    for pair in options.pair or PAIRS:
        with running_servers(pair) as servers:
            for name, check in checks(pair, short=options.short, seed=options.seed).items():
                if not options.only or name in options.only:
                    keep = options.out / f"{name}-{pair}-{time.strftime('%H%M%S')}"
                    with empty_place(servers, options.seed, keep) as place:
                        yield check(place)
        if pair == Embedded.pair:
            wanted = [name for name in MUTANTS if not options.only or name in options.only or "mutants" in options.only]
            with ThreadPoolExecutor(MUTANTS_AT_ONCE) as pool:
                yield from pool.map(_mutant, wanted)


def _mutant(name: str) -> Result:
    """Whether a bug shows is a matter of chance and of the machine's load: one that nobody saw has another, longer run."""
    with empty_place(None) as place:
        found = mutant(name, place, MUTANT_SECONDS)
    if found.wrong:
        with empty_place(None) as place:
            found = mutant(name, place, LONGER * MUTANT_SECONDS)
    return found


def _short(result: Result) -> str:
    shown = {name: value for name, value in result.figures.items() if name != "what" and not isinstance(value, dict)}
    return ", ".join(f"{name} {value}" for name, value in shown.items())


def _commit() -> str:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())

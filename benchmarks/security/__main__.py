"""`python -m benchmarks.security` (`make security`): everything hostile, in half an hour at most; `--short`: some minutes.

Writes benchmarks/results/security.json and docs/security.md. Exit code 1 where anything was not as it must be.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.report import RESULTS, commit, write
from benchmarks.security.absent import listen
from benchmarks.security.decoding import decode_all
from benchmarks.security.door import Row, knock
from benchmarks.security.mutants import put_in
from benchmarks.security.page import write_page
from benchmarks.security.pictures import hostile_pictures
from benchmarks.security.routes import walk
from benchmarks.security.schema import hold_against
from benchmarks.security.served import served
from benchmarks.security.supply import below_floors, native_libraries, unpicklers
from benchmarks.security.targets import TARGETS
from pipeline.records.storage import open_storage
from pipeline.settings import StorageSettings, available_cores

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
FUZZ_SECONDS, SHORT_FUZZ_SECONDS = 60, 5
REQUESTS, SHORT_REQUESTS = 1_000, 100
EXAMPLES, SHORT_EXAMPLES = 200, 20
LISTENED, SHORT_LISTENED = 2_000, 300
TESTS = ("tests/unit/test_hostile_networks.py", "tests/unit/test_webhook_addresses.py", "tests/unit/test_jose.py",
         "tests/unit/test_device_proof_parser.py")
"""Tables that are whole already: networks, addresses of webhooks, tokens and proofs."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Everything hostile against what stands at the doors; writes docs/security.md.")
    parser.add_argument("--short", action="store_true", help="a few minutes")
    parser.add_argument("--only", nargs="*", help="these parts alone are tried again; the others stay in the report as they are")
    wanted = parser.parse_args()
    short = wanted.short
    parts: dict[str, Callable[[], Iterable[Row]]] = {
        "door": _door, "decoder": decode_all, "verify": _verify, "routes": lambda: _routes(SHORT_REQUESTS if short else REQUESTS),
        "schema": lambda: _schema(SHORT_EXAMPLES if short else EXAMPLES),
        "absent": lambda: _absent(SHORT_LISTENED if short else LISTENED),
        "parsers": lambda: _parsers(SHORT_FUZZ_SECONDS if short else FUZZ_SECONDS), "tables": _tables,
        "versions": below_floors, "pickle": _pickle, "mutants": put_in}
    result: dict[str, Any] = {"short": short, "parts": _known() if wanted.only else {}}
    for name, part in parts.items():
        if wanted.only and name not in wanted.only:
            continue
        begun, rows = time.monotonic(), []
        for row in part():
            rows.append(row)
            sys.stdout.write(f"\r{name}: {len(rows)} tried, {sum(not row.good for row in rows)} not as they must be")
            sys.stdout.flush()
        sys.stdout.write("\n" + "".join(f"  {row.name}: {row.said}\n" for row in rows if not row.good))
        wrong = [[row.name, row.said] for row in rows if not row.good]
        result["parts"][name] = {"commit": commit(), "tried": len(rows), "wrong": wrong,
                                 "seconds": round(time.monotonic() - begun, 1),
                                 "rows": [[row.name, row.said] for row in rows] if name != "routes" else _counted(rows)}
    libraries = native_libraries()
    result["libraries"] = {"packages": len(libraries), "shared_objects": sum(one["shared_objects"] for one in libraries)}
    write("security", result)
    write_page()
    return int(any(part["wrong"] for part in result["parts"].values()))


def _known() -> dict[str, Any]:
    known: dict[str, Any] = json.loads((RESULTS / "security.json").read_text(encoding="utf-8"))["parts"]
    return known


def _counted(rows: list[Row]) -> list[list[str]]:
    said = [row.said for row in rows]
    return [[one, str(said.count(one))] for one in sorted(set(said))]


def _door() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as server:
        yield from knock(server, SHARED)


def _routes(times: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as server:
        yield from walk(server.client, times)


def _schema(examples: int) -> Iterator[Row]:
    if find_spec("schemathesis") is None:
        yield Row("schemathesis", "is not installed: `make security` installs it", good=False)
        return
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as server:
        yield from hold_against(server, open_storage(StorageSettings(data_dir=Path(folder))), examples)


def _absent(times: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as server:
        yield from listen(server, StorageSettings(data_dir=Path(folder)), times)


def _verify() -> Iterator[Row]:
    """`apoyo verify` over one folder for each picture that the door takes: a line each, and exit code 0."""
    from benchmarks.security.door import GOOD

    taken = {name: one for name, one in hostile_pictures().items() if one.code is None}
    with tempfile.TemporaryDirectory() as folder:
        places = []
        for number, hostile in enumerate(taken.values()):
            places.append(Path(folder) / str(number))
            places[-1].mkdir()
            for part, data in {**GOOD, hostile.part: hostile.data}.items():
                (places[-1] / f"{part}.{'png' if part == 'signature' else 'jpg'}").write_bytes(data)
        done = subprocess.run([sys.executable, "-m", "pipeline.cli.main", "verify", *map(str, places), "--jsonl"], cwd=ROOT,
                              capture_output=True, text=True, check=False, timeout=600)
    lines = done.stdout.splitlines()
    for name, line in zip(taken, lines, strict=False):
        yield Row(name, "accepted" if '"verdict": "accepted"' in line else "not accepted", '"verdict": "accepted"' not in line)
    yield Row("exit code, and a line each", f"{done.returncode}, {len(lines)} of {len(taken)}",
              (done.returncode, len(lines)) == (0, len(taken)))


def _parsers(seconds: int) -> Iterator[Row]:
    """As many at once as there are cores."""
    with ThreadPoolExecutor(available_cores()) as pool:
        yield from pool.map(lambda name: _fuzzed(name, seconds), TARGETS)


def _fuzzed(name: str, seconds: int) -> Row:
    how = "coverage (atheris)" if find_spec("atheris") is not None else "random changes"
    done = subprocess.run([sys.executable, "-m", "scripts.fuzz", name, "--seconds", str(seconds)], cwd=ROOT,
                          capture_output=True, text=True, check=False, timeout=seconds + 120)
    last = (done.stdout.splitlines() or ["nothing"])[-1]
    runs = last.partition('"runs": ')[2].partition(",")[0].rstrip("}")
    return Row(name, f"{runs} runs by {how}" if done.returncode == 0 else last[:300], done.returncode == 0)


def _tables() -> Iterator[Row]:
    for place in TESTS:
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", place], cwd=ROOT, capture_output=True, text=True,
                              check=False, timeout=300)
        yield Row(place, f"exit {done.returncode}", done.returncode == 0)


def _pickle() -> Iterator[Row]:
    found = list(unpicklers())
    yield Row("imports and calls that unpickle", ", ".join(found) or "none", not found)


if __name__ == "__main__":
    sys.exit(main())

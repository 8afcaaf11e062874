"""Fuzz one parser for as long as is wanted: `python -m scripts.fuzz NAME --seconds N` (`--list`: the names).

Coverage-guided where atheris is installed (`make security` installs it), else by random changes of what is
right; the first line says which. Exit code 1 where the parser was at fault, with the bytes in hexadecimal.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from benchmarks.security.targets import TARGETS, Target

INPUT_SECONDS = 5
"""One input may not take longer."""


def changed(data: bytes, chance: random.Random) -> bytes:
    """`data` with up to eight changes: bits, bytes, runs cut out, doubled, or put in."""
    out = bytearray(data)
    for _ in range(chance.randrange(1, 9)):
        at, length = chance.randrange(len(out) + 1), chance.randrange(1, 17)
        kind = chance.randrange(5)
        if kind == 0 and at < len(out):
            out[at] ^= 1 << chance.randrange(8)
        elif kind == 1 and at < len(out):
            out[at] = chance.choice(b"\x00\xff\x7f\x80019AZ<{[\"\n")
        elif kind == 2:
            del out[at:at + length]
        elif kind == 3:
            out[at:at] = out[at:at + length] * chance.choice((1, 2, 50))
        else:
            out[at:at] = chance.randbytes(length)
    return bytes(out)


def by_chance(target: Target, seconds: float, seed: int, most: int | None = None) -> tuple[int, int]:
    """Runs, and how many were taken. Raises what the parser raises that it should not."""
    chance, runs, taken = random.Random(seed), 0, 0
    signal.signal(signal.SIGALRM, _too_slow)
    end = time.monotonic() + seconds
    while time.monotonic() < end and (most is None or runs < most):
        data = changed(chance.choice(target.seeds), chance)
        signal.alarm(INPUT_SECONDS)
        try:
            taken += target.take(data)
        except BaseException:
            sys.stderr.write(f"input: {data.hex()}\n")
            raise
        finally:
            signal.alarm(0)
        runs += 1
    return runs, taken


def _too_slow(*_: object) -> None:
    raise TimeoutError(f"one input took over {INPUT_SECONDS} s")


def by_coverage(name: str, seconds: int) -> int:
    """Atheris ends its process itself, so it has one of its own. Returns how often the parser ran."""
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(TARGETS[name].seeds):
            (Path(folder) / str(number)).write_bytes(seed)
        options = {"max_total_time": seconds, "max_len": 4096, "timeout": INPUT_SECONDS, "rss_limit_mb": 2048,
                   "print_final_stats": 1, "artifact_prefix": f"{folder}/"}
        done = subprocess.run([sys.executable, "-m", "scripts.fuzz_atheris", name, folder,
                               *(f"-{key}={value}" for key, value in options.items())],
                              capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{name}: {done.stderr[-3000:]}")
    line = next(line for line in done.stderr.splitlines() if line.startswith("stat::number_of_executed_units"))
    return int(line.rpartition(":")[2])


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz one parser, or `all` of them, one after another.")
    parser.add_argument("name", nargs="?", default="all", choices=["all", *TARGETS])
    parser.add_argument("--seconds", type=int, default=60, help="for each")
    parser.add_argument("--seed", type=int, default=1, help="of the random changes")
    parser.add_argument("--list", action="store_true")
    wanted = parser.parse_args()
    if wanted.list:
        sys.stdout.write("\n".join(TARGETS) + "\n")
        return 0
    guided = find_spec("atheris") is not None
    sys.stdout.write(f"{'by coverage (atheris)' if guided else 'by random changes: atheris is not installed'}\n")
    for name in TARGETS if wanted.name == "all" else (wanted.name,):
        try:
            told = fuzz(name, wanted.seconds, wanted.seed)
        except Exception as error:  # noqa: BLE001 - whatever a parser raises is what is looked for
            sys.stdout.write(f"{name}: at fault: {type(error).__name__}: {error}\n")
            return 1
        sys.stdout.write(json.dumps({"name": name, **told}) + "\n")
        sys.stdout.flush()
    return 0


def fuzz(name: str, seconds: int, seed: int) -> dict[str, object]:
    """Runs of one target, by coverage where that can be."""
    if find_spec("atheris") is not None:
        return {"runs": by_coverage(name, seconds), "how": "coverage"}
    runs, taken = by_chance(TARGETS[name], seconds, seed)
    return {"runs": runs, "taken": taken, "how": "random changes"}


if __name__ == "__main__":
    sys.exit(main())

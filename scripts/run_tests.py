"""The whole suite, in two halves at once: what waits for processes beside what computes, so that two cores are both at work.

The first half's progress is shown as it happens, the second's output when both have ended.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

HALVES = (("tests/contract", "tests/unit"), ("tests/parity", "tests/system"))
"""About as long as each other on two cores."""


def main() -> int:
    """0 where both halves passed, else the exit status of one that did not."""
    commands = [[sys.executable, "-m", "pytest", *half] for half in HALVES]
    if len(os.sched_getaffinity(0)) == 1:
        codes = [subprocess.run(command, check=False).returncode for command in commands]
        return next((code for code in codes if code), 0)  # one that a signal ended has a negative code
    start = time.monotonic()
    with tempfile.TemporaryFile() as later:
        beside = subprocess.Popen(commands[1], stdout=later, stderr=subprocess.STDOUT)
        try:
            print(f"{' '.join(HALVES[0])}, and beside it {' '.join(HALVES[1])}:", flush=True)
            first = subprocess.run(commands[0], check=False).returncode
            print(f"waiting for {' '.join(HALVES[1])} …", flush=True)
            second = beside.wait()
        finally:
            beside.kill()
        later.seek(0)
        print(later.read().decode(errors="replace"))
    print(f"both in {time.monotonic() - start:.0f} s: {'passed' if first == second == 0 else 'FAILED'}")
    return first or second


if __name__ == "__main__":
    sys.exit(main())

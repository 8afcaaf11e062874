"""The deadline of an attempt holds against the real thing: code that loops, that sleeps with the interpreter's lock held, that eats
memory; and nothing is ended that still runs within its time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENOUGH = 120.0
"""Seconds until a process counts as hung for good."""
PROGRAM = """
import ctypes, time
from pipeline.deadline import process_deadline
with process_deadline({seconds}, {silence}):
    {what}
print("went on")
time.sleep({silence} * 2)  # a timer that was left behind would strike now
print("to its end")
"""
HELD = "ctypes.PyDLL(None).sleep(3600)"
"""C code that sleeps and keeps the lock, as a hung call into native code does."""
LET_GO = "ctypes.CDLL(None).sleep(3600)"
LOOP = "\n    while True: pass"
A_WHILE = "end = time.monotonic() + 2.5\n    while time.monotonic() < end: pass"


@pytest.mark.parametrize(("what", "seconds", "silence", "ended"), [
    (HELD, 3600, 0.5, True), (HELD, 0.5, 3600, True), (LET_GO, 1, 0.5, True), (LOOP, 1, 0.5, True),
    (A_WHILE, 3600, 1.0, False), ("pass", 0.5, 0.5, False)],
    ids=["lock held, silent", "lock held, late", "lock let go, late", "loop, late", "busy and in time", "done"])
def test_what_hangs_ends_and_what_runs_goes_on(what: str, seconds: float, silence: float, ended: bool) -> None:
    program = PROGRAM.format(what=what, seconds=seconds, silence=silence)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=ENOUGH)
    assert (done.returncode, done.stdout) == ((1, "") if ended else (0, "went on\nto its end\n"))
    assert ("Timeout" in done.stderr) is ended, "it says where each thread stood"

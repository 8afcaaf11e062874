"""Clocks of processes that may be turned while these run: what a machine's clock does when it is set, and what the clocks of
several machines do that nobody sets. By a library of a page (clocks.c), which needs a C compiler.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

HOUR, DAY = 3600, 86_400
SHIFTS = (HOUR, -HOUR, DAY, -DAY, None)
"""Seconds that a clock is off; None: it stands still."""
SECOND_NS = 1_000_000_000
COMPILER = "cc"


def can_be_turned() -> bool:
    return shutil.which(COMPILER) is not None


@cache
def _library() -> Path:
    """Compiled once for this process. Raises `RuntimeError` where there is no compiler."""
    if not can_be_turned():
        raise RuntimeError(f"to turn clocks needs a C compiler, as {COMPILER}: apt install gcc libc6-dev")
    made = Path(tempfile.mkdtemp(prefix="apoyo-clocks-")) / "clocks.so"
    source = Path(__file__).with_suffix(".c")
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", str(made), str(source)], check=True)
    return made


class Clock:
    """One process's, in a file that the library reads each time it is asked."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._file.write_bytes(bytes(16))

    def environment(self) -> dict[str, str]:
        """Raises `RuntimeError` where there is no compiler."""
        return {"LD_PRELOAD": str(_library()), "CHAOS_CLOCK": str(self._file)}

    def turn(self, seconds: float | None) -> None:
        """By so many seconds from the time; None: it stops here. In place, for processes hold the file open."""
        off, still = (0, time.time_ns()) if seconds is None else (int(seconds * SECOND_NS), 0)
        with self._file.open("r+b") as file:
            file.write(struct.pack("=qq", off, still))

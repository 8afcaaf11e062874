"""Looking at processes from outside: which live, which name a folder, and waiting for what they do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECONDS = 60.0
"""Far above what anything here takes on a busy machine."""


def until(what: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """The first true value of `what()`. Fails after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def processes_naming(text: str) -> list[str]:
    """Living processes whose command line or environment holds `text`: all that were started for one data folder."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid() and alive(int(folder.name)):
            try:
                told = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            except OSError:
                continue
            if text.encode() in told:
                found.append(f"{folder.name} {(folder / 'cmdline').read_bytes()[:80]!r}")
    return found

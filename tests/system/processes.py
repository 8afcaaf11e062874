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
    except (FileNotFoundError, ProcessLookupError):  # gone, before or while it was read
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
                found.append(f"{folder.name} {(folder / 'cmdline').read_bytes()!r}")
    return found


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
"""127.0.0.1, the same as IPv6, and ::1, as /proc/net writes them."""


def open_to_others(text: str) -> list[str]:
    """`process address:port` (hexadecimal) of each TCP socket beyond loopback on which a process naming `text` listens."""
    listening = {}
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A":  # TCP_LISTEN
                listening[f"socket:[{columns[9]}]"] = columns[1]
    found = []
    for process in processes_naming(text):
        for descriptor in Path("/proc", process.split()[0], "fd").iterdir():
            try:
                address = listening.get(str(descriptor.readlink()))
            except OSError:  # closed meanwhile
                continue
            if address is not None and address.partition(":")[0] not in LOOPBACK:
                found.append(f"{process} {address}")
    return found

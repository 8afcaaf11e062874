"""What the service's processes take, from /proc: CPU, memory, descriptors, sockets, by the part of the service they are."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PAGE = resource.getpagesize()
MB = 1e6
GROUPS = (("ray::Verifier", "workers"), ("ray::IndexServer", "index"), ("api.deliver", "deliverer"),
          ("pipeline.cli.work", "supervisor"), (" api", "api"))
"""By a word of the command line; whatever else belongs to the service is Ray's own."""


@dataclass(frozen=True, slots=True)
class Taken:
    """cpu: seconds since the processes began.  rss: bytes now.  The others: how many now."""

    cpu: float = 0.0
    rss: int = 0
    processes: int = 0
    descriptors: int = 0
    sockets: int = 0

    def plus(self, other: Taken) -> Taken:
        return Taken(self.cpu + other.cpu, self.rss + other.rss, self.processes + other.processes,
                     self.descriptors + other.descriptors, self.sockets + other.sockets)


class ServiceProcesses:
    """All processes in whose environment or command line `mark` stands (the data folder): they inherit it. Not this process."""

    def __init__(self, mark: str) -> None:
        self._mark = mark.encode()
        self._ours: dict[tuple[int, str], bool] = {}
        self._ended: dict[str, float] = {}
        self._last: dict[tuple[int, str], tuple[str, float]] = {}

    def look(self) -> Mapping[str, Taken]:
        """By group. What ended processes had used stays counted, as far as it was seen."""
        found: dict[str, Taken] = {}
        living = set()
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit() or int(folder.name) == os.getpid():
                continue
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                known = (int(folder.name), fields[19])  # with its start time, since numbers are used again
                if known not in self._ours:
                    self._ours[known] = self._mark in (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
                if not self._ours[known] or fields[0] == "Z":
                    continue
                group, cpu = _group(folder), (int(fields[11]) + int(fields[12])) / TICK
                links = _links(folder / "fd")
                taken = Taken(cpu, int(fields[21]) * PAGE, 1, len(links), sum(link.startswith("socket:") for link in links))
            except OSError:  # it ended while it was looked at, or is another user's
                continue
            living.add(known)
            self._last[known] = (group, cpu)
            found[group] = found.get(group, Taken()).plus(taken)
        for gone in set(self._last) - living:
            group, cpu = self._last.pop(gone)
            self._ended[group] = self._ended.get(group, 0.0) + cpu
        for group, cpu in self._ended.items():
            found[group] = found.get(group, Taken()).plus(Taken(cpu))
        return found


def _links(folder: Path) -> list[str]:
    """What the descriptors lead to; without those that are closed while one looks."""
    found = []
    for one in folder.iterdir():
        with suppress(FileNotFoundError):
            found.append(str(one.readlink()))
    return found


def _group(folder: Path) -> str:
    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return next((group for word, group in GROUPS if word in line), "ray")


def machine_cpu() -> tuple[float, float]:
    """Core seconds since the machine began: worked by everybody on it, and taken from it by its host (proc_stat(5))."""
    user, nice, system, _idle, _wait, irq, softirq, stolen = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq) / TICK, stolen / TICK


def own_cpu() -> float:
    """Seconds that this process has used: the client's."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

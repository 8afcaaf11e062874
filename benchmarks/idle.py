"""What a service that has nothing to do takes: its processes' CPU from /proc, awake and asleep, and how long it takes to wake.

The embedded service of this machine, with the real workers; no request is sent while it is looked at.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks.load.processes import ServiceProcesses
from pipeline.settings import Settings

DRAW_SECONDS = 60.0
"""Until it sleeps, or until the verdict: far above what either takes."""


def measure_idle(settings: Settings, support: Path, seconds: float) -> dict[str, Any]:
    """Shares of one core by part of the service. settings: of an empty folder; `sleep_seconds` is left as long as one looks.
    support: a drawn support, which wakes it."""
    from pipeline.cli.serve import running_service

    processes = ServiceProcesses(str(settings.storage.data_dir))
    with running_service(settings) as service, httpx.Client(
            base_url=service.url, headers={"Authorization": f"Bearer {service.secret}"}, timeout=30) as client:
        first = _verdict_after(client, support, "first")
        awake = _shares(processes, seconds)
        end = time.monotonic() + settings.worker.sleep_seconds + DRAW_SECONDS
        while "workers" in processes.look() and processes.look()["workers"].processes:
            if time.monotonic() > end:
                raise RuntimeError("it does not sleep")
            time.sleep(0.5)
        asleep = _shares(processes, seconds)
        woken = _verdict_after(client, support, "woken")
        again = _verdict_after(client, support, "again")
    return {"seconds": seconds, "awake": awake, "asleep": asleep, "verdict_after_s": {
        "first": round(first, 2), "asleep": round(woken, 2), "awake": round(again, 2)}}


def _shares(processes: ServiceProcesses, seconds: float) -> dict[str, Any]:
    """Percent of a core, by group and in all, and what is in memory."""
    before, began = processes.look(), time.monotonic()
    time.sleep(seconds)
    after, took = processes.look(), time.monotonic() - began
    used = {name: one.cpu - (before[name].cpu if name in before else 0.0) for name, one in after.items()}
    share = {name: round(100 * cpu / took, 2) for name, cpu in used.items()}
    return {"percent": dict(sorted(share.items())), "sum": round(sum(share.values()), 2),
            "rss_mb": round(sum(one.rss for one in after.values()) / 1e6)}


def _verdict_after(client: httpx.Client, support: Path, key: str) -> float:
    """Seconds from sending to the verdict."""
    names = ("front", "back", "selfie", "signature")
    files = {path.stem: (path.name, path.read_bytes()) for path in support.iterdir() if path.stem in names}
    began = time.monotonic()
    place = client.post("/v1/supports", files=files, headers={"Idempotency-Key": key}).raise_for_status().headers["location"]
    while client.get(place).json()["verdict"] is None:
        if time.monotonic() - began > DRAW_SECONDS:
            raise RuntimeError("no verdict came")
        time.sleep(0.05)
    return time.monotonic() - began

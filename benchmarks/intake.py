"""`apoyo bench intake`: CPU that the API takes to take a support in, and how much of it is hashing and sealing its bytes.

The API alone, without workers; one request after another over a kept connection, so that nothing waits for anything.
"""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.load.bodies import MEDIA_TYPE, PARTS, Stock
from benchmarks.load.client import BROKEN, Client
from benchmarks.load.histogram import Histogram
from benchmarks.load.processes import ServiceProcesses
from pipeline.blobs.sealing import Keyring
from pipeline.settings import Settings, child_environment

START_SECONDS = 60.0
WARM = 10
ROUNDS = 5
"""Over which hashing and sealing are averaged."""


def measure_intake(settings: Settings, folders: Sequence[Path], count: int) -> dict[str, Any]:
    """Figures of `count` supports. Raises RuntimeError where one is not taken in."""
    stock = Stock(folders, ["demo"])
    with subprocess.Popen([sys.executable, "-m", "api"], env=child_environment(settings)) as api:
        try:
            return asyncio.run(_measure(settings, stock, count)) | {"body_bytes": stock.mean_bytes} | necessary(folders)
        finally:
            api.terminate()


async def _measure(settings: Settings, stock: Stock, count: int) -> dict[str, Any]:
    url = f"http://{settings.api.host}:{settings.api.port}"
    await _until_ready(Client(url, ""))
    client = Client(url, settings.storage.client_secret_file.read_text().strip())
    processes, took = ServiceProcesses(str(settings.storage.data_dir)), Histogram()
    for _ in range(WARM):
        await _send(client, stock)
    before = processes.look()["api"].cpu
    for _ in range(count):
        begun = time.perf_counter()
        await _send(client, stock)
        took.record(time.perf_counter() - begun)
    cpu = processes.look()["api"].cpu - before
    return {"supports": count, "cpu_ms": round(1000 * cpu / count, 2), "intake": took.summary()}


async def _send(client: Client, stock: Stock) -> None:
    key, pieces = stock.draw()
    reply = await client.request("POST", "/v1/supports", {"Idempotency-Key": key, "Content-Type": MEDIA_TYPE}, pieces)
    if reply.status != 202:
        raise RuntimeError(f"not taken in: {reply.status} {reply.body[:300]!r}")


async def _until_ready(client: Client) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            if (await client.request("GET", "/readyz")).status == 200:
                return
        except BROKEN:
            await asyncio.sleep(0.1)
    raise RuntimeError("the API did not get ready")


def necessary(folders: Sequence[Path]) -> dict[str, float]:
    """Milliseconds of CPU to hash a support's parts once and to seal them, here and now: means over the supports."""
    key, _ = Keyring(bytes(32)).new_key("a")
    supports = [[next(folder.glob(f"{part}.*")).read_bytes() for part in PARTS] for folder in folders]
    return {"hashing_ms": _mean_ms(supports, lambda data: hashlib.sha256(data).digest()),
            "sealing_ms": _mean_ms(supports, lambda data: key.seal("front", 1, data))}


def _mean_ms(supports: Sequence[Sequence[bytes]], work: Callable[[bytes], bytes]) -> float:
    begun = time.process_time()
    for _ in range(ROUNDS):
        for parts in supports:
            for data in parts:
                work(data)
    return round((time.process_time() - begun) * 1000 / ROUNDS / len(supports), 2)

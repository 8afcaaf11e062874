"""`apoyo bench intake`: CPU that the API takes to take a support in, and how much of it is hashing and sealing its bytes.

The API alone, without workers; one request after another over a kept connection, so that nothing waits for anything. Three ways:
the bytes by the API into a folder, by the API into an S3 store, and past the API into that store, by a client that seals.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import urllib3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.load.bodies import MEDIA_TYPE, PARTS, Stock
from benchmarks.load.client import BROKEN, Client
from benchmarks.load.histogram import Histogram
from benchmarks.load.processes import ServiceProcesses
from pipeline.blobs.sealing import KEY_BYTES, Keyring
from pipeline.settings import Settings, child_environment

START_SECONDS = 60.0
WARM = 10
ROUNDS = 5
"""Over which hashing and sealing are averaged."""


def measure_intake(settings: Settings, folders: Sequence[Path], count: int, *, past_the_api: bool = False) -> dict[str, Any]:
    """Figures of `count` supports. past_the_api: the client puts the pictures into the store; needs one that speaks S3.

    Raises RuntimeError where one is not taken in.
    """
    stock = Stock(folders, ["demo"])
    with subprocess.Popen([sys.executable, "-m", "api"], env=child_environment(settings)) as api:
        try:
            figures = asyncio.run(_measure(settings, ByTheApi(stock) if not past_the_api else PastTheApi(folders), count))
        finally:
            api.terminate()
    return figures | {"body_bytes": stock.mean_bytes}


class Way(Protocol):
    """How one support is sent: the seconds that the API's answers took, together."""

    async def send(self, client: Client) -> float: ...


async def _measure(settings: Settings, way: Way, count: int) -> dict[str, Any]:
    url = f"http://{settings.api.host}:{settings.api.port}"
    await _until_ready(Client(url, ""))
    client = Client(url, settings.storage.client_secret_file.read_text().strip())
    processes, took = ServiceProcesses(str(settings.storage.data_dir)), Histogram()
    for _ in range(WARM):
        await way.send(client)
    before = processes.look()["api"].cpu
    for _ in range(count):
        took.record(await way.send(client))
    cpu = processes.look()["api"].cpu - before
    return {"supports": count, "cpu_ms": round(1000 * cpu / count, 2), "intake": took.summary()}


class ByTheApi:
    """The whole form to the API."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock

    async def send(self, client: Client) -> float:
        key, pieces = self._stock.draw()
        return await _asked(client, "/v1/supports", {"Idempotency-Key": key, "Content-Type": MEDIA_TYPE}, pieces, 202)


class PastTheApi:
    """Sealed pictures to the store; where to, and that they are there, to the API."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._supports = itertools.cycle(
            [{part: next(folder.glob(f"{part}.*")).read_bytes() for part in PARTS} for folder in folders])
        self._store = urllib3.PoolManager()

    async def send(self, client: Client) -> float:
        key, pictures = secrets.token_bytes(KEY_BYTES), next(self._supports)
        sealed = {part: _sealed(key, part, data) for part, data in pictures.items()}
        told = {part: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(),
                       "sealed_sha256": hashlib.sha256(sealed[part]).hexdigest()} for part, data in pictures.items()}
        asked = json.dumps({"key": base64.urlsafe_b64encode(key).decode().rstrip("="), "parts": told}).encode()
        begun = time.perf_counter()
        reply = await client.request("POST", "/v1/uploads", {"Content-Type": "application/json"}, [asked])
        planned = time.perf_counter() - begun
        upload = json.loads(reply.body)
        for part, place in upload["parts"].items():
            put = self._store.request("PUT", place["url"], body=sealed[part], headers=place["headers"])
            if put.status != 200:
                raise RuntimeError(f"not put: {put.status} {put.data[:300]!r}")
        commit = json.dumps({"upload": upload["id"], "support": '{"process":"demo"}'}).encode()
        headers = {"Idempotency-Key": upload["id"], "Content-Type": "application/json"}
        return planned + await _asked(client, "/v1/supports", headers, [commit], 202)


def _sealed(key: bytes, part: str, data: bytes) -> bytes:
    """As docs/api.md says."""
    nonce = secrets.token_bytes(12)
    return b"AP2" + nonce + AESGCM(key).encrypt(nonce, data, f"{part}|1".encode())


async def _asked(client: Client, path: str, headers: Mapping[str, str], pieces: Sequence[bytes], wanted: int) -> float:
    begun = time.perf_counter()
    reply = await client.request("POST", path, headers, pieces)
    if reply.status != wanted:
        raise RuntimeError(f"not taken in: {reply.status} {reply.body[:300]!r}")
    return time.perf_counter() - begun


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

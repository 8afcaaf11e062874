"""What reuse costs: fingerprints a support, and a look-up among so many, each part alone; memory. Drawn prints, real code."""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sqlalchemy import insert

from pipeline.blobs.sealing import Keyring
from pipeline.domain.capture import Capture, Part
from pipeline.domain.evidence import Fingerprints
from pipeline.domain.reuse import Limits
from pipeline.domain.support import State, SupportInfo
from pipeline.records import tables
from pipeline.records.clients import add_client, new_secret
from pipeline.records.engine import open_engine, reading, upgrade, writing
from pipeline.records.reuse import Registered, exact_neighbours
from pipeline.reuse import open_prints
from pipeline.reuse_index import ReuseIndex
from pipeline.stages.fingerprint import Seen, fingerprints
from pipeline.stages.surroundings import surroundings

LOOK_UPS, WARM = 50, 5
SIDE = (1080, 1712)
"""Rows and columns of a rectified side."""
SIGNATURE = (213, 512)
PHOTO = (1500, 2000)
"""Rows and columns of a card's photograph, of which what lies around the card is looked at."""
SHARED = 0.24
"""Chance that a bit of a side's hash differs from what its model's print gives: two cards of one model then differ in 37 %
of the bits, as drawn ones do."""
AT_ONCE = 20_000


def run_reuse(count: int, limits: Limits, say: Callable[[str], None]) -> dict[str, Any]:
    """Milliseconds of everything that reuse adds to a support."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(20_261)
    say(f"filling an index with {count} supports …")
    before = _resident_mb()
    index, last = ReuseIndex(limits), _drawn(rng)
    filled = 0.0
    for number in range(count):
        last = _drawn(rng)
        start = time.thread_time()
        index.add(str(uuid.UUID(int=number + 1)), "demo", last)
        filled += time.thread_time() - start
    result: dict[str, Any] = {"supports": count, "index_mb": round(_resident_mb() - before),
                              "add_us": round(1e6 * filled / count, 1)}
    asking = str(uuid.UUID(int=0))
    questions = {
        "pictures": Fingerprints({}, last.perceptual, None, None), "faces": Fingerprints({}, {}, last.face, None), "all": last}
    for name, prints in questions.items():
        found = index.look_up(asking, "demo", prints)
        if str(uuid.UUID(int=count)) not in {one.support_id for one in found}:
            raise AssertionError(f"{name}: the support that was asked for was not found")
        result[name] = _timed(partial(index.look_up, asking, "demo", prints))
        say(f"{name}: {result[name]}")
    result["rebuild"] = _opened(last)
    result["load average"] = [round(one, 1) for one in os.getloadavg()]
    result["card and files"] = _rows(count, say)
    result["fingerprints"] = _fingerprints(rng)
    say(f"fingerprints: {result['fingerprints']}")
    return result


def _drawn(rng: np.random.Generator) -> Fingerprints:
    """Sides around one model's print, which may as well be all zeros; drawings and faces around nothing."""
    own = {part.value: _bits(rng, SHARED if part in (Part.FRONT, Part.BACK) else 0.5) for part in Part}
    face = rng.standard_normal(128).astype(np.float32)
    return Fingerprints({}, own, tuple((face / np.linalg.norm(face)).tolist()), None)


def _bits(rng: np.random.Generator, chance: float) -> int:
    return int.from_bytes(np.packbits(rng.random(512, np.float32) < chance).tobytes(), "big")


def _timed(call: Callable[[], object]) -> dict[str, float]:
    """Of this thread's CPU and of the clock: on a busy machine the first says what the work costs."""
    for _ in range(WARM):
        call()
    cpu, wall = [], []
    for _ in range(LOOK_UPS):
        start, start_cpu = time.perf_counter(), time.thread_time()
        call()
        cpu.append(1e3 * (time.thread_time() - start_cpu))
        wall.append(1e3 * (time.perf_counter() - start))
    return {"cpu_ms_median": round(float(np.median(cpu)), 2), "cpu_ms_p95": round(float(np.quantile(cpu, 0.95)), 2),
            "ms_median": round(float(np.median(wall)), 2), "ms_p95": round(float(np.quantile(wall, 0.95)), 2)}


def _rows(count: int, say: Callable[[str], None]) -> dict[str, float]:
    """Equal cards and files among as many rows of SQLite."""
    keyring = Keyring(bytes(32))
    say(f"filling a database with {count} supports …")
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'bench.sqlite3'}")
        upgrade(engine)
        client = add_client(engine, "bench", new_secret()).id
        for first in range(1, count + 1, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, count + 1))
            ids = [str(uuid.UUID(int=number)) for number in numbers]
            with writing(engine) as connection:
                connection.execute(insert(tables.supports), [
                    {"id": one, "client_id": client, "process": "demo", "policy_version": "demo-1", "as_of": "2026-11-24",
                     "state": State.ACCEPTED.value, "round": 1, "version": 1, "received_at": 0, "updated_at": 0} for one in ids])
                connection.execute(insert(tables.parts), [
                    {"support_id": one, "part": "front", "version": 1, "sha256": keyring.search_digest(one), "size": 1,
                     "blob_key": one} for one in ids])
                connection.execute(insert(tables.support_keys), [
                    {"support_id": one, "kek_id": keyring.kek_id, "wrapped": b"", "created_at": 0} for one in ids])
                connection.execute(insert(tables.fingerprints), [
                    {"support_id": one, "round": 1, "seq": number, "card": keyring.search_digest(f"card {one}")}
                    for one, number in zip(ids, numbers, strict=True)])
        asked = str(uuid.UUID(int=count // 2))

        def look_up() -> int:
            with reading(engine) as connection:
                return len(exact_neighbours(connection, str(uuid.UUID(int=0)), "demo", [keyring.search_digest(asked)] * 4,
                                            keyring.search_digest(f"card {asked}")))

        if look_up() != 2:
            raise AssertionError("the card and the file that were asked for were not found")
        took = _timed(look_up)
        engine.dispose()
    say(f"card and files: {took}")
    return took


def _opened(prints: Fingerprints) -> dict[str, float]:
    """Of one row, as an index reads it when it starts: unwrapped, opened, parsed."""
    keyring, support_id = Keyring(bytes(32)), str(uuid.UUID(int=1))
    key, wrapped = keyring.new_key(support_id)
    row = Registered(1, support_id, 1, "demo", key.seal("fingerprints", 1, json.dumps(asdict(prints)).encode()), wrapped)
    return _timed(lambda: open_prints(keyring, row))


def _fingerprints(rng: np.random.Generator) -> dict[str, float]:
    """As the worker makes them: the digests are known from the rows."""
    front, back = (rng.integers(0, 255, SIDE, dtype=np.uint8) for _ in range(2))
    ink = np.zeros(SIGNATURE, np.uint8)
    cv2.polylines(ink, [rng.integers(20, 200, (200, 2)).cumsum(axis=1).astype(np.int32)], False, 255, 3)
    face = rng.standard_normal(128).astype(np.float32)
    capture = Capture(b"", b"", b"", b"", SupportInfo(), dict.fromkeys(Part, "0" * 64))
    photo = rng.integers(0, 255, (*PHOTO, 3), dtype=np.uint8)
    quad = np.array([[400, 400], [1600, 400], [1600, 1157], [400, 1157]], np.float64)
    return _timed(lambda: fingerprints(capture, Seen(front, back, ink), face, face, {}, surroundings(photo, quad)))


def _resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

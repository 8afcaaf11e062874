"""Nothing of a support lies in plain anywhere: canaries planted in all that a phone sends, and a search of all that is left behind."""

from __future__ import annotations

import json
import os
import re
import struct
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.cli.serve import running_service
from pipeline.records.erasures import LEDGER
from pipeline.settings import ApiSettings, DeliverySettings, Settings, StorageSettings, WorkerSettings
from tests.leaks import PIECE, SHARED_MEMORY, Leak, files_under, find, shared_memory_of, ways
from tests.system.processes import processes_naming, until

pytestmark = pytest.mark.system
EXIF, GATHERER, EMAIL, STROKE = "CANARY-of-a-camera-19.4326N", "CANARIO-Gatherer-Perez", "canary.citizen@example.org", "918273.6451"
"""EXIF: also stands for the place, which lies in the same block."""
LONG_ENOUGH = 8
"""Characters: a shorter text that was read from the card would be found by chance."""


def with_exif(jpeg: bytes) -> bytes:
    """An APP1 block with a description and a GPS date, put first, as a phone does."""
    text = EXIF.encode() + b"\0"
    tiff = (b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 2)
            + struct.pack("<HHII", 0x010E, 2, len(text), 38) + struct.pack("<HHII", 0x8825, 4, 1, 38 + len(text)) + struct.pack("<I", 0)
            + text + struct.pack("<H", 1) + struct.pack("<HHII", 0x001D, 2, 11, 0) + struct.pack("<I", 0))
    block = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


@dataclass
class Scene:
    """What was left behind: files while the service runs and after it, its metrics, and the canaries."""

    folder: Path
    canaries: set[str]
    running: list[Leak]
    after: list[Leak]
    metrics: str
    resource: dict[str, Any]
    core_limits: set[str]
    searched: int


def read_texts(resource: dict[str, Any]) -> set[str]:
    """All that the service itself read from the card: names, address, numbers, lines of the MRZ, the QR's text."""
    found = {str(field["value"]) for field in resource["fields"].values() if isinstance(field, dict) and field.get("value")}
    found |= {value for value in resource["fields"].values() if isinstance(value, str)}
    found |= set((resource["mrz"] or {}).get("lines") or ())
    found |= {code["text"] for code in resource["codes"] if code.get("text")}
    return {text for text in found if len(text) >= LONG_ENOUGH}


def ray_folders(folder: Path) -> set[Path]:
    sessions = {Path(one) for line in processes_naming(str(folder)) for one in re.findall(r"(/[^\s\\\\=]*?/session_[0-9_-]+)", line)}
    return {session for session in sessions if session.is_dir()}


def limits_of(folder: Path) -> set[str]:
    """The limit of a core dump of each process of ours."""
    found = set()
    for line in processes_naming(str(folder)):
        if any(word in line for word in ("Verifier", "IndexServer", "-m api", "api.deliver", "pipeline.cli.work")):
            limits = Path(f"/proc/{line.split()[0]}/limits").read_text()
            found.add(re.findall(r"Max core file size\s+(\S+)\s+(\S+)", limits)[0])
    return {" ".join(pair) for pair in found}


@pytest.fixture(scope="module")
def scene(cases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("leaks")
    begun = time.time()
    parts = {path.stem: path.read_bytes() for path in cases["good"].iterdir() if path.suffix in (".jpg", ".jpeg", ".png")
             and path.stem in ("front", "back", "selfie", "signature")}
    for name in ("front", "back", "selfie"):
        parts[name] = with_exif(parts[name])
    told = json.loads((cases["good"] / "support.json").read_text())
    told |= {"gatherer": f"{GATHERER} {EMAIL}", "strokes": [[{"x": float(STROKE), "y": 1.0}, {"x": 2.0, "y": float(STROKE)}]]}
    told.pop("device", None)
    settings = Settings(
        storage=StorageSettings(data_dir=folder / "var"), api=ApiSettings(port=0), worker=WorkerSettings(count=1),
        delivery=DeliverySettings(allow_loopback=True))
    with running_service(settings, log_file=folder / "log") as service, httpx.Client(
            base_url=service.url, headers={"Authorization": f"Bearer {service.secret}"}, timeout=30) as client:
        files = [*((name, (name, data)) for name, data in parts.items()), ("support", ("support", json.dumps(told).encode()))]
        answer = client.post("/v1/supports", files=files, headers={"Idempotency-Key": str(uuid.uuid4())})
        assert answer.status_code == 202, answer.text
        place = answer.headers["location"]
        resource = until(lambda: one if (one := client.get(place).json())["verdict"] else None)
        client.post("/v1/supports", files=[("front", ("front", parts["front"]))], headers={"Idempotency-Key": EMAIL})
        client.get(f"/v1/supports/{EMAIL}")
        canaries = {EXIF, GATHERER, EMAIL, STROKE} | read_texts(resource)
        sessions = ray_folders(folder)
        assert sessions, "Ray's folder is known"
        pids = [int(line.split()[0]) for line in processes_naming(str(folder))]
        places = [*files_under([folder, *sessions]), *files_under([SHARED_MEMORY, Path(tempfile.gettempdir())], begun),
                  *shared_memory_of(pids)]
        running, metrics, limits = find(_ours(places), canaries), client.get("/metrics").text, limits_of(folder)
    left = [*files_under([folder, *sessions]), *files_under([SHARED_MEMORY, Path(tempfile.gettempdir())], begun)]
    yield Scene(folder, canaries, running, find(_ours(left), canaries), metrics, resource, limits, len(places))


def _ours(places: list[Path]) -> list[Path]:
    """Not the pictures that this test run draws and sends from."""
    drawn = f"{os.path.realpath(tempfile.gettempdir())}/pytest-of-"
    return [place for place in dict.fromkeys(places) if not str(place).startswith(drawn) or any(
        part.startswith("leaks") for part in place.parts)]


def test_the_support_was_read_and_there_is_much_to_look_for(scene: Scene) -> None:
    assert scene.resource["verdict"] == "accepted", scene.resource["reasons"]
    assert len(scene.canaries) >= 10
    assert scene.searched > 20


def test_nothing_is_in_plain_while_it_runs_nor_after(scene: Scene) -> None:
    assert scene.running == []
    assert scene.after == []


def test_nothing_is_in_the_metrics(scene: Scene) -> None:
    assert "apoyo_verdicts_total" in scene.metrics
    assert not [canary for canary in scene.canaries if canary in scene.metrics]


def test_no_process_dumps_its_memory(scene: Scene) -> None:
    assert scene.core_limits <= {"1 1", "0 0"} and scene.core_limits, scene.core_limits


@pytest.mark.parametrize("way", ["plain", "utf-16", "hex", "base64 0", "base64 1", "base64 2", "across two pieces"])
def test_the_search_finds_what_is_planted_by_hand(tmp_path: Path, way: str) -> None:
    planted = ways(GATHERER)["plain" if way == "across two pieces" else way]
    before = PIECE - 5 if way == "across two pieces" else 1000
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(os.urandom(before) + planted + os.urandom(100))
    assert {leak.canary for leak in find(files_under([tmp_path]), [GATHERER, EMAIL])} == {GATHERER}


def test_the_pictures_as_sent_hold_the_canaries(cases: dict[str, Path], tmp_path: Path) -> None:
    """So a picture that was kept as it came would be found."""
    front = next(path for path in cases["good"].iterdir() if path.stem == "front")
    (tmp_path / LEDGER).write_bytes(with_exif(front.read_bytes()))
    assert [leak.canary for leak in find(files_under([tmp_path]), [EXIF])] == [EXIF]

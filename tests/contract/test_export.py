"""Access: all that is held on a citizen comes out in plain, nothing of anybody else, and the trail says so."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from pipeline.errors import Conflict, NotFound
from pipeline.records import tables
from pipeline.records.engine import writing
from pipeline.records.erasures import Asked, erase
from pipeline.records.export import Exported, export_support
from pipeline.records.receipts import Cause, read_receipt
from pipeline.records.storage import Storage, open_key, store_part
from pipeline.records.supports import get_support
from pipeline.settings import WorkerSettings
from pipeline.worker import Worker
from tests.contract.judges import judge
from tests.contract.record_makers import PICTURES, insert_one


def contents(file: Path) -> dict[str, Any]:
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        return {name: json.loads(archive.read(name)) if name.endswith(".json") else archive.read(name) for name in archive.namelist()}


def test_everything_of_every_round_is_in_it(storage: Storage, client: str, tmp_path: Path) -> None:
    one, other = insert_one(storage, client), insert_one(storage, client)
    assert [Worker(storage, judge(), WorkerSettings(), "w").run_once() for _ in range(2)] == [1, 1]
    record = get_support(storage.engine, one)
    again = store_part(storage.blobs, open_key(storage, record), "back", 2, b"the back again")
    with writing(storage.engine) as connection:
        connection.execute(insert(tables.parts).values(
            support_id=one, part="back", version=2, sha256=again.sha256, size=again.size, blob_key=again.blob_key))
    assert export_support(storage, one, tmp_path / "out.zip").missing == 0
    assert (tmp_path / "out.zip").stat().st_mode & 0o777 == 0o600
    found = contents(tmp_path / "out.zip")
    assert {found[f"capturas/{part}.1.jpg"] for part in PICTURES} == set(PICTURES.values())
    assert (found["capturas/back.2.jpg"], found["capturas/info.1.json"]) == (b"the back again", {})
    assert found["resultados/1.json"]["id"] == one and found["resultados/1.json"]["fields"]
    assert set(found["huellas/1.json"]) == {"part_sha256", "perceptual", "face", "card_key", "background"}
    assert [event["kind"] for event in found["eventos.json"]] == ["support.received", "support.decided"]
    assert [row["action"] for row in found["bitacora.json"]] == ["support.received", "support.decided", "support.exported"]
    assert found["apoyo.json"]["rounds"][0]["outcome"] == "accepted" and found["faltantes.json"] == {}
    assert other not in json.dumps({name: value for name, value in found.items() if name.endswith(".json")}), "whom it is like is not told"


def test_what_is_gone_is_named_and_the_rest_comes(storage: Storage, client: str, tmp_path: Path) -> None:
    one = insert_one(storage, client)
    storage.blobs.delete(next(part.blob_key for part in get_support(storage.engine, one).parts if part.part == "front"))
    assert export_support(storage, one, tmp_path / "out.zip").missing == 1
    found = contents(tmp_path / "out.zip")
    assert found["faltantes.json"] == {"capturas/front.1": "part_missing"}
    assert found["capturas/back.1.jpg"] == PICTURES["back"]


def test_of_what_was_erased_the_receipt_is_left(storage: Storage, client: str, tmp_path: Path) -> None:
    one = insert_one(storage, client)
    signed = erase(storage, Asked(one, Cause.ASKED, "operator"))
    assert export_support(storage, one, tmp_path / "out.zip") == Exported(6, 0)
    found = contents(tmp_path / "out.zip")
    assert read_receipt(json.dumps(found["recibo.json"])) == read_receipt(signed)
    assert not [name for name in found if "/" in name]


def test_nothing_is_written_over_and_nothing_is_made_for_nobody(storage: Storage, client: str, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("kept")
    with pytest.raises(Conflict):
        export_support(storage, insert_one(storage, client), tmp_path / "there")
    assert (tmp_path / "there").read_text() == "kept"
    with pytest.raises(NotFound):
        export_support(storage, "0192f000-0000-7000-8000-000000000000", tmp_path / "new")
    assert not (tmp_path / "new").exists()

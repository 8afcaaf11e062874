"""The outside checker finds nothing wrong with a sound store, and names each harm that is done to one."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.supports.form import SupportForm
from api.supports.service import Intake
from benchmarks.chaos.checker import Checker, in_plain
from benchmarks.chaos.history import PARTS, read_history
from benchmarks.chaos.load import jpeg
from benchmarks.chaos.places import Embedded
from benchmarks.chaos.standin import judge
from pipeline.clock import utc_now
from pipeline.domain.capture import Part
from pipeline.domain.support import SupportInfo
from pipeline.records.storage import open_storage
from pipeline.settings import WorkerSettings
from pipeline.worker import Worker
from tests.contract.record_makers import client_in

COUNT = 4


class Store:
    """Supports that were taken in and judged, with the history that their sender wrote."""

    def __init__(self, folder: Path) -> None:
        self.place, self.events, self.ids = Embedded(folder), list[dict[str, Any]](), list[str]()
        storage = open_storage(self.place.settings())
        client, intake = client_in(storage.engine), Intake(storage, utc_now)
        for number in range(COUNT):
            pictures = {name: jpeg(f"{name} {number}") for name in PARTS}
            words = json.dumps({"gatherer": f"G{number}"})
            form = SupportForm({Part(name): data for name, data in pictures.items()}, SupportInfo.parse(words.encode()), words.encode())
            self.ids.append(intake.receive(client, f"k{number}", form).id)
            digests = {name: hashlib.sha256(data).hexdigest() for name, data in pictures.items()}
            self.event("plan", number, parts=digests, words=words, poison="")
            self.event("send", number, n=number)
            self.event("answer", number, n=number, status=202, id=self.ids[-1], retry=False)
        worker = Worker(storage, judge(), WorkerSettings(), "w")
        while worker.run_once():
            pass
        storage.engine.dispose()
        self.event("end", 0)

    def event(self, do: str, number: int, **values: Any) -> None:
        self.events.append({"at": float(len(self.events)), "do": do, "key": f"k{number}", **values})

    def twice(self) -> None:
        """The first key is acknowledged once more, as the second support."""
        self.event("send", 0, n=9)
        self.event("answer", 0, n=9, status=202, id=self.ids[1], retry=False)

    def sql(self, statement: str, *numbers: int) -> None:
        """`?` stands for the id of the support with that number."""
        with sqlite3.connect(self.place.folder / "var" / "apoyo.sqlite3") as connection:
            assert connection.execute(statement, [self.ids[number] for number in numbers]).rowcount >= 1
        connection.close()

    def blob(self, number: int, part: str) -> Path:
        return next((self.place.folder / "var" / "blobs").rglob(f"{self.ids[number]}/{part}.*"))

    def broken(self, damaged: frozenset[str] = frozenset()) -> set[str]:
        told = read_history(map(json.dumps, self.events))
        report = Checker(told, self.place.database(), self.place.objects(), self.place.settings().key_file, damaged).check()
        return {name for name, found in report.violations.items() if found}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_a_sound_store_has_nothing_wrong(store: Store) -> None:
    assert store.broken() == set()


HARMS: dict[str, tuple[set[str], Callable[[Store], object]]] = {
    "a row lost": ({"I1"}, lambda store: store.sql("DELETE FROM parts WHERE support_id = ? AND part = 'back'", 0)),
    "an object lost": ({"I1"}, lambda store: store.blob(1, "selfie").unlink()),
    "an object cut": ({"I1"}, lambda store: store.blob(1, "front").write_bytes(store.blob(1, "front").read_bytes()[:-1])),
    "words lost": ({"I1"}, lambda store: store.blob(2, "info").unlink()),
    "objects swapped": ({"I1"}, lambda store: store.blob(0, "back").write_bytes(store.blob(1, "back").read_bytes())),
    "a key lost": ({"I1", "I6"}, lambda store: store.sql("DELETE FROM support_keys WHERE support_id = ?", 0)),
    "no verdict": ({"I2"}, lambda store: store.sql("DELETE FROM verdicts WHERE support_id = ?", 3)),
    "an event lost": ({"I2"}, lambda store: store.sql("DELETE FROM outbox WHERE kind = 'support.decided' AND subject_id = ?", 3)),
    "an event twice": ({"I2"}, lambda store: store.sql("INSERT INTO outbox (id, kind, subject_id, body, created_at) SELECT 'other', kind, "
                                                       "subject_id, body, created_at FROM outbox WHERE kind = 'support.decided' AND subject_id = ?", 3)),
    "a trail cut": ({"I2"}, lambda store: store.sql("DELETE FROM audit WHERE action = 'support.decided' AND subject_id = ?", 0)),
    "an owner who reads another verdict": ({"I2"}, lambda store: store.event("read", 0, id=store.ids[0], status=200, verdict="other", texts=[])),
    "an owner who is told it is not there": ({"I2"}, lambda store: store.event("read", 0, id=store.ids[0], status=404, verdict=None, texts=[])),
    "a support nobody sent": ({"I3"}, lambda store: store.sql("UPDATE idempotency SET key = 'invented' WHERE key = 'k1'")),
    "a support without a request": ({"I3"}, lambda store: store.sql("DELETE FROM idempotency WHERE key = 'k1'")),
    "one key, two supports": ({"I3"}, lambda store: store.twice()),
    "another body taken": ({"I1"}, lambda store: store.event("mismatch", 0, status=202)),
    "an old fence": ({"I4"}, lambda store: store.sql("UPDATE verdicts SET fence = fence - 1 WHERE support_id = ?", 0)),
    "another's verdict": ({"I6"}, lambda store: store.sql(
        "UPDATE verdicts SET sealed = (SELECT sealed FROM verdicts WHERE support_id = ?) WHERE support_id = ?", 1, 0)),
    "a verdict of other pictures": ({"I6"}, lambda store: store.sql(
        "UPDATE verdicts SET outcome = CASE outcome WHEN 'review' THEN 'rejected' ELSE 'review' END WHERE support_id = ?", 0)),
    "an owner who reads another's texts": ({"I6"}, lambda store: store.event(
        "read", 0, id=store.ids[0], status=200, verdict=None, texts=["of", "some", "body", "else"])),
}


@pytest.mark.parametrize("harm", HARMS)
def test_each_harm_is_named(store: Store, harm: str) -> None:
    expected, do = HARMS[harm]
    do(store)
    assert store.broken() == expected


def test_what_was_damaged_on_purpose_must_not_have_been_judged(store: Store) -> None:
    assert store.broken(frozenset(store.ids[:1])) == {"I2"}


def test_a_history_without_its_end_says_nothing(store: Store) -> None:
    store.events = [event for event in store.events if event["do"] != "end"]
    with pytest.raises(ValueError, match="no end"):
        store.broken()


@pytest.mark.parametrize("form", [b"CANARY", b"CANARY".hex().encode(), "CANARY".encode("utf-16-le")])
def test_what_is_in_plain_is_found_also_across_pieces(tmp_path: Path, form: bytes) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "found").write_bytes(b"\0" * ((1 << 20) - 3) + form + b"\0")
    (tmp_path / "clean").write_bytes(b"canary")
    assert list(in_plain(b"CANARY", tmp_path)) == [str(tmp_path / "a" / "found")]

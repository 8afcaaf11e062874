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
from api.supports.rounds import Rounds
from api.supports.service import Intake
from benchmarks.chaos.checker import Checker, in_plain
from benchmarks.chaos.history import PARTS, RETAKE, expected_outcome, read_history
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

COUNT, ASKED = 5, 4


def a_picture(number: int) -> bytes:
    """Whose verdict is `retake` for ASKED, and another for the others."""
    return next(picture for picture in iter(lambda: jpeg(f"x{number}"), b"")
                if (expected_outcome(hashlib.sha256(picture).hexdigest()) == RETAKE) == (number == ASKED))


class Store:
    """Supports that were taken in and judged, with the history that their sender wrote."""

    def __init__(self, folder: Path) -> None:
        self.place, self.events, self.ids = Embedded(folder), list[dict[str, Any]](), list[str]()
        storage = open_storage(self.place.settings())
        client, intake = client_in(storage.engine), Intake(storage, utc_now)
        for number in range(COUNT):
            pictures = {name: a_picture(number) if name == "front" else jpeg(f"{name} {number}") for name in PARTS}
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
        self._again(Rounds(storage), client, worker)
        for support_id, round_, outcome in self.place.database().rows("SELECT support_id, round, outcome FROM verdicts"):
            self.hook(support_id, round_, outcome)
        storage.engine.dispose()
        self.event("end", 0)

    def _again(self, rounds: Rounds, client: str, worker: Worker) -> None:
        """The one with the number ASKED is asked for another back, which comes; and another, in whose place a person is wished for."""
        back = a_picture(ASKED)
        digest = hashlib.sha256(back).hexdigest()
        self.event("again", 9, of=f"k{ASKED}", id=self.ids[ASKED], round=2, sha256=digest, acked=False)
        self.event("send", 9, n=99)
        assert rounds.retake(client, self.ids[ASKED], Part.BACK, "k9", back) == 2
        self.event("answer", 9, n=99, status=202, id=self.ids[ASKED], retry=False)
        assert worker.run_once() == 1
        rounds.ask_for_person(client, self.ids[ASKED])
        self.event("again", 8, of=f"k{ASKED}", id=self.ids[ASKED], round=3, sha256="", acked=True)

    def hook(self, support_id: str, round_: int, outcome: str, **changed: Any) -> None:
        self.event("hook", 0, **{"taken": True, "id": f"e-{support_id}-{round_}", "kind": "support.decided", "support": support_id,
                                 "round": round_, "outcome": outcome, "body_sha256": "0", "valid": True, **changed})

    def unhook(self, round_: int) -> None:
        self.events = [event for event in self.events if not (
            event["do"] == "hook" and event["support"] == self.ids[ASKED] and event["round"] == round_)]

    def event(self, do: str, number: int, **values: Any) -> None:
        self.events.append({"at": float(len(self.events)), "do": do, "key": f"k{number}", **values})

    def twice(self) -> None:
        """The first key is acknowledged once more, as the second support."""
        self.event("send", 0, n=9)
        self.event("answer", 0, n=9, status=202, id=self.ids[1], retry=False)

    def refused(self) -> None:
        self.event("send", 9, n=100)
        self.event("answer", 9, n=100, status=409, code="retake_not_wanted", retry=False)

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
    "no verdict": ({"I2", "I3"}, lambda store: store.sql("DELETE FROM verdicts WHERE support_id = ?", 3)),
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
    "a verdict of other pictures": ({"I2", "I6"}, lambda store: store.sql(
        "UPDATE verdicts SET outcome = CASE outcome WHEN 'review' THEN 'rejected' ELSE 'review' END WHERE support_id = ?", 0)),
    "a retaken back lost": ({"I1"}, lambda store: store.sql("DELETE FROM parts WHERE support_id = ? AND part = 'back' AND version = 2", ASKED)),
    "a later round without a verdict": ({"I2", "I3"}, lambda store: store.sql("DELETE FROM verdicts WHERE support_id = ? AND round = 3", ASKED)),
    "a later round judged by another picture": ({"I2", "I6"}, lambda store: store.sql(
        "UPDATE verdicts SET outcome = 'accepted' WHERE support_id = ? AND round = 2", ASKED)),
    "a round nobody asked for": ({"I2", "I3", "I6"}, lambda store: store.sql("UPDATE verdicts SET round = 4 WHERE support_id = ? AND round = 3", ASKED)),
    "a retake that was refused": ({"I1"}, lambda store: store.refused()),
    "a wish that no row knows": ({"I2"}, lambda store: store.sql("UPDATE verdicts SET reasons = '[]' WHERE support_id = ? AND round = 3", ASKED)),
    "a last verdict of which no hook was told": ({"I2"}, lambda store: store.unhook(3)),
    "a last verdict that no hook took": ({"I2"}, lambda store: (store.unhook(3), store.hook(store.ids[ASKED], 3, "review", taken=False))),
    "a hook that was told twice": (set(), lambda store: store.hook(store.ids[ASKED], 3, "review")),
    "a retake that came before the hook was told of it": (set(), lambda store: store.unhook(1)),
    "a hook that was told as another event": ({"I2"}, lambda store: store.hook(store.ids[ASKED], 3, "review", id="other")),
    "a hook that was told another body": ({"I2"}, lambda store: store.hook(store.ids[ASKED], 3, "review", body_sha256="1")),
    "a hook that was told another outcome": ({"I2"}, lambda store: store.hook(store.ids[ASKED], 3, "accepted")),
    "a hook that was told of what is not there": ({"I3"}, lambda store: store.hook("nobody", 1, "accepted")),
    "a hook that was told without a signature": ({"I3"}, lambda store: store.hook(store.ids[ASKED], 3, "review", valid=False)),
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

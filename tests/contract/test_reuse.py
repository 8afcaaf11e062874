"""Reuse through real storage and workers: what is found, for whom, and that two copies in flight are both told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete, select, update

from pipeline import worker as pipeline_worker
from pipeline.blobs.sealing import Keyring
from pipeline.domain.capture import Capture, Part
from pipeline.domain.evidence import Evidence, Fingerprints
from pipeline.domain.reuse import Limits, Reuse
from pipeline.domain.support import State
from pipeline.domain.verdict import CheckName, Outcome, Verdict
from pipeline.judge import Judge
from pipeline.records import reuse as records_reuse
from pipeline.records import tables
from pipeline.records.engine import reading, writing
from pipeline.records.leases import JobKind, claim
from pipeline.records.processes import apply_process, read_process_file
from pipeline.records.reuse import forget
from pipeline.records.rounds import Retake, insert_retake
from pipeline.records.storage import INFO, Storage, open_key, open_verdict, store_part
from pipeline.records.supports import IdempotencyKey, finish, get_support, insert_support
from pipeline.reuse import Asked, FollowingIndex, Looked, Overtaken, ReuseSearch
from pipeline.settings import WorkerSettings
from pipeline.worker import Worker
from tests.contract.judges import judge
from tests.contract.record_makers import PICTURES, client_in, finished, new_support
from tests.unit.good_support import calibration, good_support

SETTINGS = WorkerSettings(count=1, lease_seconds=60, heartbeat_seconds=1, poll_seconds=0.01)
REUSE = (CheckName.REUSE_IMAGE, CheckName.REUSE_CARD, CheckName.REUSE_FACE, CheckName.REUSE_SIGNATURE)
ALICE, BEATRIZ = "alice", "beatriz"


def prints(seed: int) -> Fingerprints:
    """Of a support that has nothing in common with that of another seed."""
    rng = np.random.default_rng(seed)
    face = rng.normal(size=128)
    return Fingerprints({}, {part.value: int.from_bytes(rng.bytes(64), "big") for part in Part},
                        tuple((face / np.linalg.norm(face)).tolist()), rng.bytes(32).hex())


def between(a: Fingerprints, b: Fingerprints) -> tuple[float, ...]:
    """A face that is as near to both: a cosine of about 0.7 to either."""
    middle = np.add(a.face, b.face)
    return tuple((middle / np.linalg.norm(middle)).tolist())


class Scene:
    """Supports with chosen fingerprints, judged one by one by workers of one service."""

    def __init__(self, storage: Storage) -> None:
        self.storage, self.client = storage, client_in(storage.engine)
        self.shown: dict[bytes, Fingerprints] = {}
        self.index = FollowingIndex(storage, Limits.of(calibration()))

    def send(self, seen: Fingerprints, applicant: str | None = None, process: str = "demo", words: bytes = b"{}") -> str:
        """A support that waits; its front's bytes tell the stand-in for `examine` what to see."""
        new = new_support(self.storage, self.client)
        key = self.storage.keyring.unwrap(new.id, new.key)
        own = {"front": new.id.encode()} | ({} if words == b"{}" else {INFO: words})
        for one in own:
            self.storage.blobs.delete(next(part.blob_key for part in new.parts if part.part == one))
        stored = {one: store_part(self.storage.blobs, key, one, 1, data) for one, data in own.items()}
        mine = tuple(stored.get(part.part, part) for part in new.parts)
        self.shown[new.id.encode()] = seen
        return insert_support(self.storage.engine, replace(new, parts=mine, applicant=applicant, process=process))[0]

    def judge(self, before: Callable[[Capture], None] = lambda _capture: None) -> Judge:
        def examine(capture: Capture, *_: object) -> Evidence:
            before(capture)
            return replace(good_support(), fingerprints=self.shown[capture.front or b""])
        return replace(judge(), examine=examine)

    def worker(self, name: str = "w", before: Callable[[Capture], None] = lambda _capture: None) -> Worker:
        return Worker(self.storage, self.judge(before), SETTINGS, name, index=self.index)

    def outcome(self, support_id: str) -> tuple[Outcome | None, set[str]]:
        verdict = get_support(self.storage.engine, support_id).verdict
        return (None, set()) if verdict is None else (verdict.outcome, {code.split(":")[0] for code in verdict.reasons})

    def checks(self, support_id: str) -> dict[str, str]:
        told = json.loads(open_verdict(self.storage, get_support(self.storage.engine, support_id)) or b"")
        return {check["name"]: check["outcome"] for check in told["checks"] if check["name"] in REUSE}


def test_nothing_in_common_passes_every_check(storage: Storage) -> None:
    scene = Scene(storage)
    first, second = scene.send(prints(1)), scene.send(prints(2))
    worker = scene.worker()
    assert (worker.run_once(), worker.run_once()) == (1, 1)
    for support_id in (first, second):
        assert scene.outcome(support_id) == (Outcome.ACCEPTED, set())
        assert scene.checks(support_id) == NOTHING


NOTHING = dict.fromkeys(REUSE, "passed")
SAME: list[tuple[str, Callable[[Fingerprints, Fingerprints], Fingerprints], dict[CheckName, str], set[str]]] = [
    ("a photograph", lambda a, b: replace(b, perceptual={**b.perceptual, "back": a.perceptual["back"] ^ 0b111}, card_key=None),
     {CheckName.REUSE_IMAGE: "failed", CheckName.REUSE_CARD: "not_executed"}, {"reuse.image"}),
    ("a file", lambda _, b: replace(b, part_sha256={"selfie": sha256(PICTURES["selfie"]).hexdigest()}, card_key=None),
     {CheckName.REUSE_IMAGE: "failed", CheckName.REUSE_CARD: "not_executed"}, {"reuse.image"}),
    ("a photograph with other data", lambda a, b: replace(b, perceptual={**b.perceptual, "front": a.perceptual["front"]}),
     {CheckName.REUSE_IMAGE: "failed"}, {"reuse.data_differ"}),
    ("a card", lambda a, b: replace(b, card_key=a.card_key, face=None),
     {CheckName.REUSE_CARD: "failed", CheckName.REUSE_FACE: "not_executed"}, {"reuse.card"}),
    ("a card with another face", lambda a, b: replace(b, card_key=a.card_key), {CheckName.REUSE_CARD: "failed"},
     {"reuse.portrait_differs"}),
    ("a drawing", lambda a, b: replace(b, perceptual={**b.perceptual, "signature": a.perceptual["signature"]}),
     {CheckName.REUSE_SIGNATURE: "failed"}, {"reuse.signature"}),
    ("a face", lambda a, b: replace(b, face=between(a, b)), {CheckName.REUSE_FACE: "uncertain"}, set()),
    ("a portrait with other data", lambda a, b: replace(b, face=a.face),
     {CheckName.REUSE_FACE: "uncertain", CheckName.REUSE_IMAGE: "failed"}, {"reuse.data_differ"}),
]


@pytest.mark.parametrize(("change", "differing", "codes"), [row[1:] for row in SAME], ids=[row[0] for row in SAME])
def test_what_came_before_is_found(storage: Storage, change: Callable[[Fingerprints, Fingerprints], Fingerprints],
                                   differing: dict[CheckName, str], codes: set[str]) -> None:
    """A copy that arrives after the first was accepted goes to a person; the first stays accepted. A face alone is a lead."""
    scene = Scene(storage)
    first, second = scene.send(prints(1)), scene.send(change(prints(1), prints(2)))
    worker = scene.worker()
    worker.run_once()
    assert scene.outcome(first) == (Outcome.ACCEPTED, set())
    worker.run_once()
    assert scene.outcome(second) == (Outcome.REVIEW if codes else Outcome.ACCEPTED, codes)
    assert scene.checks(second) == {**NOTHING, **differing}
    assert scene.outcome(first) == (Outcome.ACCEPTED, set())


def test_a_duplicate_for_another_applicant_is_told_apart(storage: Storage) -> None:
    scene, worker = Scene(storage), Scene.worker
    scene.send(prints(1), ALICE)
    other, same = scene.send(prints(1), BEATRIZ), scene.send(prints(1), BEATRIZ)
    for _ in range(3):
        worker(scene).run_once()
    kinds = ("image", "card", "signature")
    assert scene.outcome(other) == (Outcome.REVIEW, {f"reuse.{kind}_other_applicant" for kind in kinds})
    assert scene.outcome(same) == (Outcome.REVIEW, {f"reuse.{kind}" for kind in kinds})


@pytest.mark.parametrize("everywhere", [False, True])
def test_other_processes_count_where_the_policy_says_so(storage: Storage, tmp_path: Path, everywhere: bool) -> None:
    file = tmp_path / "process.toml"
    file.write_text(f'id = "second"\nreuse_everywhere = {str(everywhere).lower()}\n')
    apply_process(storage.engine, read_process_file(file))
    scene = Scene(storage)
    scene.send(prints(1))
    second = scene.send(prints(1), process="second")
    worker = scene.worker()
    worker.run_once(), worker.run_once()
    assert scene.outcome(second)[0] is (Outcome.REVIEW if everywhere else Outcome.ACCEPTED)


def on(surface: float, seed: int) -> Fingerprints:
    """Of a support that has nothing in common with others but, perhaps, what it lies on."""
    return replace(prints(seed), background=(surface,) * 13)


OAK, MARBLE = 0.0, 9.0


@pytest.mark.parametrize(("policy", "gatherers", "surfaces", "told"), [
    ("background_supports = 2", "AAA", (OAK, OAK, OAK), {"reuse.background"}),
    ("background_supports = 3", "AAA", (OAK, OAK, OAK), set()),
    ("background_supports = 2", "AAA", (OAK, MARBLE, OAK), set()),
    ("background_supports = 2", "ABA", (OAK, OAK, OAK), set()),
    ("background_supports = 2", "   ", (OAK, OAK, OAK), set()),
    ("", "AAA", (OAK, OAK, OAK), set()),
    ("sender_supports = 2", "AAA", (OAK, MARBLE, OAK), {"reuse.sender"}),
    ("sender_supports = 3", "AAA", (OAK, MARBLE, OAK), set()),
    ("sender_supports = 2", "ABA", (OAK, MARBLE, OAK), set())])
def test_many_of_one_sender_on_one_surface_are_a_lead_where_the_policy_asks(
        storage: Storage, tmp_path: Path, policy: str, gatherers: str, surfaces: tuple[float, ...], told: set[str]) -> None:
    """The last of three is told, and neither of those before."""
    file = tmp_path / "process.toml"
    file.write_text(f'id = "second"\n{policy}\n')
    apply_process(storage.engine, read_process_file(file))
    scene = Scene(storage)
    sent = [scene.send(on(surface, seed), process="second", words=b"{}" if who == " " else json.dumps({"gatherer": who}).encode())
            for seed, (who, surface) in enumerate(zip(gatherers, surfaces, strict=True))]
    worker = scene.worker()
    for _ in sent:
        worker.run_once()
    assert [scene.outcome(one)[1] for one in sent] == [set(), set(), told]
    with reading(storage.engine) as connection:
        kept = {row.sender for row in connection.execute(select(tables.fingerprints.c.sender))}
    assert len(kept) == len(set(gatherers)) and not kept & {"A", "B"}, "whoever reads the rows is told of nobody"


def test_senders_of_other_processes_and_erased_supports_are_not_counted(storage: Storage, tmp_path: Path) -> None:
    file, words = tmp_path / "process.toml", b'{"gatherer": "A"}'
    file.write_text('id = "second"\nbackground_supports = 1\nsender_supports = 1\n')
    apply_process(storage.engine, read_process_file(file))
    scene = Scene(storage)
    scene.send(on(OAK, 1), words=words)
    gone = scene.send(on(OAK, 2), process="second", words=words)
    worker = scene.worker()
    worker.run_once(), worker.run_once()
    with writing(storage.engine) as connection:
        forget(connection, gone)
    last = scene.send(on(OAK, 3), process="second", words=words)
    worker.run_once()
    assert scene.outcome(last) == (Outcome.ACCEPTED, set())


def test_the_desk_s_record_names_the_neighbours_and_the_result_does_not(storage: Storage) -> None:
    scene = Scene(storage)
    first, second = scene.send(prints(1)), scene.send(prints(1))
    worker = scene.worker()
    worker.run_once(), worker.run_once()
    record = get_support(storage.engine, second)
    with reading(storage.engine) as connection:
        kept = connection.execute(select(tables.fingerprints.c.neighbours).where(
            tables.fingerprints.c.support_id == second)).scalar_one()
    key = open_key(storage, record)
    found = {(one["support_id"], one["kind"]) for one in json.loads(key.open("neighbours", 1, kept))}
    assert found == {(first, kind) for kind in ("image", "card", "face", "signature")}
    told = open_verdict(storage, record) or b""
    assert first.encode() not in told
    assert {(check["score"], check["threshold"]) for check in json.loads(told)["checks"] if check["name"] in REUSE} == {(None, None)}


def test_a_flood_of_copies_is_bounded_and_told(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of seven copies only the three newest others are told of; each goes to a person, the first for the file that waits."""
    monkeypatch.setattr(records_reuse, "MOST_EQUAL", 3)
    monkeypatch.setattr(pipeline_worker, "KEPT_NEIGHBOURS", 3)
    scene = Scene(storage)
    one = replace(prints(1), part_sha256={"selfie": sha256(PICTURES["selfie"]).hexdigest()}, perceptual={}, face=None)
    sent = [scene.send(one) for _ in range(7)]
    worker = scene.worker()
    for _ in sent:
        worker.run_once()
    assert scene.outcome(sent[0]) == (Outcome.REVIEW, {"reuse.image"}), "the others wait, and their numbers are not read yet"
    assert all(scene.outcome(support_id) == (Outcome.REVIEW, {"reuse.image", "reuse.card"}) for support_id in sent[1:])
    with reading(storage.engine) as connection:
        kept = connection.execute(select(tables.fingerprints.c.neighbours).where(
            tables.fingerprints.c.support_id == sent[-1])).scalar_one()
    opened = json.loads(open_key(storage, get_support(storage.engine, sent[-1])).open("neighbours", 1, kept))
    assert len(opened) == 3 and {each["support_id"] for each in opened} <= set(sent[3:6])


def test_the_rows_alone_tell_nothing_of_whom_they_show(storage: Storage) -> None:
    """Neither the card's numbers, nor a digest that somebody could make from them, nor anything of pictures and faces."""
    scene = Scene(storage)
    scene.send(prints(1))
    scene.worker().run_once()
    with reading(storage.engine) as connection:
        row = connection.execute(select(tables.fingerprints)).one()
    secret = prints(1)
    assert row.card == storage.keyring.search_digest(secret.card_key or "") != secret.card_key
    assert row.card != Keyring(bytes(32)).search_digest(secret.card_key or ""), "another deployment's digests are others"
    for told in (secret.card_key, str(secret.perceptual["front"]), str((secret.face or ())[0])):
        assert str(told).encode() not in row.sealed + row.neighbours


def test_a_retake_and_a_repeated_attempt_are_no_copies_of_themselves(storage: Storage) -> None:
    scene = Scene(storage)
    support_id = scene.send(prints(1))

    def fall(_capture: Capture) -> None:
        raise RuntimeError("the attempt ends after its fingerprints were registered")

    broken = Worker(storage, replace(scene.judge(), decide=lambda *_: fall(None)), SETTINGS, "b", index=scene.index)
    broken.run_once()
    with writing(storage.engine) as connection:
        connection.execute(update(tables.jobs).values(claimable_at=0))
    (lease,) = claim(storage.engine, JobKind.SUPPORT, "w", 60)
    finish(storage.engine, lease, finished(Outcome.RETAKE))
    record = get_support(storage.engine, support_id)
    part = store_part(storage.blobs, open_key(storage, record), "back", 2, b"new back bytes")
    insert_retake(storage.engine, Retake(support_id, record.client_id, part, IdempotencyKey("again", "0" * 64)))
    scene.worker().run_once()
    assert scene.outcome(support_id) == (Outcome.ACCEPTED, set())


@pytest.mark.parametrize("state", [State.REJECTED, State.RETAKE_WANTED])
def test_a_support_that_does_not_stand_hinders_no_other(storage: Storage, state: State) -> None:
    scene = Scene(storage)
    first, second = scene.send(prints(1)), scene.send(prints(1))
    worker = scene.worker()
    worker.run_once()
    with writing(storage.engine) as connection:
        connection.execute(update(tables.supports).where(tables.supports.c.id == first).values(state=state.value))
    worker.run_once()
    assert scene.outcome(second) == (Outcome.ACCEPTED, set())


@pytest.mark.parametrize("how", ["key gone", "forgotten"])
def test_an_erased_support_is_found_no_more(storage: Storage, how: str) -> None:
    scene = Scene(storage)
    first, second = scene.send(prints(1)), scene.send(prints(1))
    worker = scene.worker()
    worker.run_once()
    assert scene.index.follow() == 1
    with writing(storage.engine) as connection:
        if how == "forgotten":
            forget(connection, first)
        connection.execute(delete(tables.support_keys).where(tables.support_keys.c.support_id == first))
    if how == "forgotten":
        assert scene.index.follow() == 0, "an index in memory drops it too"
    worker.run_once()
    assert scene.outcome(second) == (Outcome.ACCEPTED, set())


def test_rows_are_read_a_few_at_a_time(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five supports, two a reading: an index that starts has them all, and so has the comparison in the last transaction."""
    monkeypatch.setattr(records_reuse, "READ_AT_ONCE", 2)
    scene = Scene(storage)
    sent = [scene.send(prints(seed)) for seed in range(5)]
    for _ in sent:
        scene.worker().run_once()
    assert FollowingIndex(storage, Limits.of(calibration())).follow() == 5
    search = ReuseSearch(storage, Limits.of(calibration()), scene.index)
    asked = Asked(scene.send(prints(4)), "demo", None, None, prints(4))
    nothing_seen = Looked(Reuse(), frozenset(), 0)
    with pytest.raises(Overtaken) as caught, writing(storage.engine) as connection:
        search.demand_nothing_new(asked, nothing_seen, connection)
    assert {one.support_id for one in caught.value.neighbours} == {sent[4]}


def test_an_index_that_starts_anew_knows_what_was_before(storage: Storage) -> None:
    scene = Scene(storage)
    scene.send(prints(1))
    scene.worker().run_once()
    scene.index = FollowingIndex(storage, Limits.of(calibration()))
    second = scene.send(prints(1))
    scene.worker().run_once()
    assert scene.outcome(second)[0] is Outcome.REVIEW


WAYS = [lambda one: one, lambda one: replace(one, perceptual={}, face=None), lambda one: replace(one, card_key=None)]


@pytest.mark.parametrize("change", WAYS, ids=["all", "numbers", "pictures"])
def test_copies_in_flight_at_once_are_all_told(storage: Storage, change: Callable[[Fingerprints], Fingerprints]) -> None:
    """None of the workers may finish before all have looked up, so the first to look knew of nobody."""
    scene, copies = Scene(storage), 4
    sent = [scene.send(change(prints(1))) for _ in range(copies)]
    together = threading.Barrier(copies)

    def run(number: int) -> int:
        one = scene.judge()
        first = iter([True])

        def decide(*given: Any) -> Verdict:
            if next(first, False):
                together.wait(30)
            return one.decide(*given)

        return Worker(storage, replace(one, decide=decide), SETTINGS, f"w{number}", index=scene.index).run_once()

    with ThreadPoolExecutor(copies) as pool:
        assert list(pool.map(run, range(copies))) == [1] * copies
    assert {scene.outcome(support_id)[0] for support_id in sent} == {Outcome.REVIEW}


@pytest.mark.parametrize("change", WAYS, ids=["all", "numbers", "pictures"])
def test_whoever_looked_before_the_other_registered_is_told_when_it_finishes(
        storage: Storage, change: Callable[[Fingerprints], Fingerprints]) -> None:
    """A looks up and finds nothing; B registers, looks up and finds A; A decided on what it saw, and is refused its verdict."""
    scene = Scene(storage)
    a, b = scene.send(change(prints(1))), scene.send(change(prints(1)))
    decided, times = scene.judge().decide, []

    def decide(*given: Any) -> Verdict:
        times.append(1)
        if len(times) == 1:
            assert scene.worker("b").run_once() == 1
        return decided(*given)

    Worker(storage, replace(scene.judge(), decide=decide), SETTINGS, "a", index=scene.index).run_once()
    assert len(times) == 2
    assert (scene.outcome(a)[0], scene.outcome(b)[0]) == (Outcome.REVIEW, Outcome.REVIEW)
    assert scene.outcome(a) == scene.outcome(b)

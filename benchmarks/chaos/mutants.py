"""Deliberate bugs, put into the product's processes, each with the invariant that the checker must then find broken.

One that stays green proves that its check is worth nothing.
"""

from __future__ import annotations

import importlib
import random
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import BigInteger, bindparam, insert, select, update

from pipeline.errors import Conflict, Corrupt
from pipeline.records.engine import reading, writing
from pipeline.records.supports import IdempotencyKey, Repeated
from pipeline.records.tables import idempotency, jobs, now_ms, parts
from pipeline.telemetry import logger


@dataclass(frozen=True, slots=True)
class Mutant:
    """what: the bug.  invariant: which of I1 to I6 the checker must name.  faults: what must strike for it to show, by name."""

    what: str
    invariant: str
    faults: tuple[str, ...]
    put_in: Callable[[], None]
    poisons: tuple[str, ...] = ()
    rate: float = 20.0
    rounds: bool = False


def _replace(place: str, make: Callable[[Any], Any]) -> None:
    """Put what `make` builds from the real thing at `module.name`, where it is looked up."""
    module, _, name = place.rpartition(".")
    found = importlib.import_module(module)
    setattr(found, name, make(getattr(found, name)))


def _ack_before_commit() -> None:
    def make(real: Any) -> Any:
        def later(engine: Any, new: Any) -> tuple[str, bool]:
            threading.Timer(0.3, real, (engine, new)).start()
            return new.id, True
        return later

    _replace("api.supports.service.insert_support", make)


def _drop_the_fence() -> None:
    def whoever(job: Any, _token: Any) -> Any:
        return update(jobs).where(jobs.c.id == job, jobs.c.done_at.is_(None))

    any_token = bindparam("token", type_=BigInteger) > 0  # the statement is still given one
    _replace("pipeline.records.leases._held", lambda _real: whoever)
    _replace("pipeline.records.leases._DONE", lambda _real: whoever(bindparam("job"), None).where(any_token).values(
        done_at=now_ms(), last_error=None))
    _replace("pipeline.records.reuse.demand_held", lambda _real: lambda _connection, _lease: None)


def _ignore_the_body() -> None:
    def make(real: Any) -> Any:
        def any_body(connection: Any, client_id: str, key: IdempotencyKey) -> Any:
            try:
                return real(connection, client_id, key)
            except Conflict:
                row = connection.execute(select(idempotency).where(idempotency.c.key == key.key)).one()
                return Repeated(row.support_id, row.round)
        return any_body

    _replace("pipeline.records.supports.known_request", make)


def _forget_the_key() -> None:
    def make(real: Any) -> Any:
        def other_key(connection: Any, client_id: str, key: IdempotencyKey, answer: Repeated) -> None:
            real(connection, client_id, IdempotencyKey(f"{key.key}-{answer.support_id}", key.request_sha256), answer)
        return other_key

    _replace("pipeline.records.supports.remember_request", make)


def _count_after_the_decode() -> None:
    def make(real: Any) -> Any:
        def uncounted(engine: Any, *arguments: Any, **options: Any) -> Any:
            taken = real(engine, *arguments, **options)
            with writing(engine) as connection:
                connection.execute(update(jobs).where(jobs.c.id.in_([one.id for one in taken])).values(attempts=0))
            return taken
        return uncounted

    _replace("pipeline.worker.claim", make)


def _reuse_a_buffer() -> None:
    kept: list[Any] = []

    def make(real: Any) -> Any:
        def reused(given: Any, *rest: Any) -> Any:
            kept.append(given.get("selfie"))
            selfie = kept[-2] if len(kept) > 1 and random.random() < 0.2 else kept[-1]
            return real({**given, "selfie": selfie}, *rest)
        return reused

    _replace("pipeline.worker.capture_of", make)


def _tell_in_another_transaction() -> None:
    kept = threading.local()
    outbox = importlib.import_module("pipeline.records.outbox")
    append = outbox.append

    def keep(_connection: Any, *event: Any) -> None:
        kept.event = event

    def make(real: Any) -> Any:
        def finish(engine: Any, *arguments: Any) -> None:
            real(engine, *arguments)
            with writing(engine) as connection:
                append(connection, *kept.event)
        return finish

    _replace("pipeline.worker.finish", make)
    if "workers" in sys.argv[2]:  # the API has events of its own
        _replace("pipeline.records.outbox.append", lambda _real: keep)


def _queue_in_another_transaction() -> None:
    kept = threading.local()
    enqueue = importlib.import_module("pipeline.records.supports").enqueue

    def keep(_connection: Any, *job: Any) -> None:
        kept.job = job

    def make(real: Any) -> Any:
        def insert_support(engine: Any, new: Any) -> Any:
            kept.job = None
            answer = real(engine, new)
            if kept.job is not None:
                with writing(engine) as connection:
                    enqueue(connection, *kept.job)
            return answer
        return insert_support

    _replace("pipeline.records.supports.enqueue", lambda _real: keep)
    _replace("api.supports.service.insert_support", make)


def _commit_what_was_collected() -> None:
    def blindly(connection: Any, support_id: str, stored: Any) -> None:
        connection.execute(insert(parts), [
            {"support_id": support_id, "part": part.part, "version": part.version, "sha256": part.sha256, "size": part.size,
             "blob_key": part.blob_key} for part in stored])

    def make(real: Any) -> Any:
        def slow(*arguments: Any) -> Any:
            real(*arguments)
            time.sleep(0.5)  # a store that takes its time, so that the collector comes between
        return slow

    _replace("pipeline.records.supports.insert_parts", lambda _real: blindly)
    _replace("api.supports.service.put_parts", make)


def _judge_what_is_damaged() -> None:
    def make(real: Any) -> Any:
        def whatever(blobs: Any, key: Any, stored: Any) -> bytes:
            try:
                return bytes(real(blobs, key, stored))
            except Corrupt:
                return bytes(blobs.get(stored.blob_key))
        return whatever

    _replace("pipeline.records.storage.load_part", make)


def _log_the_words() -> None:
    def make(real: Any) -> Any:
        def said(form: Any, *rest: Any) -> Any:
            logger("api").info("received", gatherer=form.info.gatherer)
            return real(form, *rest)
        return said

    _replace("api.supports.service.request_sha256", make)


def _another_id_each_time() -> None:
    def make(real: Any) -> Any:
        def renamed(*arguments: Any) -> Any:
            return [replace(attempt, event_id=f"{attempt.event_id}-{attempt.number}") for attempt in real(*arguments)]
        return renamed

    _replace("api.deliver.claim_deliveries", make)


def _note_before_it_is_told() -> None:
    settle = importlib.import_module("pipeline.records.deliveries").settle_delivered

    def make(real: Any) -> Any:
        def noted(engine: Any, *arguments: Any) -> Any:
            taken = real(engine, *arguments)
            for attempt in taken:
                settle(engine, attempt)
            return taken
        return noted

    _replace("api.deliver.claim_deliveries", make)


def _keep_the_old_back() -> None:
    def make(real: Any) -> Any:
        def first(storage: Any, record: Any) -> Any:
            with reading(storage.engine) as connection:
                rows = connection.execute(select(parts).where(parts.c.support_id == record.id, parts.c.version == 1)).all()
            known = {row.part: {"version": 1, "sha256": row.sha256, "size": row.size, "blob_key": row.blob_key} for row in rows}
            return real(storage, replace(record, parts=tuple(replace(part, **known[part.part]) for part in record.parts)))
        return first

    _replace("pipeline.worker.load_parts", make)


MUTANTS: dict[str, Mutant] = {
    "ack_before_commit": Mutant("202 is sent, the commit comes later", "I1", ("crash_intake",), _ack_before_commit),
    "drop_the_fence": Mutant("whoever held a lease may finish", "I4", ("starve_leases",), _drop_the_fence, rate=1.5),
    "ignore_the_body": Mutant("a key answers for any body", "I1", (), _ignore_the_body),
    "forget_the_key": Mutant("a repeated request is a new support", "I3", (), _forget_the_key),
    "count_after_the_decode": Mutant("an attempt that kills its process is not counted", "I2", (), _count_after_the_decode,
                                     ("segv",)),
    "reuse_a_buffer": Mutant("a picture of the citizen before stays", "I6", (), _reuse_a_buffer),
    "tell_in_another_transaction": Mutant("the event is written after the verdict's commit", "I2", ("crash_workers",),
                                          _tell_in_another_transaction),
    "queue_in_another_transaction": Mutant("the job is written after the support's commit", "I2", ("crash_intake",),
                                           _queue_in_another_transaction),
    "commit_what_was_collected": Mutant("a slow request commits blobs that were given up", "I1", ("collect_always",),
                                        _commit_what_was_collected),
    "judge_what_is_damaged": Mutant("a blob that fails its seal is used as it is", "I2", ("harm_objects",),
                                    _judge_what_is_damaged),
    "another_id_each_time": Mutant("an event that is told again has another id", "I2", ("trouble_receiver",),
                                   _another_id_each_time, rate=8.0, rounds=True),
    "note_before_it_is_told": Mutant("a delivery is done before it is tried", "I2", ("trouble_receiver",),
                                     _note_before_it_is_told, rate=8.0, rounds=True),
    "keep_the_old_back": Mutant("a later round is judged by the pictures of the first", "I6", (), _keep_the_old_back,
                                rate=8.0, rounds=True),
    "log_the_words": Mutant("what was sent is logged", "I5", (), _log_the_words),
}

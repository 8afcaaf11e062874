"""Taking a support in: nothing is acknowledged before it is durable, and nothing refused leaves a trace."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from api.problems import Problem
from api.supports.form import SupportForm
from pipeline.clock import Clock, today_in_mexico
from pipeline.domain.capture import Part
from pipeline.domain.process import Process
from pipeline.domain.upload import check_upload
from pipeline.errors import ApoyoError, BadUpload, Unavailable
from pipeline.records.storage import INFO, Storage, open_verdict, store_part
from pipeline.records.supports import (
    FIRST_ROUND,
    IdempotencyKey,
    NewSupport,
    StoredPart,
    SupportRecord,
    find_repeated,
    get_support,
    insert_support,
    new_support_id,
)
from pipeline.result import Heading, pending_resource
from pipeline.telemetry import SUPPORTS_RECEIVED, logger

DEFAULT_PROCESS = "demo"
"""Where `support` names no process, as on the command line."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A support that is durable. `created`: False where it was taken in by an earlier request with the same key."""

    id: str
    created: bool


class Pending:
    """The Idempotency-Keys being worked on in this process. The database's unique key settles it between processes."""

    def __init__(self) -> None:
        self._keys: set[tuple[str, str]] = set()

    @contextmanager
    def claim(self, client_id: str, key: str) -> Iterator[None]:
        """Raises `Problem` (`request_in_flight`) while another request holds the key."""
        if (client_id, key) in self._keys:
            raise Problem("request_in_flight", "Wait for the first answer, or send the same request again after Retry-After.")
        self._keys.add((client_id, key))
        try:
            yield
        finally:
            self._keys.discard((client_id, key))


class Intake:
    """Synchronous: hashing, sealing and flushing belong in a thread. Thread-safe."""

    def __init__(self, storage: Storage, processes: Mapping[str, Process], clock: Clock) -> None:
        self._storage = storage
        self._processes = processes
        self._clock = clock

    def receive(self, client_id: str, key: str, form: SupportForm) -> Receipt:
        """Check, seal, store, commit. Raises `Problem`, `Conflict` (`idempotency_mismatch`) or `Unavailable`."""
        idempotency = IdempotencyKey(key, request_sha256(form))
        known = find_repeated(self._storage.engine, client_id, idempotency)
        if known is not None:
            return Receipt(known, created=False)
        process = self._process(form)
        check_parts(form)
        return self._store(client_id, process, form, idempotency)

    def _process(self, form: SupportForm) -> Process:
        process = self._processes.get(form.info.process or DEFAULT_PROCESS)
        if process is None:
            raise Problem("process_unknown", "`support` names a process that is not open here: send the id of one that the "
                                             "operator has put in place, or none for `demo`.", extra={"part": "support"})
        return process

    def _store(self, client_id: str, process: Process, form: SupportForm, idempotency: IdempotencyKey) -> Receipt:
        support_id = new_support_id()
        key, wrapped = self._storage.keyring.new_key(support_id)
        contents = {**{part.value: data for part, data in form.parts.items()}, INFO: form.canonical}
        stored: list[StoredPart] = []
        try:
            for part, data in contents.items():
                stored.append(store_part(self._storage.blobs, key, part, FIRST_ROUND, data))
        except ApoyoError:
            self._discard(stored)
            raise
        found, created = self._commit(NewSupport(
            id=support_id, client_id=client_id, process=process.id, policy_version=process.version,
            as_of=form.info.as_of or today_in_mexico(self._clock), parts=tuple(stored), key=wrapped, idempotency=idempotency))
        if created:
            SUPPORTS_RECEIVED.inc()
        else:
            self._discard(stored)
        return Receipt(found, created)

    def _commit(self, new: NewSupport) -> tuple[str, bool]:
        try:
            return insert_support(self._storage.engine, new)
        except Unavailable:
            # The commit may have happened unheard: the blobs stay, at worst as orphans, and the client asks again.
            logger("api").warning("commit_unknown", support=new.id)
            raise
        except BaseException:
            self._discard(list(new.parts))
            raise

    def _discard(self, stored: list[StoredPart]) -> None:
        """Best effort: what is left is sealed under a key that nobody has."""
        for part in stored:
            try:
                self._storage.blobs.delete(part.blob_key)
            except Unavailable as error:
                logger("api").warning("orphan_left", code=error.code)

    def look(self, client_id: str, support_id: str) -> tuple[SupportRecord, dict[str, Any]]:
        """How one of the client's supports stands, as the resource of the contract. Raises `NotFound`, `Corrupt`."""
        record = get_support(self._storage.engine, support_id, client_id)
        sealed = open_verdict(self._storage, record)
        if sealed is not None:
            return record, {**json.loads(sealed), "status": record.state.value}
        heading = Heading(id=record.id, source=None, round=record.round, received_at=record.received_at)
        return record, pending_resource(heading, record.state, record.process, record.as_of, record.policy_version)


def check_parts(form: SupportForm) -> None:
    """Put each part through the door. Raises `Problem` that names the part."""
    for part in Part:
        try:
            check_upload(part, form.parts[part])
        except BadUpload as refusal:
            raise Problem(refusal.code, f"{refusal.detail}.", extra={"part": part.value}) from None


def request_sha256(form: SupportForm) -> str:
    """What makes two requests the same: the bytes of each part, and `support` whatever its spacing and order of keys."""
    digests = [hashlib.sha256(form.parts[part]).hexdigest() for part in Part]
    return hashlib.sha256("\n".join([*digests, hashlib.sha256(form.canonical).hexdigest()]).encode()).hexdigest()

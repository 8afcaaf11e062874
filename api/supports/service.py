"""Taking a support in: nothing is acknowledged before it is durable, and nothing refused leaves a trace."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from api.identity.device_proof import Claimed
from api.problems import Problem
from api.supports.form import INFO as INFO_PART
from api.supports.form import SupportForm, UploadedSupport
from api.supports.views import citizen_json, needs_other_way
from pipeline.blobs.api import BlobStore
from pipeline.blobs.sealing import SEALED_BYTES, SupportKey
from pipeline.clock import Clock, day_of_capture
from pipeline.domain.capture import Part
from pipeline.domain.folio import folio_of
from pipeline.domain.process import Process
from pipeline.domain.support import SupportInfo
from pipeline.domain.upload import check_upload
from pipeline.errors import ApoyoError, BadUpload, NotFound, Unavailable
from pipeline.records.device_proofs import DeviceProof, demand_unspent
from pipeline.records.erasures import demand_sent_by
from pipeline.records.processes import find_process
from pipeline.records.storage import INFO, Storage, folder_of, name_part, open_verdict, put_parts
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
from pipeline.records.uploads import Upload, find_upload
from pipeline.result import Heading, pending_resource
from pipeline.telemetry import SUPPORTS_RECEIVED, logger

DEFAULT_PROCESS = "demo"
"""Where `support` names no process, as on the command line."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A support that is durable. `created`: False where it was taken in by an earlier request with the same key."""

    id: str
    created: bool


class Intake:
    """Synchronous: hashing, sealing and flushing belong in a thread. Thread-safe."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    def receive(self, client_id: str, key: str, form: SupportForm, claimed: Claimed | None = None,
                traceparent: str | None = None) -> Receipt:
        """Check, seal, store, commit. Raises `Problem`, `BadToken`, `Conflict` (`idempotency_mismatch`) or `Unavailable`.

        claimed: the phone's proof. A repeated request is answered before its proof is looked at again, since nothing is done.
        """
        digests = {part.value: hashlib.sha256(form.parts[part]).hexdigest() for part in Part}
        idempotency = IdempotencyKey(key, request_sha256(form, digests, claimed))
        known = find_repeated(self._storage.engine, client_id, idempotency)
        if known is not None:
            return Receipt(known.support_id, created=False)
        proof = self._proven(claimed, digests | _sent(form))
        process = self._process(form.info)
        for part in Part:
            check_part(part, form.parts[part])
        support_id = new_support_id()
        sealing, wrapped = self._storage.keyring.new_key(support_id)
        contents = {**{part.value: data for part, data in form.parts.items()}, INFO: form.canonical}
        stored = [name_part(sealing, part, FIRST_ROUND, data, digests.get(part)) for part, data in contents.items()]
        return self._keep(NewSupport(
            id=support_id, client_id=client_id, process=process.id, policy_version=process.version, as_of=self._as_of(form.info),
            parts=tuple(stored), key=wrapped, applicant=_applicant(form.info, process), idempotency=idempotency, proof=proof,
            traceparent=traceparent), sealing, stored, contents)

    def receive_uploaded(self, client_id: str, key: str, sent: UploadedSupport, claimed: Claimed | None = None,
                         traceparent: str | None = None) -> Receipt:
        """Commit a support whose pictures lie in the store. Asked is whether they are there; whether they open at all, and
        what they show, a worker finds. Raises as `receive`; `NotFound` (`upload_not_found`), `Problem` (`upload_incomplete`)."""
        idempotency = IdempotencyKey(key, commit_sha256(sent, claimed))
        known = find_repeated(self._storage.engine, client_id, idempotency)
        if known is not None:
            return Receipt(known.support_id, created=False)
        upload = find_upload(self._storage.engine, sent.upload, client_id)
        proof = self._proven(claimed, {part.part: part.sha256 for part in upload.parts} | _sent(sent))
        process = self._process(sent.info)
        self._demand_there(upload)
        sealing = self._storage.keyring.unwrap(upload.id, upload.key)
        words = name_part(sealing, INFO, FIRST_ROUND, sent.canonical)
        return self._keep(NewSupport(
            id=upload.id, client_id=client_id, process=process.id, policy_version=process.version, as_of=self._as_of(sent.info),
            parts=(*upload.parts, words), key=upload.key, applicant=_applicant(sent.info, process), idempotency=idempotency,
            proof=proof, traceparent=traceparent, uploaded=True), sealing, [words], {INFO: sent.canonical})

    def _proven(self, claimed: Claimed | None, parts: Mapping[str, str]) -> DeviceProof | None:
        """What is to be spent with the support. Raises `BadToken`, `Problem`."""
        if claimed is None:
            return None
        proof = claimed.accept(parts)
        demand_unspent(self._storage.engine, proof)
        return proof

    def _demand_there(self, upload: Upload) -> None:
        """The store compared size and checksum when it took each part (`DirectStore`). Raises `Problem` (`upload_incomplete`)."""
        sizes = {blob.key: blob.size for blob in self._storage.blobs.list(folder_of(upload.id))}
        lacking = [part.part for part in upload.parts if sizes.get(part.blob_key) != part.size + SEALED_BYTES]
        if lacking:
            raise Problem("upload_incomplete", f"Not in the store: {', '.join(lacking)}. Put each at its address, then send this "
                                               "request again.", extra={"part": lacking[0]})

    def _as_of(self, info: SupportInfo) -> date:
        return info.as_of or day_of_capture(info.captured_at, self._clock)

    def _process(self, info: SupportInfo) -> Process:
        """The process in force that takes this support. Raises `Problem` (`process_…`, `applicant_unknown`)."""
        try:
            process = find_process(self._storage.engine, info.process or DEFAULT_PROCESS).process
        except NotFound:
            raise _unfit("process_unknown", "`support` names a process that is not open here: send the id of one that "
                                            "`GET /v1/processes` lists, or none for `demo`.") from None
        if not process.takes(day_of_capture(info.captured_at, self._clock)):
            raise _unfit("process_closed", f"The process gathers supports from {process.opens or 'its beginning'} to "
                                           f"{process.closes or 'its end'}: `captured_at` tells when this one was captured.")
        if process.applicants is not None and info.applicant not in process.applicants:
            raise _unfit("applicant_unknown", "The process lists its applicants: `applicant` must be the id of one of them.")
        return process

    def _keep(self, new: NewSupport, key: SupportKey, here: Sequence[StoredPart], contents: Mapping[str, bytes]) -> Receipt:
        """Store what came by here, and commit the whole. Raises `Conflict`, `BadToken`, `NotFound`, `Unavailable`."""
        try:
            put_parts(self._storage.blobs, key, here, contents)
        except ApoyoError:
            discard(self._storage.blobs, here)
            raise
        try:
            found, created = insert_support(self._storage.engine, new)
        except Unavailable:
            # The commit may have happened unheard: the blobs stay, at worst as orphans, and the client asks again.
            logger("api").warning("commit_unknown", support=new.id)
            raise
        except BaseException:
            discard(self._storage.blobs, here)
            raise
        if created:
            SUPPORTS_RECEIVED.inc()
        else:
            discard(self._storage.blobs, here)
        return Receipt(found, created)

    def look(self, owner: str | None, support_id: str) -> tuple[SupportRecord, dict[str, Any]]:
        """How one of the owner's supports (None: anybody's) stands: the contract's resource. Raises `NotFound`, `Erased`,
        `Corrupt`."""
        record = get_support(self._storage.engine, support_id, owner)
        sealed = open_verdict(self._storage, record)
        heading = Heading(id=record.id, source=None, round=record.round, received_at=record.received_at)
        judged = (pending_resource(heading, record.state, record.process, record.as_of, record.policy_version)
                  if sealed is None else json.loads(sealed))
        return record, {**judged, "folio": folio_of(record.id), "status": record.state.value, **rounds_json(record)}


    def look_as_citizen(self, owner: str | None, support_id: str,
                        device: str | None = None) -> tuple[SupportRecord, dict[str, Any]]:
        """The citizen's view. device: one phone's own; another's is as absent as none. Raises `NotFound`, `Erased`,
        `Corrupt`."""
        if device is not None:
            demand_sent_by(self._storage, support_id, owner, device)
        record, resource = self.look(owner, support_id)
        return record, citizen_json(resource, self._other_way(resource) if needs_other_way(resource) else None)

    def _other_way(self, resource: dict[str, Any]) -> str | None:
        """Where else a citizen may go who cannot sign or be matched, as the support's process says now."""
        return find_process(self._storage.engine, resource["process"]).process.other_way or None


def rounds_json(record: SupportRecord) -> dict[str, Any]:
    """What is known from the rows alone: which parts are wanted, every round's verdict, and an officer's decision."""
    decided = record.decision
    return {
        "device": record.device,
        "wanted": [part.value for part in record.wanted],
        "rounds": [{"round": one.round, "verdict": one.outcome.value, "reasons": list(one.reasons),
                    "policy_version": one.policy_version, "decided_at": one.decided_at.isoformat()} for one in record.rounds],
        "decision": None if decided is None else {
            "decision": decided.decision.ruling.value, "reason": decided.decision.ground.value, "round": decided.round,
            "decided_at": decided.decided_at.isoformat()},
    }


def discard(blobs: BlobStore, stored: Iterable[StoredPart]) -> None:
    """Delete parts that no row will name. Best effort: what is left is sealed, and the collector's."""
    for part in stored:
        try:
            blobs.delete(part.blob_key)
        except Unavailable as error:
            logger("api").warning("orphan_left", code=error.code)


def _unfit(code: str, detail: str) -> Problem:
    return Problem(code, detail, extra={"part": INFO_PART})


def check_part(part: Part, data: bytes) -> None:
    """Put a part through the door. Raises `Problem` that names it."""
    try:
        check_upload(part, data)
    except BadUpload as refusal:
        raise Problem(refusal.code, f"{refusal.detail}.", extra={"part": part.value}) from None


def request_sha256(form: SupportForm, digests: Mapping[str, str], claimed: Claimed | None) -> str:
    """What makes two requests the same: the bytes of each part, `support` whatever its spacing and order, and the phone."""
    told = [*digests.values(), hashlib.sha256(form.canonical).hexdigest()]
    told += [] if claimed is None else [claimed.device]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def commit_sha256(sent: UploadedSupport, claimed: Claimed | None) -> str:
    """The same of a commit, whose upload says which bytes."""
    told = ["upload", sent.upload, hashlib.sha256(sent.canonical).hexdigest(), *([] if claimed is None else [claimed.device])]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _applicant(info: SupportInfo, process: Process) -> str | None:
    return None if process.applicants is None else info.applicant


def _sent(form: SupportForm | UploadedSupport) -> dict[str, str]:
    return {} if form.sent is None else {INFO_PART: hashlib.sha256(form.sent).hexdigest()}

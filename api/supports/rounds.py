"""A support after a verdict: the API's half of `pipeline.records.rounds`, which needs the blob store and the support's key."""

from __future__ import annotations

import hashlib
import json

from api.identity.device_proof import Claimed
from api.supports.service import check_part, discard
from pipeline.domain.capture import Part
from pipeline.domain.decision import Decision
from pipeline.domain.support import State
from pipeline.domain.verdict import Outcome, Reason, Subject
from pipeline.errors import Unavailable
from pipeline.records.device_proofs import demand_unspent
from pipeline.records.rounds import (
    WISHED,
    Retake,
    Wish,
    demand_retake_asked,
    demand_same_device,
    demand_wanted,
    insert_decision,
    insert_retake,
    insert_wish,
)
from pipeline.records.storage import Storage, open_key, open_verdict, store_part
from pipeline.records.supports import IdempotencyKey, SupportRecord, find_repeated, get_support
from pipeline.result import reason_json
from pipeline.telemetry import logger


class Rounds:
    """Synchronous, like `Intake`. Thread-safe."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def retake(self, client_id: str, support_id: str, part: Part, key: str, data: bytes,
               claimed: Claimed | None = None) -> int:
        """Take one part again: the round it belongs to. Raises `Problem`, `BadToken`, `Conflict`, `NotFound`, `Unavailable`."""
        sha256, device = hashlib.sha256(data).hexdigest(), None if claimed is None else claimed.device
        asked = f"retake\n{support_id}\n{part}\n{sha256}" + ("" if device is None else f"\n{device}")
        idempotency = IdempotencyKey(key, hashlib.sha256(asked.encode()).hexdigest())
        known = find_repeated(self._storage.engine, client_id, idempotency)
        if known is not None:
            return known.round
        record = get_support(self._storage.engine, support_id, client_id)
        demand_same_device(record, device)
        proof = None if claimed is None else claimed.accept({part.value: sha256})
        if proof is not None:
            demand_unspent(self._storage.engine, proof)
        demand_wanted(record, part)
        check_part(part, data)
        stored = store_part(self._storage.blobs, open_key(self._storage, record), part, record.round + 1, data, sha256)
        return self._commit(Retake(support_id, client_id, stored, idempotency, proof))

    def _commit(self, retake: Retake) -> int:
        try:
            answer, created = insert_retake(self._storage.engine, retake)
        except Unavailable:  # perhaps committed unheard: the blob stays, at worst as an orphan, and the client asks again
            logger("api").warning("commit_unknown", support=retake.support_id)
            raise
        except BaseException:
            discard(self._storage.blobs, [retake.part])
            raise
        if not created:
            discard(self._storage.blobs, [retake.part])
        return answer.round

    def ask_for_person(self, client_id: str, support_id: str) -> SupportRecord:
        """The support, now with a person. Raises `Conflict` (`review_not_offered`), `NotFound`, `Corrupt`."""
        record = get_support(self._storage.engine, support_id, client_id)
        if record.state is State.IN_REVIEW:
            return record
        demand_retake_asked(record)
        wish = Wish(support_id, client_id, record.round + 1, self._seal_wished(record))
        insert_wish(self._storage.engine, wish)
        return get_support(self._storage.engine, support_id, client_id)

    def _seal_wished(self, record: SupportRecord) -> bytes:
        """The last round's evidence under the new round's verdict: that is what the person will look at."""
        last = json.loads(open_verdict(self._storage, record) or b"{}")
        wished = Reason(WISHED, Subject.SUPPORT, f"asked for after round {record.round}")
        resource = {**last, "round": record.round + 1, "verdict": Outcome.REVIEW.value, "reasons": [reason_json(wished)]}
        return open_key(self._storage, record).seal("verdict", record.round + 1, json.dumps(resource).encode())

    def decide(self, officer_id: str, support_id: str, decision: Decision) -> SupportRecord:
        """The support, now final. Raises `Conflict`, `NotFound`."""
        insert_decision(self._storage.engine, support_id, officer_id, decision)
        return get_support(self._storage.engine, support_id)

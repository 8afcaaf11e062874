"""Asking for a code, entering it, and what stands between: the API's half of `pipeline.records.activations`. Synchronous."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from api.identity.device_proof import Claimed
from api.identity.schemas import FRONT, WORDS, ActivationReason, ActivationResource, ActivationWords, CodeBody
from api.identity.tokens import IssuedToken, TokenIssuer
from api.problems import Problem
from api.supports.service import check_part
from pipeline.clock import Clock, today_in_mexico
from pipeline.domain.activation import ActivationState
from pipeline.domain.capture import Part
from pipeline.domain.reasons import CATALOGUE
from pipeline.errors import BadToken, Conflict, NotFound
from pipeline.records import activations
from pipeline.records.activations import EMAIL, VERSION, ActivationRecord, NewActivation, insert_activation
from pipeline.records.device_proofs import DeviceProof, demand_unspent, spend_alone
from pipeline.records.processes import find_process
from pipeline.records.storage import Storage
from pipeline.records.supports import IdempotencyKey, find_repeated, new_support_id
from pipeline.telemetry import ACTIVATIONS


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a code that may be worked on: everything of it was looked at but the provider's token."""

    client_id: str
    words: ActivationWords
    front: bytes
    idempotency: IdempotencyKey
    proof: DeviceProof


class Activations:
    """Thread-safe."""

    def __init__(self, storage: Storage, issuer: TokenIssuer, clock: Clock) -> None:
        self._storage, self._issuer, self._clock = storage, issuer, clock

    def look_at(self, client_id: str, key: str, parts: Mapping[str, bytes], claimed: Claimed) -> Asked | str:
        """What was asked for, or the id that the same request was answered with. Raises `Problem`, `BadToken`, `Conflict`."""
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()}
        told = "\n".join(["activation", claimed.device, *(f"{name} {digests[name]}" for name in sorted(digests))])
        idempotency = IdempotencyKey(key, hashlib.sha256(told.encode()).hexdigest())
        known = find_repeated(self._storage.engine, client_id, idempotency)
        if known is not None:
            return known.support_id
        proof = claimed.accept(digests)
        demand_unspent(self._storage.engine, proof)
        for name in (FRONT, WORDS):
            if name not in parts:
                raise Problem("part_missing", f"Send `{name}` too: the front as a JPEG, and `{WORDS}` as JSON.",
                              extra={"part": name})
        words = _words(parts[WORDS])
        self._demand_process(words.process)
        check_part(Part.FRONT, parts[FRONT])
        return Asked(client_id, words, parts[FRONT], idempotency, proof)

    def receive(self, asked: Asked, email: str, traceparent: str | None) -> tuple[str, bool]:
        """Seal and commit: the activation's id, and whether it is a new one. Raises `Conflict`, `BadToken`, `Unavailable`."""
        activation_id = new_support_id()
        key, wrapped = self._storage.keyring.new_key(activation_id)
        found, created = insert_activation(self._storage.engine, NewActivation(
            id=activation_id, client_id=asked.client_id, provider=asked.words.provider,
            account=self._storage.keyring.search_digest(f"account|{email.lower()}"), process=asked.words.process,
            as_of=asked.words.as_of or today_in_mexico(self._clock), key=wrapped, idempotency=asked.idempotency,
            proof=asked.proof, sealed_email=key.seal(EMAIL, VERSION, email.encode()),
            sealed_front=key.seal(activations.FRONT, VERSION, asked.front), traceparent=traceparent))
        if created:
            ACTIVATIONS.labels("received").inc()
        return found, created

    def look(self, client_id: str, activation_id: str) -> ActivationRecord:
        """Raises `NotFound`."""
        return activations.get_activation(self._storage.engine, activation_id, client_id)

    def resend(self, client_id: str, activation_id: str, claimed: Claimed) -> ActivationRecord:
        """Raises `Conflict`, `BadToken`, `NotFound`."""
        self.look(client_id, activation_id)
        return activations.resend(self._storage.engine, activation_id, client_id, claimed.accept({}))

    def confirm(self, client_id: str, activation_id: str, body: bytes, claimed: Claimed) -> IssuedToken:
        """The token, if the code is right. Raises `Problem` (`code_wrong`), `Conflict`, `BadToken`, `NotFound`."""
        self.look(client_id, activation_id)
        proof = claimed.accept({"body": hashlib.sha256(body).hexdigest()})
        try:
            code = CodeBody.model_validate_json(body).code
        except ValidationError:
            raise Problem("invalid_request", 'Send {"code": "…"} with the eight digits of the mail.') from None
        left = activations.confirm(self._storage.engine, self._storage.keyring, activation_id, client_id, proof, code)
        ACTIVATIONS.labels("confirmed" if left is None else "wrong_code").inc()
        if left is None:
            return self._issuer.issue(activation_id, proof.device)
        raise Problem("code_wrong", f"The code is not that of the mail: {left} more may be tried, then ask for a new one.")

    def renew(self, client_id: str, activation_id: str, claimed: Claimed) -> IssuedToken:
        """Another token for a phone that was activated. Raises `Conflict`, `BadToken`, `NotFound`."""
        record = self.look(client_id, activation_id)
        if record.device != claimed.device:
            raise BadToken("the activation is of another phone", code="device_proof_other_key")
        if record.state is not ActivationState.CONFIRMED:
            raise Conflict(f"the activation is {record.state}", code="activation_not_confirmed")
        spend_alone(self._storage.engine, claimed.accept({}))
        return self._issuer.issue(activation_id, record.device)

    def end(self, client_id: str, activation_id: str) -> None:
        """Raises `NotFound`."""
        activations.end(self._storage.engine, activation_id, client_id)
        ACTIVATIONS.labels("ended").inc()

    def _demand_process(self, process: str) -> None:
        try:
            find_process(self._storage.engine, process)
        except NotFound:
            raise Problem("process_unknown", f"`{WORDS}` names a process that is not open here: send the id of one that "
                                             "`GET /v1/processes` lists.", extra={"part": WORDS}) from None


def resource(record: ActivationRecord) -> ActivationResource:
    reasons = [ActivationReason(code=code, subject=subject, message=CATALOGUE[code].message)
               for code, _, subject in (reason.partition(":") for reason in record.reasons)]
    return ActivationResource(id=record.id, state=record.state, reasons=reasons, created_at=record.created_at,
                              expires_at=record.expires_at, sends_left=record.sends_left, attempts_left=record.attempts_left,
                              url=f"/v1/activations/{record.id}")


def _words(data: bytes) -> ActivationWords:
    try:
        return ActivationWords.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        allowed = ", ".join(ActivationWords.model_fields)
        place = str(first["loc"][0]) if first["loc"] and first["loc"][0] in ActivationWords.model_fields else "a place of its own"
        raise Problem("bad_activation_words", f"`{WORDS}` is not usable, at {place}: {first['msg']}. It is JSON with {allowed}.",
                      extra={"part": WORDS}) from None

"""Who asks, where it is a phone: `Authorization: DPoP TOKEN`, and a proof by the key that the token is bound to (RFC 9449, 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from anyio import to_thread
from fastapi import Depends, Request

from api.identity import jose
from api.identity.device_proof import HEADER, Claimed
from api.manners import peer
from api.problems import Problem
from pipeline.domain.activation import ActivationState
from pipeline.errors import BadToken, NotFound
from pipeline.records.activations import get_activation
from pipeline.records.device_proofs import DeviceProof, spend_alone
from pipeline.records.storage import Storage

SCHEME = "dpop"


@dataclass(frozen=True, slots=True)
class ActivatedPhone:
    """`client_id`: the backend by which it was activated; `device`: its key's thumbprint."""

    client_id: str
    device: str


async def _phone(request: Request) -> ActivatedPhone:
    """The phone, whose request is counted. Raises `Problem` (`unauthorized`), `BadToken` (`device_…`)."""
    services = request.app.state.services
    try:
        return await _proven(request)
    except (Problem, BadToken):  # only those who fail share the peer's quota, as with clients' secrets
        request.state.quota = services.limiter.take(peer(request.scope))
        raise


async def _proven(request: Request) -> ActivatedPhone:
    services = request.app.state.services
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != SCHEME or not text:
        raise Problem("unauthorized", "Send `Authorization: DPoP TOKEN` with the activation's token, and the phone's proof.",
                      headers={"WWW-Authenticate": 'DPoP algs="ES256"'})
    token = services.tokens.read(text)
    claimed: Claimed | None = services.devices.claimed(request)
    if claimed is None:
        raise BadToken(f"send the header {HEADER}, made by the phone", code="device_proof_missing")
    if claimed.device != token.device:
        raise BadToken("the token is of another phone's key", code="device_proof_other_key")
    if claimed.token != jose.digest(text.encode()):
        raise BadToken("let `ath` be the SHA-256 of the token, in base64url (RFC 9449, 4.2)", code="device_proof_token")
    request.state.quota = services.limiter.take(f"device:{token.device}")
    client_id = await to_thread.run_sync(_let_in, services.storage, token.activation_id, claimed.accept({}))
    return ActivatedPhone(client_id, token.device)


def _let_in(storage: Storage, activation_id: str, proof: DeviceProof) -> str:
    """The client of the activation, if it is one still; the proof is spent."""
    try:
        record = get_activation(storage.engine, activation_id)
    except NotFound:
        record = None
    if record is None or record.state is not ActivationState.CONFIRMED or record.device != proof.device:
        raise BadToken("its activation was ended", code="device_token_refused")
    spend_alone(storage.engine, proof)
    return record.client_id


Phone = Annotated[ActivatedPhone, Depends(_phone)]

"""The routes of `/v1/activations`, by which a citizen's phone comes to be known; and the keys that its tokens are signed by."""

from __future__ import annotations

from functools import partial
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from api.auth import Activates
from api.identity.device_proof import NONCE_HEADER, Claimed
from api.identity.schemas import (
    BODY,
    FRONT,
    PROVEN,
    WORDS,
    ActivationResource,
    CodeBody,
    ReceivedActivation,
    TokenResource,
)
from api.identity.service import resource
from api.identity.tokens import IssuedToken
from api.multipart import boundary_of, read_parts
from api.problems import RETRY_SECONDS
from api.reception import idempotency_key, json_body, read_in_time, read_small
from api.supports.schemas import problems
from pipeline import tracing
from pipeline.domain.activation import ActivationState
from pipeline.domain.upload import MAX_PHOTO_BYTES
from pipeline.errors import BadToken
from pipeline.records.activations import ROUND

router = APIRouter(prefix="/v1/activations", tags=["activations"])
keys = APIRouter(tags=["activations"])
LIMITS = {FRONT: MAX_PHOTO_BYTES, WORDS: 16 << 10}


@router.post("", status_code=202, response_model=ReceivedActivation, openapi_extra=BODY,
             responses=problems(400, 401, 403, 408, 409, 413, 415, 422, 429, 500, 503))
async def ask_for_code(request: Request, client: Activates) -> JSONResponse:
    """Ask for a code: the credential's front, and the account that it is to be mailed to. A worker looks at the front."""
    services = request.app.state.services
    begun, traceparent = tracing.now(), tracing.valid_traceparent(request.headers.get("traceparent"))
    key = idempotency_key(request)
    boundary = boundary_of(request.headers.get("content-type"))
    claimed = _claimed(request)
    with services.pending.claim(client.id, key), services.gate.admit(request) as chunks:
        parts = await read_in_time(partial(read_parts, boundary=boundary, limits=LIMITS), chunks)
        asked = await to_thread.run_sync(services.activations.look_at, client.id, key, parts, claimed)
        if isinstance(asked, str):
            activation_id = asked
        else:
            read = tracing.now()
            email = await services.providers.verify(asked.words.provider, asked.words.token)
            vouched = tracing.now()
            with request.state.place.storing():
                activation_id, created = await to_thread.run_sync(services.activations.receive, asked, email, traceparent)
            if created:
                steps = [("read", read), ("provider", vouched), ("store", tracing.now())]
                tracing.tell_intake(tracing.trace_of(activation_id, ROUND, traceparent, tracing.ACTIVATION), begun, steps)
    url = f"/v1/activations/{activation_id}"
    return JSONResponse(ReceivedActivation(id=activation_id, url=url).model_dump(), 202,
                        headers={"Location": url, NONCE_HEADER: services.devices.nonce()})


@router.get("/{activation_id}", response_model=ActivationResource, responses=problems(401, 403, 404, 429, 500, 503))
async def read_activation(activation_id: str, request: Request, client: Activates) -> JSONResponse:
    """Where it stands: whether a worker has looked at the front, and what became of the mail."""
    record = await to_thread.run_sync(request.app.state.services.activations.look, client.id, activation_id)
    pending = record.state in (ActivationState.WAITING, ActivationState.SENDING)
    headers = {"Retry-After": str(RETRY_SECONDS)} if pending else None
    return JSONResponse(resource(record).model_dump(mode="json"), headers=headers)


@router.post("/{activation_id}/confirm", response_model=TokenResource, openapi_extra=PROVEN | json_body(CodeBody),
             responses=problems(401, 403, 404, 409, 413, 422, 429, 500, 503))
async def confirm_code(activation_id: str, request: Request, client: Activates) -> JSONResponse:
    """The code as the citizen typed it, with a proof by the phone that asked for it (its part `body`)."""
    claimed = _claimed(request)
    body = await read_in_time(read_small, request.stream())
    services = request.app.state.services
    return _token(await to_thread.run_sync(services.activations.confirm, client.id, activation_id, body, claimed))


@router.post("/{activation_id}/resend", status_code=202, response_model=ActivationResource, openapi_extra=PROVEN,
             responses=problems(401, 403, 404, 409, 429, 500, 503))
async def resend_code(activation_id: str, request: Request, client: Activates) -> JSONResponse:
    """Mail the same code once more: after a minute, and twice at most."""
    services = request.app.state.services
    record = await to_thread.run_sync(services.activations.resend, client.id, activation_id, _claimed(request))
    return JSONResponse(resource(record).model_dump(mode="json"), 202)


@router.post("/{activation_id}/token", response_model=TokenResource, openapi_extra=PROVEN,
             responses=problems(401, 403, 404, 409, 429, 500, 503))
async def renew_token(activation_id: str, request: Request, client: Activates) -> JSONResponse:
    """Another token for a phone that was activated: the last one is over, or its answer was lost."""
    services = request.app.state.services
    return _token(await to_thread.run_sync(services.activations.renew, client.id, activation_id, _claimed(request)))


@router.delete("/{activation_id}", status_code=204, responses=problems(401, 403, 404, 429, 500, 503))
async def end_activation(activation_id: str, request: Request, client: Activates) -> Response:
    """The phone is lost, or the citizen wants it so: it is activated no more, and what was kept for it is gone."""
    await to_thread.run_sync(request.app.state.services.activations.end, client.id, activation_id)
    return Response(status_code=204)


@keys.get("/.well-known/jwks.json")
async def read_keys(request: Request) -> dict[str, list[dict[str, Any]]]:
    """The public keys that phones' tokens are signed by (RFC 7517)."""
    keys_now: dict[str, list[dict[str, Any]]] = request.app.state.services.tokens.key_set()
    return keys_now


def _claimed(request: Request) -> Claimed:
    """The phone's proof, without which nothing here is done. Raises `BadToken`."""
    claimed: Claimed | None = request.app.state.services.devices.claimed(request)
    if claimed is None:
        raise BadToken("send the header Apoyo-Device-Proof, made by the phone", code="device_proof_missing")
    return claimed


def _token(issued: IssuedToken) -> JSONResponse:
    return JSONResponse(TokenResource(token=issued.token, expires_in=issued.expires_in).model_dump())

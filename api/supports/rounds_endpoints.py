"""The routes by which a support goes on after a verdict: a retake, the wish for a person, an officer's decision."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.auth import Decides, SendsSupports
from api.identity.device_proof import NONCE_HEADER
from api.problems import Problem
from api.reception import idempotency_key, json_body, read_in_time, read_json
from api.supports.schemas import CAPTURE, DecisionBody, ReceivedCapture, StandingSupport, problems
from pipeline import faults
from pipeline.domain.capture import Part
from pipeline.domain.decision import Decision
from pipeline.domain.upload import max_bytes
from pipeline.settings import MIB

router = APIRouter(prefix="/v1/supports/{support_id}", tags=["supports"])


@router.put("/captures/{side}", status_code=202, response_model=ReceivedCapture, openapi_extra=CAPTURE,
            responses=problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503))
async def receive_capture(support_id: str, side: Part, request: Request, client: SendsSupports) -> JSONResponse:
    """Take one part of a retake in: the picture itself is the body. The round begins with the last part that was asked for."""
    services = request.app.state.services
    key = idempotency_key(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in ("image/jpeg", "image/png"):
        raise Problem("unsupported_media_type", "Send the picture itself as the body, with Content-Type image/jpeg (or image/png "
                                                "for a signature).", headers={"Accept": "image/jpeg, image/png"})
    claimed = services.devices.claimed(request)
    with services.pending.claim(client.id, key), services.gate.admit(request) as chunks:
        data = await read_in_time(partial(_whole, part=side), chunks)
        with request.state.place.storing():
            round_ = await to_thread.run_sync(services.rounds.retake, client.id, support_id, side, key, data, claimed)
    faults.point("reply.before")
    url = f"/v1/supports/{support_id}"
    body = ReceivedCapture(id=support_id, side=side, round=round_, url=url)
    return JSONResponse(body.model_dump(mode="json"), 202, headers={"Location": url, NONCE_HEADER: services.devices.nonce()})


@router.post("/review", response_model=StandingSupport, responses=problems(401, 403, 404, 409, 429, 500, 503))
async def ask_for_review(support_id: str, request: Request, client: SendsSupports) -> JSONResponse:
    """The citizen wants a person instead of another retake. Asking twice changes nothing."""
    record = await to_thread.run_sync(request.app.state.services.rounds.ask_for_person, client.id, support_id)
    return JSONResponse(StandingSupport(id=record.id, status=record.state, round=record.round).model_dump(mode="json"))


@router.post("/decisions", status_code=201, response_model=StandingSupport, openapi_extra=json_body(DecisionBody),
             responses=problems(401, 403, 404, 409, 422, 429, 500, 503))
async def decide_support(support_id: str, request: Request, officer: Decides) -> JSONResponse:
    """An officer's decision: a record beside the machine's verdict; it stands. Repeating the same one changes nothing."""
    body = await read_json(request, DecisionBody)
    decision = Decision(body.decision, body.reason)
    record = await to_thread.run_sync(request.app.state.services.rounds.decide, officer.id, support_id, decision)
    return JSONResponse(StandingSupport(id=record.id, status=record.state, round=record.round).model_dump(mode="json"), 201)


async def _whole(chunks: AsyncIterator[bytes], part: Part) -> bytes:
    """The body, at most as large as the door allows for this part. Raises `Problem` (`file_too_large`)."""
    data, limit = bytearray(), max_bytes(part)
    async for chunk in chunks:
        data += chunk
        if len(data) > limit:
            raise Problem("file_too_large", f"`{part}` is larger than {limit // MIB} MiB: send it with a stronger compression or "
                                            "fewer pixels.", extra={"part": part.value})
    return bytes(data)

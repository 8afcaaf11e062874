"""The routes of `/v1/supports`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from anyio import fail_after, to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from api.auth import authenticated
from api.limits import BODY_SECONDS
from api.problems import RETRY_SECONDS, Problem
from api.supports.form import boundary_of, read_form
from api.supports.schemas import BODY, ReceivedSupport, SupportResource, problems
from pipeline.records.clients import Client

router = APIRouter(prefix="/v1/supports", tags=["supports"])
_KEY = re.compile(r"[!-~]{1,200}")


@router.post("", status_code=202, response_model=ReceivedSupport, openapi_extra=BODY,
             responses=problems(400, 401, 408, 409, 413, 415, 422, 429, 500, 503))
async def receive_support(request: Request, client: Annotated[Client, Depends(authenticated)]) -> JSONResponse:
    """Take a support in. 202 means: durable; it will get its one verdict whatever happens to this process."""
    services = request.app.state.services
    key = _idempotency_key(request)
    boundary = boundary_of(request.headers.get("content-type"))
    with services.pending.claim(client.id, key), services.gate.admit(request) as chunks:
        try:
            with fail_after(BODY_SECONDS):
                form = await read_form(chunks, boundary)
        except TimeoutError:
            raise Problem("body_too_slow", f"Send the body within {BODY_SECONDS:g} seconds.",
                          headers={"Connection": "close"}) from None
        receipt = await to_thread.run_sync(services.intake.receive, client.id, key, form)
    url = f"/v1/supports/{receipt.id}"
    return JSONResponse(ReceivedSupport(id=receipt.id, url=url).model_dump(), 202, headers={"Location": url})


@router.get("/{support_id}", response_model=SupportResource, responses=problems(401, 404, 429, 500, 503))
async def read_support(support_id: str, request: Request, client: Annotated[Client, Depends(authenticated)]) -> JSONResponse:
    """How a support stands: its verdict with the evidence, or `verdict: null` while it waits."""
    record, resource = await to_thread.run_sync(request.app.state.services.intake.look, client.id, support_id)
    headers: dict[str, Any] = {"ETag": f'"{record.version}"'}
    if record.verdict is None:
        headers["Retry-After"] = str(RETRY_SECONDS)
    return JSONResponse(resource, headers=headers)


def _idempotency_key(request: Request) -> str:
    values = request.headers.getlist("idempotency-key")
    if not values:
        raise Problem("idempotency_key_missing", "Send an Idempotency-Key of your own, such as a UUID a support: then a "
                                                 "repeated request gives the same support and no second one.")
    if len(values) != 1 or not _KEY.fullmatch(values[0]):
        raise Problem("idempotency_key_invalid", "Send one Idempotency-Key of 1 to 200 visible ASCII characters.")
    return values[0]

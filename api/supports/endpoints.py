"""The routes of `/v1/supports`: take one in, tell how it stands."""

from __future__ import annotations

from functools import partial
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.auth import Authenticated, Backend, owner
from api.problems import RETRY_SECONDS
from api.reception import idempotency_key, read_in_time
from api.supports.form import boundary_of, read_form
from api.supports.schemas import BODY, ReceivedSupport, SupportResource, problems

router = APIRouter(prefix="/v1/supports", tags=["supports"])


@router.post("", status_code=202, response_model=ReceivedSupport, openapi_extra=BODY,
             responses=problems(400, 401, 403, 408, 409, 413, 415, 422, 429, 500, 503))
async def receive_support(request: Request, client: Backend) -> JSONResponse:
    """Take a support in. 202 means: durable; it will get its one verdict whatever happens to this process."""
    services = request.app.state.services
    key = idempotency_key(request)
    boundary = boundary_of(request.headers.get("content-type"))
    with services.pending.claim(client.id, key), services.gate.admit(request) as chunks:
        form = await read_in_time(partial(read_form, boundary=boundary), chunks)
        receipt = await to_thread.run_sync(services.intake.receive, client.id, key, form)
    url = f"/v1/supports/{receipt.id}"
    return JSONResponse(ReceivedSupport(id=receipt.id, url=url).model_dump(), 202, headers={"Location": url})


@router.get("/{support_id}", response_model=SupportResource, responses=problems(401, 404, 429, 500, 503))
async def read_support(support_id: str, request: Request, client: Authenticated) -> JSONResponse:
    """How a support stands: its verdict with the evidence, or `verdict: null` while it waits."""
    record, resource = await to_thread.run_sync(request.app.state.services.intake.look, owner(client), support_id)
    headers: dict[str, Any] = {"ETag": f'"{record.version}"'}
    if record.verdict is None:
        headers["Retry-After"] = str(RETRY_SECONDS)
    return JSONResponse(resource, headers=headers)

"""The routes of `/v1/supports`: take one in, tell how it stands, list and count them."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from api.auth import ListsSupports, ReadsSupports, SendsSupports, owner
from api.identity.device_proof import NONCE_HEADER
from api.multipart import boundary_of
from api.problems import RETRY_SECONDS, Problem
from api.reception import idempotency_key, read_in_time
from api.supports.events import EventStream, changes
from api.supports.form import SupportForm, UploadedSupport, read_form, read_uploaded
from api.supports.schemas import BODY, STREAM, CitizenSupport, CountPage, ReceivedSupport, SupportPage, SupportResource, problems
from api.supports.views import View, count_json, etag_matches, standing_json
from pipeline import faults, tracing
from pipeline.domain.folio import PATTERN, folio_of, ids_of
from pipeline.domain.support import State
from pipeline.records.audit import note_look
from pipeline.records.clients import Role
from pipeline.records.listing import Wanted, count_supports, find_standing, list_supports
from pipeline.records.supports import FIRST_ROUND

router = APIRouter(prefix="/v1", tags=["supports"])
PAGE, MAX_PAGE = 50, 200
Name = Annotated[str | None, Query(max_length=200)]
Cursor = Annotated[str | None, Query(max_length=200, json_schema_extra={"pattern": "^[A-Za-z0-9_-]{21}[AQgw]$"})]
"""As `_to_cursor` makes them; not checked by the framework, whose answer would not say what to send instead."""

Folio = Annotated[str | None, Query(max_length=40, json_schema_extra={"pattern": PATTERN})]


@router.post("/supports", status_code=202, response_model=ReceivedSupport, openapi_extra=BODY,
             responses=problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503))
async def receive_support(request: Request, client: SendsSupports) -> JSONResponse:
    """Take a support in. 202 means: durable; it will get its one verdict whatever happens to this process."""
    services = request.app.state.services
    begun, traceparent = tracing.now(), tracing.valid_traceparent(request.headers.get("traceparent"))
    key = idempotency_key(request)
    read = _reader(request.headers.get("content-type", ""))
    claimed = services.devices.claimed(request)
    with services.pending.claim(client.id, key), services.gate.admit(request) as chunks:
        sent = await read_in_time(read, chunks)
        come = tracing.now()
        receive = services.intake.receive if isinstance(sent, SupportForm) else services.intake.receive_uploaded
        with request.state.place.storing():
            receipt = await to_thread.run_sync(receive, client.id, key, sent, claimed, traceparent)
    if receipt.created:
        trace = tracing.trace_of(receipt.id, FIRST_ROUND, traceparent)
        tracing.tell_intake(trace, begun, [("read", come), ("store", tracing.now())])
    faults.point("reply.before")
    url = f"/v1/supports/{receipt.id}"
    return JSONResponse(ReceivedSupport(id=receipt.id, folio=folio_of(receipt.id), url=url).model_dump(), 202,
                        headers={"Location": url, NONCE_HEADER: services.devices.nonce()})


def _reader(content_type: str) -> Callable[[AsyncIterator[bytes]], Awaitable[SupportForm | UploadedSupport]]:
    """How the body is read. Raises `Problem` (`unsupported_media_type`, `bad_multipart`)."""
    if content_type.partition(";")[0].strip().lower() == "application/json":
        return read_uploaded
    return partial(read_form, boundary=boundary_of(content_type))


@router.get("/supports/{support_id}", response_model=SupportResource | CitizenSupport,
            responses=problems(401, 403, 404, 422, 429, 500, 503))
async def read_support(support_id: str, request: Request, client: ReadsSupports, view: View = View.OPERATOR) -> Response:
    """How a support stands: its verdict with the evidence, or `verdict: null` while it waits. 304 where the ETag is known."""
    services = request.app.state.services
    known = request.headers.get("if-none-match")
    if known is not None:
        standing = await to_thread.run_sync(find_standing, services.storage.engine, support_id, owner(client))
        if etag_matches(known, f'"{standing.version}"'):
            return Response(status_code=304, headers=freshness(standing.version, standing.verdict is None))
    look = services.intake.look if view is View.OPERATOR else services.intake.look_as_citizen
    record, resource = await to_thread.run_sync(look, owner(client), support_id)
    if client.role is Role.OFFICER:  # a backend is a program, which shows it to the citizen
        await to_thread.run_sync(note_look, services.storage.engine, client.id, support_id)
    return JSONResponse(resource, headers=freshness(record.version, record.verdict is None))


@router.get("/supports/{support_id}/events", response_class=StreamingResponse,
            responses=STREAM | problems(401, 403, 404, 429, 500, 503))
async def read_events(support_id: str, request: Request, client: ReadsSupports) -> EventStream:
    """Server-sent events: the support in one line, at once and whenever it changes. Ends after accepted, rejected or final."""
    services = request.app.state.services
    engine = services.storage.engine
    await to_thread.run_sync(find_standing, engine, support_id, owner(client))
    seen = request.headers.get("last-event-id")
    return EventStream(changes(engine, support_id, owner(client), seen, services.closing), services.streams)


@router.get("/supports", response_model=SupportPage, responses=problems(401, 403, 422, 429, 500, 503))
async def read_supports(
    request: Request, client: ListsSupports, state: State | None = None, process: Name = None, applicant: Name = None,
    cursor: Cursor = None, folio: Folio = None, limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = PAGE,
) -> JSONResponse:
    """Supports in one line each, newest first; `next_cursor` asks for those before, and is null at the end."""
    wanted = Wanted(owner(client), state, process, applicant, None if folio is None else ids_of(folio))
    before = None if cursor is None else _from_cursor(cursor)
    look = partial(list_supports, request.app.state.services.storage.engine, wanted, before=before, limit=limit + 1)
    found = await to_thread.run_sync(look)
    page = found[:limit]
    cursor_after = _to_cursor(page[-1].id) if len(found) > limit else None
    return JSONResponse({"data": [standing_json(one) for one in page], "next_cursor": cursor_after})


@router.get("/counts", response_model=CountPage, responses=problems(401, 403, 422, 429, 500, 503))
async def read_counts(request: Request, client: ListsSupports, process: Name = None, applicant: Name = None) -> JSONResponse:
    """How many supports stand where, by process and applicant, and how often each reason code is given now."""
    wanted = Wanted(owner(client), process=process, applicant=applicant)
    counts = await to_thread.run_sync(count_supports, request.app.state.services.storage.engine, wanted)
    return JSONResponse({"data": [count_json(one) for one in counts]})


def freshness(version: int, pending: bool) -> dict[str, str]:
    """The headers by which a client knows whether to ask again, and when."""
    return {"ETag": f'"{version}"', **({"Retry-After": str(RETRY_SECONDS)} if pending else {})}


def _to_cursor(support_id: str) -> str:
    return base64.urlsafe_b64encode(uuid.UUID(support_id).bytes).decode().rstrip("=")


def _from_cursor(cursor: str) -> str:
    """The id that the cursor stands for. Raises `Problem` (`bad_cursor`)."""
    try:
        return str(uuid.UUID(bytes=base64.b64decode(cursor + "==", altchars=b"-_", validate=True)))
    except (ValueError, binascii.Error):
        raise Problem("bad_cursor", "Send `next_cursor` of the page before as it came, or none for the first page.") from None

"""The route of `/v1/audit`: the trail as it stands, row by row, so that an auditor can keep its hashes off this machine."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from api.auth import ReadsTrail
from api.supports.schemas import problems
from pipeline.records.audit import Entry, list_entries

router = APIRouter(prefix="/v1/audit", tags=["audit"])
PAGE, MAX_PAGE = 200, 1000


class EntryResource(BaseModel):
    """`hash`: SHA-256 of the JSON list of `seq`, `at_ms`, `actor`, `action`, `subject_id`, `detail_text`, `previous`."""

    seq: int
    at: datetime
    at_ms: int
    actor: str
    action: str
    subject_id: str
    detail: dict[str, Any]
    detail_text: str = Field(description="`detail` as it was hashed.")
    previous: str
    hash: str


class TrailPage(BaseModel):
    data: list[EntryResource]
    next_after: int | None


@router.get("", response_model=TrailPage, responses=problems(401, 403, 422, 429, 500, 503))
async def read_trail(
    request: Request, _client: ReadsTrail, after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = PAGE,
) -> JSONResponse:
    """What was done, oldest first, from the row after `after`: ids and codes only. `next_after` is null at the end."""
    rows = await to_thread.run_sync(list_entries, request.app.state.services.storage.engine, after, limit)
    page = TrailPage(data=[_resource(row) for row in rows], next_after=rows[-1].seq if len(rows) == limit else None)
    return JSONResponse(page.model_dump(mode="json"))


def _resource(row: Entry) -> EntryResource:
    return EntryResource(seq=row.seq, at=row.at, at_ms=row.at_ms, actor=row.actor, action=row.action, subject_id=row.subject_id,
                         detail=json.loads(row.detail), detail_text=row.detail, previous=row.previous, hash=row.hash)

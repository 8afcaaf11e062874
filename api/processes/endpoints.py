"""The routes of `/v1/processes`: read only. An operator puts them in force by `apoyo processes apply FILE`."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from api.auth import ReadsRules
from api.problems import Problem
from api.supports.schemas import problems
from pipeline.domain.process import Notice
from pipeline.records.processes import AppliedProcess, find_process, list_processes


class NoticeResource(BaseModel):
    """`sha256`: of the text in UTF-8, by which an app knows that it shows this very one."""

    version: str
    text: str
    sha256: str
    since: date | None
    until: date | None


router = APIRouter(prefix="/v1/processes", tags=["processes"])
MAX_VERSION = 60
"""An id of 36 characters, a hyphen and a number."""


@router.get("", responses=problems(401, 403, 429, 500, 503))
async def read_processes(request: Request, _client: ReadsRules) -> dict[str, list[dict[str, Any]]]:
    """Every process, in the version that is in force."""
    found = await to_thread.run_sync(list_processes, request.app.state.services.storage.engine)
    return {"data": [process_json(one) for one in found]}


@router.get("/{process_id}", responses=problems(401, 403, 404, 422, 429, 500, 503))
async def read_process(
    process_id: str, request: Request, _client: ReadsRules,
    version: Annotated[str | None, Query(max_length=MAX_VERSION)] = None,
) -> dict[str, Any]:
    """One process: the version in force, or the one that a support says it was judged by (`policy_version`)."""
    found = await to_thread.run_sync(find_process, request.app.state.services.storage.engine, process_id, version)
    return process_json(found)


@router.get("/{process_id}/notices/{notice_version}", response_model=NoticeResource,
            responses=problems(401, 403, 404, 429, 500, 503))
async def read_notice(process_id: str, notice_version: str, request: Request, _client: ReadsRules) -> dict[str, Any]:
    """A privacy notice as it is to be shown, in any version that the process has."""
    found = await to_thread.run_sync(find_process, request.app.state.services.storage.engine, process_id)
    notice = found.process.notice(notice_version)
    if notice is None:
        raise Problem("notice_not_found", "The process has no notice of this version: its `notices` lists them.")
    return {**notice_json(notice), "text": notice.text}


def notice_json(notice: Notice) -> dict[str, Any]:
    """Without its text, which may be pages long."""
    return {"version": notice.version, "sha256": hashlib.sha256(notice.text.encode()).hexdigest(),
            "since": None if notice.since is None else notice.since.isoformat(),
            "until": None if notice.until is None else notice.until.isoformat()}


def process_json(applied: AppliedProcess) -> dict[str, Any]:
    one = applied.process
    return {
        "id": one.id, "version": one.version, "name": one.name,
        "applied_at": None if applied.applied_at is None else applied.applied_at.isoformat(),
        "applicants": _listed(one.applicants), "accepted_models": sorted(one.accepted_models), "required": sorted(one.required),
        "states": _listed(one.states), "sections": _listed(one.sections), "e_f_issued_from": one.e_f_issued_from,
        "extensions": [{"expiry_year": extension.expiry_year, "valid_until": extension.valid_until.isoformat(),
                        "state": extension.state} for extension in one.extensions],
        "opens": None if one.opens is None else one.opens.isoformat(),
        "closes": None if one.closes is None else one.closes.isoformat(),
        "reuse_everywhere": one.reuse_everywhere, "background_supports": one.background_supports,
        "sender_supports": one.sender_supports, "max_retakes": one.max_retakes, "retention_days": one.retention_days,
        "retention": dict(one.retention), "retention_from": one.retention_from,
        "activation": one.activation, "other_way": one.other_way or None,
        "notices": [notice_json(notice) for notice in one.notices],
    }


def _listed(values: frozenset[str] | None) -> list[str] | None:
    return None if values is None else sorted(values)

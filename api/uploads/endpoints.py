"""The route by which a backend asks where to put a support's pictures itself."""

from __future__ import annotations

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.auth import SendsSupports
from api.reception import json_body, read_json
from api.supports.schemas import problems
from api.uploads.schemas import PlannedUpload, UploadBody

router = APIRouter(prefix="/v1/uploads", tags=["uploads"])


@router.post("", status_code=201, response_model=PlannedUpload, openapi_extra=json_body(UploadBody),
             responses=problems(401, 403, 408, 409, 413, 422, 429, 500, 503))
async def plan_upload(request: Request, client: SendsSupports) -> JSONResponse:
    """Where to put the four parts, which the client has sealed: an address for each, which takes just those bytes. Nothing is
    taken in before `POST /v1/supports` names the upload; what never is, is deleted."""
    body = await read_json(request, UploadBody)
    planned = await to_thread.run_sync(request.app.state.services.uploads.plan, client.id, body)
    return JSONResponse(planned.model_dump(mode="json"), 201)

"""The routes of `/v1/my`: a citizen's own phone asks how her support stands."""

from __future__ import annotations

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.identity.device_proof import NONCE_HEADER
from api.identity.phone import Phone
from api.supports.endpoints import freshness
from api.supports.schemas import CitizenSupport, problems

router = APIRouter(prefix="/v1/my", tags=["my"])


@router.get("/supports/{support_id}", response_model=CitizenSupport, responses=problems(401, 404, 429, 500, 503))
async def read_my_support(support_id: str, request: Request, phone: Phone) -> JSONResponse:
    """A support that this phone sent, in the citizen's view. Another phone's is as absent as none."""
    services = request.app.state.services
    record, resource = await to_thread.run_sync(services.intake.look_as_citizen, phone.client_id, support_id, phone.device)
    headers = freshness(record.version, record.verdict is None) | {NONCE_HEADER: services.devices.nonce()}
    return JSONResponse(resource, headers=headers)

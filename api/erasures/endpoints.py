"""The routes by which a support is erased: by the operator, or by the citizen's own phone; and the receipts of it."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from api.auth import Erases, ReadsReceipts, owner
from api.identity.device_proof import NONCE_HEADER
from api.identity.phone import Phone
from api.supports.schemas import problems
from pipeline.records.erasures import Asked, erase, find_receipt
from pipeline.records.receipts import Cause

router = APIRouter(prefix="/v1", tags=["erasures"])
CITIZEN = "citizen"
"""Who did it, in the trail: a phone has no id there."""


class SignedReceipt(BaseModel):
    """`apoyo receipts verify FILE` checks it."""

    receipt: dict[str, Any] = Field(description="What was erased, when and why, and the SHA-256 of the key that was destroyed.")
    key: str = Field(description="Ed25519, the public half, in hex.")
    signature: str = Field(description="Over `apoyo erasure receipt 1`, a line's end, and the canonical JSON of `receipt`.")


@router.delete("/supports/{support_id}", response_model=SignedReceipt, responses=problems(401, 403, 404, 409, 429, 500, 503))
async def erase_support(support_id: str, request: Request, client: Erases) -> JSONResponse:
    """Erase a support for good. Asking again gives the same receipt."""
    storage = request.app.state.services.storage
    signed = await to_thread.run_sync(partial(erase, storage, Asked(support_id, Cause.ASKED, client.id)))
    return JSONResponse(json.loads(signed))


@router.delete("/my/supports/{support_id}", response_model=SignedReceipt, responses=problems(401, 404, 409, 429, 500, 503))
async def withdraw_support(support_id: str, request: Request, phone: Phone) -> JSONResponse:
    """The citizen withdraws what this phone sent: it is erased for good. Asking again gives the same receipt."""
    services = request.app.state.services
    asked = Asked(support_id, Cause.WITHDRAWN, CITIZEN, phone.client_id, phone.device)
    signed = await to_thread.run_sync(partial(erase, services.storage, asked))
    return JSONResponse(json.loads(signed), headers={NONCE_HEADER: services.devices.nonce()})


@router.get("/receipts/{receipt_id}", response_model=SignedReceipt, responses=problems(401, 403, 404, 429, 500, 503))
async def read_receipt(receipt_id: str, request: Request, client: ReadsReceipts) -> JSONResponse:
    """The signed receipt of an erasure; a backend's own, whoever else may see all."""
    signed = await to_thread.run_sync(find_receipt, request.app.state.services.storage.engine, receipt_id, owner(client))
    return JSONResponse(json.loads(signed))

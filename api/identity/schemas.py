"""What the API promises of an activation, for /openapi.json."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from pipeline.domain.activation import CODE_DIGITS, ActivationState

FRONT, WORDS = "front", "activation"
"""The parts of the form."""


class ActivationWords(BaseModel, extra="forbid"):
    """The part `activation`. The account's address is the provider's to say, and has no place here."""

    provider: Literal["google", "facebook", "x", "stand_in"]
    token: str = Field(min_length=1, max_length=8192, description="Google, Facebook: the ID token; X: the access token.")
    process: str = Field(default="demo", min_length=1, max_length=200, description="By whose rules the credential is in force.")
    as_of: date | None = None


class CodeBody(BaseModel, extra="forbid"):
    code: str = Field(pattern=rf"^[0-9]{{{CODE_DIGITS}}}$", description="As it was mailed, without the gap.")


class ReceivedActivation(BaseModel):
    """The answer to a request for a code: durable from here on."""

    id: str
    state: Literal["waiting"] = "waiting"
    url: str


class ActivationReason(BaseModel):
    code: str
    subject: str
    message: str = Field(description="For the citizen: what to do next.")


class ActivationResource(BaseModel):
    id: str
    state: ActivationState
    reasons: list[ActivationReason]
    created_at: datetime
    expires_at: datetime
    sends_left: int
    attempts_left: int
    url: str


class TokenResource(BaseModel):
    token: str = Field(description="Signed by a key of `/.well-known/jwks.json`; `cnf.jkt` is the phone's key.")
    token_type: Literal["DPoP"] = Field(default="DPoP")
    expires_in: int


_HEADERS: list[dict[str, Any]] = [
    {"name": "Idempotency-Key", "in": "header", "required": True,
     "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"}},
    {"name": "Apoyo-Device-Proof", "in": "header", "required": True, "schema": {"type": "string"},
     "description": "A DPoP JWT by the phone's key (docs/api.md)."}]
PROVEN: dict[str, Any] = {"parameters": _HEADERS[1:]}
BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"multipart/form-data": {
        "schema": {"type": "object", "required": [FRONT, WORDS], "additionalProperties": False, "properties": {
            FRONT: {"type": "string", "format": "binary", "description": "JPEG, whole, at most 10 MiB and 64 megapixels."},
            WORDS: {**ActivationWords.model_json_schema(), "description": "As JSON."}}},
        "encoding": {FRONT: {"contentType": "image/jpeg"}, WORDS: {"contentType": "application/json"}},
    }}},
    "parameters": _HEADERS,
}

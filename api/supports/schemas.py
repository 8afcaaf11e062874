"""What the API promises of a support, for /openapi.json. The resource itself is made by `pipeline.result`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.problems import MEDIA_TYPE
from api.reception import whole_schema
from pipeline.domain.capture import Part
from pipeline.domain.card_model import CardModel
from pipeline.domain.decision import Ground, Ruling
from pipeline.domain.folio import PATTERN
from pipeline.domain.support import MAX_NUMBER, MAX_POINTS, MAX_STROKES, MAX_TEXT, State

FOLIO = Field(pattern=PATTERN, description="The support's name for people: to write down, read out, and find it by.")


class ReceivedSupport(BaseModel):
    """The answer to a support that was taken in: durable from here on."""

    id: str
    folio: str = FOLIO
    status: Literal["received"] = "received"
    url: str = Field(description="Where the support is asked for; also in the Location header.")


class ReceivedCapture(BaseModel):
    """The answer to a part that was taken again: durable from here on."""

    id: str
    side: Part
    round: int = Field(description="The round that it belongs to, which begins with the last part that was asked for.")
    url: str


class StandingSupport(BaseModel):
    """A support after something was done to it."""

    id: str
    status: State
    round: int


_GROUNDS = {Ruling.ACCEPTED: [Ground.CONFIRMED], Ruling.REJECTED: [ground for ground in Ground if ground is not Ground.CONFIRMED]}


_PAIRS: list[Any] = [{"properties": {"decision": {"const": ruling}, "reason": {"enum": grounds}}}
                     for ruling, grounds in _GROUNDS.items()]


class DecisionBody(BaseModel, extra="forbid", json_schema_extra={"oneOf": _PAIRS}):
    """`reason`: `confirmed` goes with accepted, every other with rejected."""

    decision: Ruling
    reason: Ground


class CommitBody(BaseModel, extra="forbid"):
    """Of a support whose pictures lie in the store (`POST /v1/uploads`). support: what the part `support` would hold, as a
    string, so that a phone's proof over its bytes holds."""

    upload: str = Field(pattern="^[0-9a-f-]{36}$")
    support: str | None = None


class SupportResource(BaseModel, extra="allow"):
    """A support as an operator sees it. `verdict` is null while it waits; keys may be added, none is left out."""

    id: str
    folio: str = FOLIO
    source: str | None
    status: str
    round: int
    process: str
    received_at: str
    as_of: str
    policy_version: str
    verdict: Literal["accepted", "retake", "review", "rejected"] | None
    reasons: list[dict[str, Any]]
    card: dict[str, Any] | None
    codes: list[dict[str, Any]]
    mrz: dict[str, Any] | None
    fields: dict[str, Any]
    face: dict[str, Any] | None
    signature: dict[str, Any] | None
    checks: list[dict[str, Any]]
    timings_ms: dict[str, float]
    networks: dict[str, str] = Field(description="SHA-256 of the weights that judged, by name.")
    versions: dict[str, str] = Field(description="Digests of the code and of the thresholds that judged; empty while it waits.")
    wanted: list[Part] = Field(description="While a retake is wanted: the parts that have not come yet.")
    rounds: list[dict[str, Any]] = Field(description="Every round's machine verdict, oldest first.")
    decision: dict[str, Any] | None = Field(description="An officer's, beside the machine's verdict.")


class CitizenSupport(BaseModel):
    """A support as the citizen may see it: no score, reading or check."""

    id: str
    folio: str = FOLIO
    status: str
    round: int
    process: str
    received_at: str
    verdict: Literal["accepted", "retake", "review", "rejected"] | None
    wanted: list[Part]
    reasons: list[dict[str, str]]
    decision: dict[str, str] | None
    other_way: str | None = Field(description="Where else to go for who cannot sign or be matched.")


class StandingResource(BaseModel):
    """A support in one line."""

    id: str
    folio: str = FOLIO
    status: State
    round: int
    process: str
    applicant: str | None
    received_at: str
    updated_at: str
    verdict: Literal["accepted", "retake", "review", "rejected"] | None
    reasons: list[str] = Field(description='As "code:subject".')
    url: str


class SupportPage(BaseModel):
    data: list[StandingResource]
    next_cursor: str | None


class CountResource(BaseModel):
    """`reasons`: how many current verdicts give each code."""

    process: str
    applicant: str | None
    total: int
    states: dict[State, int]
    reasons: dict[str, int]


class CountPage(BaseModel):
    data: list[CountResource]


class ProblemBody(BaseModel, extra="allow"):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route for these statuses."""
    schema = ProblemBody.model_json_schema()
    return {status: {"description": "Problem (RFC 9457)", "content": {MEDIA_TYPE: {"schema": schema}}} for status in statuses}


_JPEG = {"type": "string", "format": "binary", "description": "JPEG, whole, at most 10 MiB and 64 megapixels."}
_TEXT = {"type": ["string", "null"], "minLength": 1, "maxLength": MAX_TEXT}
_NUMBER = {"type": "number", "exclusiveMinimum": -MAX_NUMBER, "exclusiveMaximum": MAX_NUMBER}
_STROKES = {
    "type": ["array", "null"], "maxItems": MAX_STROKES,
    "description": f"Points in the order they were drawn, {MAX_POINTS} at most.",
    "items": {"type": "array", "items": {
        "type": "object", "required": ["x", "y"], "additionalProperties": False,
        "properties": {"x": _NUMBER, "y": _NUMBER, "t": {**_NUMBER, "type": ["number", "null"]},
                       "pressure": {**_NUMBER, "type": ["number", "null"]}}}}}
STREAM: dict[int | str, dict[str, Any]] = {200: {
    "description": "Events named `state`, whose data is a support in one line and whose id is its version.",
    "content": {"text/event-stream": {"itemSchema": {
        "type": "object", "required": ["id", "event", "data"], "properties": {
            "id": {"type": "string"}, "event": {"const": "state"},
            "data": {"type": "string", "contentMediaType": "application/json",
                     "contentSchema": whole_schema(StandingResource)},
        }}}}}}
"""`itemSchema` is OpenAPI 3.2's word for one event of a stream; readers of 3.1 pass over it."""
_KEY: dict[str, Any] = {
    "name": "Idempotency-Key", "in": "header", "required": True,
    "description": "1 to 200 visible ASCII characters: the same key with the same request gives the same answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}
_PROOF: dict[str, Any] = {
    "name": "Apoyo-Device-Proof", "in": "header", "required": False, "schema": {"type": "string"},
    "description": "A DPoP JWT by the phone's key over what is sent (docs/api.md).",
}
BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"multipart/form-data": {
        "schema": {
            "type": "object", "required": ["front", "back", "selfie", "signature"], "additionalProperties": False,
            "properties": {
                "front": _JPEG, "back": _JPEG, "selfie": _JPEG,
                "signature": {"type": "string", "format": "binary", "description": "PNG or JPEG, whole, at most 4 MiB."},
                "support": {
                    "type": "object", "additionalProperties": False,
                    "description": "The support's own words, as JSON.",
                    "properties": {
                        "process": _TEXT, "applicant": _TEXT, "gatherer": _TEXT, "notice_version": _TEXT, "device": _TEXT,
                        "chosen_model": {"type": ["string", "null"], "enum": [*CardModel, None]},
                        "captured_at": {"type": ["string", "null"], "format": "date-time"},
                        "as_of": {"type": ["string", "null"], "format": "date"}, "strokes": _STROKES,
                    },
                },
            },
        },
        "encoding": {"front": {"contentType": "image/jpeg"}, "back": {"contentType": "image/jpeg"},
                     "selfie": {"contentType": "image/jpeg"}, "signature": {"contentType": "image/png, image/jpeg"},
                     "support": {"contentType": "application/json"}},
    }, "application/json": {"schema": whole_schema(CommitBody)}}},
    "parameters": [_KEY, _PROOF],
}
CAPTURE: dict[str, Any] = {
    "requestBody": {"required": True, "content": {kind: {"schema": {"type": "string", "format": "binary"}}
                                                  for kind in ("image/jpeg", "image/png")}},
    "parameters": [_KEY, _PROOF],
}

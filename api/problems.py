"""Every error answer, as RFC 9457 problem+json: one table of codes, each with its status and title.

A detail says what to do next and never repeats what was sent. The domain's errors carry codes and no status; the table
below is the only place where the two meet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route

from pipeline.errors import ApoyoError, BadInput, BadSupportInfo, BadToken, BadUpload, Conflict, Erased, NotFound, Unavailable
from pipeline.telemetry import UPLOADS_REFUSED, logger

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:apoyo:problem:"
"""The type URI is this and the code: stable, and nothing is fetched from it."""
RETRY_SECONDS = 2
"""A hint where time alone helps: intake takes well under a second, a verdict about one."""
TIME_HELPS = frozenset({"request_in_flight", "verdict_pending", "round_moved", "activation_waiting", "resend_too_soon", "busy",
                        "storage_full", "unavailable"})
LIMIT_SECONDS = str(24 * 3600)
"""When at the latest a limit of a day gives way."""
WAITS: Mapping[str, str] = MappingProxyType({"activation_limit": LIMIT_SECONDS, "too_many_uploads": "60"})
CONFLICTS: Mapping[str, str] = {
    "idempotency_mismatch": "Send this request with a new key, or the first request again.",
    "verdict_pending": "Wait for the verdict (`GET` tells, or an event), then act on what it asks for.",
    "retake_not_wanted": "Nothing is to be taken again: send no part. A new wish to support is a new support.",
    "side_not_wanted": "Send only the parts that `wanted` of the support names; the others are kept.",
    "side_received": "Send the parts that `wanted` of the support still names: the round begins with the last of them.",
    "round_moved": "Read the support again and act on what it asks for now.",
    "review_not_offered": "A person can be asked for while a retake is wanted: read `status` of the support.",
    "too_many_uploads": "Commit or leave the uploads that are open: each ends by itself at its `expires_at`.",
    "direct_upload_unavailable": "Send the pictures by `POST /v1/supports` as multipart/form-data: the store is a folder, or "
                                 "one that does not compare x-amz-checksum-sha256.",
    "too_many_webhooks": "Delete one that is not needed any more, then send this request again.",
    "activation_limit": "This account or this phone asked for too many codes: try again tomorrow.",
    "activation_waiting": "The front has not been looked at yet: ask where the activation stands, enter the code when it came.",
    "activation_refused": "The front was refused: read `reasons` of the activation, and ask for a new code with another photo.",
    "activation_expired": "The code is over: ask for a new one.",
    "activation_confirmed": "The code was used: ask for a token at …/token.",
    "activation_ended": "The activation was ended: ask for a new code.",
    "activation_not_confirmed": "Enter the code first.",
    "resend_too_soon": "Wait a minute from mail to mail.",
    "resends_spent": "No more mails are sent for this activation: enter the code of the last, or ask for a new one tomorrow.",
    "support_held": "An authority wants it kept: `apoyo hold list` names the reason, `apoyo hold release ID` lets it go.",
    "already_final": "An officer's decision stands: read `decision` of the support.",
}
"""What to do, for each code of a `Conflict`."""

DEVICE_CHALLENGE = 'DPoP algs="ES256", error="invalid_dpop_proof"'
"""RFC 9449, 7.1: what an answer to a proof that is not taken says to the one who made it."""
_NOTHING: Mapping[str, str] = MappingProxyType({})

KINDS: Mapping[str, tuple[int, str]] = {
    "unauthorized": (401, "A client's secret is needed"),
    "device_proof_malformed": (401, "The device's proof cannot be read"),
    "device_proof_algorithm": (401, "The device's proof is signed in a way that is not taken"),
    "device_proof_key": (401, "The device's proof has no usable key"),
    "device_proof_signature": (401, "The device's proof does not hold"),
    "device_proof_target": (401, "The device's proof is for another request"),
    "device_proof_time": (401, "The device's proof is not of now"),
    "device_nonce_required": (401, "The device's proof needs a current nonce"),
    "device_proof_parts": (401, "The device's proof is for other parts"),
    "device_proof_replayed": (401, "The device's proof was used"),
    "device_proof_missing": (401, "The device's proof is needed"),
    "device_proof_token": (401, "The device's proof is for another token"),
    "device_token_refused": (401, "The phone's token is not taken"),
    "device_proof_other_key": (401, "The device is another one"),
    "forbidden": (403, "This client's role may not do that"),
    "not_found": (404, "Nothing is here"),
    "support_not_found": (404, "No such support"),
    "method_not_allowed": (405, "This method is not offered here"),
    "support_erased": (410, "The support was erased"),
    "support_held": (409, "The support must be kept"),
    "receipt_not_found": (404, "No such receipt"),
    "bad_http": (400, "The request cannot be read"),
    "head_too_slow": (408, "The headers took too long to arrive"),
    "head_too_large": (431, "The headers are too large"),
    "body_too_slow": (408, "The body took too long to arrive"),
    "client_gone": (400, "The request was not finished"),
    "request_in_flight": (409, "The same Idempotency-Key is being worked on"),
    "verdict_pending": (409, "The round has no verdict yet"),
    "retake_not_wanted": (409, "No retake is wanted"),
    "side_not_wanted": (409, "This part is not asked for"),
    "side_received": (409, "This part has come already"),
    "round_moved": (409, "The support moved on meanwhile"),
    "review_not_offered": (409, "A person cannot be asked for now"),
    "already_final": (409, "The support is final"),
    "body_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The body must be multipart/form-data"),
    "bad_multipart": (400, "The multipart body cannot be read"),
    "idempotency_key_missing": (400, "The Idempotency-Key header is needed"),
    "idempotency_key_invalid": (400, "The Idempotency-Key header is not usable"),
    "idempotency_mismatch": (422, "The Idempotency-Key was used for another request"),
    "invalid_request": (422, "The request is not valid"),
    "bad_folio": (422, "The folio is not usable"),
    "bad_cursor": (422, "The cursor is not usable"),
    "part_missing": (422, "A part is missing"),
    "part_duplicate": (422, "A part came twice"),
    "part_unknown": (422, "A part has an unknown name"),
    "bad_support_info": (422, "The `support` part is not usable"),
    "process_unknown": (422, "No such process"),
    "upload_not_found": (404, "No such upload"),
    "upload_incomplete": (409, "A part is not in the store"),
    "too_many_uploads": (429, "Too many uploads are open"),
    "direct_upload_unavailable": (409, "Pictures cannot be put into the store from here"),
    "webhook_not_found": (404, "No such webhook"),
    "bad_webhook_url": (422, "The URL is not one that may be called"),
    "too_many_webhooks": (409, "No more webhooks"),
    "activation_not_found": (404, "No such activation"),
    "bad_activation_words": (422, "The `activation` part is not usable"),
    "provider_unknown": (422, "The provider is not taken here"),
    "provider_token_refused": (422, "The provider's token is not taken"),
    "provider_email_missing": (422, "The account has no verified address"),
    "activation_limit": (429, "Too many codes in a day"),
    "activation_waiting": (409, "The front has not been looked at"),
    "activation_refused": (409, "The front was refused"),
    "activation_expired": (409, "The code is over"),
    "activation_confirmed": (409, "The code was used"),
    "activation_ended": (409, "The activation was ended"),
    "activation_not_confirmed": (409, "The phone is not activated"),
    "resend_too_soon": (409, "The last mail is on its way"),
    "resends_spent": (409, "No more mails"),
    "code_wrong": (422, "The code is not right"),
    "notice_not_found": (404, "No such notice"),
    "process_not_found": (404, "No such process"),
    "process_closed": (422, "The process does not gather supports on that day"),
    "applicant_unknown": (422, "The process does not list this applicant"),
    "too_many_requests": (429, "Too many requests"),
    "internal": (500, "Something failed on our side"),
    "busy": (503, "Too much is being received"),
    "storage_full": (503, "Nothing can be stored now"),
    "unavailable": (503, "A dependency does not answer"),
    # the door's codes (pipeline.domain.upload.CODES)
    "file_empty": (422, "A part is empty"),
    "file_too_large": (413, "A part is too large"),
    "file_type": (415, "A part is not of a type that is taken"),
    "file_heic": (415, "A part is HEIC or AVIF"),
    "file_cut": (422, "A picture is cut short"),
    "file_damaged": (422, "A picture is damaged"),
    "jpeg_unsupported": (422, "A JPEG is of a kind that is not taken"),
    "picture_empty": (422, "A picture has no pixels"),
    "picture_too_large": (422, "A picture has too many pixels"),
}


class Problem(Exception):
    """An answer that is not a success. `extra`: further members, such as the part it is about."""

    def __init__(self, code: str, detail: str, *,
                 headers: Mapping[str, str] = _NOTHING, extra: Mapping[str, str] = _NOTHING) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.headers = headers
        self.extra = extra

    @property
    def status(self) -> int:
        return KINDS[self.code][0]


def problem_response(problem: Problem, request_id: str) -> JSONResponse:
    status, title = KINDS[problem.code]
    retry = {"Retry-After": str(RETRY_SECONDS)} if problem.code in TIME_HELPS else {}
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + problem.code, "title": title, "status": status, "detail": problem.detail,
        "code": problem.code, "instance": f"urn:apoyo:request:{request_id}", **problem.extra,
    }
    return JSONResponse(body, status, headers={**retry, **problem.headers}, media_type=MEDIA_TYPE)


def from_error(error: ApoyoError) -> Problem:
    """What a domain error is to a client. What is our fault says no more than that."""
    if isinstance(error, BadUpload) and error.code in KINDS:
        return Problem(error.code, error.detail)
    if isinstance(error, BadToken) and error.code in KINDS:
        if error.code.startswith("provider_"):
            return Problem(error.code, f"Of the provider's token: {error.detail}. Let the citizen sign in again.")
        what = "phone's token" if error.code == "device_token_refused" else "device's proof"
        return Problem(error.code, f"Of the {what}: {error.detail}.", headers={"WWW-Authenticate": DEVICE_CHALLENGE})
    if isinstance(error, BadInput) and error.code == "provider_unknown":
        return Problem(error.code, f"Send the name of a provider that is {error.detail}.")
    if isinstance(error, NotFound) and error.code == "activation_not_found":
        return Problem(error.code, "There is no activation with this id among yours.")
    if isinstance(error, BadSupportInfo):
        return Problem("bad_support_info", error.detail)
    if isinstance(error, BadInput) and error.code == "bad_webhook_url":
        return Problem(error.code, f"Send another URL: {error.detail}.")
    if isinstance(error, Erased):
        return Problem(error.code, "Nothing of it can be read again: `GET /v1/receipts/RECEIPT` gives the signed receipt.",
                       extra={"receipt": error.detail})
    if isinstance(error, NotFound) and error.code == "receipt_not_found":
        return Problem(error.code, "There is no receipt with this id among yours: a support that was erased names it.")
    if isinstance(error, NotFound) and error.code == "upload_not_found":
        return Problem(error.code, "There is no open upload with this id among yours: it was committed, or its time is over. "
                                   "`POST /v1/uploads` gives another.")
    if isinstance(error, NotFound) and error.code == "webhook_not_found":
        return Problem(error.code, "There is no webhook with this id among yours: `GET /v1/webhooks` lists them.")
    if isinstance(error, NotFound) and error.code == "process_unknown":
        return Problem("process_not_found", "There is no such process or version: `GET /v1/processes` lists what there is.")
    if isinstance(error, NotFound):
        return Problem("support_not_found", "There is no support with this id among yours.")
    if isinstance(error, Conflict) and error.code in CONFLICTS:
        headers = {"Retry-After": WAITS[error.code]} if error.code in WAITS else _NOTHING
        return Problem(error.code, CONFLICTS[error.code], headers=headers)
    if isinstance(error, BadInput) and error.code in ("bad_decision", "bad_events"):
        return Problem("invalid_request", f"{error.detail}.")
    if isinstance(error, BadInput) and error.code == "bad_folio":
        return Problem(error.code, f"{error.detail}.")
    if isinstance(error, Unavailable):
        return Problem("storage_full" if error.code == "storage_full" else "unavailable",
                       "Nothing was stored: send the same request with the same Idempotency-Key again, later.")
    return internal()


def internal() -> Problem:
    return Problem("internal", "The request was not the cause: send it again with the same Idempotency-Key; "
                               "if it fails again, tell the operator the `instance`.")


def install(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Answer every known exception with its problem; what is not known is answered by `api.manners`. routes: all there are."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(ApoyoError, _on_error)
    app.add_exception_handler(HTTPException, partial(_on_http, routes))
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(ClientDisconnect, _on_gone)


def _answer(request: Request, problem: Problem) -> JSONResponse:
    if request.method == "POST" and 400 <= problem.status < 500:
        UPLOADS_REFUSED.labels(code=problem.code).inc()
    return problem_response(problem, request.state.request_id)


async def _on_problem(request: Request, problem: Exception) -> JSONResponse:
    if not isinstance(problem, Problem):
        raise problem
    return _answer(request, problem)


async def _on_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ApoyoError):
        raise error
    problem = from_error(error)
    if problem.status >= 500:
        logger("api").error("request_failed", request=request.state.request_id, code=error.code, kind=type(error).__name__)
    return _answer(request, problem)


def _offered(routes: Sequence[BaseRoute], path: str) -> str:
    """All methods of a path, as Allow must name them (RFC 9110, 10.2.1): each has a route of its own, which knows of no other."""
    matching = [route for route in routes if isinstance(route, Route) and route.path_regex.match(path)]
    return ", ".join(sorted({method for route in matching for method in route.methods or ()}))


async def _on_http(routes: Sequence[BaseRoute], request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    known = {
        404: Problem("not_found", "No route has this path: /openapi.json lists them."),
        405: Problem("method_not_allowed", "Use a method that the Allow header names.",
                     headers={"Allow": _offered(routes, request.url.path)}),
    }
    return _answer(request, known.get(error.status_code, Problem("invalid_request", "The request cannot be read.")))


async def _on_validation(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    places = sorted({str(one["loc"][0]) for one in error.errors()})
    return _answer(request, Problem("invalid_request", f"Not valid in: {', '.join(places)}; see /openapi.json."))


async def _on_gone(request: Request, _error: Exception) -> JSONResponse:
    return _answer(request, Problem("client_gone", "The connection ended before the body did: send the request again."))

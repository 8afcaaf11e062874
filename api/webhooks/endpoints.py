"""The routes of `/v1/webhooks`: a backend says where it wants to be told, and of what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from anyio import move_on_after, to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from api.auth import HasWebhooks
from api.reception import json_body, read_json
from api.supports.schemas import problems
from api.webhooks.addresses import ForbiddenAddress, check_addresses, check_url, look_up
from pipeline.errors import BadInput
from pipeline.records.deliveries import add_test, replay_dead
from pipeline.records.outbox import ABOUT_SUPPORTS, EventKind
from pipeline.records.webhooks import Tally, Webhook, add_webhook, get_webhook, list_webhooks, remove_webhook, rotate_secret

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
LOOK_UP_SECONDS = 3.0
"""A name that is not found in this time is taken: what counts is checked at each connection."""


class NewWebhook(BaseModel, extra="forbid"):
    """Where to, and of what; a support's arrival is told by the 202 already, so it is not among what is told unless asked for."""

    url: str = Field(description="https, and a public address.", json_schema_extra={"format": "uri"})
    events: frozenset[EventKind] = Field(
        default=frozenset({EventKind.DECIDED, EventKind.FINAL}), min_length=1,
        json_schema_extra={"items": {"type": "string", "enum": [*sorted(ABOUT_SUPPORTS)]}, "uniqueItems": False})


class WebhookResource(BaseModel):
    id: str
    url: str
    events: list[EventKind]
    created_at: datetime


class NewWebhookResource(WebhookResource):
    secret: str = Field(description="`whsec_` and base64: signs every message (Standard Webhooks). Told only here.")


class WebhookStanding(WebhookResource):
    """`dead`: given up after days; a replay sends them once more."""

    waiting: int
    delivered: int
    dead: int
    last_error: str | None


class WebhookPage(BaseModel):
    data: list[WebhookResource]


class Rotated(BaseModel):
    secret: str
    previous_valid_until: datetime


class Tested(BaseModel):
    event: str = Field(description="The id that the test message carries as `webhook-id`.")


class Replayed(BaseModel):
    deliveries: int


@router.post("", status_code=201, response_model=NewWebhookResource, openapi_extra=json_body(NewWebhook),
             responses=problems(401, 403, 409, 413, 422, 429, 500, 503))
async def create_webhook(request: Request, client: HasWebhooks) -> JSONResponse:
    """Be told at this URL from now on. Only https, and only public addresses, are called."""
    services = request.app.state.services
    wanted = await read_json(request, NewWebhook)
    if not wanted.events <= ABOUT_SUPPORTS:
        raise BadInput("only events about supports can be asked for", code="bad_events")
    await _check(wanted.url, services.allow_loopback)
    webhook, secret = await to_thread.run_sync(add_webhook, services.storage, client.id, wanted.url, wanted.events)
    return _json({**_told(webhook), "secret": secret}, NewWebhookResource, 201, {"Location": f"/v1/webhooks/{webhook.id}"})


@router.get("", response_model=WebhookPage, responses=problems(401, 403, 429, 500, 503))
async def read_webhooks(request: Request, client: HasWebhooks) -> JSONResponse:
    """All of one's own."""
    found = await to_thread.run_sync(list_webhooks, request.app.state.services.storage, client.id)
    return _json({"data": [_told(one) for one in found]}, WebhookPage)


@router.get("/{webhook_id}", response_model=WebhookStanding, responses=problems(401, 403, 404, 429, 500, 503))
async def read_webhook(webhook_id: str, request: Request, client: HasWebhooks) -> JSONResponse:
    """One, and how its deliveries stand."""
    webhook, tally = await _get(request, client.id, webhook_id)
    standing = {"waiting": tally.waiting, "delivered": tally.delivered, "dead": tally.dead, "last_error": tally.last_error}
    return _json({**_told(webhook), **standing}, WebhookStanding)


@router.delete("/{webhook_id}", status_code=204, responses=problems(401, 403, 404, 429, 500, 503))
async def delete_webhook(webhook_id: str, request: Request, client: HasWebhooks) -> Response:
    """Be told no more there."""
    await to_thread.run_sync(remove_webhook, request.app.state.services.storage, client.id, webhook_id)
    return Response(status_code=204)


@router.post("/{webhook_id}/test", status_code=202, response_model=Tested, responses=problems(401, 403, 404, 429, 500, 503))
async def test_webhook(webhook_id: str, request: Request, client: HasWebhooks) -> JSONResponse:
    """Have a message of type `webhook.test` sent, by the way of all others."""
    await _get(request, client.id, webhook_id)
    event = await to_thread.run_sync(add_test, request.app.state.services.storage.engine, client.id, webhook_id)
    return _json({"event": event}, Tested, 202)


@router.post("/{webhook_id}/rotate", response_model=Rotated, responses=problems(401, 403, 404, 429, 500, 503))
async def rotate_webhook(webhook_id: str, request: Request, client: HasWebhooks) -> JSONResponse:
    """A new secret. For a day every message carries two signatures, by it and by the one before."""
    secret, until = await to_thread.run_sync(rotate_secret, request.app.state.services.storage, client.id, webhook_id)
    return _json({"secret": secret, "previous_valid_until": until}, Rotated)


@router.post("/{webhook_id}/replay", response_model=Replayed, responses=problems(401, 403, 404, 429, 500, 503))
async def replay_webhook(webhook_id: str, request: Request, client: HasWebhooks) -> JSONResponse:
    """Send again, with the same event ids, what was given up."""
    await _get(request, client.id, webhook_id)
    revived = await to_thread.run_sync(replay_dead, request.app.state.services.storage.engine, client.id, webhook_id)
    return _json({"deliveries": revived}, Replayed)


async def _get(request: Request, client_id: str, webhook_id: str) -> tuple[Webhook, Tally]:
    return await to_thread.run_sync(get_webhook, request.app.state.services.storage, client_id, webhook_id)


async def _check(url: str, allow_loopback: bool) -> None:
    """A word in time; every connection is checked again. Raises `BadInput` (`bad_webhook_url`)."""
    host, port = check_url(url, allow_loopback)
    with move_on_after(LOOK_UP_SECONDS):
        try:
            check_addresses(await look_up(host, port), allow_loopback)
        except ForbiddenAddress:
            raise BadInput("its host has an address that is not public", code="bad_webhook_url") from None
        except OSError:
            return


def _told(webhook: Webhook) -> dict[str, Any]:
    return {"id": webhook.id, "url": webhook.url, "events": sorted(webhook.events), "created_at": webhook.created_at}


def _json(
    values: dict[str, Any], model: type[BaseModel], status: int = 200, headers: dict[str, str] | None = None
) -> JSONResponse:
    return JSONResponse(model.model_validate(values).model_dump(mode="json"), status, headers=headers)

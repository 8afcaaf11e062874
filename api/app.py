"""The application, built from what it is given; nothing here is global."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from fastapi import FastAPI

from api import problems
from api.audit import endpoints as audit
from api.doorman import Doorman
from api.erasures import endpoints as erasures
from api.health import endpoints as health
from api.identity import endpoints as activations
from api.identity.client_proof import ClientProofs
from api.identity.device_proof import DeviceProofs
from api.identity.providers import Providers
from api.identity.service import Activations
from api.identity.tokens import TokenIssuer
from api.limits import BodyGate, RateLimiter, StoreGate
from api.manners import Manners
from api.my import endpoints as my
from api.processes import endpoints as processes
from api.reception import Pending
from api.supports import endpoints as supports
from api.supports import rounds_endpoints
from api.supports.events import Streams
from api.supports.rounds import Rounds
from api.supports.service import Intake
from api.uploads import endpoints as uploads
from api.uploads.service import Uploads
from api.webhooks import endpoints as webhooks
from pipeline.clock import Clock, utc_now
from pipeline.records.storage import Storage
from pipeline.settings import ApiSettings, IdentitySettings

ROUTERS = (supports.router, rounds_endpoints.router, uploads.router, processes.router, webhooks.router, activations.router,
           activations.keys, my.router, erasures.router, audit.router, health.router)
STORING = (supports.receive_support, rounds_endpoints.receive_capture, activations.ask_for_code)
"""What the doorman gives places for."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes use, at `app.state.services`."""

    storage: Storage
    intake: Intake
    rounds: Rounds
    uploads: Uploads
    pending: Pending
    gate: BodyGate
    storing: StoreGate
    limiter: RateLimiter
    shared_metrics: bool
    streams: Streams
    allow_loopback: bool
    """Webhooks may be on this machine."""
    devices: DeviceProofs
    clients: ClientProofs
    tokens: TokenIssuer
    activations: Activations
    providers: Providers
    closing: threading.Event
    """Set when the process is asked to end: streams end then, so that they do not hold it."""


def create_app(
    storage: Storage,
    settings: ApiSettings,
    *,
    identity: IdentitySettings | None = None,
    clock: Clock = utc_now,
    allow_loopback: bool = False,
) -> FastAPI:
    """The ASGI application. Opens and starts nothing."""
    identity = identity or IdentitySettings()
    public_url = identity.public_url or f"http://{settings.host}:{settings.port}"
    limiter = RateLimiter(settings.requests_a_minute)
    app = FastAPI(title="Apoyo", version="1", docs_url=None, redoc_url=None, redirect_slashes=False,
                  description="Verifies a citizen's support and answers with a verdict and its evidence.")
    devices = DeviceProofs(public_url, identity, storage.keyring, clock, RateLimiter(settings.device_requests_a_minute))
    tokens = TokenIssuer(public_url, identity.token_seconds, storage.keyring, clock)
    app.state.services = Services(
        storage=storage, intake=Intake(storage, clock), rounds=Rounds(storage), pending=Pending(),
        uploads=Uploads(storage, settings.upload_seconds, settings.max_uploads),
        gate=BodyGate(settings.max_body_bytes, settings.max_in_flight_bytes),
        storing=StoreGate(settings.max_storing), limiter=limiter,
        shared_metrics=settings.shared_metrics, streams=Streams(settings.max_streams),
        allow_loopback=allow_loopback, devices=devices, tokens=tokens,
        clients=ClientProofs(public_url, settings.certificates_from, storage, clock),
        activations=Activations(storage, tokens, clock),
        providers=Providers(identity, clock), closing=threading.Event())
    app.add_middleware(Manners, limiter=limiter)
    app.add_middleware(Doorman, gate=app.state.services.storing, limiter=limiter, routes=[
        route for router in ROUTERS for route in router.routes if getattr(route, "endpoint", None) in STORING])
    problems.install(app, [route for router in ROUTERS for route in router.routes])
    for router in ROUTERS:
        app.include_router(router)
    return app

"""Probes and metrics.

All three are open: probes cannot hold secrets, and the metrics are counts without ids, names or processes. The embedded
service binds to loopback; in a cluster the ingress does not publish them.
"""

from __future__ import annotations

import math
from typing import Any

from anyio import fail_after, to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from api.problems import Problem
from pipeline.errors import ApoyoError, Unavailable
from pipeline.records.deliveries import CODES, oldest_due_seconds
from pipeline.records.engine import database_now
from pipeline.records.leases import Backlog, JobKind, backlog
from pipeline.records.storage import Storage
from pipeline.telemetry import (
    JOBS_WAITING,
    METRICS_CONTENT_TYPE,
    OLDEST_CODE_SECONDS,
    OLDEST_DELIVERY_SECONDS,
    OLDEST_JOB_SECONDS,
    render_metrics,
)

PROBE_SECONDS = 3.0
"""Below the usual timeout of a probe with two tries."""
METRICS: dict[int | str, dict[str, Any]] = {200: {"content": {METRICS_CONTENT_TYPE: {"schema": {"type": "string"}}}}}
_NO_SUCH_BLOB = "ready/probe"

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> JSONResponse:
    """The process answers. Says nothing of what it depends on: a restart would not mend that."""
    return JSONResponse({"status": "live"})


@router.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """Supports can be taken in: the database and the blob store answer. Workers are not asked: intake does not need them."""
    try:
        with fail_after(PROBE_SECONDS):
            await to_thread.run_sync(_probe, request.app.state.services.storage, abandon_on_cancel=True)
    except (ApoyoError, TimeoutError):
        raise Problem("unavailable", "The database or the blob store does not answer: ask again after Retry-After.") from None
    return JSONResponse({"status": "ready"})


@router.get("/metrics", response_class=Response, responses=METRICS)
async def metrics(request: Request) -> Response:
    """Prometheus text. Where the database does not answer, how much waits is NaN and the rest is told."""
    services = request.app.state.services
    body = await to_thread.run_sync(_metrics, services.storage, services.shared_metrics)
    return Response(body, media_type=METRICS_CONTENT_TYPE)


def _metrics(storage: Storage, shared: bool) -> bytes:
    for kind in JobKind:
        try:
            waiting = backlog(storage.engine, kind)
        except Unavailable:
            waiting = Backlog(math.nan, math.nan)
        JOBS_WAITING.labels(kind.value).set(waiting.count)
        OLDEST_JOB_SECONDS.labels(kind.value).set(waiting.oldest_seconds)
    try:
        OLDEST_DELIVERY_SECONDS.set(oldest_due_seconds(storage.engine))
        OLDEST_CODE_SECONDS.set(oldest_due_seconds(storage.engine, CODES))
    except Unavailable:
        OLDEST_DELIVERY_SECONDS.set(math.nan)
        OLDEST_CODE_SECONDS.set(math.nan)
    return render_metrics(shared)


def _probe(storage: Storage) -> None:
    database_now(storage.engine)
    storage.blobs.exists(_NO_SUCH_BLOB)

"""What the service says of itself: JSON log lines on stderr, and Prometheus metrics.

A log line or a label holds ids, codes, counts and times; never a text from a support, a name, or bytes. With
PROMETHEUS_MULTIPROC_DIR set before the process starts, every process adds to the same figures and any one renders them.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    start_http_server,
)
from prometheus_client.multiprocess import MultiProcessCollector
from structlog.typing import FilteringBoundLogger

from pipeline.errors import Misconfigured

READY_LINE = "ready"
"""What a process of the service writes to stdout, alone, once it works."""
METRICS_CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)

SUPPORTS_RECEIVED = Counter("apoyo_supports_received", "Supports taken in durably.")
UPLOADS_REFUSED = Counter("apoyo_uploads_refused", "Requests refused at the door.", ["code"])
CLAIMS = Counter("apoyo_claims", "Leases taken by workers.", ["kind", "attempt"])
LEASES_LOST = Counter("apoyo_leases_lost", "Finishes refused because the lease was no longer held.", ["kind"])
ATTEMPTS_FAILED = Counter("apoyo_attempts_failed", "Attempts that ended without a verdict.", ["code"])
VERDICTS = Counter("apoyo_verdicts", "Machine verdicts written.", ["outcome"])
ERASURES = Counter("apoyo_erasures", "Supports that were erased.", ["cause"])
ACTIVATIONS = Counter("apoyo_activations", "Activations that came to a step.", ["step"])
PROVIDER_REQUESTS = Counter("apoyo_provider_requests", "Requests to identity providers.", ["provider", "result"])
JOBS_WAITING = Gauge("apoyo_jobs_waiting", "Jobs without an end.", ["kind"], multiprocess_mode="mostrecent")
OLDEST_JOB_SECONDS = Gauge("apoyo_oldest_job_seconds", "Age of the oldest job without an end.", ["kind"],
                           multiprocess_mode="mostrecent")
ATTEMPTS_TO_DELIVER = Counter("apoyo_delivery_attempts", "Attempts to tell an event.", ["result"])
OLDEST_DELIVERY_SECONDS = Gauge("apoyo_oldest_delivery_seconds", "Age of the oldest delivery that has not arrived.",
                                multiprocess_mode="mostrecent")
OLDEST_CODE_SECONDS = Gauge("apoyo_oldest_code_seconds", "Age of the oldest activation code that its mail server has not taken.",
                            multiprocess_mode="mostrecent")
REQUEST_SECONDS = Histogram("apoyo_request_seconds", "From a request's first byte to its answer's head.",
                            ["method", "route", "status"], buckets=_SECONDS)
STAGE_SECONDS = Histogram("apoyo_stage_seconds", "Time in each stage of a verification.", ["stage"], buckets=_SECONDS)
VERIFY_SECONDS = Histogram("apoyo_verify_seconds", "From claim to verdict.", buckets=_SECONDS)
WAIT_SECONDS = Histogram("apoyo_wait_seconds", "From intake to the first verdict: what a citizen waits.",
                         buckets=(0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0))
NETWORK_BATCH = Histogram("apoyo_network_batch", "Items that a server of networks ran together.", ["network"],
                          buckets=(1, 2, 4, 8, 16, 32, 64, 128))
WORKERS = Gauge("apoyo_workers", "Workers that are to be kept alive.", multiprocess_mode="mostrecent")
SPANS_DROPPED = Counter("apoyo_spans_dropped", "Spans of traces that no collector took.")
ACTORS_ENDED = Counter("apoyo_actors_ended", "Workers, servers of networks, and the index, that ended without being told to.")


def configure_logging(level: int = logging.INFO, file: Path | None = None) -> None:
    """One JSON object a line on stderr (or added to `file`), for our logger and the standard one alike. Once a process.

    A file that cannot be written is no reason not to work: the first line on stderr says so.
    """
    stream, refused = sys.stderr, ""
    if file is not None:
        try:
            stream = file.open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            refused = type(error).__name__
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars, structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True), _places_of_exception,
    ]
    structlog.configure(
        processors=[*processors, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level), logger_factory=structlog.PrintLoggerFactory(stream))
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(
        processor=structlog.processors.JSONRenderer(), foreign_pre_chain=processors))
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    if refused:
        logger("telemetry").warning("log file cannot be written", file=str(file), error_type=refused)


def _places_of_exception(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """An exception as its type and the places it went through: neither its text nor locals, which may hold what was read."""
    error = event.pop("exc_info", None)
    if isinstance(error, tuple):
        error = error[1]
    elif error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["error_type"] = type(error).__name__
        event["places"] = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    return event


def logger(room: str) -> FilteringBoundLogger:
    """A logger whose lines carry `room`. Bind ids to it: `log.bind(support=support_id)`."""
    bound: FilteringBoundLogger = structlog.get_logger(room=room)
    return bound


@contextmanager
def serve_shared_metrics(host: str, port: int) -> Iterator[str]:
    """HTTP on which /metrics shows every process that writes to PROMETHEUS_MULTIPROC_DIR, while the block runs: its URL.

    port: 0 takes a free one. Raises `Misconfigured` where it is taken, or no such folder is there.
    """
    registry = CollectorRegistry()
    try:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        server, thread = start_http_server(port, host, registry)
    except (ValueError, OSError) as error:
        raise Misconfigured(f"metrics cannot be served on {host}:{port}: {error}", code="no_metrics") from error
    try:
        yield f"http://{host}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def render_metrics(shared: bool) -> bytes:
    """All metrics as text for /metrics. shared: of every process that writes to PROMETHEUS_MULTIPROC_DIR, not only this one."""
    if not shared:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)

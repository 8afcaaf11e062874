"""`apoyo metrics`: what the processes beside this one counted, for Prometheus."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer


def metrics(
    port: Annotated[int, typer.Option(min=0, max=65535)] = 9100,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
) -> None:
    """Answer /metrics for every process that writes to PROMETHEUS_MULTIPROC_DIR: a worker has no port of its own."""
    from pipeline.telemetry import serve_shared_metrics

    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    with serve_shared_metrics(host, port) as address:
        print(address, flush=True)
        stop.wait()

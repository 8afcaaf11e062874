"""`apoyo serve`: the API, the workers and the deliverer as child processes, started, watched and stopped together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pipeline.blobs.files import make_folders
from pipeline.errors import Misconfigured
from pipeline.settings import Settings, child_environment
from pipeline.telemetry import READY_LINE

API, WORKERS, DELIVERER = "api", "pipeline.cli.work", "api.deliver"
START_SECONDS = 120.0
"""Ray, and every network loaded and run once, on a slow machine."""
STOP_SECONDS = 10.0
"""Beyond the workers' hard deadline, which is what a support in hand may still take."""
FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 1.0, 30.0
"""Wait before a child that ended by itself is started again; it doubles while the child dies young."""
YOUNG_SECONDS = 60.0
TICK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Service:
    """A service that answers: where, the first client's secret, and the file that holds it."""

    url: str
    secret: str
    secret_file: Path
    log_file: Path


def serve() -> None:
    """Start the API, the workers and the deliverer, and keep them until Ctrl-C (or SIGTERM)."""
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    settings = Settings.load()
    with running_service(settings) as service:
        print(f"Apoyo listens on {service.url}\n"
              f"Client secret, to be sent as `Authorization: Bearer …`: {service.secret} (kept in {service.secret_file})\n"
              f"Log: {service.log_file}\nCtrl-C stops it.", flush=True)
        stop.wait()


@contextmanager
def running_service(settings: Settings, *, log_file: Path | None = None, workers: str = WORKERS) -> Iterator[Service]:
    """The whole service while the block runs; children that end by themselves are started again.

    log_file: where all log lines go (default: `logs/service.log` under the data).  workers: the module that runs them.
    Port 0 takes a free one. Raises `Misconfigured` where a child cannot start; nothing is left running then.
    """
    from pipeline.records.clients import ensure_first_client
    from pipeline.records.storage import open_storage

    log_file = (log_file or settings.storage.data_dir / "logs" / "service.log").absolute()
    settings = _with_port_and_log(settings, log_file)
    storage = open_storage(settings.storage)
    ensure_first_client(storage.engine, settings.storage.client_secret_file)
    storage.engine.dispose()
    url = f"http://{settings.api.host}:{settings.api.port}"
    with log_file.open("ab") as log, _metrics_dir(settings) as metrics:
        environment = child_environment(settings, metrics)
        children = [Child(API, environment, log, lambda _child: _answers(f"{url}/livez")),
                    Child(workers, environment, log, lambda child: child.said_ready),
                    Child(DELIVERER, environment, log, lambda child: child.said_ready)]
        try:
            for child in children:
                child.start()
            _wait_until_ready(children)
            over = threading.Event()
            keeper = threading.Thread(target=_keep, args=(children, over), name="keeper", daemon=True)
            keeper.start()
            try:
                secret_file = settings.storage.client_secret_file
                yield Service(url, secret_file.read_text().strip(), secret_file, log_file)
            finally:
                over.set()
                keeper.join()
        finally:
            _stop(children, settings.worker.hard_deadline_seconds + STOP_SECONDS)


class Child:
    """A Python module in a process that ends when this one does."""

    def __init__(self, module: str, environment: dict[str, str], log: IO[bytes], ready: Callable[[Child], bool]) -> None:
        self.module, self._environment, self._log, self._ready = module, environment, log, ready
        self.said_ready = False
        self.process: subprocess.Popen[str] | None = None
        self._started_at, self._start_after, self._backoff = 0.0, 0.0, FIRST_BACKOFF_SECONDS

    def start(self) -> None:
        self.said_ready, self._started_at, self._start_after = False, time.monotonic(), 0.0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli.tied", str(os.getpid()), self.module], env=self._environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log, start_new_session=True)
        threading.Thread(target=self._listen, args=(self.process,), name=f"{self.module} stdout", daemon=True).start()

    def ready(self) -> bool:
        """Raises `Misconfigured` if it ended instead."""
        if self.ended():
            code = self.process.returncode if self.process else None
            raise Misconfigured(f"`python -m {self.module}` ended with {code}: "
                                f"{self._log.name} says why", code="child_ended")
        return self._ready(self)

    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def start_again_if_ended(self) -> None:
        """Called again and again: starts it when its wait is over."""
        now = time.monotonic()
        if not self.ended():
            return
        if self._start_after == 0.0:
            young = now - self._started_at < YOUNG_SECONDS
            self._backoff = min(2 * self._backoff, MAX_BACKOFF_SECONDS) if young else FIRST_BACKOFF_SECONDS
            self._start_after = now + self._backoff
        elif now >= self._start_after:
            self.start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is not None:
            for line in process.stdout:
                self.said_ready = self.said_ready or line.strip() == READY_LINE


def _wait_until_ready(children: list[Child]) -> None:
    end = time.monotonic() + START_SECONDS
    for child in children:
        while not child.ready():
            if time.monotonic() > end:
                raise Misconfigured(f"`python -m {child.module}` was not ready in {START_SECONDS:.0f} s", code="child_not_ready")
            time.sleep(TICK_SECONDS)


def _keep(children: list[Child], over: threading.Event) -> None:
    """Start again what ended by itself: intake goes on while the workers are down, and they while it is."""
    while not over.wait(TICK_SECONDS):
        for child in children:
            child.start_again_if_ended()


def _stop(children: list[Child], seconds: float) -> None:
    """SIGTERM to all at once, SIGKILL to what has not ended in time."""
    running = [child.process for child in children if child.process is not None]
    for process in running:
        process.terminate()
    end = time.monotonic() + seconds
    for process in running:
        try:
            process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 (our own loopback address)
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _with_port_and_log(settings: Settings, log_file: Path) -> Settings:
    """With a port that is free now in the place of 0, and a file for the workers' log."""
    make_folders(log_file.parent)
    port = free_port(settings.api.host, settings.api.port)
    return settings.model_copy(update={"api": settings.api.model_copy(update={"port": port}),
                                       "worker": settings.worker.model_copy(update={"log_file": log_file})})


def free_port(host: str, port: int) -> int:
    """This port, or any for 0. Raises `Misconfigured` where it is taken: whatever answers there would be taken for our API."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as uvicorn will: a port that was left just now is free
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Misconfigured(f"{host}:{port} cannot be listened on ({error.strerror}): set APOYO_API__PORT to another",
                                code="port_taken") from error
        return int(probe.getsockname()[1])


@contextmanager
def _metrics_dir(settings: Settings) -> Iterator[dict[str, str]]:
    """A folder in which API and workers add up their metrics, so that one /metrics shows both."""
    with tempfile.TemporaryDirectory(prefix="metrics-", dir=settings.storage.data_dir) as folder:
        yield {"PROMETHEUS_MULTIPROC_DIR": folder, "APOYO_API__SHARED_METRICS": "true"}

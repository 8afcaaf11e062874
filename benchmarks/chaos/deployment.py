"""The service under test as processes that are started again whenever they end, as an orchestrator would."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.chaos.clocks import Clock
from benchmarks.chaos.places import Place
from benchmarks.chaos.receiver import DEAD, LIVING, Receiver
from benchmarks.chaos.servers import free_ports
from pipeline.settings import MIB, ApiSettings, DeliverySettings, Settings, WorkerSettings, child_environment

YOUNG_SECONDS = 0.2
"""A life that ends sooner (its database is away) is not followed by the next at once."""
START_SECONDS, STOP_SECONDS = 60.0, 30.0
WORKER = WorkerSettings(count=2, lease_seconds=3, heartbeat_seconds=0.5, hard_deadline_seconds=7, poll_seconds=0.05,
                        memory_bytes=1024 * MIB)
"""Short, so that a test sees leases end; and little memory, so that it is soon used up."""
DELIVERY = DeliverySettings(allow_loopback=True, retake_wait_seconds=1.0, attempt_seconds=1.5, poll_seconds=0.1,
                            backoff_seconds=(0.2, 0.5, *(1.0,) * 1000))
"""Likewise; and so many attempts that none is dead before the test ends."""
ROOT = Path(__file__).parents[2]


class Kept:
    """A program with as many lives as it needs. `specs`: the faults that the next life is armed with."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path, clock: Clock | None = None,
                 root: Path = ROOT) -> None:
        """clock: what it is told that the time is; None: the time. root: the tree whose code it runs."""
        self._clock = clock
        self.specs: Callable[[], str] = str
        self.ends: Counter[int] = Counter()
        """Return codes, by how often a life ended with them."""
        self.struck: Counter[str] = Counter()
        """Specs of lives that ended by what they were armed with."""
        self.pid = 0
        """Of the life that is lived now, or was last."""
        self._over, self._begun = threading.Event(), threading.Event()
        extra = {"PYTHONPATH": str(root), **(clock.environment() if clock else {})}
        self._launcher = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "benchmarks.chaos.launcher", *command], cwd=root,
            env={**environment, **extra}, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        # Through a pipe: a limit on the process's files is not to hit its log.
        self._threads = [threading.Thread(target=self._copy, args=(log,), daemon=True),
                         threading.Thread(target=self._keep, daemon=True)]
        for thread in self._threads:
            thread.start()
        if not self._begun.wait(START_SECONDS):
            raise RuntimeError(f"no life began:\n{log.read_text()[-2000:]}")

    def _copy(self, file: Path) -> None:
        assert self._launcher.stderr is not None
        with file.open("a", buffering=1) as log:
            for line in self._launcher.stderr:
                log.write(line)

    def _keep(self) -> None:
        commands, told = self._launcher.stdin, self._launcher.stdout
        assert commands is not None
        assert told is not None
        with commands:
            while not self._over.is_set():
                spec = self.specs()
                commands.write(spec + "\n")
                commands.flush()
                start = time.monotonic()
                began = told.readline().split()
                self.pid = int(began[1])
                self._begun.set()
                code = int(told.readline().split()[1])
                self.ends[code] += 1
                self.struck[spec] += code not in (0, -signal.SIGTERM)
                if time.monotonic() - start < YOUNG_SECONDS:
                    self._over.wait(YOUNG_SECONDS)

    def signal(self, what: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, what)

    def turn_clock(self, seconds: float | None) -> None:
        """See `Clock.turn`. Raises `RuntimeError` where it has none of its own."""
        if self._clock is None:
            raise RuntimeError("this process has the machine's clock")
        self._clock.turn(seconds)

    def renew(self) -> None:
        """End this life in order, and return in the next."""
        old, end = self.pid, time.monotonic() + STOP_SECONDS
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        while self.pid == old:
            if time.monotonic() > end:
                self.signal(signal.SIGKILL)
            time.sleep(0.02)

    def stop(self) -> None:
        """End it for good."""
        self._over.set()
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self._launcher.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self._launcher.wait(STOP_SECONDS)
        for thread in self._threads:
            thread.join()
        for stream in (self._launcher.stdout, self._launcher.stderr):
            if stream is not None:
                stream.close()


def renew(*many: Kept) -> None:
    """All at once, for each waits for what it has in hand."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(Kept.renew, many))


def hook_at(port: int, secret: str, url: str) -> str:
    """A webhook for verdicts: its secret."""
    body = json.dumps({"url": url, "events": ["support.decided"]}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    connection.request("POST", "/v1/webhooks", body, {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"})
    told = json.load(connection.getresponse())
    connection.close()
    return str(told["secret"])


def until_ready(port: int, log: Path) -> None:
    """Raises `RuntimeError`, with the end of its log, where the API there does not get ready."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"the API did not get ready:\n{log.read_text()[-2000:]}")


class Deployment:
    """One API and two workers over one place. mutant: the deliberate bug that all of them have, if any.  ray: the workers are
    actors of the real supervisor, in a Ray of their own."""

    def __init__(self, place: Place, *, mutant: str = "", api: dict[str, int] | None = None, ray: bool = False,
                 receiver: Receiver | None = None, clocks: bool = False) -> None:
        """receiver: told of verdicts at two of its URLs, one of which is dead; None: nobody is told, and no deliverer runs.
        clocks: each process has one of its own, which may be turned."""
        self.place, self._mutant, self._clocks = place, mutant, itertools.count() if clocks else None
        (self.port,) = free_ports(1)
        door = ApiSettings.model_validate({"port": self.port, "requests_a_minute": 1_000_000, **(api or {})})
        self.settings = Settings(storage=place.settings(), worker=WORKER, api=door, delivery=DELIVERY)
        self.api = self._keep("api.__main__")
        self._until_ready()  # it makes tables and keys, so that nothing after it starts on half of them
        self.workers = [self._keep("benchmarks.chaos.workers", "ray")] if ray else [
            self._keep("benchmarks.chaos.workers") for _ in range(WORKER.count)]
        self.deliverers: list[Kept] = []
        if receiver is not None:
            for name in (LIVING, DEAD):
                receiver.secrets[name] = hook_at(self.port, self.secret, receiver.url(name))
            self.deliverers = [self._keep("api.deliver")]

    @property
    def every(self) -> tuple[Kept, ...]:
        return (self.api, *self.workers, *self.deliverers)

    @property
    def secret(self) -> str:
        return self.settings.storage.client_secret_file.read_text().strip()

    def heal(self) -> None:
        """No fault from now on; lives that are armed end."""
        for kept in self.every:
            kept.specs = str
        renew(*self.every)
        self._until_ready()

    def _keep(self, *module: str) -> Kept:
        clock = None if self._clocks is None else Clock(self.place.folder / f"clock-{next(self._clocks)}")
        return Kept([self._mutant or "-", *module], child_environment(self.settings), self.place.folder / "service.log", clock)

    def _until_ready(self) -> None:
        until_ready(self.port, self.place.folder / "service.log")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(Kept.stop, self.every))

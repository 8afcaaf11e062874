"""A support's way as a trace: its intake, its wait, its verification with every stage, and each webhook that tells of it. An
activation's likewise: its intake with the provider's word, its wait, the look at the front, and each mail.

Nothing has to travel from process to process but the row: the trace is that of the backend's `traceparent` (W3C Trace
Context) where it sent one, else it is named by the support's own id; and each span's id follows from support, round and name, so
that whoever writes the next span knows its parent. A span says ids, codes and times, and nothing of a citizen.

Sent as OTLP over HTTP in JSON, by a thread of its own, from a queue that is bounded: what a collector does not take is dropped
and counted, and nothing ever waits for it.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import re
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from pipeline.settings import TracingSettings
from pipeline.telemetry import SPANS_DROPPED, logger

MOST_WAITING = 4096
"""Spans: the way of some two hundred supports."""
AT_ONCE, EVERY_SECONDS, PATIENCE_SECONDS = 512, 1.0, 5.0
INTAKE, VERIFY = "intake", "verify"
"""Spans that others are children of."""
SUPPORT, ACTIVATION = "support", "activation"
"""What a trace is of."""
INTERNAL, SERVER, PRODUCER, CONSUMER = 1, 2, 4, 5
"""OTLP's kinds of span."""
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")
Value = str | int


@dataclass(frozen=True, slots=True)
class Span:
    """Times in nanoseconds since 1970. parent: a span's id, or None for the first of a trace."""

    trace: str
    id: str
    parent: str | None
    name: str
    start: int
    end: int
    kind: int = INTERNAL
    said: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace of one round of one support, or of an activation. what: which of them. remote: the span of the backend that it
    goes on from."""

    what: str
    subject: str
    round: int
    id: str
    remote: str | None

    def span_id(self, name: str) -> str:
        """16 hex digits, the same in every process."""
        return hashlib.sha256(f"{self.subject}|{self.round}|{name}".encode()).hexdigest()[:16]

    def span(self, name: str, parent: str | None, start: int, end: int, kind: int = INTERNAL,
             said: Mapping[str, Value] = MappingProxyType({})) -> Span:
        """parent: the name of another span of this trace; None: the backend's own span, if there is one."""
        above = self.remote if parent is None else self.span_id(parent)
        told: dict[str, Value] = {f"apoyo.{self.what}": self.subject, "apoyo.round": self.round, **said}
        return Span(self.id, self.span_id(name), above, name.rpartition("/")[2], start, max(start, end), kind, told)

    def steps(self, parent: str, start: int, steps: Iterable[tuple[str, int]]) -> list[Span]:
        """One after another below a span of this trace, each by its name and the moment of its end."""
        spans = []
        for name, end in steps:
            spans.append(self.span(f"{parent}/{name}", parent, start, end))
            start = end
        return spans


def valid_traceparent(header: str | None) -> str | None:
    """The header as it is kept with the row; None for what is none: it is then as if it were not sent (W3C, 3.2)."""
    return header if header is not None and _TRACEPARENT.match(header) else None


def trace_of(subject: str, round_: int, traceparent: str | None, what: str = SUPPORT) -> Trace | None:
    """None where nothing is told of this support or activation: there is no collector, the backend did not sample it, or our
    share leaves it out."""
    exporter = _running.get("exporter")
    if exporter is None:
        return None
    if traceparent is not None:
        _, trace, remote, flags = traceparent.split("-")
        return Trace(what, subject, round_, trace, remote) if int(flags, 16) & 1 else None
    trace = subject.replace("-", "")
    drawn = int(hashlib.sha256(trace.encode()).hexdigest()[:8], 16) / 2**32
    return Trace(what, subject, round_, trace, None) if drawn < exporter.share else None


def running() -> bool:
    """Whether there is a collector to tell."""
    return "exporter" in _running


def moment(at: datetime) -> int:
    """Nanoseconds since 1970."""
    return int(at.timestamp() * 1_000_000) * 1000


def tell(spans: Sequence[Span]) -> None:
    """Hand spans on. Never waits, never raises."""
    exporter = _running.get("exporter")
    if exporter is not None:
        exporter.take(spans)


def tell_intake(trace: Trace | None, begun: int, steps: Sequence[tuple[str, int]]) -> None:
    """The request that began it, with its steps, each by its name and the moment of its end."""
    if trace is not None:
        tell([trace.span(INTAKE, None, begun, steps[-1][1], SERVER), *trace.steps(INTAKE, begun, steps)])


def tell_attempt(trace: Trace | None, since: datetime, began: int, said: Mapping[str, Value]) -> None:
    """The wait since then, and the attempt that ends now."""
    if trace is not None:
        tell([trace.span("wait", INTAKE, moment(since), began),
              trace.span(VERIFY, INTAKE, began, now(), CONSUMER, said)])


def tell_stages(trace: Trace | None, began: int, fetched: int, examined: int, timings_ms: Mapping[str, float]) -> None:
    """What an attempt consisted of, up to now. Stages are told as if each ran once, in the order in which they began: both sides
    of the card go through the first of them."""
    if trace is None:
        return
    stages, end = [], fetched
    for stage, ms in timings_ms.items():
        end += int(ms * 1_000_000)
        stages.append((stage, end))
    steps = [("fetch", fetched), ("examine", examined), ("conclude", now())]
    tell([*trace.steps(VERIFY, began, steps), *trace.steps(f"{VERIFY}/examine", fetched, stages)])


def start(settings: TracingSettings, program: str) -> None:
    """Once a process. Without a URL nothing is told, and nothing is started."""
    if settings.url and "exporter" not in _running:
        exporter = _running["exporter"] = Exporter(settings, program)
        atexit.register(exporter.close)


class Exporter:
    """The queue and its thread."""

    def __init__(self, settings: TracingSettings, program: str) -> None:
        self.share = settings.share
        self._url, self._program = settings.url, program
        self._waiting: deque[Span] = deque()
        self._lock, self._over = threading.Lock(), threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="tracing", daemon=True)
        self._thread.start()

    def take(self, spans: Sequence[Span]) -> None:
        with self._lock:
            room = MOST_WAITING - len(self._waiting)
            self._waiting.extend(spans[:room])
        if len(spans) > room:
            SPANS_DROPPED.inc(len(spans) - room)

    def close(self) -> None:
        """Sends what waits, once."""
        self._over.set()
        self._thread.join(PATIENCE_SECONDS)

    def _run(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            self._send_all()
        self._send_all()

    def _send_all(self) -> None:
        while self._waiting:
            with self._lock:
                batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            if not self._send(batch):
                return

    def _send(self, batch: Sequence[Span]) -> bool:
        request = urllib.request.Request(self._url, json.dumps(as_otlp(batch, self._program)).encode(),  # noqa: S310 (settings')
                                         {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 (http or https: the settings say)
                answer.read()
        except OSError as error:  # URLError, timeouts, and every status that is no success
            SPANS_DROPPED.inc(len(batch))
            if not self._failing:
                logger("tracing").warning("collector does not take spans", kind=type(error).__name__)
            self._failing = True
            return False
        self._failing = False
        return True


_running: dict[str, Exporter] = {}


def as_otlp(batch: Sequence[Span], program: str) -> dict[str, object]:
    """ExportTraceServiceRequest in OTLP's JSON (opentelemetry-proto, trace/v1)."""
    spans = [{"traceId": span.trace, "spanId": span.id, **({} if span.parent is None else {"parentSpanId": span.parent}),
              "name": span.name, "kind": span.kind, "startTimeUnixNano": str(span.start), "endTimeUnixNano": str(span.end),
              "attributes": _attributes(span.said)} for span in batch]
    return {"resourceSpans": [{"resource": {"attributes": _attributes({"service.name": f"apoyo-{program}"})},
                               "scopeSpans": [{"scope": {"name": "apoyo"}, "spans": spans}]}]}


def _attributes(said: Mapping[str, Value]) -> list[dict[str, object]]:
    return [{"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
            for key, value in said.items()]


def now() -> int:
    """Nanoseconds since 1970."""
    return time.time_ns()

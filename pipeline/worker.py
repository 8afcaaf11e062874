"""The worker: lease → fetch → examine → look up → decide → finish. A plain class: no Ray, no globals, one support at a time.

Nothing that happens here loses a support. A worker that dies leaves a lease that runs out; one that hangs ends before its lease
does; one that was too slow finds its token refused. After the last attempt the support goes to a person.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from functools import partial
from types import TracebackType

from structlog.typing import FilteringBoundLogger

from pipeline import faults, telemetry, tracing
from pipeline.activation import check_front
from pipeline.blobs.sealing import SupportKey
from pipeline.clock import utc_now
from pipeline.domain.capture import Capture, Part
from pipeline.domain.context import Context
from pipeline.domain.evidence import Evidence, Fingerprints
from pipeline.domain.process import Process
from pipeline.domain.reuse import Limits, Neighbour
from pipeline.domain.support import SupportInfo
from pipeline.domain.verdict import Outcome, Reason, Subject
from pipeline.errors import ApoyoError, Corrupt, Erased, LeaseLost, Unavailable
from pipeline.judge import Judge
from pipeline.records.activations import activated
from pipeline.records.bell import Channel, bell_of
from pipeline.records.leases import JobKind, Lease, claim, close, heartbeat, release, ripe_kinds
from pipeline.records.processes import find_process
from pipeline.records.reuse import register
from pipeline.records.storage import INFO, Storage, load_parts, open_key
from pipeline.records.supports import FIRST_ROUND, Finished, SupportRecord, finish, get_support
from pipeline.result import Heading, support_resource, unexamined_resource
from pipeline.reuse import Asked, FollowingIndex, Index, Overtaken, ReuseSearch
from pipeline.settings import WorkerSettings

RETRY_SECONDS = 1.0
"""How long a job or a worker waits after something failed, so that a dependency that is down is not asked in a tight loop."""

KEPT_NEIGHBOURS = 200
"""For the desk, the newest (ids sort by age): a picture may have come a hundred thousand times."""

Guard = Callable[[float, float], AbstractContextManager[None]]
"""Ends this process if its block lasts longer than the first number of seconds, or nothing of it runs for the second, even where
native code hangs."""


class Worker:
    """Verifies supports one after another. `name` tells workers apart in the rows they lease."""

    def __init__(self, storage: Storage, judge: Judge, settings: WorkerSettings, name: str,
                 guard: Guard = lambda _seconds, _silence: nullcontext(), index: Index | None = None) -> None:
        """index: where alike prints are looked for; None: in this process."""
        limits = Limits.of(judge.calibration)
        self._search = ReuseSearch(storage, limits, index or FollowingIndex(storage, limits))
        self._storage = storage
        self._judge = judge
        self._settings = settings
        self._name = name
        self._guard = guard
        self._log = telemetry.logger("worker").bind(worker=name)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; the support in hand is finished first."""
        bell = bell_of(self._storage.engine, Channel.JOBS)
        while not stop.is_set():
            bell.arm()
            try:
                taken = self.run_once()
            except Unavailable as error:
                self._log.warning("cannot claim", code=error.code)
                stop.wait(RETRY_SECONDS)
                continue
            if taken == 0:
                bell.wait(stop, self._settings.poll_seconds)

    def run_once(self) -> int:
        """Bring one activation and one support to an end, where there are any: how many were taken. Raises `Unavailable`."""
        return sum(self._take(kind) for kind in ripe_kinds(self._storage.engine))

    def _take(self, kind: JobKind) -> int:
        """One job of this kind, if there is one: of either kind in turn, so that neither makes the other wait."""
        leases = claim(self._storage.engine, kind, self._name, self._settings.lease_seconds,
                       max_attempts=self._settings.max_attempts)
        for lease in leases:
            telemetry.CLAIMS.labels(lease.kind.value, str(min(lease.attempt, self._settings.max_attempts + 1))).inc()
            self._attempt(lease)
        return len(leases)

    def _attempt(self, lease: Lease) -> None:
        """One attempt: a verdict, or the job given back with a code that says why not."""
        limit = self._settings.hard_deadline_seconds
        silence = self._settings.silence_seconds
        log = self._log.bind(**{lease.kind.value: lease.subject_id}, round=lease.round, attempt=lease.attempt)
        try:
            with self._guard(limit, silence), Heartbeat(lambda: self._beat(lease), self._settings.heartbeat_seconds, limit):
                if lease.kind is JobKind.ACTIVATION:
                    self._check_front(lease, log)
                else:
                    self._bring_to_verdict(lease, log)
        except LeaseLost:
            telemetry.LEASES_LOST.labels(lease.kind.value).inc()
            log.warning("lease lost")
        except Erased:
            self._close_erased(lease, log)
        except ApoyoError as error:
            log.warning("attempt failed", code=error.code)
            self._give_back(lease, error.code, counts=not error.retryable)
        except Exception as error:  # whatever one support does must not stop the next
            log.error("attempt failed", code="unexpected", exc_info=error)
            self._give_back(lease, f"unexpected.{type(error).__name__}", counts=True)

    def _close_erased(self, lease: Lease, log: FilteringBoundLogger) -> None:
        """A round that began while its support was being erased: there is nothing to do for it."""
        log.info("support was erased")
        try:
            close(self._storage.engine, lease)
        except (LeaseLost, Unavailable) as error:  # whoever claims it next closes it
            log.warning("could not close", code=error.code)

    def _check_front(self, lease: Lease, log: FilteringBoundLogger) -> None:
        faults.point("work.claimed")
        reasons = check_front(self._storage, self._judge, lease, self._name)
        log.info("front checked", reasons=[reason.code for reason in reasons])

    def _bring_to_verdict(self, lease: Lease, log: FilteringBoundLogger) -> None:
        start, began = time.perf_counter(), tracing.now()
        faults.point("work.claimed")
        record = get_support(self._storage.engine, lease.subject_id)
        if lease.exhausted:
            finished = self._leave_to_a_person(lease, record, "no attempt came to an end")
        else:
            try:
                finished = self._verify(lease, record)
            except Corrupt as error:  # trying again would read the same bytes
                log.error("stored support is damaged", code=error.code)
                finished = self._leave_to_a_person(lease, record, f"stored bytes cannot be used: {error.code}")
        self._trace(lease, record, began, finished)
        seconds = time.perf_counter() - start
        telemetry.VERDICTS.labels(finished.outcome.value).inc()
        telemetry.VERIFY_SECONDS.observe(seconds)
        if lease.round == 1:  # a later round begins when the citizen sends again, and not at the intake
            telemetry.WAIT_SECONDS.observe(max(0.0, (utc_now() - record.received_at).total_seconds()))
        log.info("verdict", outcome=finished.outcome.value, reasons=[reason.code for reason in finished.reasons],
                 ms=round(seconds * 1000))

    def _verify(self, lease: Lease, record: SupportRecord) -> Finished:
        """Fetch, examine, look up, decide, finish. Raises `Corrupt`, `Unavailable`, `Misconfigured`, `LeaseLost`."""
        judge, began = self._judge, tracing.now()
        policy = find_process(self._storage.engine, record.process).process
        capture = capture_of(load_parts(self._storage, record), {part.part: part.sha256 for part in record.parts})
        key = open_key(self._storage, record)

        faults.point("work.fetched")
        fetched = tracing.now()
        evidence = judge.examine(capture, judge.networks, judge.calibration)
        examined = tracing.now()
        faults.point("work.examined")
        roll = judge.roll.ask(evidence)
        asked = self._register(lease, record, evidence, capture.info, policy, key)
        known: frozenset[Neighbour] = frozenset()
        known_phone = activated(self._storage.engine, record.client_id, record.device)
        while True:
            looked = self._search.look_up(asked, known)
            context = Context(capture.info, policy, judge.calibration, record.as_of, looked.reuse, roll, record.round,
                              record.device, known_phone)
            verdict = judge.decide(evidence, context)
            resource = support_resource(heading_of(record), evidence, verdict, context)
            whom = [asdict(one) for one in sorted(looked.neighbours)[-KEPT_NEIGHBOURS:]]
            finished = Finished(verdict.outcome, verdict.reasons, policy.version,
                                sealed_verdict=key.seal("verdict", record.round, _json(resource)),
                                sealed_neighbours=key.seal("neighbours", record.round, _json(whom)))
            try:
                finish(self._storage.engine, lease, finished, partial(self._search.demand_nothing_new, asked, looked))
            except Overtaken as overtaken:  # a copy was registered since the look-up: this one is told too
                known = overtaken.neighbours
            else:
                break
        for stage, ms in evidence.timings_ms.items():
            telemetry.STAGE_SECONDS.labels(stage).observe(ms / 1000)
        trace = tracing.trace_of(record.id, record.round, record.traceparent)
        tracing.tell_stages(trace, began, fetched, examined, evidence.timings_ms)
        return finished

    def _trace(self, lease: Lease, record: SupportRecord, began: int, finished: Finished) -> None:
        """The wait, and the attempt that brought the verdict."""
        tracing.tell_attempt(
            tracing.trace_of(record.id, record.round, record.traceparent),
            record.received_at if record.round == FIRST_ROUND else record.updated_at, began,
            {"apoyo.attempt": lease.attempt, "apoyo.outcome": finished.outcome.value, "apoyo.worker": self._name})

    def _register(self, lease: Lease, record: SupportRecord, evidence: Evidence, info: SupportInfo, policy: Process,
                  key: SupportKey) -> Asked:
        """Others see this support from here on, before it is looked up itself."""
        asked = asked_of(self._storage, record, evidence.fingerprints, info, policy)
        register(self._storage.engine, lease, key.seal("fingerprints", record.round, _json(asdict(asked.prints))), asked.card,
                 asked.sender)
        faults.point("work.registered")
        return asked

    def _leave_to_a_person(self, lease: Lease, record: SupportRecord, detail: str) -> Finished:
        """Without opening the pictures. Where even the key is broken, nothing can be sealed: the row says it all."""
        reason = Reason("support.processing_failed", Subject.SUPPORT, detail)
        resource = unexamined_resource(heading_of(record), reason, record.process, record.as_of, record.policy_version)
        try:
            sealed = open_key(self._storage, record).seal("verdict", record.round, _json(resource))
        except Corrupt:
            sealed = b""
        finished = Finished(Outcome.REVIEW, (reason,), record.policy_version, sealed_verdict=sealed)
        finish(self._storage.engine, lease, finished)
        return finished

    def _beat(self, lease: Lease) -> None:
        faults.point("work.beat")
        heartbeat(self._storage.engine, lease, self._settings.lease_seconds)

    def _give_back(self, lease: Lease, code: str, *, counts: bool) -> None:
        telemetry.ATTEMPTS_FAILED.labels(code).inc()
        try:
            release(self._storage.engine, lease, error=code, wait_seconds=RETRY_SECONDS, counts=counts)
        except (LeaseLost, Unavailable) as error:  # then the lease runs out by itself
            self._log.warning("could not give back", subject=lease.subject_id, code=error.code)


class Heartbeat:
    """Calls `beat` every `every` seconds from a thread of its own while the block runs, and never past `limit` seconds."""

    def __init__(self, beat: Callable[[], None], every: float, limit: float) -> None:
        self._beat, self._every, self._limit = beat, every, limit
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        end = time.monotonic() + self._limit
        while not self._over.wait(self._every) and time.monotonic() < end:
            try:
                self._beat()
            except LeaseLost:
                return  # the finish will be refused; nothing to keep alive
            except Unavailable:
                continue  # the next beat may get through before the lease ends; if not, the fence holds


def capture_of(parts: Mapping[str, bytes], sha256: Mapping[str, str]) -> Capture:
    """The capture from its stored parts and their digests, which loading has checked. Raises `BadSupportInfo`, which the door has
    excluded."""
    return Capture(parts.get(Part.FRONT), parts.get(Part.BACK), parts.get(Part.SELFIE), parts.get(Part.SIGNATURE),
                   SupportInfo.parse(parts.get(INFO, b"{}")), {part: sha256[part] for part in Part if part in sha256})


def asked_of(storage: Storage, record: SupportRecord, prints: Fingerprints, info: SupportInfo, policy: Process) -> Asked:
    """What a support is looked for by among others, in all processes of the deployment or in its own, as the policy says."""
    card = None if prints.card_key is None else storage.keyring.search_digest(prints.card_key)
    by = record.device or info.device or info.gatherer  # the phone proved it; the words only say it
    sender = None if by is None else storage.keyring.search_digest(f"sender|{record.process}|{by}")
    return Asked(record.id, None if policy.reuse_everywhere else record.process, record.applicant, card, prints, sender,
                 policy.background_supports > 0, policy.sender_supports + 1 if policy.sender_supports else 0)


def heading_of(record: SupportRecord) -> Heading:
    return Heading(record.id, None, record.round, record.received_at)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=dict).encode()

"""A worker's other job: look at the front that came with an activation, and have the code mailed or say why not."""

from __future__ import annotations

from pipeline import telemetry, tracing
from pipeline.checks.front import judge_front
from pipeline.domain.activation import ActivationState
from pipeline.domain.capture import Capture
from pipeline.domain.context import Context
from pipeline.domain.support import SupportInfo
from pipeline.domain.verdict import Reason, Subject
from pipeline.errors import Corrupt
from pipeline.judge import Judge
from pipeline.records.activations import FRONT, ROUND, VERSION, ActivationRecord, finish_check, get_activation, load_front
from pipeline.records.leases import Lease
from pipeline.records.processes import find_process
from pipeline.records.storage import Storage


def check_front(storage: Storage, judge: Judge, lease: Lease, worker: str) -> tuple[Reason, ...]:
    """One attempt: why it was refused, or nothing, and then the code is on its way. Raises as a support's attempt does.

    What cannot be examined is asked for again: unlike a support, an activation has no person to go to.
    """
    began = tracing.now()
    record = get_activation(storage.engine, lease.subject_id)
    trace = tracing.trace_of(record.id, ROUND, record.traceparent, tracing.ACTIVATION)
    if lease.exhausted:
        reasons = _failed("no attempt came to an end")
    elif record.state is ActivationState.EXPIRED:
        reasons = _failed("looked at after its time was over")
    else:
        try:
            reasons = _look(storage, judge, record, began, trace)
        except Corrupt as error:
            reasons = _failed(f"stored bytes cannot be used: {error.code}")
    finish_check(storage.engine, lease, reasons)
    outcome = "refused" if reasons else "passed"
    telemetry.ACTIVATIONS.labels(outcome).inc()
    tracing.tell_attempt(trace, record.created_at, began, {
        "apoyo.attempt": lease.attempt, "apoyo.outcome": outcome, "apoyo.worker": worker})
    return reasons


def _look(storage: Storage, judge: Judge, record: ActivationRecord, began: int,
          trace: tracing.Trace | None) -> tuple[Reason, ...]:
    front = record.open_key(storage.keyring).open(FRONT, VERSION, load_front(storage.engine, record.id))
    fetched = tracing.now()
    evidence = judge.examine(Capture(front, None, None, None, SupportInfo()), judge.networks, judge.calibration)
    examined = tracing.now()
    policy = find_process(storage.engine, record.process).process
    reasons = judge_front(evidence, Context(SupportInfo(), policy, judge.calibration, record.as_of))
    tracing.tell_stages(trace, began, fetched, examined, evidence.timings_ms)
    return reasons


def _failed(detail: str) -> tuple[Reason, ...]:
    return (Reason("activation.failed", Subject.FRONT, detail),)

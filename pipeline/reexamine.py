"""Supports judged again beside their verdicts: by the weights, thresholds and rules of now. Nothing that was decided changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.domain.context import Context
from pipeline.judge import Judge
from pipeline.records import audit
from pipeline.records.activations import activated
from pipeline.records.engine import writing
from pipeline.records.processes import find_process
from pipeline.records.storage import Storage, judged_support, load_parts
from pipeline.records.supports import SupportRecord
from pipeline.reuse import ReuseSearch
from pipeline.versions import versions
from pipeline.worker import asked_of, capture_of


@dataclass(frozen=True, slots=True)
class Judged:
    """One judgement in short. reasons: as "code:subject". checks: outcome by name. networks, versions: digests by name."""

    outcome: str
    reasons: tuple[str, ...]
    policy_version: str
    checks: Mapping[str, str]
    networks: Mapping[str, str]
    versions: Mapping[str, str]

    @staticmethod
    def of(resource: Mapping[str, Any]) -> Judged:
        """From the resource that a worker sealed. One that was never examined has neither checks nor networks."""
        return Judged(resource["verdict"], tuple(sorted(f"{one['code']}:{one['subject']}" for one in resource["reasons"])),
                      resource["policy_version"], {one["name"]: one["outcome"] for one in resource.get("checks") or ()},
                      dict(resource.get("networks") or {}), dict(resource.get("versions") or {}))


@dataclass(frozen=True, slots=True)
class Compared:
    """A support's verdict as it stands, and what it would be now."""

    support_id: str
    round: int
    before: Judged
    now: Judged

    @property
    def changed(self) -> bool:
        return (self.before.outcome, self.before.reasons) != (self.now.outcome, self.now.reasons)

    @property
    def checks(self) -> dict[str, tuple[str | None, str | None]]:
        """The checks whose outcome differs: before, now."""
        names = sorted(self.before.checks.keys() | self.now.checks.keys())
        pairs = {name: (self.before.checks.get(name), self.now.checks.get(name)) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    @property
    def networks(self) -> list[str]:
        """Those whose weights are others now."""
        return _differing(self.before.networks, self.now.networks)

    @property
    def versions(self) -> list[str]:
        """Of `code` and `thresholds`, those that are others now, or were not told then."""
        return _differing(self.before.versions, self.now.versions)


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return [name for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name)]


class Reexaminer:
    """Judges one support again as a worker would, without a lease: it writes nothing but a line in the trail."""

    def __init__(self, storage: Storage, judge: Judge, search: ReuseSearch, actor: str, *, kept_policy: bool) -> None:
        """kept_policy: by the version that the verdict was given by, not by the newest; actor: for the trail."""
        self._storage, self._judge, self._search = storage, judge, search
        self._actor, self._kept_policy = actor, kept_policy

    def compare(self, support_id: str) -> Compared:
        """Raises `NotFound`; `BadInput` for one without a verdict; `Corrupt` (one that was erased too), `Unavailable`."""
        record, resource = judged_support(self._storage, support_id)
        before, now = Judged.of(resource), self._again(record)
        compared = Compared(record.id, record.round, before, now)
        with writing(self._storage.engine) as connection:
            audit.append(connection, actor=self._actor, action="support.re_examined", subject_id=record.id,
                         detail={"round": record.round, "before": before.outcome, "now": now.outcome})
        return compared

    def _again(self, record: SupportRecord) -> Judged:
        judge = self._judge
        version = record.verdict.policy_version if self._kept_policy and record.verdict else None
        policy = find_process(self._storage.engine, record.process, version).process
        capture = capture_of(load_parts(self._storage, record), {part.part: part.sha256 for part in record.parts})
        evidence = judge.examine(capture, judge.networks, judge.calibration)
        looked = self._search.look_up(asked_of(self._storage, record, evidence.fingerprints, capture.info, policy))
        roll = judge.roll.ask(evidence)
        known_phone = activated(self._storage.engine, record.client_id, record.device)
        context = Context(capture.info, policy, judge.calibration, record.as_of, looked.reuse, roll, record.round,
                          record.device, known_phone)
        verdict = judge.decide(evidence, context)
        reasons = tuple(sorted(f"{reason.code}:{reason.subject.value}" for reason in verdict.reasons))
        checks = {check.name.value: check.outcome.value for check in verdict.checks}
        return Judged(verdict.outcome.value, reasons, policy.version, checks, judge.networks.digests(),
                      versions(judge.calibration))

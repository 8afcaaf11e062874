"""Any order of everything that can happen to a support, against a model of a few lines."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import func, select

from api.supports.form import SupportForm
from api.supports.rounds import Rounds
from api.supports.service import Intake
from pipeline.clock import utc_now
from pipeline.domain.capture import Part
from pipeline.domain.decision import Decision, Ground, Ruling
from pipeline.domain.support import SupportInfo
from pipeline.domain.verdict import Outcome
from pipeline.errors import Conflict
from pipeline.records import audit
from pipeline.records.engine import reading
from pipeline.records.leases import JobKind, backlog
from pipeline.records.storage import load_parts
from pipeline.records.supports import get_support
from pipeline.records.tables import jobs, outbox
from pipeline.result import STATE_OF
from tests.contract.intake_makers import GOOD, picture
from tests.contract.record_makers import client_in, storage_in
from tests.contract.test_api_rounds import judge_round

PARTS = st.sampled_from(list(Part))
RARELY = st.integers(0, 7).map(lambda number: number == 7)
"""For what ends a life: seven steps in eight go on."""


class Life(RuleBasedStateMachine):
    """One support. The model: its state, round, capture, what is asked for and what of that has come, and keys with answers."""

    answers: Bundle[tuple[str, Part, bytes, int]] = Bundle("answers")

    @initialize()
    def taken_in(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.storage = storage_in(Path(self.folder.name))
        self.client, self.officer = client_in(self.storage.engine), client_in(self.storage.engine)
        self.rounds = Rounds(self.storage)
        form = SupportForm({part: GOOD[part.value] for part in Part}, SupportInfo(), b"{}")
        self.id = Intake(self.storage, utc_now).receive(self.client, "first", form).id
        self.state, self.round, self.verdicts, self.keys = "received", 1, [], 0
        self.capture = {part.value: GOOD[part.value] for part in Part}
        self.asked: set[Part] = set()
        self.early: dict[str, bytes] = {}
        self.ruling: Decision | None = None

    @rule(outcome=st.sampled_from([Outcome.RETAKE] * 4 + list(Outcome)), asked=st.sets(PARTS, min_size=1))
    def judged(self, outcome: Outcome, asked: set[Part]) -> None:
        if self.state != "received":
            assert backlog(self.storage.engine, JobKind.SUPPORT).count == 0
            return
        judge_round(self.storage, outcome, *(part.value for part in Part if part in asked))
        self.state, self.asked = STATE_OF[outcome].value, asked if outcome is Outcome.RETAKE else set()
        self.verdicts.append(outcome)

    @rule(target=answers, number=st.integers(0, 3), shade=st.integers(0, 255))
    def retaken_as_asked(self, number: int, shade: int) -> tuple[str, Part, bytes, int]:
        missing = [part for part in Part if part in self.asked and part.value not in self.early] or list(Part)
        return self._retake(missing[number % len(missing)], shade)

    @rule(target=answers, part=PARTS, shade=st.integers(0, 255))
    def retaken(self, part: Part, shade: int) -> tuple[str, Part, bytes, int]:
        return self._retake(part, shade)

    def _retake(self, part: Part, shade: int) -> tuple[str, Part, bytes, int]:
        data = picture("PNG" if part is Part.SIGNATURE else "JPEG", shade=shade)
        self.keys += 1
        key, round_ = f"key-{self.keys}", 0
        taken = self.state == "retake_wanted" and part in self.asked and part.value not in self.early
        with suppress(Conflict):
            round_ = self.rounds.retake(self.client, self.id, part, key, data)
        assert round_ == (self.round + 1 if taken else 0)
        if taken:
            self.early[part.value] = data
            if set(self.early) == {one.value for one in self.asked}:
                self._next("received")
        return key, part, data, round_

    @rule(answer=answers)
    def retaken_again(self, answer: tuple[str, Part, bytes, int]) -> None:
        """The same request: the same answer, however long ago. One that was refused may be refused or, by now, taken."""
        key, part, data, round_ = answer
        if round_:
            assert self.rounds.retake(self.client, self.id, part, key, data) == round_

    @rule(at_last=RARELY)
    def wished(self, at_last: bool) -> None:
        if not at_last:
            return
        before = self.state
        with suppress(Conflict):
            self.rounds.ask_for_person(self.client, self.id)
        if before == "retake_wanted":
            self._next("in_review")
            self.verdicts.append(Outcome.REVIEW)

    @rule(at_last=RARELY, ruling=st.sampled_from([Decision(Ruling.ACCEPTED, Ground.CONFIRMED), Decision(Ruling.REJECTED, Ground.COPY)]))
    def decided(self, at_last: bool, ruling: Decision) -> None:
        if not (at_last or self.ruling):
            return
        with suppress(Conflict):
            self.rounds.decide(self.officer, self.id, ruling)
        if self.state != "received":
            self.state, self.ruling = "final", self.ruling or ruling

    def _next(self, state: str) -> None:
        self.capture |= self.early
        self.state, self.round, self.asked, self.early = state, self.round + 1, set(), {}

    @invariant()
    def the_support_is_as_the_model(self) -> None:
        if not hasattr(self, "id"):
            return
        record = get_support(self.storage.engine, self.id, self.client)
        assert (record.state, record.round) == (self.state, self.round)
        assert [one.outcome for one in record.rounds] == self.verdicts, "one verdict a round, none changed"
        assert {part.value for part in record.wanted} == {
            part.value for part in self.asked if part.value not in self.early and self.state == "retake_wanted"}
        assert (record.decision and record.decision.decision) == self.ruling, "the first one stands"
        parts = dict(load_parts(self.storage, record))
        assert {name: parts[name] for name in GOOD} == self.capture
        with reading(self.storage.engine) as connection:
            told = connection.execute(select(func.count()).select_from(outbox).where(outbox.c.kind == "support.decided")).scalar_one()
            queued = set(connection.execute(select(jobs.c.round)).scalars())
        assert told == len(self.verdicts)
        assert max(queued) <= self.round
        assert (self.round in queued and self.round > len(self.verdicts)) is (self.state == "received")
        assert audit.first_broken(self.storage.engine) is None

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.storage.engine.dispose()
            self.folder.cleanup()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)

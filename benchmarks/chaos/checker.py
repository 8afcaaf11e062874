"""The checker: holds a history against what database and store really hold. Own SQL, own reads; imports nothing of ours.

I1 nothing acknowledged is lost.  I2 one verdict a round, told at least once and always as the same event.  I3 nothing is there
that nobody sent.  I4 verdicts carry the fence that was current.  I5 nothing in plain.  I6 nothing of one citizen in another's.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from benchmarks.chaos.history import RETAKE, WISHED, Hook, Sent, Told

FAILED = "support.processing_failed"
SEAL, NONCE = b"AP1", 12


class Database(Protocol):
    def rows(self, query: str) -> list[tuple[Any, ...]]: ...


class Objects(Protocol):
    def get(self, key: str) -> bytes | None: ...

    def replace(self, key: str, data: bytes) -> None:
        """For whoever harms them on purpose."""
        ...


@dataclass
class Report:
    """Violations by invariant, each in words; and how much was looked at."""

    violations: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in ("I1", "I2", "I3", "I4", "I5", "I6")})
    acked: int = 0
    verdicts: int = 0
    unexamined: int = 0

    def say(self, invariant: str, what: str) -> None:
        self.violations[invariant].append(what)

    @property
    def count(self) -> int:
        return sum(map(len, self.violations.values()))


class Checker:
    """damaged: ids whose objects a test harmed on purpose: those, and poisons, must go to a person unexamined."""

    def __init__(self, told: Told, database: Database, objects: Objects, key_file: Path,
                 damaged: frozenset[str] = frozenset()) -> None:
        self._told, self._database, self._objects, self._damaged = told, database, objects, damaged
        self._kek = bytes.fromhex(key_file.read_text().strip())
        self.report = Report()

    def check(self) -> Report:
        if not self._told.whole:
            raise ValueError("the history has no end: nothing can be concluded")
        by_id = {one: sent for sent in self._told.sent.values() for one in sent.acked}
        self.report.acked = len(by_id)
        keys = self._open_keys()
        self._nothing_lost(by_id, keys)
        self._nothing_invented()
        self._one_verdict(by_id)
        self._told_to_the_hook()
        self._fenced()
        self._nothing_mixed(by_id, keys)
        return self.report

    def _open_keys(self) -> dict[str, AESGCM]:
        keys = {}
        for support_id, wrapped in self._database.rows("SELECT support_id, wrapped FROM support_keys"):
            try:
                keys[support_id] = AESGCM(aes_key_unwrap(self._kek, bytes(wrapped)))
            except InvalidUnwrap:
                self.report.say("I1", f"the key of {support_id} does not open")
        return keys

    def _nothing_lost(self, by_id: Mapping[str, Sent], keys: Mapping[str, AESGCM]) -> None:
        for sent in self._told.sent.values():
            if len(sent.acked) > 1:
                self.report.say("I3", f"one key gave {len(sent.acked)} supports: {sorted(sent.acked)}")
            if any(status not in (422, 409) for status in sent.mismatched):
                self.report.say("I1", f"another body under the key of {sorted(sent.acked)} was answered {sent.mismatched}")
        for refused in self._told.refused:
            self.report.say("I1", f"what was asked for was not taken: {refused}")
        stored: dict[str, dict[tuple[str, int], tuple[str, int]]] = {}
        for support_id, part, version, blob_key in self._database.rows("SELECT support_id, part, version, blob_key FROM parts"):
            stored.setdefault(support_id, {})[part, version] = (blob_key, version)
        for support_id, sent in by_id.items():
            parts = stored.get(support_id, {})
            if support_id in self._damaged:
                continue
            due = {(part, 1): digest for part, digest in {**sent.parts, "info": ""}.items()}
            due |= {("back", round_): again.sha256 for round_, again in sent.again.items() if again.acked and again.sha256}
            for place, wanted in due.items():
                found = self._unsealed(support_id, place[0], parts.get(place), keys.get(support_id))
                whole = found is not None and (hashlib.sha256(found).hexdigest() == wanted if wanted
                                               else json.loads(found) == json.loads(sent.words))
                if not whole:
                    self.report.say("I1", f"{place[0]} {place[1]} of {support_id} is {'another' if found else 'not there'}")

    def _unsealed(self, support_id: str, part: str, place: tuple[str, int] | None, key: AESGCM | None) -> bytes | None:
        sealed = None if place is None else self._objects.get(place[0])
        if sealed is None or key is None or place is None or not sealed.startswith(SEAL):
            return None
        try:
            return key.decrypt(sealed[3:3 + NONCE], sealed[3 + NONCE:], f"{support_id}|{part}|{place[1]}".encode())
        except InvalidTag:
            return None

    def _nothing_invented(self) -> None:
        known = self._database.rows("SELECT key, support_id FROM idempotency")
        for key, support_id in known:
            if key not in self._told.sent and key not in self._told.keys:
                self.report.say("I3", f"{support_id} has a key that nobody sent")
        named = {support_id for _, support_id in known}
        for (support_id,) in self._database.rows("SELECT id FROM supports"):
            if support_id not in named:
                self.report.say("I3", f"{support_id} belongs to no request")

    def _one_verdict(self, by_id: Mapping[str, Sent]) -> None:
        outcomes = self._verdicts()
        self.report.verdicts = len(outcomes)
        told = Counter((json.loads(body)["support"], json.loads(body)["round"]) for (body,) in
                       self._database.rows("SELECT body FROM outbox WHERE kind = 'support.decided'"))
        trail = Counter((subject, json.loads(detail)["round"]) for subject, detail in self._database.rows(
            "SELECT subject_id, detail FROM audit WHERE action IN ('support.decided', 'support.review_wished')"))
        due = {(support_id, 1) for (support_id,) in self._database.rows("SELECT id FROM supports")}
        due |= {(one, 1) for one in by_id}
        due |= {(one, round_) for one, sent in by_id.items() for round_, again in sent.again.items() if again.acked}
        for support_id, round_ in sorted(due | set(outcomes)):
            if (support_id, round_) not in outcomes:
                self.report.say("I2", f"round {round_} of {support_id} has no verdict")
            elif (told[support_id, round_], trail[support_id, round_]) != (1, 1):
                self.report.say("I2", f"the verdict of {support_id} was told {told[support_id, round_]} times and written into "
                                      f"the trail {trail[support_id, round_]} times")
        for support_id, sent in by_id.items():
            rounds = {round_: found for (one, round_), found in outcomes.items() if one == support_id}
            for round_, (outcome, reasons) in rounds.items():
                self._right_verdict(support_id, sent, round_, outcome, reasons)
            if rounds:
                self._as_it_is_read(support_id, sent, rounds[max(rounds)][0])

    def _verdicts(self) -> dict[tuple[str, int], tuple[str, list[str]]]:
        return {(support_id, round_): (outcome, json.loads(reasons)) for support_id, round_, outcome, reasons in
                self._database.rows("SELECT support_id, round, outcome, reasons FROM verdicts")}

    def _right_verdict(self, support_id: str, sent: Sent, round_: int, outcome: str, reasons: list[str]) -> None:
        unexamined = f"{FAILED}:support" in reasons
        self.report.unexamined += unexamined
        if round_ > 1 and round_ not in sent.again:
            self.report.say("I3", f"{support_id} has a round {round_} that nobody asked for")
        elif round_ == 1 and (sent.poison or support_id in self._damaged):
            if not unexamined:
                self.report.say("I2", f"{support_id} cannot be examined and was judged {outcome}")
        elif not unexamined and outcome != sent.due(round_):
            self.report.say("I6", f"{support_id} was judged {outcome}, its own pictures say {sent.due(round_)}")
        elif (reasons == [WISHED]) != (round_ > 1 and not sent.again[round_].sha256):
            self.report.say("I2", f"round {round_} of {support_id} and the wish for a person are not of one mind")

    def _as_it_is_read(self, support_id: str, sent: Sent, outcome: str) -> None:
        for read in sent.verdicts:
            if read["status"] != 200 or read["verdict"] not in (None, outcome):
                seen = f"{read['verdict']} ({read['status']})"
                self.report.say("I2", f"the owner of {support_id} reads {seen}, the row says {outcome}")

    def _told_to_the_hook(self) -> None:
        """Each verdict was taken at least once, always as one event with one body; unless its retake came before it was told."""
        if not self._told.hooks:
            return
        outcomes, seen = self._verdicts(), dict[tuple[str, int], Hook]()
        last = {one: max(round_ for other, round_ in outcomes if other == one) for one, _ in outcomes}
        for hook in self._told.hooks:
            place = hook.support, hook.round
            first = seen.setdefault(place, hook)
            if not hook.valid:
                self.report.say("I3", f"a message about {hook.support} is not signed as it should be")
            if hook.kind != "support.decided" or place not in outcomes:
                self.report.say("I3", f"a hook was told {hook.kind} of round {hook.round} of {hook.support}, which there is not")
            elif outcomes[place][0] != hook.outcome:
                self.report.say("I2", f"a hook was told {hook.outcome} of {hook.support}, the row says {outcomes[place][0]}")
            if (first.id, first.body_sha256) != (hook.id, hook.body_sha256):
                self.report.say("I2", f"round {hook.round} of {hook.support} was told as two events, or in two ways")
        taken = {(hook.support, hook.round) for hook in self._told.hooks if hook.taken}
        for (support_id, round_), (outcome, _) in outcomes.items():
            if (support_id, round_) not in taken and not (outcome == RETAKE and last[support_id] > round_):
                self.report.say("I2", f"no hook was told of round {round_} of {support_id}")

    def _fenced(self) -> None:
        query = ("SELECT v.support_id, v.fence, j.fence, j.done_at FROM verdicts v JOIN jobs j "
                 "ON j.subject_id = v.support_id AND j.round = v.round AND j.kind = 'support'")
        for support_id, written, current, done_at in self._database.rows(query):
            if written != current or done_at is None:
                self.report.say("I4", f"the verdict of {support_id} carries fence {written}, the job's is {current}")

    def _nothing_mixed(self, by_id: Mapping[str, Sent], keys: Mapping[str, AESGCM]) -> None:
        last = Counter[str]()
        for support_id, round_, sealed in self._database.rows("SELECT support_id, round, sealed FROM verdicts"):
            sent, data, place = by_id.get(support_id), bytes(sealed), f"{support_id}|verdict|{round_}"
            last[support_id] = max(last[support_id], round_)
            if sent is None or not data:
                continue
            try:
                told = json.loads(keys[support_id].decrypt(data[3:3 + NONCE], data[3 + NONCE:], place.encode()))
            except (InvalidTag, KeyError):
                self.report.say("I6", f"the result of {support_id} does not open under its key")
                continue
            self._own_texts(support_id, sent, round_, [code["text"] for code in told["codes"]])
        for support_id, sent in by_id.items():
            for read in sent.verdicts:
                self._own_texts(support_id, sent, last[support_id], read["texts"])

    def _own_texts(self, support_id: str, sent: Sent, round_: int, texts: list[str]) -> None:
        if texts and texts != list(sent.parts_in(round_).values()):
            self.report.say("I6", f"the result of {support_id} holds what was not in its pictures")


def in_plain(canary: bytes, *places: Path) -> Iterator[str]:
    """Files under these places that hold the canary: as it is, in hexadecimal or in UTF-16."""
    forms = (canary, canary.hex().encode(), canary.decode().encode("utf-16-le"))
    for place in places:
        for file in sorted(path for path in place.rglob("*") if path.is_file()):
            with file.open("rb") as content:
                tail = b""
                while chunk := content.read(1 << 20):
                    if any(form in tail + chunk for form in forms):
                        yield str(file)
                        break
                    tail = chunk[-64:]

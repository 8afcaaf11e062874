"""The checker: holds a history against what database and store really hold. Own SQL, own reads; imports nothing of ours.

I1 nothing acknowledged is lost.  I2 one verdict a round.  I3 nothing is there that nobody sent.  I4 verdicts carry the fence that
was current.  I5 nothing in plain.  I6 nothing of one citizen in another's.
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

from benchmarks.chaos.history import Sent, Told, expected_outcome

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
        stored: dict[str, dict[str, tuple[str, int]]] = {}
        for support_id, part, version, blob_key in self._database.rows("SELECT support_id, part, version, blob_key FROM parts"):
            stored.setdefault(support_id, {})[part] = (blob_key, version)
        for support_id, sent in by_id.items():
            parts = stored.get(support_id, {})
            if support_id in self._damaged:
                continue
            for part, wanted in {**sent.parts, "info": ""}.items():
                found = self._unsealed(support_id, part, parts.get(part), keys.get(support_id))
                whole = found is not None and (hashlib.sha256(found).hexdigest() == wanted if wanted
                                               else json.loads(found) == json.loads(sent.words))
                if not whole:
                    self.report.say("I1", f"{part} of {support_id} is {'another' if found else 'not there'}")

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
            if key not in self._told.sent:
                self.report.say("I3", f"{support_id} has a key that nobody sent")
        named = {support_id for _, support_id in known}
        for (support_id,) in self._database.rows("SELECT id FROM supports"):
            if support_id not in named:
                self.report.say("I3", f"{support_id} belongs to no request")

    def _one_verdict(self, by_id: Mapping[str, Sent]) -> None:
        outcomes = {(support_id, round_): (outcome, json.loads(reasons)) for support_id, round_, outcome, reasons in
                    self._database.rows("SELECT support_id, round, outcome, reasons FROM verdicts")}
        self.report.verdicts = len(outcomes)
        told = Counter((json.loads(body)["support"], json.loads(body)["round"]) for (body,) in
                       self._database.rows("SELECT body FROM outbox WHERE kind = 'support.decided'"))
        trail = Counter((subject, json.loads(detail)["round"]) for subject, detail in
                        self._database.rows("SELECT subject_id, detail FROM audit WHERE action = 'support.decided'"))
        rounds = {(support_id, 1) for (support_id,) in self._database.rows("SELECT id FROM supports")}
        for support_id, round_ in rounds | {(one, 1) for one in by_id}:
            if (support_id, round_) not in outcomes:
                self.report.say("I2", f"{support_id} has no verdict")
            elif (told[support_id, round_], trail[support_id, round_]) != (1, 1):
                self.report.say("I2", f"the verdict of {support_id} was told {told[support_id, round_]} times and written into "
                                      f"the trail {trail[support_id, round_]} times")
        for support_id, sent in by_id.items():
            self._right_verdict(support_id, sent, *outcomes.get((support_id, 1), ("", [])))

    def _right_verdict(self, support_id: str, sent: Sent, outcome: str, reasons: list[str]) -> None:
        unexamined = f"{FAILED}:support" in reasons
        self.report.unexamined += unexamined
        due = expected_outcome(sent.parts["front"])
        if outcome and (sent.poison or support_id in self._damaged):
            if not unexamined:
                self.report.say("I2", f"{support_id} cannot be examined and was judged {outcome}")
        elif outcome and not unexamined and outcome != due:
            self.report.say("I6", f"{support_id} was judged {outcome}, its own front says {due}")
        for read in sent.verdicts:
            if read["status"] != 200 or (outcome and read["verdict"] not in (None, outcome)):
                seen = f"{read['verdict']} ({read['status']})"
                self.report.say("I2", f"the owner of {support_id} reads {seen}, the row says {outcome}")

    def _fenced(self) -> None:
        query = ("SELECT v.support_id, v.fence, j.fence, j.done_at FROM verdicts v JOIN jobs j "
                 "ON j.subject_id = v.support_id AND j.round = v.round AND j.kind = 'support'")
        for support_id, written, current, done_at in self._database.rows(query):
            if written != current or done_at is None:
                self.report.say("I4", f"the verdict of {support_id} carries fence {written}, the job's is {current}")

    def _nothing_mixed(self, by_id: Mapping[str, Sent], keys: Mapping[str, AESGCM]) -> None:
        for support_id, sealed in self._database.rows("SELECT support_id, sealed FROM verdicts WHERE round = 1"):
            sent, data, place = by_id.get(support_id), bytes(sealed), f"{support_id}|verdict|1"
            if sent is None or not data:
                continue
            try:
                told = json.loads(keys[support_id].decrypt(data[3:3 + NONCE], data[3 + NONCE:], place.encode()))
            except (InvalidTag, KeyError):
                self.report.say("I6", f"the result of {support_id} does not open under its key")
                continue
            self._own_texts(support_id, sent, [code["text"] for code in told["codes"]])
            for read in sent.verdicts:
                self._own_texts(support_id, sent, read["texts"])

    def _own_texts(self, support_id: str, sent: Sent, texts: list[str]) -> None:
        if texts and texts != list(sent.parts.values()):
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

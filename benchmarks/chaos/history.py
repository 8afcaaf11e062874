"""The history: what was about to be sent, and what was answered, one JSON object a line, written before and after.

Imports nothing of the product, like the load client that writes it and the checker that reads it.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PARTS = ("front", "back", "selfie", "signature")
OUTCOMES = ("accepted", "retake", "review", "rejected")
POISON = b"POISON:"
"""In the bytes of a front: what it does to the process that examines it follows, up to a semicolon."""


RETAKE, WISHED = "retake", "support.review_wished:support"
"""The outcome that asks for another back, and the one reason of a round that the citizen opened by asking for a person."""


def expected_outcome(sha256: str) -> str:
    """What the stand-in judge says of a front, or in later rounds of the back: each verdict follows from its own bytes and from
    nothing else."""
    return OUTCOMES[int(sha256[:2], 16) % len(OUTCOMES)]


class History:
    """Appends events; each is in the file before the call returns. `at`: seconds since it began."""

    def __init__(self, file: Path) -> None:
        self._out = file.open("w", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()
        self.began = time.monotonic()

    def write(self, do: str, **values: Any) -> None:
        line = json.dumps({"at": round(time.monotonic() - self.began, 4), "do": do, **values})
        with self._lock:
            self._out.write(line + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._out.close()


@dataclass
class Again:
    """A round that its sender opened: by another back, or (no sha256) by the wish for a person. acked: it was answered so."""

    sha256: str
    acked: bool = False


@dataclass(frozen=True, slots=True)
class Hook:
    """What a receiver was told, as it came. valid: signed by its secret.  taken: it will be answered with a 2xx."""

    id: str
    kind: str
    support: str
    round: int
    outcome: str
    body_sha256: str
    valid: bool
    taken: bool


@dataclass
class Sent:
    """One support as its sender knows it. acked: the ids that a 202 gave for its key (one, if all is well)."""

    key: str
    parts: Mapping[str, str]
    words: str
    poison: str
    sends: int = 0
    acked: set[str] = field(default_factory=set)
    acks: int = 0
    mismatched: list[int] = field(default_factory=list)
    """What a request with the same key and another body was answered with."""
    verdicts: list[Mapping[str, Any]] = field(default_factory=list)
    """As they were read through the API, in order."""
    again: dict[int, Again] = field(default_factory=dict)
    """Rounds after the first, as far as they were tried."""

    def parts_in(self, round_: int) -> dict[str, str]:
        """Digests of what that round is judged by."""
        backs = [again.sha256 for number, again in sorted(self.again.items()) if again.sha256 and number <= round_]
        return {**self.parts, "back": backs[-1]} if backs else dict(self.parts)

    def due(self, round_: int) -> str:
        """The outcome that the round must have if it is examined."""
        again = self.again.get(round_)
        if again is None:
            return expected_outcome(self.parts["front"])
        return expected_outcome(again.sha256) if again.sha256 else "review"


@dataclass
class Told:
    """A history as a whole."""

    sent: dict[str, Sent] = field(default_factory=dict)
    answers: list[tuple[float, int, float]] = field(default_factory=list)
    """At, status (0: no answer came), milliseconds."""
    faults: list[tuple[float, str]] = field(default_factory=list)
    rude: int = 0
    """Answers 429 and 503 without Retry-After."""
    hooks: list[Hook] = field(default_factory=list)
    keys: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Of retakes: the key of the support and the round that each opens."""
    refused: list[str] = field(default_factory=list)
    """Retakes that were asked for and then not wanted, in words."""
    whole: bool = False
    """It came to its end: faults healed, all drained, everything read once more. Otherwise nothing can be said."""


def read_history(lines: Iterable[str]) -> Told:
    told = Told()
    began: dict[tuple[str, int], float] = defaultdict(float)
    for line in lines:
        event = json.loads(line)
        do, at, key = event["do"], event["at"], event.get("key", "")
        if do == "plan":
            told.sent[key] = Sent(key, event["parts"], event["words"], event["poison"])
        elif do == "again":  # a wish for a person is one without a key of its own
            told.sent[event["of"]].again[event["round"]] = Again(event["sha256"], event["acked"])
            told.keys[key] = event["of"], event["round"]
        elif do == "send":
            began[key, event["n"]] = at
            if key in told.sent:
                told.sent[key].sends += 1
        elif do in ("answer", "lost"):
            _answered(told, event, (at - began.pop((key, event["n"]))) * 1000)
        elif do == "mismatch":
            told.sent[key].mismatched.append(event["status"])
        elif do == "read":
            told.sent[key].verdicts.append(event)
        elif do == "hook":
            told.hooks.append(Hook(**{name: event[name] for name in Hook.__slots__}))
        elif do == "fault":
            told.faults.append((at, event["name"]))
        elif do == "end":
            told.whole = True
    return told


def _answered(told: Told, event: Mapping[str, Any], ms: float) -> None:
    status, key = event.get("status", 0), event["key"]
    told.answers.append((event["at"], status, ms))
    told.rude += status in (429, 503) and not event["retry"]
    if key in told.keys:
        of, round_ = told.keys[key]
        told.sent[of].again[round_].acked |= status == 202
        if status not in (0, 202) and not event["retry"]:
            told.refused.append(f"{status} {event['code']} for round {round_} of {sorted(told.sent[of].acked)}")
    elif status == 202:
        told.sent[key].acked.add(event["id"])
        told.sent[key].acks += 1

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


def expected_outcome(front_sha256: str) -> str:
    """What the stand-in judge says of a front: each support's verdict follows from its own bytes and from nothing else."""
    return OUTCOMES[int(front_sha256[:2], 16) % len(OUTCOMES)]


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


@dataclass
class Told:
    """A history as a whole."""

    sent: dict[str, Sent] = field(default_factory=dict)
    answers: list[tuple[float, int, float]] = field(default_factory=list)
    """At, status (0: no answer came), milliseconds."""
    faults: list[tuple[float, str]] = field(default_factory=list)
    rude: int = 0
    """Answers 429 and 503 without Retry-After."""
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
        elif do == "send":
            began[key, event["n"]] = at
            told.sent[key].sends += 1
        elif do in ("answer", "lost"):
            status = event.get("status", 0)
            told.answers.append((at, status, (at - began.pop((key, event["n"]))) * 1000))
            told.rude += status in (429, 503) and not event["retry"]
            if status == 202:
                told.sent[key].acked.add(event["id"])
                told.sent[key].acks += 1
        elif do == "mismatch":
            told.sent[key].mismatched.append(event["status"])
        elif do == "read":
            told.sent[key].verdicts.append(event)
        elif do == "fault":
            told.faults.append((at, event["name"]))
        elif do == "end":
            told.whole = True
    return told

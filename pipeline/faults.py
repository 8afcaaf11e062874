"""Named places where a test may break this process: `point("blob.after_put")`. Nothing is armed unless a setting says so.

The setting is a list such as `commit.after=kill@3,work.examined=hang@1`: at its third commit the process kills itself. Each
place strikes once, or with `@/5` each fifth time. Kinds: `kill` (as SIGKILL from outside), `segv` (as native code does), `hang`
(as native code does: the interpreter's lock is kept), `loop` (without an end), `pause:SECONDS`, `fail` (`Unavailable`), `memory`
(all that there is).
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from dataclasses import dataclass

from pipeline.errors import Misconfigured, Unavailable

POINTS = ("blob.before_put", "blob.after_put", "commit.before", "commit.after", "reply.before", "work.claimed", "work.fetched",
          "work.registered", "work.examined", "work.beat", "deliver.told", "erase.committed")
KINDS = ("kill", "segv", "hang", "loop", "pause", "fail", "memory")
HANG_SECONDS = 3600


@dataclass
class _Armed:
    kind: str
    seconds: float
    left: int
    period: int
    """0: once."""


_armed: dict[str, _Armed] = {}
_lock = threading.Lock()


def point(name: str) -> None:
    """Break here if that is armed. Costs one look at an empty table otherwise."""
    if _armed:
        _reach(name)


def arm(spec: str) -> None:
    """Raises `Misconfigured` for a place or kind that is not there."""
    for one in filter(None, spec.split(",")):
        name, _, what = one.partition("=")
        what, _, nth = what.partition("@")
        kind, _, seconds = what.partition(":")
        if name not in POINTS or kind not in KINDS:
            raise Misconfigured(f"no fault is called {one!r}", code="bad_setting")
        times = int(nth.lstrip("/") or 1)
        _armed[name] = _Armed(kind, float(seconds or 0), times, times if nth.startswith("/") else 0)


def disarm() -> None:
    _armed.clear()


def _reach(name: str) -> None:
    with _lock:
        armed = _armed.get(name)
        if armed is None:
            return
        armed.left -= 1
        if armed.left:
            return
        armed.left = armed.period
        if not armed.period:
            del _armed[name]
    strike(armed.kind, armed.seconds)


def strike(kind: str, seconds: float = 0.0) -> None:
    """Do it now. Returns only from `pause`; `fail` raises `Unavailable`, `memory` MemoryError where memory is bounded."""
    if kind in ("kill", "segv"):
        os.kill(os.getpid(), signal.SIGKILL if kind == "kill" else signal.SIGSEGV)
    elif kind == "hang":
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # else SIGTERM would wake it
        ctypes.PyDLL(None).sleep(HANG_SECONDS)  # PyDLL keeps the interpreter's lock, as a call into hung native code would
    elif kind == "loop":
        while True:
            pass
    elif kind == "pause":
        time.sleep(seconds)
    elif kind == "memory":
        held = []
        while True:
            held.append(bytes(64 << 20))
    else:
        raise Unavailable("as a test asked for", code="injected")

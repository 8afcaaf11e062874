"""The hard deadline of an attempt: what hangs ends with its process (docs/decisions/0006-a-process-ends-itself.md)."""

from __future__ import annotations

import faulthandler
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PULSES = 4
"""In the longest silence: on a busy machine one or two may be late."""


@contextmanager
def process_deadline(seconds: float, silence: float) -> Iterator[None]:
    """Ends this process if the block lasts longer than `seconds`, or if no thread of Python runs for `silence` seconds.

    By a thread of C, so that native code that holds the interpreter's lock cannot prevent it; a thread of Python winds it up anew
    for as long as it may run itself.
    """
    end, over = time.monotonic() + seconds, threading.Event()

    def wind() -> None:
        while (left := end - time.monotonic()) > 0:
            faulthandler.dump_traceback_later(min(silence, left), exit=True)
            if over.wait(silence / PULSES):
                return

    wind_up = threading.Thread(target=wind, name="deadline", daemon=True)
    faulthandler.dump_traceback_later(min(silence, seconds), exit=True)  # before the other thread has its first turn
    wind_up.start()
    try:
        yield
    finally:
        over.set()
        wind_up.join()
        faulthandler.cancel_dump_traceback_later()

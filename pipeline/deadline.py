"""The hard deadline of an attempt: what hangs ends with its process (docs/decisions/0006-a-process-ends-itself.md)."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def process_deadline(seconds: float) -> Iterator[None]:
    """Ends this process if the block lasts longer: by a thread of C, so that native code that holds the GIL cannot prevent it."""
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()

"""`python -m tests.system.stand_in_workers`: the real workers in a real Ray, with a verification that waits while told to.

A file `hold` in the data folder keeps every verification waiting; a file `hang` makes it hang as native code would: with the
interpreter's lock held, so that no thread of Python can run; a file `eat` makes it take all the memory that there is.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pipeline import faults
from pipeline.cli.work import run_workers
from pipeline.domain.capture import Capture
from pipeline.networks.api import Networks
from pipeline.records.storage import open_storage
from pipeline.reuse import Index
from pipeline.settings import Settings
from pipeline.worker import Guard, Worker
from tests.contract.judges import judge


def held_worker(settings: Settings, name: str, guard: Guard, index: Index, _networks: Callable[[], Networks]) -> Worker:
    folder = settings.storage.data_dir

    def before(_capture: Capture) -> None:
        while (folder / "hold").exists():
            time.sleep(0.02)
        if (folder / "hang").exists():
            faults.strike("hang")
        if (folder / "eat").exists():
            faults.strike("memory")

    return Worker(open_storage(settings.storage), judge(before), settings.worker, name, guard, index)


if __name__ == "__main__":
    run_workers(Settings.load(), held_worker)

"""`python -m benchmarks.chaos.launcher MUTANT MODULE ARGUMENT…`: gives a module one life after another, each a fork of this one.

A line on stdin (the faults that the next life is armed with) begins a life; stdout tells `pid N`, and `ended CODE` at its end.
What is imported once need not be imported again, so that a life begins in a fraction of a second. MUTANT: `-` for none.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import sys
import traceback

from pipeline.settings import export

RAY = "ray"
PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


def main() -> None:
    mutant, module, *arguments = sys.argv[1:]
    # Ray reads its environment when it is imported, and forks of a process that knows it cannot use it: they start anew.
    program = None if RAY in arguments else importlib.import_module(module)
    if mutant != "-":
        from benchmarks.chaos.mutants import MUTANTS

        MUTANTS[mutant].put_in()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _live(program, [module, *arguments], line.strip())
        print(f"pid {pid}", flush=True)
        _, status = os.waitpid(pid, 0)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


def _live(program: object, arguments: list[str], faults: str) -> None:
    """Runs `main` of the module, and never returns."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.dup2(2, 1)  # stdout is the launcher's
    export({"APOYO_FAULTS__POINTS": faults})
    sys.argv = arguments
    code = 1
    if program is None:
        os.execv(sys.executable, [sys.executable, "-m", *arguments])  # noqa: S606
    try:
        code = int(program.main() or 0)  # type: ignore[attr-defined]
    except BaseException:  # noqa: BLE001 (a life's end, whatever it is, is told by its code)
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()

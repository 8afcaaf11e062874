"""Places that break on purpose: off unless armed, once each, and every one of them is really in the code."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import faults
from pipeline.errors import Misconfigured, Unavailable

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    faults.disarm()


def test_nothing_happens_unless_armed() -> None:
    for name in faults.POINTS:
        faults.point(name)


def test_the_nth_time_strikes_and_only_that() -> None:
    faults.arm("commit.before=fail@3,blob.after_put=fail")
    faults.point("commit.before")
    faults.point("commit.before")
    with pytest.raises(Unavailable) as caught:
        faults.point("commit.before")
    assert caught.value.code == "injected"
    faults.point("commit.before")
    with pytest.raises(Unavailable):
        faults.point("blob.after_put")


@pytest.mark.parametrize("period", [1, 3])
def test_each_nth_time_strikes_where_that_is_asked(period: int) -> None:
    faults.arm(f"work.examined=fail@/{period}")
    for _ in range(3):
        for _ in range(period - 1):
            faults.point("work.examined")
        with pytest.raises(Unavailable):
            faults.point("work.examined")


@pytest.mark.parametrize("spec", ["commit.during=kill", "commit.before=explode", "commit.before", "=kill"])
def test_what_is_not_there_is_refused(spec: str) -> None:
    with pytest.raises(Misconfigured):
        faults.arm(spec)


@pytest.mark.parametrize(("kind", "how"), [("kill", signal.SIGKILL), ("segv", signal.SIGSEGV)])
def test_a_process_that_is_killed_is_gone_at_once(kind: str, how: signal.Signals) -> None:
    program = f"from pipeline import faults; faults.arm('commit.after={kind}'); faults.point('commit.after'); print('went on')"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (-how, b"")


def test_what_hangs_is_not_woken_by_asking_it_to_end() -> None:
    program = ("from pipeline import faults; import signal, threading; signal.signal(signal.SIGTERM, lambda *_: None); "
               "print('begun', flush=True); faults.strike('hang'); print('went on')")
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.kill()
        assert process.stdout.read() == ""


def test_every_place_is_in_the_code_once() -> None:
    code = "\n".join(path.read_text() for room in ("api", "pipeline") for path in (ROOT / room).rglob("*.py"))
    named = set(re.findall(r'faults\.point\("([a-z._]+)"\)', code))
    assert named == set(faults.POINTS)

"""A worker computes on one thread: as many workers as cores then use the cores, and no more. Read from /proc."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pipeline.actors.cluster import thread_environment

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys
from pathlib import Path
from models.registry import load_calibration, load_templates
from pipeline.cli.verify import read_folder
from pipeline.domain.plan import CPU_SIZES, Device, Place, Plan
from pipeline.settings import Settings
from pipeline.verify import examine
from pipeline.wiring import pin_threads, plan_networks

pin_threads(1)
plan = Plan(Place.LOCAL, Device.CPU, 1, 0, 0, CPU_SIZES, True, False, ())
networks = plan_networks(plan, Settings())
examine(read_folder(Path(sys.argv[1])), networks, load_calibration(), load_templates())
fields = [Path(task, "stat").read_text().rpartition(")")[2].split() for task in Path("/proc/self/task").iterdir()]
print(json.dumps([int(one[11]) + int(one[12]) for one in fields]))
"""
IDLE_SHARE = 0.02
"""A thread that waits for the end of the process takes nothing; one of a pool would take about as much as the first."""


def test_a_worker_has_one_thread_that_computes(cases: dict[str, Path]) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(cases["good"])], cwd=ROOT, capture_output=True, text=True, check=True,
                          env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **thread_environment()})
    ticks = json.loads(done.stdout)
    assert sum(ticks) - max(ticks) <= IDLE_SHARE * max(ticks), ticks

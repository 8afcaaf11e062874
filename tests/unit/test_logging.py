"""Log lines go where they are told to, and a place that is refused stops nobody."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
from pipeline.telemetry import configure_logging, logger
configure_logging(file=Path(sys.argv[1]) if sys.argv[1] else None)
logger("test").info("said", support="0198")
"""


@pytest.mark.parametrize(("place", "where", "events"), [
    ("", "stderr", ["said"]),
    ("{tmp}/log", "file", ["said"]),
    ("/proc/self/fd/1", "stdout", ["said"]),  # another stream of the container, by its name
    ("/proc/sys/log", "stderr", ["log file cannot be written", "said"]),
])
def test_lines_arrive(place: str, where: str, events: list[str], tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, place.format(tmp=tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True)
    text = {"stderr": done.stderr, "stdout": done.stdout, "file": (tmp_path / "log").read_text() if where == "file" else ""}[where]
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["event"] for line in lines] == events
    assert (lines[-1]["room"], lines[-1]["support"]) == ("test", "0198")

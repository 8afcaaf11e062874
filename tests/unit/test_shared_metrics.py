"""`apoyo metrics`: what another process counted is shown, and a folder that is not there is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "pipeline.cli.main", "metrics", "--port", "0"]


def test_another_processes_counts_are_shown(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    counting = "from pipeline.telemetry import VERDICTS; VERDICTS.labels('accepted').inc(3)"
    subprocess.run([sys.executable, "-c", counting], cwd=ROOT, env=environment, check=True)
    with subprocess.Popen(COMMAND, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        answer = httpx.get(process.stdout.readline().strip())
        assert 'apoyo_verdicts_total{outcome="accepted"} 3.0' in answer.text
        process.terminate()
    assert process.returncode == 0


def test_a_missing_folder_is_named() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    done = subprocess.run(COMMAND, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "no_metrics" in done.stderr) == (2, True)

"""What every benchmark writes: raw JSON with machine, commit and day, and rates with their 95 % intervals."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
Z95 = 1.959964
"""Two-sided 95 % of the normal distribution."""


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Wilson's score interval at 95 % for `hits` of `trials`. (0, 1) for no trials.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    if trials == 0:
        return 0.0, 1.0
    share, spread = hits / trials, Z95 * Z95 / trials
    centre = (share + spread / 2) / (1 + spread)
    half = Z95 * math.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def rate(hits: int, trials: int) -> dict[str, Any]:
    low, high = wilson(hits, trials)
    share = round(hits / trials, 4) if trials else None
    return {"hits": hits, "trials": trials, "rate": share, "low95": round(low, 4), "high95": round(high, 4)}


def machine() -> dict[str, Any]:
    """What the figures were made on. No host name: it is nobody's business."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0] if names else cpu
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "python": platform.python_version(), "system": platform.system()}


def commit() -> str | None:
    """The commit measured, with a mark where the tree differs from it; None outside a clone."""
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=RESULTS.parent, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    head = git("rev-parse", "--short=12", "HEAD")
    return (head + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")) if head else None


def write(name: str, data: dict[str, Any], folder: Path = RESULTS) -> Path:
    """`folder`/`name`.json, with the heading every result has."""
    folder.mkdir(parents=True, exist_ok=True)
    made = datetime.now(UTC).isoformat(timespec="seconds")
    heading = {"benchmark": name, "made": made, "commit": commit(), "machine": machine()}
    path = folder / f"{name}.json"
    path.write_text(json.dumps({**heading, **data}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path

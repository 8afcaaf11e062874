"""`apoyo bench memory`: one process, many supports, resident memory along the way. Flat, or the command fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.stages import peak_mb, resident_mb

MARKS = 10
"""How many readings are kept, evenly spread."""


def measure_memory(folders: list[Path], supports: int, answers: Any) -> None:
    """In a child: examines `supports` supports, the folders over and over; puts one dict on `answers`."""
    from models.registry import load_calibration, load_templates
    from pipeline.cli.verify import read_folder
    from pipeline.verify import examine
    from pipeline.wiring import local_networks, pin_threads

    pin_threads(1)
    networks, calibration, templates = local_networks(threads=1), load_calibration(), load_templates()
    captures = [read_folder(folder) for folder in folders]
    marks = []
    for count in range(1, supports + 1):
        examine(captures[count % len(captures)], networks, calibration, templates)
        if count % max(1, supports // MARKS) == 0:
            marks.append((count, resident_mb()))
    answers.put({"supports": supports, "rss_mb": marks, "peak_rss_mb": peak_mb()})

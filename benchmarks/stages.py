"""`apoyo bench stages`: CPU a stage and a support, supports a second and core, memory; beside the naive glue on the same files.

Each contender runs in a process of its own, one thread, over the same supports; the first pass warms up and is not counted.
"""

from __future__ import annotations

import multiprocessing
import queue
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Progress = Callable[[str], None]


def measure_apoyo(folders: list[Path], passes: int, answers: Any) -> None:
    """In a child: examine and decide every folder `passes` times; puts one dict on `answers`."""
    from models.registry import load_calibration, load_templates
    from pipeline.cli.verify import read_folder
    from pipeline.decide import decide
    from pipeline.domain.context import Context
    from pipeline.domain.process import DEMO_PROCESS
    from pipeline.verify import examine
    from pipeline.wiring import local_networks, pin_threads

    pin_threads(1)
    networks, calibration, templates = local_networks(threads=1), load_calibration(), load_templates()
    captures = [(folder.name, read_folder(folder)) for folder in folders]
    rows, memory = [], []
    for lap in range(passes + 1):
        for name, capture in captures:
            before = time.process_time()
            evidence = examine(capture, networks, calibration, templates)
            verdict = decide(evidence, Context(capture.info, DEMO_PROCESS, calibration, capture.info.as_of or _as_of()))
            cpu = time.process_time() - before
            if lap:
                rows.append({"support": name, "cpu_ms": round(cpu * 1000, 2), "verdict": verdict.outcome.value,
                             "stages_ms": {stage: round(ms, 2) for stage, ms in evidence.timings_ms.items()}})
        memory.append(resident_mb())
    answers.put({"rows": rows, "rss_mb_after_each_pass": memory, "peak_rss_mb": peak_mb()})


def measure_naive(folders: list[Path], answers: Any) -> None:
    """In a child: the naive glue over every folder once (it needs no counted warm-up pass: its first support warms it up)."""
    from benchmarks.naive_glue import NaiveGlue

    glue = NaiveGlue()
    glue.examine(folders[0])
    rows = []
    for folder in folders:
        before = time.process_time()
        answer = glue.examine(folder)
        rows.append({"support": folder.name, "cpu_ms": round((time.process_time() - before) * 1000, 2),
                     "small_qr": answer.small_qr, "mrz_lines": answer.mrz_lines, "similarity": answer.similarity})
    answers.put({"rows": rows, "peak_rss_mb": peak_mb()})


def run_stages(folders: list[Path], passes: int, naive: bool, say: Progress) -> dict[str, Any]:
    """The whole benchmark."""
    say(f"apoyo: {len(folders)} supports, {passes} passes, one thread")
    apoyo = in_a_child(measure_apoyo, folders, passes)
    summary: dict[str, Any] = {"apoyo": _summary(apoyo)}
    result = {"supports": len(folders), "passes": passes, "summary": summary, "apoyo": apoyo}
    if naive:
        say(f"naive glue: the same {len(folders)} supports, one pass, one thread")
        glue = in_a_child(measure_naive, folders)
        summary["naive"] = _summary(glue)
        summary["naive_over_apoyo"] = round(summary["naive"]["cpu_ms_mean"] / summary["apoyo"]["cpu_ms_mean"], 2)
        result["naive"] = glue
    return result


def in_a_child(target: Callable[..., None], *arguments: Any) -> dict[str, Any]:
    """Runs `target(*arguments, answers)` in a fresh process, so that memory and warm-up are its own."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    child = context.Process(target=target, args=(*arguments, answers))
    child.start()
    while True:
        try:
            answer: dict[str, Any] = answers.get(timeout=1)
            break
        except queue.Empty:
            if not child.is_alive():
                raise RuntimeError(f"{target.__name__} ended with exit code {child.exitcode}") from None
    child.join()
    return answer


def _summary(measured: dict[str, Any]) -> dict[str, Any]:
    cpu = [row["cpu_ms"] for row in measured["rows"]]
    summary = {"cpu_ms_mean": round(statistics.fmean(cpu), 1), "cpu_ms_median": round(statistics.median(cpu), 1),
               "cpu_ms_p90": round(sorted(cpu)[int(len(cpu) * 0.9)], 1), "peak_rss_mb": measured["peak_rss_mb"],
               "supports_per_second_and_core": round(1000 / statistics.fmean(cpu), 2)}
    stages = [row["stages_ms"] for row in measured["rows"] if "stages_ms" in row]
    if stages:
        names = list(dict.fromkeys(name for row in stages for name in row))
        summary["stages_ms_mean"] = {name: round(statistics.fmean(row.get(name, 0.0) for row in stages), 2) for name in names}
    return summary


def resident_mb() -> float:
    """This process's resident memory now, in MB (10^6 bytes)."""
    with Path("/proc/self/statm").open() as file:
        return round(int(file.read().split()[1]) * resource.getpagesize() / 1e6, 1)


def peak_mb() -> float:
    """The most this process ever had resident, in MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)


def _as_of() -> Any:
    from pipeline.clock import today_in_mexico

    return today_in_mexico()

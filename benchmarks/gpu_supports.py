"""Whole supports by one plan: as many workers as it says, in a Ray of their own, examine and decide for some seconds."""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.domain.plan import Plan
from pipeline.settings import Settings


class Examiner:
    """The actor: a worker without a queue. All supports lie in its memory, and each was examined once when it is up."""

    def __init__(self, settings: Settings, plan: Plan, folders: list[Path]) -> None:
        from functools import partial

        from models.registry import load_calibration, load_templates
        from pipeline.actors.remote import worker_networks
        from pipeline.cli.verify import read_folder
        from pipeline.verify import examine
        from pipeline.wiring import jpeg_decoder, pin_threads

        pin_threads(1)
        self._calibration = load_calibration()
        self._examine = partial(examine, networks=worker_networks(plan, settings), calibration=self._calibration,
                                templates=load_templates(), jpeg=jpeg_decoder(gpu=plan.gpu_jpeg))
        self._captures = {folder.name: read_folder(folder) for folder in folders}
        self._verdicts = {name: self._verify(capture)[0] for name, capture in self._captures.items()}

    def verdicts(self) -> dict[str, list[str]]:
        """Outcome and reasons' codes of each support."""
        return self._verdicts

    def run(self, seconds: float, first: int) -> dict[str, Any]:
        """Verifies one support after another, from the `first`."""
        names = list(self._captures)
        begun, cpu = time.perf_counter(), time.process_time()
        rows: list[dict[str, float]] = []
        while time.perf_counter() - begun < seconds:
            rows.append(self._verify(self._captures[names[(first + len(rows)) % len(names)]])[1])
        return {"supports": len(rows), "seconds": time.perf_counter() - begun, "cpu_s": time.process_time() - cpu,
                "stages_ms": {stage: sum(row.get(stage, 0.0) for row in rows) for stage in rows[0]}}

    def _verify(self, capture: Any) -> tuple[list[str], dict[str, float]]:
        from pipeline.clock import today_in_mexico
        from pipeline.decide import decide
        from pipeline.domain.context import Context
        from pipeline.domain.process import DEMO_PROCESS

        evidence = self._examine(capture)
        as_of = capture.info.as_of or today_in_mexico()
        verdict = decide(evidence, Context(capture.info, DEMO_PROCESS, self._calibration, as_of))
        return [verdict.outcome.value, *sorted(reason.code for reason in verdict.reasons)], dict(evidence.timings_ms)


def run_plan(wish: dict[str, Any], folders: list[Path], place: Path, seconds: float, answers: Any) -> None:
    """In a child: starts what the plan says, runs it for so long, and ends it; puts one dict on `answers`.

    CPU: of workers and servers together, in milliseconds a support. A child each: Ray reads its token once a process.
    """
    from pipeline.actors.cluster import connected_ray

    settings = Settings.model_validate(
        {"storage": {"data_dir": place}, "worker": {"count": wish["workers"]}, "networks": wish["networks"]})
    with connected_ray(settings) as plan:
        import ray

        from pipeline.actors.network_server import begin_server

        started = time.perf_counter()
        servers = [begin_server(settings, plan, number) for number in range(plan.servers)]
        processes = [ray.get(server.pid.remote()) for server in servers]
        kind: Any = ray.remote(Examiner)
        kind = kind.options(num_cpus=1, num_gpus=plan.gpu_a_worker)
        workers = [kind.remote(settings, plan, folders) for _ in range(plan.workers)]
        verdicts = ray.get([worker.verdicts.remote() for worker in workers])
        start_seconds = time.perf_counter() - started
        before = sum(map(cpu_seconds, processes))
        runs = ray.get([worker.run.remote(seconds, 2 * number) for number, worker in enumerate(workers)])
        served = sum(map(cpu_seconds, processes)) - before
    supports = sum(run["supports"] for run in runs)
    worked = sum(run["cpu_s"] for run in runs)
    stages = {stage: round(sum(run["stages_ms"][stage] for run in runs) / supports, 2) for stage in runs[0]["stages_ms"]}
    answers.put({"plan": asdict(plan), "start_seconds": round(start_seconds, 1), "supports": supports,
                 "per_second": round(sum(run["supports"] / run["seconds"] for run in runs), 2),
                 "cpu_ms": round(1000 * (worked + served) / supports, 2), "server_cpu_ms": round(1000 * served / supports, 2),
                 "latency_ms": round(1000 * statistics.fmean(run["seconds"] / run["supports"] for run in runs), 1),
                 "workers_busy": round(worked / sum(run["seconds"] for run in runs), 3),
                 "stages_ms": stages, "verdicts": verdicts[0], "all_workers_agree": all(one == verdicts[0] for one in verdicts)})


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

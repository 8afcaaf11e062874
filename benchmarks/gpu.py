"""`python -m benchmarks.gpu`: what a GPU brings. Networks, decoding, and whole supports by every plan, beside this machine's CPU.

Needs a CUDA build of ONNX Runtime; draws its own specimens; writes benchmarks/results/gpu.json. Without a GPU it says so.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu_supports import run_plan
from benchmarks.report import RESULTS, write
from benchmarks.stages import in_a_child
from models.registry import load_manifest
from pipeline.domain.plan import Device, Place
from pipeline.machine import this_machine
from pipeline.networks.api import Net
from pipeline.networks.gpu_jpeg import GpuJpeg
from pipeline.networks.local import LocalNetworks
from pipeline.settings import available_cores
from pipeline.stages.decode import JpegDecoder, decode
from pipeline.wiring import known_shapes, pin_threads

CACHE = Path(".cache/bench")
SEED, SUPPORTS, LONG_SIDE = 20_262, 16, 4000
BATCHES = (1, 4, 8, 16)
REPETITIONS = 15
PROCESSES = (1, 16)
"""How many decode at one time."""
SECTIONS = ("supports", "decoding", "networks", "half")
"""half: supports on half of the cores."""


def networks(say: Callable[[str], None]) -> dict[str, Any]:
    """For each network and shape: milliseconds a batch on the CPU (one thread) and on CUDA with copies; how far they differ."""
    weights = load_manifest().weights
    started = time.perf_counter()
    on_gpu = LocalNetworks(weights, 1, Device.CUDA, BATCHES)
    for name, batch in on_gpu.examples(known_shapes()):
        on_gpu.run(name, batch)
    result: dict[str, Any] = {"warm_seconds": round(time.perf_counter() - started, 1), "curves": []}
    on_cpu = LocalNetworks(weights, 1)
    rng = np.random.default_rng(1)
    for name, shapes in known_shapes().items():
        for shape in shapes:
            dtype = weights[name].inputs[0].dtype
            batches = {size: rng.integers(0, 256, (size, *shape)).astype(dtype) for size in BATCHES}
            row: dict[str, Any] = {"network": name.value, "item": list(shape),
                   "cuda_ms": {size: median_ms(on_gpu, name, batch) for size, batch in batches.items()},
                   "cpu_ms": {size: median_ms(on_cpu, name, batches[size]) for size in (1, 8)},
                   "largest_difference": difference(on_cpu.run(name, batches[8]), on_gpu.run(name, batches[8]))}
            result["curves"].append(row)
            say(f"{name.value:16} {shape!s:16} CPU {row['cpu_ms'][1]:8.2f} ms   CUDA " +
                "  ".join(f"{size}: {ms:.2f}" for size, ms in row["cuda_ms"].items()))
    return result


def median_ms(where: LocalNetworks, name: Net, batch: Any) -> float:
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        where.run(name, batch)
        times.append(time.perf_counter() - start)
    return round(statistics.median(times) * 1000, 3)


def difference(wanted: tuple[Any, ...], found: tuple[Any, ...]) -> float:
    """The largest between two runs' outputs, relative to the largest value of each."""
    return max(float(np.abs(one.astype(np.float64) - other).max() / max(np.abs(one).max(), 1e-9))
               for one, other in zip(wanted, found, strict=True))


def decode_many(photos: list[bytes], seconds: float, answers: Any, start: Any, *, gpu: bool) -> None:
    """In a child: decodes to the size that a verification uses until `seconds` are over; puts (pictures, CPU seconds)."""
    pin_threads(1)
    jpeg: JpegDecoder | None = GpuJpeg() if gpu else None
    decode(photos[0], 2000, jpeg=jpeg)
    start.wait()
    begun, cpu, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begun < seconds:
        decode(photos[count % len(photos)], 2000, jpeg=jpeg)
        count += 1
    answers.put((count, time.process_time() - cpu))


def decoding(photos: list[bytes], say: Callable[[str], None], seconds: float = 3.0) -> list[dict[str, Any]]:
    """Photographs a second by so many processes at once, on the CPU and on the GPU; CPU milliseconds each."""
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    rows = []
    for gpu in (False, True):
        for processes in (count for count in PROCESSES if count <= available_cores()):
            answers, start = context.Queue(), context.Barrier(processes)
            children = [context.Process(target=decode_many, args=(photos, seconds, answers, start), kwargs={"gpu": gpu})
                        for _ in range(processes)]
            for child in children:
                child.start()
            done = [answers.get(timeout=120) for _ in children]
            for child in children:
                child.join()
            count, cpu = (sum(column) for column in zip(*done, strict=True))
            row = {"on": "gpu" if gpu else "cpu", "processes": processes, "pictures_per_second": round(count / seconds, 1),
                   "cpu_ms": round(1000 * cpu / count, 2)}
            rows.append(row)
            say(f"decode on the {row['on']}, {processes:2} processes: {row['pictures_per_second']:7.1f} a second, "
                f"{row['cpu_ms']:6.2f} CPU ms each")
    return rows


def plans(cores: int) -> Iterator[dict[str, Any]]:
    """What is compared on so many cores: the CPU alone; a server, which is counted among the cores, and each worker on the GPU by
    itself, each with photos decoded on the GPU too."""
    yield {"workers": cores, "networks": {"place": Place.LOCAL, "device": Device.CPU}}
    for place, workers in ((Place.REMOTE, cores - 1), (Place.LOCAL, cores)):
        for gpu_jpeg in (False, True):
            largest = 8 if place is Place.REMOTE else 4  # one support alone never fills more
            yield {"workers": workers, "networks": {"place": place, "device": Device.CUDA, "largest_batch": largest,
                                                    "gpu_jpeg": gpu_jpeg}}


def supports(wish: dict[str, Any], folders: list[Path], seconds: float, say: Callable[[str], None]) -> dict[str, Any]:
    """One plan's run, and what nvidia-smi said meanwhile."""
    with tempfile.TemporaryDirectory() as place, sampled() as means:
        row = in_a_child(run_plan, wish, folders, Path(place), seconds)
    plan = row["plan"]
    say(f"{plan['place']:6} {plan['device']:4} gpu_jpeg={plan['gpu_jpeg']!s:5} {plan['workers']:2}+{plan['servers']}: "
        f"{row['per_second']:6.1f} supports/s, {row['cpu_ms']:6.1f} CPU ms each ({row['server_cpu_ms']} the server's), "
        f"{row['latency_ms']} ms, up in {row['start_seconds']} s, {means}")
    return {**row, "nvidia_smi": means}


@contextmanager
def sampled(fields: tuple[str, ...] = ("utilization.gpu", "memory.used", "utilization.jpeg")) -> Iterator[dict[str, float]]:
    """What nvidia-smi says while the block runs, twice a second: means, added to the dict at the end."""
    import subprocess

    told: list[list[float]] = []
    means: dict[str, float] = {}
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.5):
            done = subprocess.run(["nvidia-smi", "--query-gpu=" + ",".join(fields), "--format=csv,noheader,nounits"],
                                  capture_output=True, text=True, check=False)
            values = [part.strip() for part in done.stdout.splitlines()[0].split(",")] if done.returncode == 0 else []
            if values:
                told.append([float(value) if value.replace(".", "").isdigit() else float("nan") for value in values])

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield means
    finally:
        over.set()
        thread.join()
        columns = zip(*told, strict=True)
        means.update({name: round(statistics.fmean(column), 1) for name, column in zip(fields, columns, strict=False)})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each plan's run")
    parser.add_argument("--only", choices=SECTIONS, action="append")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    machine = this_machine()
    if not machine.gpus or Device.CUDA not in machine.devices:
        print("no GPU, or an ONNX Runtime without CUDA: nothing measured. `apoyo plan` says what is here.", file=sys.stderr)
        return 1
    from models.specimens.make import make_specimens

    def say(line: str) -> None:
        print(line, flush=True)

    say(f"{machine.gpus[0]}, {machine.cores} cores")
    folders = make_specimens(CACHE / "gpu", SUPPORTS, SEED, "normal", ("good",), long_side=LONG_SIDE, jobs=machine.cores)
    result: dict[str, Any] = {"gpu": machine.gpus[0], "supports": len(folders), "long_side": LONG_SIDE, "plans": []}
    for section in chosen.only or SECTIONS:
        if section == "networks":
            result["networks"] = networks(say)
        elif section == "decoding":
            result["decoding"] = decoding([(folder / "front.jpg").read_bytes() for folder in folders], say)
        else:
            for wish in plans(machine.cores if section == "supports" else machine.cores // 2):
                result["plans"].append(supports(wish, folders, chosen.seconds, say))
                write("gpu", result, chosen.out)
        write("gpu", result, chosen.out)
    say(f"raw: {chosen.out / 'gpu.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""docs/performance.md's part on GPUs, from the raw result of `benchmarks.gpu`."""

from __future__ import annotations

from typing import Any

PLACES = {"local": "in each worker", "remote": "in a server"}


def gpu_lines(result: dict[str, Any], file: str = "gpu") -> list[str]:
    """A table by plan, what limits it, and what networks and decoding take where that was measured. file: of the raw result."""
    first = result["plans"][0]
    lines = [
        f"## On a GPU: {result['gpu']}", "",
        f"{result['gpu']}, {result['machine']['cores']} cores ({result['machine']['cpu']}), {result['supports']} supports of 12",
        "megapixels; workers of one thread that examine and decide without queue, storage or HTTP; `python -m benchmarks.gpu`,",
        f"made on {result['made'][:10]}; raw: `benchmarks/results/{file}.json`. GPU busy, memory: means over start and run.", "",
        "| networks | on | JPEG on | workers + servers | supports/s | CPU ms each | of it the server's | ms a support "
        "| GPU busy, % | GPU memory, GB | start, s |", "|---|---|---|---|---|---|---|---|---|---|---|",
        *(_row(row) for row in result["plans"]), "",
    ]
    best = max(result["plans"], key=lambda row: row["per_second"])
    same = all(row["verdicts"] == first["verdicts"] for row in result["plans"])
    agree = f"Verdicts are {'the same' if same else 'NOT the same'} on every plan."
    if best is first:
        lines += [f"{agree} None with the GPU verified more than the CPU alone on all cores."]
    else:
        gain, busy = best["per_second"] / first["per_second"], best["nvidia_smi"]["utilization.gpu"]
        lines += [
            f"{agree} The best, {best['per_second']} a second, is {gain:.2f} times the CPU alone",
            f"on the same machine, with the GPU busy {busy} % of the time: the workers' CPU limits it, "
            f"{best['stages_ms']['decode']:.0f} of its {best['latency_ms']:.0f} ms being JPEG."]
    lines += [
        "A server of networks over Ray costs more than it saves: it is one process, and is full of calls long before the GPU is",
        "(docs/decisions/0019).", ""]
    if "networks" in result:
        lines += _network_lines(result["networks"])
    if "decoding" in result:
        lines += ["| JPEG, 12 MP to half its size | processes | pictures/s | CPU ms each |", "|---|---|---|---|",
                  *(f"| on the {row['on'].upper()} | {row['processes']} | {row['pictures_per_second']} | {row['cpu_ms']} |"
                    for row in result["decoding"]), ""]
    return lines


def _network_lines(networks: dict[str, Any]) -> list[str]:
    """Batch curves: milliseconds a run, copies included."""
    curves = networks["curves"]
    sizes = list(curves[0]["cuda_ms"])
    worst = max(row["largest_difference"] for row in curves)
    return [
        f"| network, ms a run | of one item | CPU, 1 | CUDA, {', '.join(sizes)} |", "|---|---|---|---|",
        *(_curve_row(row, sizes) for row in curves), "",
        f"One thread, a CUDA graph a shape, copies included. The outputs differ by at most {worst:.1e} of the largest value; all "
        f"shapes and sizes are ready after {networks['warm_seconds']} s.", ""]


def _curve_row(row: dict[str, Any], sizes: list[str]) -> str:
    item, times = " x ".join(map(str, row["item"])), ", ".join(f"{row['cuda_ms'][size]:.2f}" for size in sizes)
    return f"| {row['network']} | {item} | {row['cpu_ms']['1']:.2f} | {times} |"


def _row(row: dict[str, Any]) -> str:
    plan, seen = row["plan"], row["nvidia_smi"]
    cells = [PLACES[plan["place"]], plan["device"].upper(), "GPU" if plan["gpu_jpeg"] else "CPU",
             f"{plan['workers']} + {plan['servers']}", row["per_second"], row["cpu_ms"], row["server_cpu_ms"], row["latency_ms"],
             seen["utilization.gpu"], round(seen["memory.used"] / 1000, 1), row["start_seconds"]]
    return "| " + " | ".join(map(str, cells)) + " |"

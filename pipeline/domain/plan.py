"""Where the networks run, and on what: a plan is data, chosen from the machine where the settings leave it open.

Pure: what the machine has is looked up elsewhere (`pipeline.wiring.this_machine`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from pipeline.errors import Misconfigured


class Device(StrEnum):
    """What executes a network."""

    CPU = "cpu"
    CUDA = "cuda"
    TENSORRT = "tensorrt"


class Place(StrEnum):
    """local: each worker holds its own sessions. remote: servers hold them, and batch over the supports of all workers."""

    LOCAL = "local"
    REMOTE = "remote"


@dataclass(frozen=True, slots=True)
class Machine:
    """cores: that this process may use, its cgroup's quota counted. gpus: their names, as the driver gives them.
    devices: what the ONNX Runtime installed here was built for."""

    cores: int
    gpus: tuple[str, ...]
    devices: frozenset[Device]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the settings say; None: choose. workers: one thread each. servers: of a remote plan. largest_batch: a power of 2."""

    workers: int
    place: Place | None = None
    device: Device | None = None
    servers: int | None = None
    largest_batch: int = 8
    graphs: bool = True
    gpu_jpeg: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """servers: processes that hold the networks (0 on a local plan), one a GPU. gpus: how many are used. batch_sizes: the closed
    ones, ascending. graphs: whether CUDA keeps a graph of each shape. because: why it is so, for people."""

    place: Place
    device: Device
    workers: int
    servers: int
    gpus: int
    batch_sizes: tuple[int, ...]
    graphs: bool
    gpu_jpeg: bool
    because: tuple[str, ...]

    @property
    def on_gpu(self) -> bool:
        """Whether networks run on a GPU."""
        return self.device is not Device.CPU

    @property
    def gpu_a_server(self) -> float:
        """The share of a GPU that a server is counted with: half of it, where workers decode on it too."""
        return 0.0 if not self.on_gpu else 0.5 if self.gpu_jpeg else 1.0

    @property
    def gpu_a_worker(self) -> float:
        """The share that a worker is counted with, so that workers are spread over the GPUs; 0 where none is used."""
        used = self.gpu_jpeg or (self.on_gpu and self.place is Place.LOCAL)
        left = self.gpus - self.servers * self.gpu_a_server
        return math.floor(left / self.workers * SHARES) / SHARES if used else 0.0


SHARES = 10_000
"""Ray counts a GPU in ten-thousandths."""


CPU_SIZES = (1, 2, 4, 8)
"""A CPU gains nothing from larger batches; splitting bounds the memory that activations take."""


def choose_plan(machine: Machine, wish: Wish) -> Plan:
    """The plan for this machine. Raises `Misconfigured` for what it cannot fulfil: nothing falls back to the CPU unsaid."""
    because: list[str] = []
    device = _device(machine, wish, because)
    place = wish.place or Place.LOCAL
    if wish.place is None:
        because.append("networks in each worker: on a CPU nothing is gained by batches over supports" if device is Device.CPU
                       else "networks in each worker: one call to a server costs more than these networks take on a GPU "
                            "(docs/decisions/0019)")
    servers = 0 if place is Place.LOCAL else wish.servers or max(1, len(machine.gpus) if device is not Device.CPU else 1)
    if device is not Device.CPU and servers > len(machine.gpus):
        raise Misconfigured(f"{servers} servers were asked for, and there are {len(machine.gpus)} GPUs: "
                            "lower APOYO_NETWORKS__SERVERS", code="plan_servers")
    workers = wish.workers
    if servers and workers + servers > machine.cores > servers:
        workers = machine.cores - servers
        because.append(f"{workers} workers, not {wish.workers}: each of {servers} servers takes a core of {machine.cores}")
    if wish.gpu_jpeg and not machine.gpus:
        raise Misconfigured("JPEGs were to be decoded on a GPU, and none is visible: unset APOYO_NETWORKS__GPU_JPEG",
                            code="plan_gpu_jpeg")
    sizes = CPU_SIZES if device is Device.CPU and place is Place.LOCAL else powers_of_two(wish.largest_batch)
    gpus = servers if servers and device is not Device.CPU else len(machine.gpus)
    used = device is not Device.CPU or wish.gpu_jpeg
    return Plan(place, device, workers, servers, gpus if used else 0, sizes, wish.graphs, wish.gpu_jpeg, tuple(because))


def powers_of_two(largest: int) -> tuple[int, ...]:
    """1, 2, 4 … up to `largest`, itself a power of two. Raises `Misconfigured`."""
    if largest < 1 or largest & (largest - 1):
        raise Misconfigured(f"APOYO_NETWORKS__LARGEST_BATCH is {largest}, and must be 1, 2, 4, 8 …", code="plan_batch")
    return tuple(1 << power for power in range(largest.bit_length()))


def _device(machine: Machine, wish: Wish, because: list[str]) -> Device:
    if wish.device is None:
        if not machine.gpus:
            because.append("on the CPU: no GPU is visible")
            return Device.CPU
        if Device.CUDA not in machine.devices:
            because.append(f"on the CPU, though there is {machine.gpus[0]}: this ONNX Runtime was built without CUDA "
                           "(install onnxruntime-gpu in the place of onnxruntime)")
            return Device.CPU
        because.append(f"on {machine.gpus[0]}")
        return Device.CUDA
    if wish.device is not Device.CPU and not machine.gpus:
        raise Misconfigured(f"{wish.device} was asked for, and no GPU is visible: unset APOYO_NETWORKS__DEVICE, or give this "
                            "process a GPU", code="plan_no_gpu")
    if wish.device not in machine.devices:
        raise Misconfigured(f"{wish.device} was asked for, and this ONNX Runtime was built without it: install onnxruntime-gpu "
                            "in the place of onnxruntime", code="plan_no_provider")
    return wish.device

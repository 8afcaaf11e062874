"""The one place that knows ONNX Runtime: devices, threads, memory. Nothing else imports it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from models.registry import TensorSpec, checked_bytes
from pipeline.domain.plan import Device
from pipeline.errors import Misconfigured
from pipeline.networks.api import Array

PROVIDERS: Mapping[Device, str] = {
    Device.CPU: "CPUExecutionProvider", Device.CUDA: "CUDAExecutionProvider", Device.TENSORRT: "TensorrtExecutionProvider"}
CPU = PROVIDERS[Device.CPU]
_ORT_TYPES: Mapping[str, str] = {"float32": "tensor(float)", "uint8": "tensor(uint8)"}
"""The dtypes that a network here may eat, as ONNX Runtime calls them."""

_LOG_ERRORS_ONLY = 3
_CUDA = {
    "device_id": "0",  # the only one that this process sees: who starts it says which
    "arena_extend_strategy": "kSameAsRequested",
    # a full search costs 0.1 to 2 s for each new shape, and there are a hundred
    "cudnn_conv_algo_search": "HEURISTIC",
    # TF32 keeps 10 bits of a number: thresholds were calibrated on 23
    "use_tf32": "0",
}
MOST_GRAPHS = 64
"""Shapes of one network that are captured as CUDA graphs, each in a session of its own. Others run plainly."""


class Session:
    """One network on one device. `run` may be called from many threads at once on the CPU, from one on a GPU."""

    def __init__(self, path: Path, sha256: str, device: Device = Device.CPU, threads: int = 1, *, closed_shapes: bool = True,
                 graphs: bool = True, engines: Path | None = None) -> None:
        """Loads the very bytes whose SHA-256 was checked.

        threads: intra-op threads; the plan counts them, so no other pool is opened and no thread spins when idle.
        closed_shapes: whether only the batch varies, so that ONNX Runtime may plan memory and keep an arena. With open
        widths an arena keeps the worst of every shape for ever, so memory goes back to the system after each run.
        graphs: on CUDA, whether each shape's kernels are captured. engines: where TensorRT keeps what it builds, by hash.
        Raises `Misconfigured` for a missing or changed file, a graph that does not load, or a device that was
        asked for and is not what the session runs on.
        """
        wanted = PROVIDERS[device]
        if wanted not in onnxruntime.get_available_providers():
            raise Misconfigured(f"{device} was asked for, and this ONNX Runtime does not have {wanted}", code="plan_no_provider")
        data = checked_bytes(path, sha256)
        options = _options(threads, closed_shapes or device is not Device.CPU)
        self._session = _load(path, data, options, _providers(device, sha256, engines))
        got = self._session.get_providers()
        if got[0] != wanted:
            raise Misconfigured(f"{path.name}: asked for {wanted}, and the session fell back to {got[0]}", code="plan_fell_back")
        self._session.disable_fallback()
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise Misconfigured(f"{path.name} has {len(inputs)} inputs: a network here takes one batch")
        self._input, self._shape, self._type = inputs[0].name, tuple(inputs[0].shape), inputs[0].type
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._graphs = _Graphs(data, path) if graphs and device is Device.CUDA else None
        self.sha256 = sha256
        self.closed_shapes = closed_shapes

    def check_input(self, spec: TensorSpec) -> None:
        """Raises `Misconfigured` where the graph does not eat what the manifest says of it."""
        shape = [side if isinstance(side, int) else "free" for side in self._shape]
        wanted = [side if isinstance(side, int) else "free" for side in spec.shape]
        if (self._input, shape, self._type) != (spec.name, wanted, _ORT_TYPES.get(spec.dtype)):
            raise Misconfigured(f"the network {self._input!r} {shape} {self._type} is not what the manifest says: "
                                f"{spec.name!r} {wanted} {spec.dtype}")

    def run(self, batch: Array) -> tuple[Array, ...]:
        """`batch`: (N, …) in the network's dtype. All outputs, in the graph's order.

        On CUDA the second run of a shape captures it as a graph, and from then on its kernels start as one.
        A wrong shape or dtype is a programming error and raises what ONNX Runtime raises.
        """
        captured = self._graphs.of(batch.shape) if self._graphs else None
        if captured is not None:
            return captured.run(batch)
        outputs = tuple(self._session.run(None, {self._input: batch}))
        if self._graphs:
            self._graphs.seen(batch.shape, {self._input: batch}, dict(zip(self._outputs, outputs, strict=True)))
        return outputs


class _Graphs:
    """The shapes of one network that were seen, and the graphs of those that came again."""

    def __init__(self, data: bytes, path: Path) -> None:
        self._data, self._path = data, path
        self._seen: dict[tuple[int, ...], tuple[Mapping[str, Like], Mapping[str, Like]]] = {}
        self._captured: dict[tuple[int, ...], _Captured | None] = {}

    def seen(self, shape: tuple[int, ...], given: Mapping[str, Array], got: Mapping[str, Array]) -> None:
        if len(self._seen) < MOST_GRAPHS:
            self._seen[shape] = _likes(given), _likes(got)

    def of(self, shape: tuple[int, ...]) -> _Captured | None:
        """None for a shape that was not seen before, or that has no graph because CUDA cannot run one of its nodes."""
        if shape in self._seen and shape not in self._captured:
            try:
                self._captured[shape] = _Captured(self._data, self._path, *self._seen[shape])
            except Misconfigured:
                self._captured[shape] = None
        return self._captured.get(shape)


Like = tuple[tuple[int, ...], Any]
"""Shape and dtype."""


class _Captured:
    """One shape of one network: its places on the GPU, and the graph of its kernels over them.

    In a session of its own: a session keeps its convolutions' compiled kernels for the last shape alone, and the graph of
    another shape would start kernels that are gone.
    """

    def __init__(self, data: bytes, path: Path, given: Mapping[str, Like], got: Mapping[str, Like]) -> None:
        self._session = _load(path, data, _options(1, closed_shapes=True), _providers(Device.CUDA, "", None, graphs=True))
        self._binding = self._session.io_binding()
        ((name, like),) = given.items()
        self._given = _on_gpu(like)
        self._binding.bind_ortvalue_input(name, self._given)
        self._got = [_on_gpu(like) for like in got.values()]
        for name, value in zip(got, self._got, strict=True):
            self._binding.bind_ortvalue_output(name, value)

    def run(self, batch: Array) -> tuple[Array, ...]:
        self._given.update_inplace(batch)
        self._session.run_with_iobinding(self._binding)
        return tuple(value.numpy() for value in self._got)


def available_devices() -> frozenset[Device]:
    """What the ONNX Runtime installed here was built for; whether there is a GPU is another question."""
    available = onnxruntime.get_available_providers()
    return frozenset(device for device, name in PROVIDERS.items() if name in available)


def _load(path: Path, data: bytes, options: Any, providers: list[Any]) -> Any:
    try:
        return onnxruntime.InferenceSession(data, options, providers=providers)
    except Exception as error:  # ONNX Runtime's errors share no public base but Exception
        raise Misconfigured(f"{path.name} does not load in ONNX Runtime: {error}") from error


def _likes(arrays: Mapping[str, Array]) -> dict[str, Like]:
    return {name: (array.shape, array.dtype) for name, array in arrays.items()}


def _on_gpu(like: Like) -> Any:
    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(like[0], like[1], "cuda", 0)


def _providers(device: Device, sha256: str, engines: Path | None, *, graphs: bool = False) -> list[Any]:
    """In order of preference; the CPU is not among a GPU's: ONNX Runtime adds it for nodes that only compute shapes."""
    if device is Device.CPU:
        return [PROVIDERS[device]]
    cuda = (PROVIDERS[Device.CUDA], {**_CUDA, "enable_cuda_graph": "1" if graphs else "0"})
    if device is Device.CUDA:
        return [cuda]
    kept = {} if engines is None else {
        "trt_engine_cache_enable": "1", "trt_engine_cache_path": str(engines), "trt_engine_cache_prefix": sha256[:16],
        "trt_timing_cache_enable": "1", "trt_timing_cache_path": str(engines)}
    return [(PROVIDERS[device], {"device_id": "0", **kept}), cuda]


def _options(threads: int, closed_shapes: bool) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = _LOG_ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = closed_shapes
    options.enable_mem_pattern = closed_shapes
    return options


class PointerSession:
    """A graph with one input and one output over uint8 pictures that lie on the GPU already; the answer comes to the host."""

    def __init__(self, model: bytes, device: Device = Device.CUDA) -> None:
        self._session = onnxruntime.InferenceSession(model, _options(1, closed_shapes=True), providers=[PROVIDERS[device]])
        self._input, self._output = self._session.get_inputs()[0].name, self._session.get_outputs()[0].name
        self._place = "cuda" if device is Device.CUDA else "cpu"

    def run(self, pointer: int, shape: tuple[int, ...], answer: Array) -> None:
        """pointer: of a contiguous array of `shape`, which nobody writes to meanwhile. answer: written in place."""
        binding = self._session.io_binding()
        binding.bind_input(self._input, self._place, 0, np.uint8, shape, pointer)
        binding.bind_output(self._output, "cpu", 0, np.uint8, answer.shape, answer.ctypes.data)
        self._session.run_with_iobinding(binding)

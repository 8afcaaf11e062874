"""The one place that knows ONNX Runtime: providers, threads, memory. Nothing else imports it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime

from models.registry import checked_bytes
from pipeline.errors import Misconfigured
from pipeline.networks.api import Array

CPU = "CPUExecutionProvider"

_LOG_ERRORS_ONLY = 3


class Session:
    """One network on one device. `run` may be called from many threads at once."""

    def __init__(
        self,
        path: Path,
        sha256: str,
        providers: Sequence[str] = (CPU,),
        threads: int = 1,
        *,
        closed_shapes: bool = True,
    ) -> None:
        """Loads the very bytes whose SHA-256 was checked.

        threads: intra-op threads; the plan counts them, so no other pool is opened and no thread spins when idle.
        closed_shapes: whether only the batch varies, so that ONNX Runtime may plan memory and keep an arena. With open
        widths an arena keeps the worst of every shape for ever, so memory goes back to the system after each run.
        Raises `Misconfigured` for a missing or changed file, a graph that does not load, or a provider that was
        asked for and is not what the session runs on.
        """
        absent = [name for name in providers if name not in onnxruntime.get_available_providers()]
        if absent:
            raise Misconfigured(f"{absent[0]} was asked for, and this ONNX Runtime does not have it")
        data = checked_bytes(path, sha256)
        try:
            self._session = onnxruntime.InferenceSession(data, _options(threads, closed_shapes), providers=list(providers))
        except Exception as error:  # ONNX Runtime's errors share no public base but Exception
            raise Misconfigured(f"{path.name} does not load in ONNX Runtime: {error}") from error
        got = self._session.get_providers()
        if got[0] != providers[0]:
            raise Misconfigured(f"{path.name}: asked for {providers[0]}, and the session fell back to {got[0]}")
        self._session.disable_fallback()
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise Misconfigured(f"{path.name} has {len(inputs)} inputs: a network here takes one batch")
        self._input = inputs[0].name
        self.providers = tuple(got)
        self.sha256 = sha256
        self.closed_shapes = closed_shapes

    def run(self, batch: Array) -> tuple[Array, ...]:
        """`batch`: (N, …) in the network's dtype. All outputs, in the graph's order.

        A wrong shape or dtype is a programming error and raises what ONNX Runtime raises.
        """
        return tuple(self._session.run(None, {self._input: batch}))


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

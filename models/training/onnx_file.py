"""A traced network as one ONNX file that hangs on nothing but its weights."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
import torch

_OPSET = 17


def write_onnx(deployed: torch.nn.Module, example: torch.Tensor, name: str, outputs: Sequence[str], path: Path,
               open_axes: Mapping[int, str] | None = None) -> str:
    """Writes the network, its batch free, and gives the file's SHA-256.  example: one input, called `name` in the file.
    open_axes: further axes of the input and the outputs that are free, with their names."""
    axes = {0: "N", **(open_axes or {})}
    buffer = io.BytesIO()
    torch.onnx.export(deployed, (example,), buffer, input_names=[name], output_names=list(outputs),
                      dynamic_axes=dict.fromkeys((name, *outputs), axes), opset_version=_OPSET, dynamo=False)
    graph = onnx.load_model_from_string(buffer.getvalue())
    graph.producer_version = ""
    onnx.checker.check_model(graph)
    data = graph.SerializeToString(deterministic=True)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()

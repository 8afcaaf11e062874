"""One ONNX file of the trained network, with everything around it inside the graph."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import onnx
import torch

from models.training.locator.config import VIEW_HEIGHT, VIEW_WIDTH
from models.training.locator.network import Deployed, Locator

_OPSET = 17


def export(model: Locator, path: Path) -> str:
    """Writes the network and gives the file's SHA-256.  Input `pictures`: uint8 (N, 192, 256, 3) BGR."""
    deployed = Deployed(model.to(memory_format=torch.contiguous_format)).eval()
    example = torch.zeros((1, VIEW_HEIGHT, VIEW_WIDTH, 3), dtype=torch.uint8)
    buffer = io.BytesIO()
    torch.onnx.export(deployed, (example,), buffer, input_names=["pictures"], output_names=["areas", "corners"],
                      dynamic_axes={name: {0: "N"} for name in ("pictures", "areas", "corners")},
                      opset_version=_OPSET, dynamo=False)
    graph = onnx.load_model_from_string(buffer.getvalue())
    graph.producer_version = ""
    onnx.checker.check_model(graph)
    data = graph.SerializeToString(deterministic=True)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()

"""One ONNX file of the trained classifier, with normalisation, temperature and soft maximum inside the graph."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import onnx
import torch

from models.training.card_model.network import CardClassifier, Deployed
from pipeline.networks.card_model import HEIGHT, WIDTH

_OPSET = 17


def export(model: CardClassifier, temperature: float, path: Path) -> str:
    """Writes the network and gives the file's SHA-256.  Input `cards`: uint8 (N, 135, 214, 3) BGR."""
    deployed = Deployed(model.to(memory_format=torch.contiguous_format), temperature).eval()
    example = torch.zeros((1, HEIGHT, WIDTH, 3), dtype=torch.uint8)
    buffer = io.BytesIO()
    torch.onnx.export(deployed, (example,), buffer, input_names=["cards"], output_names=["kinds", "upright"],
                      dynamic_axes={name: {0: "N"} for name in ("cards", "kinds", "upright")}, opset_version=_OPSET, dynamo=False)
    graph = onnx.load_model_from_string(buffer.getvalue())
    graph.producer_version = ""
    onnx.checker.check_model(graph)
    data = graph.SerializeToString(deterministic=True)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()

"""One ONNX file of the trained classifier, with normalisation, temperature and soft maximum inside the graph."""

from __future__ import annotations

from pathlib import Path

import torch

from models.training.card_model.network import CardClassifier, Deployed
from models.training.onnx_file import write_onnx
from pipeline.networks.card_model import HEIGHT, WIDTH


def export(model: CardClassifier, temperature: float, path: Path) -> str:
    """Writes the network and gives the file's SHA-256.  Input `cards`: uint8 (N, 135, 214, 3) BGR."""
    deployed = Deployed(model.to(memory_format=torch.contiguous_format), temperature).eval()
    example = torch.zeros((1, HEIGHT, WIDTH, 3), dtype=torch.uint8)
    return write_onnx(deployed, example, "cards", ("kinds", "upright"), path)

"""One ONNX file of the trained network, with everything around it inside the graph."""

from __future__ import annotations

from pathlib import Path

import torch

from models.training.locator.config import VIEW_HEIGHT, VIEW_WIDTH
from models.training.locator.network import Deployed, Locator
from models.training.onnx_file import write_onnx


def export(model: Locator, path: Path) -> str:
    """Writes the network and gives the file's SHA-256.  Input `pictures`: uint8 (N, 192, 256, 3) BGR."""
    deployed = Deployed(model.to(memory_format=torch.contiguous_format)).eval()
    example = torch.zeros((1, VIEW_HEIGHT, VIEW_WIDTH, 3), dtype=torch.uint8)
    return write_onnx(deployed, example, "pictures", ("areas", "corners"), path)

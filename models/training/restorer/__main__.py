"""Trains and exports: `python -m models.training.restorer [--steps N] [--folder DIR] [--out FILE]`."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from models.training.onnx_file import write_onnx
from models.training.restorer.config import PATCH, Config
from models.training.restorer.network import Deployed
from models.training.restorer.train import train

WEIGHTS = Path(__file__).parents[2] / "weights" / "code_restorer.onnx"


def main() -> None:
    """Fewer steps only try the way through."""
    config = Config()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=config.steps)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "restorer-training")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    trained = train(args.folder, replace(config, steps=args.steps)).to(memory_format=torch.contiguous_format)
    example = torch.zeros((1, PATCH, PATCH), dtype=torch.uint8)
    digest = write_onnx(Deployed(trained).eval(), example, "pictures", ("restored",), args.out, open_axes={1: "H", 2: "W"})
    print(f"{args.out.name}: {args.out.stat().st_size} bytes, SHA-256 {digest}")


if __name__ == "__main__":
    main()

"""Draws, trains, exports: `python -m models.training.card_model [--steps N] [--sides N] [--folder DIR] [--out FILE]`."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from models.training.card_model.cache import fill
from models.training.card_model.config import Config
from models.training.card_model.export import export
from models.training.card_model.train import train

WEIGHTS = Path(__file__).parents[2] / "weights" / "card_model.onnx"


def main() -> None:
    """The flat sides take 2.8 GB in `--folder`; fewer steps and sides only try the way through."""
    config = Config()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=config.steps)
    parser.add_argument("--sides", type=int, default=config.sides)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "card-model-training")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    config = replace(config, steps=args.steps, sides=args.sides)
    fill(args.folder / "check", config.checked, config.check_seed)
    fill(args.folder / "train", config.sides, config.seed)
    digest = export(*train(args.folder, config), args.out)
    print(f"{args.out.name}: {args.out.stat().st_size} bytes, SHA-256 {digest}")


if __name__ == "__main__":
    main()

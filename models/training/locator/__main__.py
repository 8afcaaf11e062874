"""Draws the scenes, trains, exports: `python -m models.training.locator [FOLDER]`; FOLDER keeps scenes and checkpoints."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from models.training.locator.cache import fill
from models.training.locator.config import Config
from models.training.locator.export import export
from models.training.locator.train import train

WEIGHTS = Path(__file__).parents[2] / "weights" / "locator.onnx"


def main() -> None:
    """About 8 minutes of drawing and 20 of training on one core with bf16; the scenes take 2.5 GB."""
    config = Config()
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.gettempdir()) / "locator-training"
    fill(folder / "check", config.checked, config.check_seed)
    fill(folder / "train", config.scenes, config.seed)
    digest = export(train(folder, config), WEIGHTS)
    print(f"{WEIGHTS.name}: {WEIGHTS.stat().st_size} bytes, SHA-256 {digest}")


if __name__ == "__main__":
    main()

"""Draws, trains, exports: `python -m models.training.presentation`; `--help` names the options."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from models.training.presentation.cache import fill
from models.training.presentation.config import Config

WEIGHTS = Path(__file__).parents[2] / "weights" / "presentation.onnx"


def main() -> None:
    """What the network will see takes 0.9 GB in `--folder`; fewer cards and steps only try the way through."""
    config = Config()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", type=int, default=config.cards)
    parser.add_argument("--steps", type=int, default=config.steps)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "presentation-training")
    parser.add_argument("--jobs", type=int, default=1, help="processes that draw; what they draw does not hang on it")
    parser.add_argument("--drawn-only", action="store_true", help="fill the folder and stop")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    config = replace(config, cards=args.cards, steps=args.steps)
    fill(args.folder / f"check-{config.check_seed}", config.checked, config.check_seed, args.jobs)
    fill(args.folder / f"train-{config.seed}", config.cards, config.seed, args.jobs)
    if args.drawn_only:
        return
    from models.training.presentation.train import export, train

    digest = export(*train(args.folder, config), args.out)
    print(f"{args.out.name}: {args.out.stat().st_size} bytes, SHA-256 {digest}")


if __name__ == "__main__":
    main()

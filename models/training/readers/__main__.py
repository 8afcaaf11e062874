"""`python -m models.training.readers mrz|fields [--minutes M] [--out FILE]`: trains a reader and writes its ONNX file."""

from __future__ import annotations

import argparse
from pathlib import Path

from models.training.readers.export import export
from models.training.readers.lines import field_sample, mrz_sample
from models.training.readers.network import CHANNELS
from models.training.readers.train import Recipe, train
from pipeline.networks.line_reader import FIELDS, MRZ

FIELD_WIDTHS = (128, 256, 384, 512, 704)
"""Fewer than the reader's own: a batch is full sooner, and padding is seen in training."""
WEIGHTS = Path(__file__).resolve().parents[2] / "weights"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader", choices=("mrz", "fields"))
    parser.add_argument("--minutes", type=float, default=8.0, help="of processor time")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--checkpoint", type=Path, help="where the torch weights are kept; default: beside --out")
    parser.add_argument("--start", type=Path, help="torch weights to start from (the other reader's)")
    parser.add_argument("--peak", type=float, default=3.5e-3, help="highest learning rate; less to go on from --start")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    shape, sample = (MRZ, mrz_sample) if args.reader == "mrz" else (FIELDS, field_sample)
    widths = MRZ.widths[:1] if args.reader == "mrz" else FIELD_WIDTHS
    recipe = Recipe(shape, sample, widths, args.minutes, args.seed, CHANNELS, peak=args.peak, start=args.start)
    out = args.out or WEIGHTS / f"{'mrz' if args.reader == 'mrz' else 'field'}_reader.onnx"
    network = train(recipe, args.checkpoint or out.with_suffix(".pt"))
    print(f"{out}: sha256 {export(network, shape, out)}")


if __name__ == "__main__":
    main()

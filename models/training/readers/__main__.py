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
KEPT = Path(__file__).resolve().parents[3] / ".cache" / "readers"
"""Torch weights of the last runs."""
MINUTES = {"mrz": 6.0, "fields": 15.0}
WEIGHTS = Path(__file__).resolve().parents[2] / "weights"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader", choices=("mrz", "fields"))
    parser.add_argument("--minutes", type=float,
                        help="of processor time, of the clock with --workers; default: 6 for mrz, 15 for fields")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--checkpoint", type=Path, help="where the torch weights are kept; default: .cache/readers")
    parser.add_argument("--start", type=Path, help="torch weights to start from; fields: those of the last mrz run, if any")
    parser.add_argument("--peak", type=float, default=3.5e-3, help="highest learning rate; less to go on from --start")
    parser.add_argument("--device", default="cpu", help="as PyTorch names it: cpu, cuda")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw lines beside the training")
    parser.add_argument("--batch", type=int, default=32, help="lines a step at first; twice as many in the second half")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    shape, sample = (MRZ, mrz_sample) if args.reader == "mrz" else (FIELDS, field_sample)
    widths = MRZ.widths[:1] if args.reader == "mrz" else FIELD_WIDTHS
    KEPT.mkdir(parents=True, exist_ok=True)
    start = args.start
    if start is None and args.reader == "fields" and (KEPT / "mrz.pt").is_file():
        start = KEPT / "mrz.pt"  # strokes are strokes: the first lines come after 300 steps instead of far more
    recipe = Recipe(shape, sample, widths, args.minutes or MINUTES[args.reader], args.seed, CHANNELS,
                    peak=args.peak, start=start, batch=args.batch, device=args.device, workers=args.workers)
    out = args.out or WEIGHTS / f"{'mrz' if args.reader == 'mrz' else 'field'}_reader.onnx"
    network = train(recipe, args.checkpoint or KEPT / f"{args.reader}.pt")
    print(f"{out}: sha256 {export(network, shape, out)}")


if __name__ == "__main__":
    main()

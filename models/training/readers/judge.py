"""`python -m models.training.readers.judge mrz|fields [--count N]`: the committed reader on new strings, fields in unseen faces.

These lines are degraded as in training, far beyond what a usable capture shows: the figure compares two readers, and is no rate.
"""

from __future__ import annotations

import argparse
import random
import time

import cv2

from models.training.readers.fonts import held_out_fonts
from models.training.readers.lines import Line, field_sample, mrz_sample
from pipeline.networks.line_reader import FIELDS, MRZ, ReaderShape, read
from pipeline.wiring import local_networks

SEED = 990_000
"""Far from the seeds of training."""
SHARES = (0.9, 0.5, 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader", choices=("mrz", "fields"))
    parser.add_argument("--count", type=int, default=1000)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rng = random.Random(SEED)
    shape = MRZ if args.reader == "mrz" else FIELDS
    lines: list[Line] = []
    while len(lines) < args.count:
        lines += mrz_sample(rng) if shape is MRZ else field_sample(rng, held_out_fonts() or None)
    report(lines[:args.count], shape)


def report(lines: list[Line], shape: ReaderShape) -> None:
    """Prints how many lines are exact, in all and among the surest, and what a line costs."""
    networks = local_networks()
    start = time.process_time()
    readings = read([image for image, _ in lines], shape, networks)
    spent = (time.process_time() - start) / len(lines) * 1000
    exact = [reading.text == text for reading, (_, text) in zip(readings, lines, strict=True)]
    print(f"{shape.net}: {sum(exact)} of {len(exact)} lines exact, {spent:.2f} ms a line")
    for share in SHARES:
        sure = [right for right, reading in zip(exact, readings, strict=True) if reading.confidence >= share]
        print(f"  confidence >= {share}: {sum(sure)} of {len(sure)}")


if __name__ == "__main__":
    main()

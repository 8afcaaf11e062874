"""Measures `measure_presentation` on drawn captures: `python -m models.evaluation.presentation FOLDER…`.

Each FOLDER holds `truth.json`, a list of {file, severity, side, defect: null|photocopy|screen, corners}: corners of the upright
card in pixels of the full-size photo. Prints the scores' ranks by condition, and the counts over the thresholds.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from models.registry import load_calibration
from pipeline.stages.decode import decode
from pipeline.stages.presentation import measure_presentation
from pipeline.stages.rectify import rectify


def _number(score: float | None) -> float:
    return np.nan if score is None else score


def main() -> None:
    calibration = load_calibration()
    scores: dict[tuple[str, str, str], list[tuple[float, float]]] = defaultdict(list)
    for folder in map(Path, sys.argv[1:]):
        for row in json.loads((folder / "truth.json").read_text()):
            if row["corners"] is None or row["defect"] not in (None, "photocopy", "screen"):
                continue
            photo = decode((folder / row["file"]).read_bytes())
            quad = (np.array(row["corners"], dtype=np.float64) + 0.5) / photo.scale - 0.5
            found = measure_presentation(rectify(photo.view, quad), photo.view, quad, calibration)
            key = row["defect"] or "good", row["severity"], row["side"]
            scores[key].append((_number(found.photocopy), _number(found.screen)))
    for column, name in enumerate(("photocopy", "screen")):
        limit = calibration[f"presentation.{name}_max"]
        for key, rows in sorted(scores.items()):
            values = np.array(rows)[:, column]
            known = values[~np.isnan(values)]
            ranks = np.percentile(known, (0, 50, 95, 100)).round(3) if len(known) else []
            print(f"{name:10}", *(f"{part:10}" for part in key), f"{int((known > limit).sum())} of {len(values)} over {limit};",
                  f"{len(values) - len(known)} not measured; 0, 50, 95, 100 %:", *ranks)


if __name__ == "__main__":
    main()

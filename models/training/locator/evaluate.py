"""IoU of the located card on specimen folders: `python -m models.training.locator.evaluate DIR…`.

DIR holds supports as `apoyo specimens` draws them (front.*, back.*, truth.json). A photo without a card, or with a card cut
by the frame, counts by its sighting instead.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.registry import load_calibration
from pipeline.domain.calibration import Calibration
from pipeline.networks.api import Networks
from pipeline.stages.decode import decode
from pipeline.stages.geometry import quad_iou
from pipeline.stages.locate import locate
from pipeline.wiring import local_networks


@dataclass(frozen=True, slots=True)
class Row:
    """One photo. kind: its severity, or what was made wrong with it."""

    photo: Path
    kind: str
    sighting: str
    score: float
    iou: float
    milliseconds: float


def measure(photo: Path, truth: dict[str, Any], severity: str, networks: Networks, calibration: Calibration) -> Row:
    """Locates one photo; IoU in the view's pixels, 0 where nothing was found or there is nothing to find."""
    decoded = decode(photo.read_bytes())
    started = time.process_time()
    found = locate(decoded.view, networks, calibration)
    spent = (time.process_time() - started) * 1000
    defect, corners = truth.get("defect") or truth.get("parameters", {}).get("defect"), truth.get("corners")
    iou = 0.0
    if found.quad is not None and corners is not None:
        iou = quad_iou(found.quad, (np.array(corners, dtype=np.float64) + 0.5) / decoded.scale - 0.5)
    return Row(photo, str(defect or severity), str(found.sighting), found.score, iou, spent)


def main() -> None:
    """Prints a table by kind, and the worst photos of each."""
    cv2.setNumThreads(1)
    networks, calibration = local_networks(), load_calibration()
    table: dict[str, list[Row]] = defaultdict(list)
    for folder in sorted(path.parent for root in sys.argv[1:] for path in Path(root).rglob("truth.json")):
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        for side in ("front", "back"):
            for photo in sorted(folder.glob(f"{side}.*")):
                row = measure(photo, truth[side], truth["severity"], networks, calibration)
                table[row.kind].append(row)
    for kind, rows in sorted(table.items()):
        iou = np.array([row.iou for row in rows])
        print(f"{kind}: {len(rows)} photos, mean IoU {iou.mean():.4f}, least {iou.min():.3f}, >= 0.9: {(iou >= 0.9).sum()}, "
              f">= 0.99: {(iou >= 0.99).sum()}, {dict(Counter(row.sighting for row in rows))}, "
              f"median {np.median([row.milliseconds for row in rows]):.1f} ms")
        for row in sorted(rows, key=lambda row: row.iou)[:3]:
            print(f"    {row.iou:.3f} {row.sighting} score {row.score:.2f} {row.photo}")


if __name__ == "__main__":
    main()

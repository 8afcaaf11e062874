"""What `models.evaluation.faces` measured, as JSON for the page: operating points, curves, conditions, look-alikes; its sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.evaluation.faces_trials import NOT_FOUND, Trials, pooled
from pipeline.domain.evidence import FaceFound
from pipeline.networks.api import Image

FALSE_MATCH_RATES = (1e-2, 1e-3, 1e-4)
LEAST_EYES_PX = (18, 24, 36)
CURVE_POINTS = 80
SHEET_PAIRS = 12
QUALITY_SHARE = 0.005
"""Of the faces that were measured: so many at either end lie outside of the limits of quality."""
GRID = 1000
"""Thresholds are looked for in steps of a thousandth."""


def report(cards: Sequence[Trials], plain: Trials, alike: Sequence[Trials], match: float, no_match: float) -> dict[str, Any]:
    """cards: every condition of printing; alike: the same for look-alikes alone. match, no_match: the product's thresholds."""
    groups = {f"{least} px and more": pooled(cards, least) for least in LEAST_EYES_PX} | {"as photographed": plain}
    alikes = {f"{least} px and more": pooled(alike, least) for least in LEAST_EYES_PX}
    return {
        "match": match, "no_match": no_match,
        "points": {name: [point(group, rate, alikes.get(name)) for rate in FALSE_MATCH_RATES] for name, group in groups.items()},
        "at_match": {name: {"genuine": group.accepted(match).json(), "impostor": group.falsely_accepted(match).json(),
                            "denied": group.denied(no_match).json()} for name, group in groups.items()},
        "conditions": [{"label": row.label, "genuine": row.accepted(match).json(), "denied": row.denied(no_match).json(),
                        "impostor": row.falsely_accepted(match).json(), "not_found": int((row.genuine <= NOT_FOUND).sum())}
                       for row in cards],
        "curves": {name: curve(group) for name, group in groups.items()},
        "look_alikes": {name: {"pairs": len(group.impostor), "match": group.falsely_accepted(match).json()}
                        for name, group in alikes.items()}}


def threshold_for(impostor: NDArray[np.float64], rate: float) -> float:
    """The least threshold, in thousandths, that at most this share of impostors reaches."""
    ordered = np.sort(impostor)
    allowed = int(rate * len(ordered))
    return float(np.floor(ordered[-1 - allowed] * GRID) + 1) / GRID


def point(group: Trials, rate: float, alike: Trials | None) -> dict[str, Any]:
    threshold = threshold_for(group.impostor, rate)
    row = {"fmr": rate, "threshold": threshold, "genuine": group.accepted(threshold).json(),
           "impostor": group.falsely_accepted(threshold).json()}
    return row | ({"look_alikes": alike.falsely_accepted(threshold).json()} if alike is not None else {})


def curve(group: Trials) -> list[list[float]]:
    """Threshold, share of impostors and share of genuine pairs that reach it, from one impostor in all to all of them."""
    shares = np.geomspace(1 / len(group.impostor), 1.0, CURVE_POINTS)
    levels = np.quantile(group.impostor, 1 - shares)
    return [[round(float(level), 4), float((group.impostor >= level).mean()), float((group.genuine >= level).mean())]
            for level in levels]


def quality_points(seen: Sequence[FaceFound], least_eyes: int) -> dict[str, dict[str, object]]:
    """The range of faces for which a no match was measured: beyond it, a picture is too poor to deny by."""
    low, high = 100 * QUALITY_SHARE, 100 - 100 * QUALITY_SHARE
    yaw, sharp, light = np.array([(abs(face.yaw), face.sharpness, face.brightness) for face in seen]).T
    source = (f"{len(seen)} faces of the public portraits, as they are and as printed with {least_eyes} px and more between the "
              f"eyes: all but {low:.1f} % of them lie within; beyond, face.no_match was not measured")
    rows = {"yaw_max": (math.ceil(100 * float(np.percentile(yaw, high))) / 100, "of half the eyes' distance"),
            "sharpness_min": (math.floor(1000 * float(np.percentile(sharp, low))) / 1000, "share of contrast"),
            "brightness_min": (math.floor(100 * float(np.percentile(light, low))) / 100, "share of white"),
            "brightness_max": (math.ceil(100 * float(np.percentile(light, high))) / 100, "share of white")}
    return {f"face.{name}": {"value": value, "unit": unit, "source": source} for name, (value, unit) in rows.items()}


def sheet(path: Path, rows: Sequence[tuple[str, float, Image, Image]]) -> None:
    """Aligned pairs side by side with their cosines. It shows people: for a folder that git ignores, never for the repository."""
    cells = []
    for title, cosine, a, b in rows:
        cell = np.hstack([a, b])
        cv2.putText(cell, f"{title} {cosine:.2f}", (3, 10), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (0, 255, 255), 1, cv2.LINE_AA)
        cells.append(cell)
    cells += [np.zeros_like(cells[0])] * (-len(cells) % 4)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack([np.hstack(cells[row : row + 4]) for row in range(0, len(cells), 4)]))

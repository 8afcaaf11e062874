"""`apoyo bench cards`: is the card seen? Corners, side, model, retake reasons, and what is refused without need; with drawings.

The mixture is chosen so that each question has trials: good captures, models that are refused by name, cards that run out of
the frame, pictures of no credential, and defects planted upon what is needed (`models/specimens/cases.py`).
"""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.accuracy import GH, GOOD_IOU, corner_ious, judge_all

MIXTURE = (
    *("good",) * 26, "swapped", "swapped", "model_a", "model_b", "model_c", "model_d", "cut_front", "cut_back", "no_credential",
    "no_credential", "planted_glare_portrait", "planted_glare_mrz", "planted_glare_small_qr", "planted_finger_portrait",
    "planted_finger_mrz", "planted_finger_small_qr", "planted_blurred_front", "planted_blurred_back", "planted_motion_front",
    "planted_motion_back", "planted_dark_front", "planted_dark_back", "planted_far_front", "planted_far_back",
)
"""Fifty supports; each round of them takes the next model of each case."""
WHOLE = ("good", "swapped")
NO_CARD = ("front.no_card", "front.not_a_credential")
BINS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995, 1.0)
WORST = 24
STAGES = ("locate", "rectify", "side_and_codes")
Row = dict[str, Any]


def run_cards(folders: list[Path], jobs: int, tick: Callable[[], None]) -> dict[str, Any]:
    """Counts and rates over all folders; `worst`: the captures whose corners were farthest off."""
    from benchmarks.report import rate

    tally: dict[str, list[bool]] = {}
    captures: list[Row] = []
    confusion: Counter[tuple[str, str]] = Counter()
    reasons: Counter[tuple[str, str]] = Counter()
    times: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for folder, (truth, answer) in zip(folders, judge_all(folders, jobs), strict=True):
        tick()
        if "error" in answer:
            tally.setdefault("no_error", []).append(False)
            continue
        for question, right in questions(truth, answer):
            tally.setdefault(question, []).append(right)
        if truth["case"] in WHOLE:
            captures += [{"support": folder.name, "side": side, "iou": round(iou, 4)} for side, iou in corner_ious(truth, answer)]
            for stage in STAGES:
                times[stage].append(answer["timings_ms"].get(stage, 0.0) / 2)
        if truth["case"] in WHOLE or truth["case"].startswith("model_"):
            confusion[truth["model"], "/".join(answer["card"]["candidates"]) or "–"] += 1
        if expected_reasons(truth["case"]):
            reasons[truth["case"], ", ".join(sorted(reason["code"] for reason in answer["reasons"])) or answer["verdict"]] += 1
    ious = [row["iou"] for row in captures]
    return {
        "supports": len(folders), "captures": len(captures), "iou_mean": round(statistics.fmean(ious), 5),
        "iou_histogram": histogram(ious), "rates": {name: rate(sum(hits), len(hits)) for name, hits in sorted(tally.items())},
        "confusion": {f"{truth} → {said}": count for (truth, said), count in sorted(confusion.items())},
        "reasons": {f"{case} → {said}": count for (case, said), count in sorted(reasons.items())},
        "ms_a_side": {stage: round(statistics.fmean(values), 2) for stage, values in times.items()},
        "worst": sorted(captures, key=lambda row: row["iou"])[:WORST],
    }


def questions(truth: Row, answer: Row) -> list[tuple[str, bool]]:
    """What one support answers, as (question, right)."""
    case, card = truth["case"], answer["card"]
    codes = {reason["code"] for reason in answer["reasons"]}
    seen = {side["capture"] for side in (card["front"], card["back"]) if side is not None}
    found: list[tuple[str, bool]] = []
    if case in WHOLE:
        found += [("corners_iou_0.9", iou >= GOOD_IOU) for _, iou in corner_ious(truth, answer)]
        for photo in ("front", "back"):
            side = card[truth[photo]["shows"]]
            found.append(("side", side is not None and side["capture"] == photo))
        right = {truth["model"]} if truth["model"] not in GH else GH
        found.append(("model_e_to_h", truth["model"] in card["candidates"] and set(card["candidates"]) <= right))
        found.append(("not_refused", answer["verdict"] != "retake"))
    if case.startswith("model_"):
        found.append(("model_a_to_d_refused_by_name", "card.model_without_qr" in codes))
    if case == "no_credential":
        found.append(("no_card_not_called_one", "front" not in seen))
    if case.startswith("cut_"):
        found.append(("cut_not_called_whole", case.removeprefix("cut_") not in seen))
    wanted = expected_reasons(case)
    if wanted:
        found.append(("retake_reason", bool(codes & wanted)))
    return found


def expected_reasons(case: str) -> set[str]:
    """The reasons of which one must be given for a planted defect; empty where none is planted."""
    from models.specimens.cases import CASES

    if case == "no_credential":
        return set(NO_CARD)
    if case.startswith("cut_"):
        return {f"{case.removeprefix('cut_')}.cut"}
    reason = CASES[case].reason
    return {reason} if reason else set()


def histogram(values: list[float]) -> dict[str, int]:
    """Counts between the marks of `BINS`; the last bin holds 1 too."""
    counts: dict[str, int] = {}
    for low, high in itertools.pairwise(BINS):
        counts[f"{low:g} – {high:g}"] = sum(low <= value < high or (high == BINS[-1] and value == high) for value in values)
    return counts


def draw_worst(worst: list[Row], folders: list[Path], out: Path) -> None:
    """The captures whose corners were farthest off, as one sheet: blue what is true, green what was answered."""
    import json

    import cv2
    import numpy as np

    from benchmarks.accuracy import judge_one, start
    from pipeline.stages.decode import decode

    start()
    by_name = {folder.name: folder for folder in folders}
    tiles = []
    for row in worst:
        folder = by_name[row["support"]]
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        photo_name = next(name for name in ("front", "back") if truth[name]["shows"] == row["side"])
        _, answer = judge_one(folder)
        photo = decode(next(folder.glob(f"{photo_name}.*")).read_bytes())
        factor = 400 / max(photo.view.shape[:2])
        picture = cv2.resize(photo.view, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        side = answer["card"][row["side"]] if "error" not in answer else None
        drawn = [(truth[photo_name]["corners"], (240, 120, 30))]
        drawn += [(side["corners"], (60, 220, 60))] if side is not None and side["capture"] == photo_name else []
        for corners, colour in drawn:
            points = np.round(np.array(corners) / photo.scale * factor).astype(np.int32)
            cv2.polylines(picture, [points], True, colour, 2, cv2.LINE_AA)
        tile = np.full((430, 400, 3), 40, np.uint8)
        tile[30:30 + picture.shape[0], :picture.shape[1]] = picture
        title = f"{row['support']} {row['side']} {row['iou']:.3f}"
        cv2.putText(tile, title, (6, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
        tiles.append(tile)
    if tiles:
        tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 6)
        sheet = np.vstack([np.hstack(tiles[at:at + 6]) for at in range(0, len(tiles), 6)])
        out.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(out), sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])

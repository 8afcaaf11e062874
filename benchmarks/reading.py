"""`apoyo bench reading`: is the card read? Codes, MRZ, fields, and whether a forged character is found; the worst lines drawn.

Good supports say what is read and what is contradicted without need; supports with one character changed in one place
(`models/specimens/edits.py`) say what is found. Beside the small QR: what zxing-cpp finds by its defaults on the whole photo.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.accuracy import front_value, judge_all, judge_one, runs_of

EDITS = ("curp", "elector_key", "birth_date", "expiry", "mrz_birth", "mrz_expiry", "mrz_cic", "qr_cic", "qr_citizen_id")
MIXTURE = (*("good",) * 18, *(f"edited_{edit}" for edit in EDITS))
"""Twenty-seven supports, two thirds of them good."""
CROSS_CHECKS = ("mrz_valid", "qr_mrz", "mrz_front", "curp", "elector_key", "expiry", "demarcation")
NAMES = ("paternal_surname", "maternal_surname", "given_names")
FIELDS = ("curp", "elector_key", "section", "expiry_year", "birth_date", "sex", "registration_year", "issue_number", "issue_year",
          "state", "municipality", "locality", "address")
STAGES = ("side_and_codes", "mrz", "text")
FALLBACK = "ppocr_reader"
WORST = 24
Row = dict[str, Any]


def read_one(folder: Path) -> tuple[Row, Row]:
    """(truth, answer) of one support; the answer with `naive_qr`: the small QR by defaults on the whole photo, and `fallback`:
    whether the general recogniser had to help."""
    before = runs_of(FALLBACK)
    truth, answer = judge_one(folder)
    answer["fallback"] = runs_of(FALLBACK) > before
    if truth["case"] == "good":
        answer["naive_qr"] = naive_small_qr(folder / "back.jpg", small_qr_text(truth))
    return truth, answer


def small_qr_text(truth: Row) -> str:
    return next(str(code["text"]) for code in truth["codes"] if code["role"] == "small")


def naive_small_qr(photo: Path, text: str) -> bool:
    import cv2
    import zxingcpp

    grey = cv2.imread(str(photo), cv2.IMREAD_GRAYSCALE)
    return any(code.text == text for code in zxingcpp.read_barcodes(grey))


def run_reading(folders: list[Path], jobs: int, tick: Callable[[], None]) -> Row:
    """Counts and rates over all folders; `worst`: lines of the front that were read otherwise than they are printed."""
    from benchmarks.report import rate

    tally: dict[str, list[bool]] = {}
    times: dict[str, list[float]] = {stage: [] for stage in STAGES}
    worst: list[Row] = []
    missed: list[str] = []
    fallback: list[bool] = []
    for folder, (truth, answer) in zip(folders, judge_all(folders, jobs, read_one), strict=True):
        tick()
        if "error" in answer:
            tally.setdefault("no_error", []).append(False)
            continue
        for question, right in questions(truth, answer):
            tally.setdefault(question, []).append(right)
            if question in ("forged_found", "no_false_contradiction") and not right:
                missed.append(f"{folder.name}: {question}")
        if truth["case"] == "good":
            worst += wrong_lines(folder.name, truth, answer)
            fallback.append(answer["fallback"])
            for stage in STAGES:
                times[stage].append(answer["timings_ms"].get(stage, 0.0))
    worst.sort(key=lambda row: -row["confidence"])
    return {
        "supports": len(folders), "rates": {name: rate(sum(hits), len(hits)) for name, hits in sorted(tally.items())},
        "ms_a_support": {stage: round(statistics.median(values), 2) for stage, values in times.items() if values},
        "fallback": rate(sum(fallback), len(fallback)), "missed": missed, "worst": worst[:WORST],
    }


def questions(truth: Row, answer: Row) -> list[tuple[str, bool]]:
    """What one support answers, as (question, right)."""
    outcomes = {check["name"]: check["outcome"] for check in answer["checks"] if check["name"] in CROSS_CHECKS}
    found = set(outcomes.values())
    if truth["case"] != "good":
        edit = truth["case"].removeprefix("edited_")
        seen = bool(found & {"failed", "uncertain"})
        return [("forged_found", seen), (f"forged_found_{edit}", seen), ("forged_contradicted", "failed" in found),
                ("forged_not_accepted", answer["verdict"] != "accepted")]
    asked = [("no_false_contradiction", "failed" not in found), ("no_doubt", "uncertain" not in found),
             ("code_small_naive", answer["naive_qr"]), *_codes(truth, answer)]
    mrz = answer["mrz"]
    asked.append(("mrz_exact", mrz is not None and mrz["lines"] == truth["mrz"]))
    asked.append(("mrz_not_wrongly_valid", not (mrz and mrz["valid"] and mrz["lines"][:2] != truth["mrz"][:2])))
    printed = truth["fields"]
    asked += [(f"field_{name}", front_value(answer, name) == printed[name]) for name in FIELDS if printed.get(name)]
    asked.append(("names_exact", all(front_value(answer, name) == printed[name] for name in NAMES if printed.get(name))))
    return asked


def _codes(truth: Row, answer: Row) -> list[tuple[str, bool]]:
    """Each printed code by its role; the two large QRs are two trials of one question."""
    read = {code["role"]: code["sha256"] for code in answer["codes"] if code["status"] != "detected"}
    named = {"large_left": "large_qr", "large_right": "large_qr"}
    roles = ((code, named.get(code["role"], code["role"])) for code in truth["codes"])
    return [(f"code_{name}", read.get(code["role"]) == code["sha256"]) for code, name in roles]


def wrong_lines(support: str, truth: Row, answer: Row) -> list[Row]:
    """Fields of the front that were read, and not as they are printed."""
    rows = []
    for name in (*NAMES, *FIELDS):
        field = answer["fields"].get(name)
        read = next((one for one in field["readings"] if one["source"] == "front"), None) if field else None
        if field and read and field["box_mm"] and truth["fields"].get(name) not in (None, read["value"]):
            rows.append({"support": support, "field": name, "box_mm": field["box_mm"], "confidence": read["confidence"],
                         "corners": answer["card"]["front"]["corners"], "capture": answer["card"]["front"]["capture"],
                         "read": read["value"], "printed": truth["fields"][name]})
    return rows


def draw_lines(worst: list[Row], folders: list[Path], out: Path) -> None:
    """The lines that were misread, most confident first: the print as rectified, and below it what was read and what it is."""
    import cv2
    import numpy as np

    from pipeline.stages.decode import decode
    from pipeline.stages.geometry import PX_PER_MM
    from pipeline.stages.rectify import rectify

    by_name = {folder.name: folder for folder in folders}
    rows = []
    for row in worst:
        photo = decode((by_name[row["support"]] / f"{row['capture']}.jpg").read_bytes())
        card = rectify(photo.view, np.array(row["corners"], dtype=np.float64) / photo.scale)
        x0, y0, x1, y1 = (round(edge * PX_PER_MM) for edge in row["box_mm"])
        crop = card[max(y0 - 10, 0):y1 + 10, max(x0 - 10, 0):x1 + 10]
        strip = np.full((crop.shape[0] + 40, 1000, 3), 245, np.uint8)
        strip[4:4 + crop.shape[0], 4:4 + min(crop.shape[1], 990)] = crop[:, :990]
        words = f"{row['support']} {row['field']} {row['confidence']:.2f}: read {row['read']} - printed {row['printed']}"
        cv2.putText(strip, _ascii(words), (6, strip.shape[0] - 12), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (20, 20, 20), 1, cv2.LINE_AA)
        rows.append(strip)
    if rows:
        out.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(out), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 85])


def _ascii(words: str) -> str:
    """OpenCV's fonts have no Ñ."""
    return words.replace("Ñ", "N~").encode("ascii", "replace").decode()

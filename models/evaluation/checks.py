"""How sure the readings are where they are right and where they are wrong: what models/calibration/checks.json is set by.

`python -m models.evaluation.checks DIR…` on specimen folders (`apoyo specimens`) whose seeds were not trained on.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from models.registry import load_calibration
from pipeline.checks.readings import NAMES, edit_distance
from pipeline.cli.verify import Desk
from pipeline.domain.mrz import mrz_name
from pipeline.domain.process import DEMO_PROCESS
from pipeline.wiring import local_networks, pin_threads

DIGITS = ("birth_date", "expiry_year", "section", "issue_number", "sex")
"""Front values that are compared with the MRZ letter by letter."""
GENUINE = ("good", "swapped")
LIMITS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)


def main(folders: list[Path]) -> None:
    pin_threads(1)
    networks, calibration = local_networks(), load_calibration()
    digits: list[tuple[bool, float]] = []
    curps: list[tuple[bool, float]] = []
    slips: Counter[int] = Counter()
    other_shares: list[float] = []
    models: list[tuple[bool, float]] = []
    mrz: list[tuple[bool, float]] = []
    for folder in folders:
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        answer = Desk(DEMO_PROCESS, None, networks, calibration).judge(folder)
        if "error" in answer or truth["case"] not in (*GENUINE, "other_card_back"):
            continue
        if truth["case"] == "other_card_back":
            other_shares += name_distance(answer)[1:]
            continue
        fields = answer["fields"]
        digits += [pair for name in DIGITS for pair in judged(fields, truth["fields"], name)]
        curps += judged(fields, truth["fields"], "curp")
        slips.update(name_distance(answer)[:1])
        models.append((truth["model"] in answer["card"]["candidates"], answer["card"]["confidence"]))
        if answer["mrz"]:
            mrz.append((answer["mrz"]["lines"] == truth["mrz"], answer["mrz"]["confidence"]))
    for title, pairs in (("digits and sex of the front", digits), ("CURP", curps), ("model", models), ("MRZ", mrz)):
        print_pairs(title, pairs)
    print("names, front against MRZ, letters off on one card:", dict(sorted(slips.items(), key=lambda item: int(item[0]))))
    print("names, share of letters off on two people's cards:", sorted(round(share, 2) for share in other_shares))


def judged(fields: dict[str, Any], truth: dict[str, str], name: str) -> list[tuple[bool, float]]:
    """(right, confidence) of the front's reading of one field; empty where there is none."""
    readings = [one for one in fields.get(name, {}).get("readings", ()) if one["source"] == "front"]
    return [(one["value"] == truth.get(name), one["confidence"]) for one in readings[:1]]


def name_distance(answer: dict[str, Any]) -> list[Any]:
    """[letters off, share of letters off] between the front's names and the MRZ's; empty where either is missing."""
    lines = []
    for source in ("front", "mrz"):
        found = [next((one["value"] for one in answer["fields"].get(name, {}).get("readings", ()) if one["source"] == source), "")
                 for name in NAMES]
        lines.append("<".join(mrz_name(name) for name in found))
    if not all(line.strip("<") for line in lines):
        return []
    printed, coded = lines[0][: len(lines[1])] if len(lines[1]) >= 28 else lines[0], lines[1]
    off = edit_distance(printed, coded)
    return [off, off / max(len(printed), len(coded))]


def print_pairs(title: str, pairs: list[tuple[bool, float]]) -> None:
    right = sorted(confidence for ok, confidence in pairs if ok)
    wrong = sorted(confidence for ok, confidence in pairs if not ok)
    print(f"{title}: {len(right)} right, {len(wrong)} wrong")
    for limit in LIMITS:
        print(f"   at {limit}: {sum(c >= limit for c in right)} right, {sum(c >= limit for c in wrong)} wrong reach it")


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])

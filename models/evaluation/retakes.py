"""Whether a capture is asked for again for the right cause, and whether good ones are left alone: what quality.json is judged by.

`python -m models.evaluation.retakes DIR…` on specimen folders of the `planted_…` cases and of `good` (`apoyo specimens`).
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from models.registry import load_calibration
from models.specimens.cases import CASES
from pipeline.cli.verify import Desk
from pipeline.domain.process import DEMO_PROCESS
from pipeline.wiring import local_networks, pin_threads


def main(folders: list[Path]) -> None:
    pin_threads(1)
    networks, calibration = local_networks(), load_calibration()
    planted: dict[str, Counter[str]] = defaultdict(Counter)
    good: Counter[str] = Counter()
    for folder in folders:
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        answer = Desk(DEMO_PROCESS, None, networks, calibration).judge(folder)
        case = CASES[truth["case"]]
        if case.reason is not None:
            said = answered(answer)
            planted[case.name][case.reason if case.reason in said else " ".join(said) or answer.get("verdict", "error")] += 1
        elif case.name == "good":
            hard = "hard to read" if truth["expected"]["hard_to_read"] else "easy to read"
            retake = " ".join(answered(answer)) if answer.get("verdict") == "retake" else "not refused"
            good[f"{hard}: {retake}"] += 1
            if answer.get("verdict") == "retake":
                print(f"{folder.name}: {truth['expected']['hard_to_read']} → {retake}")
    right = 0
    for name, counts in sorted(planted.items()):
        wanted = str(CASES[name].reason)
        right += counts[wanted]
        print(f"{name}: {counts[wanted]} of {counts.total()} {wanted}; else {dict(counts - Counter({wanted: counts[wanted]}))}")
    print(f"planted: {right} of {sum(counts.total() for counts in planted.values())} with the right reason")
    print(f"good: {dict(good)}")


def answered(answer: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in answer.get("reasons", ())]


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
